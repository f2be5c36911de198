"""Histories in CSV files: pairs ``<prefix>_milestones.csv`` and ``<prefix>_memberships.csv``, plain or .gz.

Milestones: ``milestone, kind, stream, name, start, due``; memberships: ``milestone, item, joined, left, closed``.
Times are ISO 8601 with a zone (``Z``) or bare dates (UTC); an empty one has not happened. Other columns are ignored.

``closed`` means done. ``due`` names a day: as everywhere here, the due moment is the end of that day, in UTC because
the files tell no other zone. Each pair is one tracker's history: its streams and items stay apart from the other
pairs', while kinds are shared, as they are in one installation.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sync.history.ledger import Ledger
from sync.model.dates import end_of_day
from sync.model.membership import Container, Membership

__all__ = ["HistoryError", "read_history", "removed_items"]

_ZONE = ZoneInfo("UTC")
_MILESTONES = frozenset({"milestone", "kind", "stream", "start", "due"})
_MEMBERSHIPS = frozenset({"milestone", "item", "joined", "left", "closed"})


class HistoryError(ValueError):
    """A history cannot be read: a file is missing, or a line of it is not what its header promises."""


def read_history(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> Ledger:
    """All pairs in one ledger.

    A container's id is ``<name of the pair>/<milestone>``. ``removed`` holds item keys whose closure took them out of
    scope instead of finishing them (see `removed_items`). Raises HistoryError, naming file and line.
    """
    containers: list[Container] = []
    memberships: list[Membership] = []
    for prefix in prefixes:
        pair = Path(prefix).name
        containers += _containers(_file(prefix, "milestones"), pair)
        memberships += _memberships(_file(prefix, "memberships"), pair, removed)
    twice = len(containers) - len({c.id for c in containers})
    if twice:
        raise HistoryError(f"{twice} milestones are named twice: two pairs have the same name, or a file repeats a row")
    return Ledger.of(containers, memberships)


def removed_items(issues: str, resolutions: frozenset[str]) -> frozenset[str]:
    """Keys of the issues whose ``resolution`` is one of ``resolutions`` (compared without case).

    ``issues`` is a CSV file, plain or .gz, with the columns ``key`` and ``resolution``. Raises HistoryError.
    """
    wanted = {word.casefold() for word in resolutions}
    rows = _rows(Path(issues), frozenset({"key", "resolution"}))
    return frozenset(row["key"] for _, row in rows if row["resolution"].casefold() in wanted)


def _containers(path: Path, pair: str) -> Iterator[Container]:
    for line, row in _rows(path, _MILESTONES):
        due = _moment(row["due"], path, line)
        yield Container(
            id=f"{pair}/{row['milestone']}",
            kind=row["kind"],
            stream=f"{pair}/{row['stream']}",
            start=_moment(row["start"], path, line),
            due=None if due is None else end_of_day(due.date(), _ZONE),
        )


def _memberships(path: Path, pair: str, removed: frozenset[str]) -> Iterator[Membership]:
    for line, row in _rows(path, _MEMBERSHIPS):
        joined = _moment(row["joined"], path, line)
        if joined is None:
            raise HistoryError(f"{path}:{line}: joined is empty")
        yield Membership(
            container=f"{pair}/{row['milestone']}",
            item=f"{pair}/{row['item']}",
            joined=joined,
            left=_moment(row["left"], path, line),
            closed=_moment(row["closed"], path, line),
            removed=row["item"] in removed,
        )


def _file(prefix: str, what: str) -> Path:
    for ending in (".csv", ".csv.gz"):
        path = Path(f"{prefix}_{what}{ending}")
        if path.is_file():
            return path
    raise HistoryError(f"no file {prefix}_{what}.csv or {prefix}_{what}.csv.gz")


def _rows(path: Path, needed: frozenset[str]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as text
        ):
            reader = csv.DictReader(text, restval="")
            missing = sorted(needed - set(reader.fieldnames or ()))
            if missing:
                raise HistoryError(f"{path}:1: no column {', '.join(missing)}")
            for row in reader:
                yield reader.line_num, row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise HistoryError(f"{path}: {error}") from error


def _moment(text: str, path: Path, line: int) -> datetime | None:
    if not text.strip():
        return None
    try:
        at = datetime.fromisoformat(text.strip())
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise HistoryError(f"{path}:{line}: {text!r} is not a date or time") from error
