"""Base of the repositories: short reads, and the number of each source (tracker base URL)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from itertools import accumulate
from typing import Any

from msgspec import MsgspecError
from sqlalchemy import Engine, Select, Table, select

from sync.store import tables as schema
from sync.store.database import DamagedDatabase, reading, writing
from sync.store.upsert import chunks, upsert

__all__ = ["Repository", "rows_of"]


class Repository:
    """One subject of the store. `clock` gives the time in UTC."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._numbers: dict[str, int] = {}

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        """Return all rows of a query. Raises `UnusableDatabase`, also for a value that no version of ours wrote."""
        with reading(self._engine) as connection:
            try:
                return connection.execute(query).all()
            except (LookupError, ValueError, OverflowError, MsgspecError) as error:
                raise DamagedDatabase(self._engine.url.render_as_string(), "a value is not of its column") from error

    def _known(self, source: str) -> int:
        """Return the number of a source; 0, which no source has, when the store does not know it."""
        if source not in self._numbers:
            rows = self._rows(select(schema.source.c.n).where(schema.source.c.url == source))
            if not rows:
                return 0
            self._numbers[source] = rows[0].n
        return self._numbers[source]

    def _number(self, source: str) -> int:
        """Return the number of a source; an unknown source gets a number now."""
        if not self._known(source):
            with writing(self._engine) as connection:
                upsert(connection, schema.source, [{"url": source}], keep=True, key=("url",))
        return self._known(source)

    def _sources_of(self, uids: Collection[str]) -> dict[str, int]:
        """Return the number of the source that each uid begins with; 0 for a joint milestone, which has none."""
        table = schema.source
        beginnings = {uid: list(accumulate(uid.split("/")[:-1], "{}/{}".format)) for uid in uids}
        numbers: dict[str, int] = {}
        for urls in chunks(sorted({url for own in beginnings.values() for url in own})):
            numbers |= {
                row.url: row.n for row in self._rows(select(table.c.url, table.c.n).where(table.c.url.in_(urls)))
            }
        return {
            uid: next((numbers[url] for url in reversed(own) if url in numbers), 0) for uid, own in beginnings.items()
        }


def rows_of(table: Table, source: int) -> Select[Any]:
    """Select all rows of one source."""
    return select(table).where(table.c.source == source)
