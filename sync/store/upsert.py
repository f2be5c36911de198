"""Upserts for both databases, and conversion of rows to the types of `sync.model.tracker_data`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain
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

__all__ = ["chunks", "in_projects", "insert_into", "reader", "upsert", "upsert_columns"]

_CHUNK = 1000

_AT_ONCE = 100
"""Rows of one SQLite statement: between statements a thread waits until the others give it Python's lock back.

At most 32 columns times this many parameters, of 32,766 that SQLite takes.
"""

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
    """Insert `rows`, all with the same columns; see `upsert_columns`."""
    if rows:
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        upsert_columns(connection, table, columns, keep=keep, newer=newer, key=key)


def upsert_columns(
    connection: Connection,
    table: Table,
    columns: Mapping[str, Sequence[Any]],
    *,
    keep: bool = False,
    newer: str = "",
    key: Sequence[str] = (),
) -> None:
    """Insert rows, given as equally long columns; overwrite existing rows (by `key`, default: the primary key).

    The last of several rows with the same key counts. `keep`: existing rows are not changed. `newer`: existing rows
    with a greater value in this column are not changed.

    PostgreSQL locks row after row: in the order of the keys, so that two transactions do not wait for each other.
    """
    keys = tuple(key) or tuple(column.name for column in table.primary_key)
    names = tuple(columns)
    last = {value: n for n, value in enumerate(zip(*(columns[name] for name in keys), strict=True))}
    if not last:
        return
    is_postgresql = connection.dialect.name == "postgresql"
    if is_postgresql or len(last) < len(columns[keys[0]]):
        order = [last[value] for value in (sorted(last) if is_postgresql else last)]
        columns = {name: [values[n] for n in order] for name, values in columns.items()}
    if is_postgresql:
        statement = _upsert_of_columns(table, names, keys, keep=keep, newer=newer)
        connection.execute(statement, {name: _bound(table, name, column) for name, column in columns.items()})
        return
    start, row, end, converters = _upsert_of_rows(table, names, keys, keep=keep, newer=newer)
    bound = [columns[name] if convert is None else convert(columns[name]) for name, convert in converters.items()]
    rows = list(zip(*bound, strict=True))
    whole = len(rows) - len(rows) % _AT_ONCE
    if whole:
        parts = [tuple(chain.from_iterable(rows[n : n + _AT_ONCE])) for n in range(0, whole, _AT_ONCE)]
        connection.exec_driver_sql(f"{start}{', '.join([row] * _AT_ONCE)}{end}", parts)
    if rows[whole:]:
        connection.exec_driver_sql(f"{start}{row}{end}", rows[whole:])


def _bound(table: Table, name: str, values: Sequence[Any]) -> list[Any]:
    kind = table.c[name].type
    return kind.bound(values) if isinstance(kind, BulkType) else list(values)


@cache
def _upsert_of_rows(
    table: Table, names: tuple[str, ...], keys: tuple[str, ...], *, keep: bool, newer: str
) -> tuple[str, str, str, dict[str, Callable[[Sequence[Any]], list[Any]] | None]]:
    """Return SQLite's statement, split around the parameters of one row, and the converter of each column's values.

    A pull has hundreds of thousands of rows, and SQLAlchemy's own parameters cost ten times as much for each.
    """
    dialect = sqlite.dialect()
    statement = _on_conflict(sqlite.insert(table), table, names, keys, keep=keep, newer=newer)
    compiled = statement.compile(dialect=dialect, column_keys=list(names))
    order = compiled.positiontup or ()
    row = f"({', '.join('?' * len(order))})"
    start, row, end = str(compiled).partition(row)
    return start, row, end, {name: _converter(table.c[name].type, dialect) for name in order}


def _converter(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Sequence[Any]], list[Any]] | None:
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
