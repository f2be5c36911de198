"""Upserts for both databases, and conversion of rows to the types of `sync.model.tracker_data`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct
from sqlalchemy import Connection, Dialect, Engine, Row, Table, bindparam, func, select, true
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from sync.store.tables import BulkType

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

__all__ = ["chunks", "in_projects", "insert_into", "reader", "upsert"]

_CHUNK = 1000

_T = TypeVar("_T", bound=Struct)
_Id = TypeVar("_Id")
_Insert = TypeVar("_Insert", "sqlite.Insert", "postgresql.Insert")


def reader(kind: type[_T], table: Table) -> Callable[[Row[Any]], _T]:
    """Return a function that converts a row of `table` to a `kind`, whose fields have the names of columns."""
    names = kind.__struct_fields__
    columns = [column.name for column in table.columns]
    pick = itemgetter(*(columns.index(name) for name in names))

    def read(row: Row[Any]) -> _T:
        return kind(**dict(zip(names, pick(row), strict=True)))

    return read


def chunks(ids: Collection[_Id]) -> Iterator[list[_Id]]:
    """Yield `ids` in lists that are short enough for one statement."""
    rest = list(ids)
    for i in range(0, len(rest), _CHUNK):
        yield rest[i : i + _CHUNK]


def in_projects(table: Table, source: int, projects: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a row of `table` is of these projects of a source.

    SQLite uses an index other than the primary key only if it needs no other column; else it reads the whole source.
    """
    named = table.alias()
    return table.c.id.in_(select(named.c.id).where(named.c.source == source, named.c.project.in_(projects)))


def upsert(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    keep: bool = False,
    newer: str = "",
    key: Sequence[str] = (),
) -> None:
    """Insert `rows`, all with the same columns; overwrite existing rows (by `key`, default: the primary key).

    `keep`: existing rows are not changed. `newer`: existing rows with a greater value in this column are not changed.
    PostgreSQL locks row after row: in the order of the keys, so that two transactions do not wait for each other.
    """
    if not rows:
        return
    names = tuple(rows[0])
    keys = tuple(key) or tuple(column.name for column in table.primary_key)
    unique = rows
    if len(rows) > 1:
        by_key = dict(zip(map(itemgetter(*keys), rows), rows, strict=True))
        unique = [by_key[of] for of in (sorted(by_key) if connection.dialect.name == "postgresql" else by_key)]
    columns = {name: [row[name] for row in unique] for name in names}
    if connection.dialect.name == "postgresql":
        statement = _upsert_of_columns(table, names, keys, keep=keep, newer=newer)
        connection.execute(statement, {name: _bound(table, name, column) for name, column in columns.items()})
        return
    sql, converters = _upsert_of_rows(table, names, keys, keep=keep, newer=newer)
    bound = [columns[name] if convert is None else convert(columns[name]) for name, convert in converters.items()]
    connection.exec_driver_sql(sql, list(zip(*bound, strict=True)))


def _bound(table: Table, name: str, values: list[Any]) -> list[Any]:
    kind = table.c[name].type
    return kind.bound(values) if isinstance(kind, BulkType) else values


@cache
def _upsert_of_rows(
    table: Table, names: tuple[str, ...], keys: tuple[str, ...], *, keep: bool, newer: str
) -> tuple[str, dict[str, Callable[[list[Any]], list[Any]] | None]]:
    """Return SQLite's statement for one row, and the converter of each column's values.

    A pull has hundreds of thousands of rows, and SQLAlchemy's own parameters cost ten times as much for each.
    """
    dialect = sqlite.dialect()
    statement = _on_conflict(sqlite.insert(table), table, names, keys, keep=keep, newer=newer)
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    return str(compiled), {name: _converter(table.c[name].type, dialect) for name in compiled.positiontup or ()}


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[list[Any]], list[Any]] | None:
    if isinstance(kind, BulkType):
        return kind.bound
    convert = kind.dialect_impl(dialect).bind_processor(dialect)
    return None if convert is None else lambda values: list(map(convert, values))


@cache
def _upsert_of_columns(
    table: Table, names: tuple[str, ...], keys: tuple[str, ...], *, keep: bool, newer: str
) -> postgresql.Insert:
    """Return PostgreSQL's statement with one array per column: a statement per row costs ten times as much."""
    from sqlalchemy.dialects import postgresql  # late: its import takes a while, and few installations have it

    kinds = (table.c[name].type for name in names)
    plain = (kind.impl_instance if isinstance(kind, BulkType) else kind for kind in kinds)  # the values are converted
    arrays = (postgresql.ARRAY(kind, dimensions=1) for kind in plain)
    columns = (func.unnest(bindparam(name, type_=array)) for name, array in zip(names, arrays, strict=True))
    statement = postgresql.insert(table).from_select(list(names), select(*columns))
    return _on_conflict(statement, table, names, keys, keep=keep, newer=newer)


def _on_conflict(
    statement: _Insert, table: Table, names: Sequence[str], keys: Sequence[str], *, keep: bool, newer: str
) -> _Insert:
    values = {name: statement.excluded[name] for name in names if name not in keys}
    if keep or not values:
        return statement.on_conflict_do_nothing(index_elements=keys)
    where: ColumnElement[bool] | None = None
    if newer:
        where = func.coalesce(statement.excluded[newer] >= table.c[newer], true())
    return statement.on_conflict_do_update(index_elements=keys, set_=values, where=where)


def insert_into(bind: Connection | Engine, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert with ``on_conflict``, which both databases have."""
    if bind.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # late: its import takes a while, and few installations have it

    return postgresql.insert(table)
