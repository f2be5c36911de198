"""Read rows of one table by the values of its columns, with SQL that SQLAlchemy need not compile.

Compiling a statement takes ten times as long as running it, and a command such as `status` runs most of its statements
once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Row, Table
from sqlalchemy.engine import result_tuple

from sync.store.tables import BulkType

__all__ = ["select_where"]


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
    columns, convert = _columns(table, tuple(names), connection.dialect)
    quote = connection.dialect.identifier_preparer.quote
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    conditions, bound = [], list[Any]()
    for name, value in where.items():
        values, test = [value], f"= {mark}"
        if value is None:
            values, test = [], "IS NULL"
        elif isinstance(value, list):
            values, test = value, f"IN ({', '.join([mark] * len(value))})"
        conditions.append(f"{quote(name)} {test}")
        kind = table.c[name].type
        bound += kind.bound(values) if isinstance(kind, BulkType) else values
    parts = [f"SELECT {columns} FROM {quote(table.name)}"]  # noqa: S608 - names of our own tables and columns
    if conditions:
        parts.append(f"WHERE {' AND '.join(conditions)}")
    if order:
        parts.append(f"ORDER BY {', '.join(map(quote, order))}")
    return convert(connection.exec_driver_sql(" ".join(parts), tuple(bound)).all())


@cache
def _columns(
    table: Table, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, Callable[[Sequence[Row[Any]]], list[Row[Any]]]]:
    """Return the columns as SQL, and the conversion of rows of the driver to rows with the values of these columns."""
    columns = [table.c[name] for name in names] or list(table.c)
    loaders = [(place, load) for place, column in enumerate(columns) if (load := _loader(column, dialect)) is not None]
    row = result_tuple([column.name for column in columns])

    def convert(rows: Sequence[Row[Any]]) -> list[Row[Any]]:
        if not loaders or not rows:
            return list(rows)
        by_column: list[Any] = list(zip(*rows, strict=True))
        for place, load in loaders:
            by_column[place] = map(load, by_column[place])
        return list(map(row, zip(*by_column, strict=True)))

    quote = dialect.identifier_preparer.quote
    return ", ".join(quote(column.name) for column in columns), convert


def _loader(column: Column[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Return the conversion of a value of the driver; None: it stays as it is. psycopg returns dates and booleans."""
    if isinstance(column.type, BulkType):
        return column.type.loader()
    if dialect.name == "postgresql":
        return None
    return column.type.dialect_impl(dialect).result_processor(dialect, None)
