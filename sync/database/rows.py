"""Rows in and out: upserts that both databases understand, and rows as the types of `sync.model`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Engine, Row, Table, bindparam, func, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ColumnElement

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

__all__ = ["chunks", "insert_into", "reader", "upsert"]

_CHUNK = 1000

_T = TypeVar("_T", bound=Struct)


def reader(kind: type[_T], table: Table) -> Callable[[Row[Any]], _T]:
    """What makes a `kind` of a row; its fields bear the names of columns, which the row has in the table's order."""
    names = kind.__struct_fields__
    columns = [column.name for column in table.columns]
    pick = itemgetter(*(columns.index(name) for name in names))

    def read(row: Row[Any]) -> _T:
        return kind(**dict(zip(names, pick(row), strict=True)))

    return read


def chunks(ids: Collection[str]) -> Iterator[list[str]]:
    """`ids` in lists short enough for one statement."""
    rest = list(ids)
    for i in range(0, len(rest), _CHUNK):
        yield rest[i : i + _CHUNK]


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: bool = False,
    newer: str = "",
    key: Sequence[str] = (),
) -> None:
    """Insert `rows`, all with the same columns; those that are there (by `key`, else the primary key) are overwritten.

    With `keep` they stay as they are; with `newer`, a column, they stay when theirs is greater.
    """
    if not rows:
        return
    names = list(rows[0])
    keys = list(key) or [column.name for column in table.primary_key]
    once = list({tuple(row[name] for name in keys): row for row in rows}.values())
    statement = insert_into(connection, table)
    parameters: Any = once
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        # One statement with a column of values each: a statement per row costs ten times as much there.
        columns = (
            func.unnest(bindparam(name, type_=postgresql.ARRAY(table.c[name].type, dimensions=1))) for name in names
        )
        statement = statement.from_select(names, select(*columns))
        parameters = {name: [row[name] for row in once] for name in names}
    values = {name: statement.excluded[name] for name in names if name not in keys}
    if keep or not values:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    else:
        where: ColumnElement[bool] | None = None
        if newer:
            where = func.coalesce(statement.excluded[newer] >= table.c[newer], True)
        statement = statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)
    connection.execute(statement, parameters)


def insert_into(bind: Connection | Engine, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert that may say what to do when the key is there already, which the two databases spell alike."""
    if bind.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # late: few have it, and its import takes a while

    return postgresql.insert(table)
