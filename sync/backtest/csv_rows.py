"""Rows of a CSV file, plain or .gz, with their line numbers. Errors name file, row and column."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TextIO

__all__ = ["CsvRow", "HistoryError", "csv_columns", "csv_file", "csv_rows"]

MOST_ITEMS = 100_000
"""Most items of one milestone; a larger number is a mistake, and would take too much memory."""


class HistoryError(ValueError):
    """A history that cannot be read: a file is missing, or a row does not match its header."""


class CsvRow(NamedTuple):
    """One row: ``line`` is the last line of the file that it takes, ``values`` its cells by column."""

    path: Path
    line: int
    values: dict[str, str]

    def text(self, column: str) -> str:
        """Return the cell without spaces around it; "" without such a column."""
        return self.values.get(column, "").strip()

    def error(self, column: str, problem: str) -> HistoryError:
        """Return the error about a cell."""
        return HistoryError(f"{self.path}:{self.line}: {column} {problem}")

    def moment(self, column: str) -> datetime | None:
        """Return a date (its beginning) or time in UTC; None where the cell is empty. Raises `HistoryError`."""
        text = self.text(column)
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise self.error(column, f"{text!r} is not a date or time") from error

    def is_date(self, column: str) -> bool:
        """Return True if the cell is a date without a time."""
        return len(self.text(column)) <= len("2020-12-31")

    def count(self, column: str) -> int:
        """Return a number of items. Raises `HistoryError`."""
        text = self.text(column)
        try:
            value = float(text)
        except ValueError:
            value = -1.0
        if not (value >= 0 and value.is_integer()):
            raise self.error(column, f"{text!r} is not a number of items")
        if value > MOST_ITEMS:
            raise self.error(column, f"{text} is more than {MOST_ITEMS:,} items")
        return int(value)


def csv_file(prefix: str, what: str) -> Path | None:
    """Return the existing file ``<prefix>_<what>.csv`` or ``.csv.gz``; None if there is none."""
    paths = (Path(f"{prefix}_{what}{ending}") for ending in (".csv", ".csv.gz"))
    return next((path for path in paths if path.is_file()), None)


def csv_columns(path: Path) -> frozenset[str]:
    """Return the columns of a file. Raises `HistoryError`."""
    with _reader(path) as reader:
        return frozenset(reader.fieldnames or ())


def csv_rows(path: Path, needed: frozenset[str]) -> Iterator[CsvRow]:
    """Yield the rows of a file, which has the columns ``needed``. Raises `HistoryError`."""
    with _reader(path) as reader:
        missing = sorted(needed - set(reader.fieldnames or ()))
        if missing:
            raise HistoryError(f"{path}:1: no column {', '.join(missing)}")
        for values in reader:
            yield CsvRow(path, reader.line_num, values)


@contextmanager
def _reader(path: Path) -> Iterator[csv.DictReader[str]]:
    try:
        with _open(path) as text:
            yield csv.DictReader(text, restval="")
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{path}: {error}") from error


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")
