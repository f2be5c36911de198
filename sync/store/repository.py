"""What every shelf of the store stands on: short reads, short writes, and the numbers of the sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, Select, Table, select

from sync.store import tables as schema
from sync.store.database import reading, writing
from sync.store.upsert import upsert

__all__ = ["Repository", "of"]


class Repository:
    """A part of the store. `clock` gives the time in UTC."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._clock = clock
        self._numbers: dict[str, int] = {}

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        """All rows of a query; their types are those of the tables, which only the database knows."""
        with reading(self._engine) as connection:
            return connection.execute(query).all()

    def _known(self, source: str) -> int:
        """The number of a source; 0, which no source has, when it was never seen."""
        if source not in self._numbers:
            rows = self._rows(select(schema.source.c.n).where(schema.source.c.url == source))
            if not rows:
                return 0
            self._numbers[source] = rows[0].n
        return self._numbers[source]

    def _number(self, source: str) -> int:
        """The number of a source, which gets one now if it has none."""
        if not self._known(source):
            with writing(self._engine) as connection:
                upsert(connection, schema.source, [{"url": source}], keep=True, key=("url",))
        return self._known(source)

    def _source_of(self, uid: str) -> int:
        """The number of the source that a uid begins with; 0 for what belongs to none, a joint milestone."""
        known = self._rows(select(schema.source.c.url, schema.source.c.n))
        return max(((len(row.url), row.n) for row in known if uid.startswith(f"{row.url}/")), default=(0, 0))[1]


def of(table: Table, source: int) -> Select[Any]:
    """All rows of one source."""
    return select(table).where(table.c.source == source)
