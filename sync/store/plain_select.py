"""Read rows with SQL that SQLAlchemy need not compile.

Compiling a statement takes ten times as long as running it, and a command such as `status` runs most of its statements
once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Row, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import result_tuple

from sync.store.tables import BulkType

__all__ = ["marks", "select_plain", "select_where"]

_SQLITE = sqlite.dialect()


def select_where(
    connection: Connection,
    table: Table,
    names: Sequence[str] = (),
    *,
    where: Mapping[str, Any],
    order: Sequence[str] = (),
) -> list[Row[Any]]:
    """Return these columns (default: all) of the rows whose columns have the values of ``where``, sorted by ``order``.

    A list, which must not be empty, is a choice of values; None is NULL.
    """
    conditions, bound = [], list[Any]()
    for name, value in where.items():
        values, test = [value], "= ?"
        if value is None:
            values, test = [], "IS NULL"
        elif isinstance(value, list):
            values, test = value, f"IN ({marks(value)})"
        conditions.append(f'"{name}" {test}')
        kind = table.c[name].type
        bound += kind.bound(values) if isinstance(kind, BulkType) else values
    parts = [f'FROM "{table.name}"']
    if conditions:
        parts.append(f"WHERE {' AND '.join(conditions)}")
    if order:
        parts.append("ORDER BY " + ", ".join(f'"{name}"' for name in order))
    return select_plain(connection, [table.c[name] for name in names] or list(table.c), " ".join(parts), bound)


def select_plain(
    connection: Connection, columns: Sequence[Column[Any]], rest: str, values: Sequence[Any] = ()
) -> list[Row[Any]]:
    """Return the rows of a statement that selects these columns.

    ``rest`` is its SQL from ``FROM`` on, for both databases. It has a question mark for each of the ``values``, which
    have the form of the database.
    """
    is_postgresql = connection.dialect.name == "postgresql"
    shown, convert = _columns(tuple(columns), is_postgresql=is_postgresql)
    if is_postgresql:
        rest = rest.replace("?", "%s")
    return convert(connection.exec_driver_sql(f"SELECT {shown} {rest}", tuple(values)).all())


def marks(values: Sequence[Any]) -> str:
    """Return a question mark for each value, as a list in parentheses holds them."""
    return ", ".join("?" * len(values))


@cache
def _columns(
    columns: tuple[Column[Any], ...], *, is_postgresql: bool
) -> tuple[str, Callable[[Sequence[Row[Any]]], list[Row[Any]]]]:
    """Return the columns as SQL, and the conversion of rows of the driver to rows with the values of these columns."""
    loaders = [
        (place, load)
        for place, column in enumerate(columns)
        if (load := _loader(column, is_postgresql=is_postgresql)) is not None
    ]
    row = result_tuple([column.name for column in columns])

    def convert(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        if not loaders or not rows:
            return list(rows)
        by_column: list[Any] = list(zip(*rows, strict=True))
        for place, load in loaders:
            by_column[place] = map(load, by_column[place])
        return list(map(row, zip(*by_column, strict=True)))

    return ", ".join(f'{column.table.name}."{column.name}"' for column in columns), convert


def _loader(column: Column[Any], *, is_postgresql: bool) -> Callable[[Any], Any] | None:
    """Return the conversion of a value of the driver; None: it stays as it is. psycopg returns dates and booleans."""
    if isinstance(column.type, BulkType):
        return column.type.loader()
    if is_postgresql:
        return None
    return column.type.dialect_impl(_SQLITE).result_processor(_SQLITE, None)
