"""Save the rows of a page that could not be read, and forget those that can be read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, select

from sync.model.tracker_data import UnreadKind, UnreadRow
from sync.store import tables as schema
from sync.store.plain_select import select_plain
from sync.store.pulls import good_pulls
from sync.store.upsert import chunks, upsert
from sync.tracker.protocol import Page

__all__ = ["save_unread"]

ITEMS = tuple(kind for kind in UnreadKind if kind.is_item)


def save_unread(connection: Connection, source: int, page: Page, gone: Collection[str], at: datetime) -> None:
    """Save the unread rows of a page, pulled at `at` (UTC).

    Delete those of rows that the page has, or that were deleted (``gone``: ids of issues). A complete pull names all
    unread rows of a project, so the others are deleted with its last page.
    """
    table = schema.unread
    if select_plain(connection, [table.c.item], "FROM unread WHERE source = ? LIMIT 1", [source]):
        for (project, kinds), items in _names(page).items():
            _delete(connection, items, (table.c.source == source, table.c.project == project, table.c.kind.in_(kinds)))
        _delete(connection, gone, (table.c.source == source, table.c.kind.in_(ITEMS)))
    _upsert(connection, source, page.unread, at)
    for projects in chunks(page.complete):
        mine = (table.c.source == source) & table.c.project.in_(projects) & (table.c.seen_at < at)
        connection.execute(delete(table).where(mine))


def _names(page: Page) -> dict[tuple[str, tuple[UnreadKind, ...]], set[str]]:
    """Return the ids and keys of a page's rows, by project and kinds."""
    names: dict[tuple[str, tuple[UnreadKind, ...]], set[str]] = {}
    for issue in page.issues:
        names.setdefault((issue.project, ITEMS), set()).update((issue.id, issue.key))
    for milestone in page.milestones:
        names.setdefault((milestone.project, (UnreadKind.MILESTONE,)), set()).add(milestone.id)
    return names


def _delete(connection: Connection, items: Collection[str], where: Sequence[ColumnElement[bool]]) -> None:
    """Delete the rows with these ids, or with these keys where the id could not be read."""
    for batch in chunks(items):
        connection.execute(delete(schema.unread).where(*where, schema.unread.c.item.in_(batch)))


def _upsert(connection: Connection, source: int, rows: Iterable[UnreadRow], at: datetime) -> None:
    named = {(row.project, row.kind, row.id or row.key): row for row in rows}
    if not named:
        return
    table = schema.unread
    known: dict[tuple[str, UnreadKind, str], Row[Any]] = {}
    for projects in chunks({project for project, _, _ in named}):
        mine = (table.c.source == source) & table.c.project.in_(projects)
        known |= {(row.project, row.kind, row.item): row for row in connection.execute(select(table).where(mine))}
    good = good_pulls(connection, source, {project for project, _, _ in named})
    values: list[dict[str, Any]] = []
    for (project, kind, item), row in named.items():
        before = known.get((project, kind, item))
        values.append(
            {
                "source": source,
                "project": project,
                "kind": kind,
                "item": item,
                "id": row.id,
                "key": row.key,
                "reason": row.reason,
                "milestones": _milestones(connection, source, row),
                "failed_at": before.failed_at if before else at,
                "seen_at": at,
                "good_at": before.good_at if before else good.get(project),
            }
        )
    upsert(connection, table, values)


def _milestones(connection: Connection, source: int, row: UnreadRow) -> tuple[str, ...]:
    """Return the milestones that a row concerns: those that it names, and those of the stored issue."""
    if row.kind is UnreadKind.MILESTONE:
        return (row.id,) if row.id else ()
    table = schema.issue
    key = (table.c.id == row.id) if row.id else (table.c.project == row.project) & (table.c.key == row.key)
    query = select(table.c.milestones).where(table.c.source == source, key)
    stored = connection.execute(query).first() if row.id or row.key else None
    return tuple(dict.fromkeys((*row.milestones, *(stored.milestones if stored else ()))))
