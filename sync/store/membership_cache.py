"""The shelf of what was made of the rows and would take long to make again."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import delete, select

from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository, of
from sync.store.upsert import upsert

__all__ = ["CacheEntry", "MembershipCache"]


class CacheEntry(Struct, frozen=True):
    """What was made of a project's rows in an edition."""

    edition: int
    body: bytes


class MembershipCache(Repository):
    """Editions count changes: a memo is good while its project's edition is the one that it was made of."""

    def editions(self, source: str, projects: Collection[str]) -> Mapping[str, int]:
        """How often the rows of these projects (native ids) have changed; none at all means that nobody may tell."""
        found = {row.project: row.n for row in self._rows(of(schema.edition, self._known(source)))}
        return {project: found.get(project, 0) for project in projects}

    def memos(self, source: str, rule: str, projects: Collection[str]) -> dict[str, CacheEntry]:
        """What a rule made of these projects, by native id."""
        table = schema.memo
        query = select(table.c.project, table.c.edition, table.c.body)
        mine = (table.c.source == self._known(source)) & (table.c.rule == rule)
        rows = self._rows(query.where(mine, table.c.project.in_(projects)))
        return {row.project: CacheEntry(row.edition, row.body) for row in rows}

    def save_memos(self, source: str, rule: str, memos: Mapping[str, CacheEntry]) -> None:
        """Keep what a rule made; what other rules made of these projects is forgotten."""
        table, n = schema.memo, self._number(source)
        rows = [
            {"source": n, "project": project, "rule": rule, "edition": memo.edition, "body": memo.body}
            for project, memo in memos.items()
        ]
        with writing(self._engine) as connection:
            for project in memos:
                mine = (table.c.source == n) & (table.c.project == project)
                connection.execute(delete(table).where(mine, table.c.rule != rule))
            upsert(connection, table, rows)
