"""Read the times of pulls inside a transaction."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select

from sync.store import tables as schema
from sync.store.upsert import chunks

__all__ = ["good_pulls"]


def good_pulls(connection: Connection, source: int, projects: Collection[str]) -> dict[str, datetime]:
    """Return the time (UTC) of the last complete pull of each project (id)."""
    project, pull = schema.project, schema.pull
    times: dict[str, datetime] = {}
    for ids in chunks(projects):
        query = (
            select(project.c.id, pull.c.good_at)
            .join(pull, (pull.c.source == project.c.source) & (pull.c.project_key == project.c.key))
            .where(project.c.source == source, project.c.id.in_(ids), pull.c.good_at.is_not(None))
        )
        times.update((row.id, row.good_at) for row in connection.execute(query))
    return times
