"""Read histories from CSV files: pairs ``<prefix>_milestones.csv`` and ``<prefix>_memberships.csv``, plain or .gz.

Milestones: ``milestone, kind, stream, name, start, due``; memberships: ``milestone, item, joined, left, closed``. Times
are ISO 8601 with a zone (``Z``) or dates (UTC); an empty time has not come. Other columns are ignored.

``closed`` means done. ``due`` is a day; the due moment is the end of that day in UTC. Each pair is the history of one
tracker: its streams and items are separate from those of other pairs, while kinds are shared.
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
from sync.model.removal import fold_name

__all__ = ["HistoryError", "read_history", "removed_items"]

_ZONE = ZoneInfo("UTC")
_MILESTONES = frozenset({"milestone", "kind", "stream", "start", "due"})
_MEMBERSHIPS = frozenset({"milestone", "item", "joined", "left", "closed"})


class HistoryError(ValueError):
    """A history that cannot be read: a file is missing, or a line does not match its header."""


def read_history(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> Ledger:
    """Read all pairs into one ledger.

    A container's id is ``<name of the pair>/<milestone>``. ``removed``: keys of items whose closure took them out of
    scope instead of finishing them (see `removed_items`). Raises `HistoryError` with file and line.
    """
    containers: list[Container] = []
    memberships: list[Membership] = []
    for prefix in prefixes:
        pair = Path(prefix).name
        containers += _containers(_file(prefix, "milestones"), pair)
        memberships += _memberships(_file(prefix, "memberships"), pair, removed)
    repeated = len(containers) - len({container.id for container in containers})
    if repeated:
        raise HistoryError(
            f"{repeated} milestones are named twice: two pairs have the same name, or a file repeats a row"
        )
    return Ledger.of(containers, memberships)


def removed_items(issues: str, resolutions: frozenset[str]) -> frozenset[str]:
    """Return the keys of the issues whose ``resolution`` is one of ``resolutions``, as `sync.model.removal` compares.

    ``issues`` is a CSV file, plain or .gz, with the columns ``key`` and ``resolution``. Raises `HistoryError`.
    """
    removing = {fold_name(name) for name in resolutions}
    rows = _rows(Path(issues), frozenset({"key", "resolution"}))
    return frozenset(row["key"] for _, row in rows if fold_name(row["resolution"]) in removing)


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
