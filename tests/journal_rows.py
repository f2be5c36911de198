"""Read the journal of a store: the writes that were begun and have no recorded end."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import select

from sync.store import tables as schema
from sync.store.store import Store
from sync.tracker.actions import Action, AnyAction

__all__ = ["UnfinishedWrite", "unfinished_writes"]

_ACTION = msgspec.json.Decoder(AnyAction)


class UnfinishedWrite(msgspec.Struct, frozen=True, kw_only=True):
    """A write that was begun; it may have happened or not."""

    n: int
    run: str
    action: Action
    begun_at: datetime


def unfinished_writes(store: Store, source: str) -> list[UnfinishedWrite]:
    """Return the unfinished writes to a source, oldest first."""
    table, urls = schema.journal, schema.source
    query = select(table).join(urls, urls.c.n == table.c.source)
    query = query.where(urls.c.url == source, table.c.finished_at.is_(None)).order_by(table.c.n)
    return [
        UnfinishedWrite(n=row.n, run=row.run, action=_ACTION.decode(row.action), begun_at=row.begun_at)
        for row in store._rows(query)
    ]
