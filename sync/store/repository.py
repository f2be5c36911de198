"""Base of the repositories: short reads, and the number of each source (tracker base URL)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import accumulate
from typing import Any

from msgspec import MsgspecError
from sqlalchemy import Column, Connection, Engine, Select, Table, select

from sync.store import tables as schema
from sync.store.database import DamagedDatabase, reading, writing
from sync.store.plain_select import select_plain, select_where
from sync.store.upsert import chunks, upsert

__all__ = ["Repository"]


class Repository:
    """One subject of the store. `clock` gives the time in UTC."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._reader = engine.execution_options(milesync_one_statement=True)
        self._clock = clock
        self._numbers: dict[str, int] = {}

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        """Return all rows of a query. Raises `UnusableDatabase`, also for a value that no version of ours wrote."""
        with self._read() as connection:
            return connection.execute(query).all()

    def _select(self, table: Table, *names: str, order: Sequence[str] = (), **where: Any) -> Sequence[Any]:
        """Return columns of the rows of a table that have these values; see `select_where`. Raises as `_rows`."""
        with self._read() as connection:
            return select_where(connection, table, names, where=where, order=order)

    def _select_plain(self, columns: Iterable[Column[Any]], rest: str, *values: Any) -> Sequence[Any]:
        """Return these columns of a statement, given from ``FROM`` on; see `select_plain`. Raises as `_rows`."""
        with self._read() as connection:
            return select_plain(connection, tuple(columns), rest, values)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """Open the database for one statement. Raises `UnusableDatabase`, also for a value that is not of ours."""
        with reading(self._reader) as connection:
            try:
                yield connection
            except (LookupError, TypeError, ValueError, OverflowError, MsgspecError) as error:
                raise DamagedDatabase(self._engine.url.render_as_string(), "a value is not of its column") from error

    def _known(self, source: str) -> int:
        """Return the number of a source; 0, which no source has, when the store does not know it."""
        if source not in self._numbers:
            rows = self._select(schema.source, "n", url=source)
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
