"""Cache of memberships that take long to compute from the rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct
from sqlalchemy import delete

from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.upsert import chunks, upsert

__all__ = ["CacheEntry", "MembershipCache"]


class CacheEntry(Struct, frozen=True):
    """The encoded memberships of a project, computed from an edition of its rows."""

    edition: int
    body: bytes


class MembershipCache(Repository):
    """The cache. An edition counts the changes of a project's rows; an entry is valid while the edition is its own."""

    def editions(self, source: str, projects: Collection[str]) -> Mapping[str, int]:
        """Return the edition of each of these projects (native ids). An empty result switches the cache off."""
        editions = {row.project: row.n for row in self._select(schema.edition, source=self._known(source))}
        return {project: editions.get(project, 0) for project in projects}

    def cache_entries(self, source: str, rules: Mapping[str, str]) -> dict[str, CacheEntry]:
        """Return the entries of these projects (native ids), each under its own rule."""
        n, entries = self._known(source), dict[str, CacheEntry]()
        for projects in chunks(rules):
            own = sorted({rules[project] for project in projects})
            for row in self._select(schema.memo, source=n, rule=own, project=projects):
                if row.rule == rules[row.project]:
                    entries[row.project] = CacheEntry(row.edition, row.body)
        return entries

    def save_cache_entries(self, source: str, rules: Mapping[str, str], entries: Mapping[str, CacheEntry]) -> None:
        """Save the entries of projects, each under its own rule, and delete their entries under other rules."""
        table, n = schema.memo, self._number(source)
        rows = [
            {"source": n, "project": project, "rule": rules[project], "edition": entry.edition, "body": entry.body}
            for project, entry in entries.items()
        ]
        with writing(self._engine) as connection:
            for project in entries:
                mine = (table.c.source == n) & (table.c.project == project)
                connection.execute(delete(table).where(mine, table.c.rule != rules[project]))
            upsert(connection, table, rows)
