"""Read histories from CSV files: pairs ``<prefix>_milestones.csv`` and ``<prefix>_memberships.csv``, plain or .gz.

Milestones: ``milestone, kind, stream, start, due``; memberships: ``milestone, item, joined, left, closed``. Times are
ISO 8601 with a zone (``Z``) or dates (UTC); an empty time has not come. Other columns are ignored.

``closed`` means done. ``due`` is a day; the due moment is the end of that day in UTC. Each pair is the history of one
tracker: its streams and items are separate from those of other pairs, while kinds are shared.

Sources that publish no items have counts instead, see `sync.backtest.counts_history`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sync.backtest.counts_history import counts_file, read_counts
from sync.backtest.csv_rows import HistoryError, csv_file, csv_rows
from sync.history.ledger import Ledger
from sync.model.dates import end_of_day
from sync.model.item_state import fold_name
from sync.model.membership import Container, Membership

__all__ = ["CsvHistory", "read_histories", "removed_items"]

_ZONE = ZoneInfo("UTC")
_MILESTONES = frozenset({"milestone", "kind", "stream", "start", "due"})
_MEMBERSHIPS = frozenset({"milestone", "item", "joined", "left", "closed"})


@dataclass
class CsvHistory:
    """A history from CSV files.

    ``observed``: container id -> the times (UTC) at which its counts are known, in order; of containers from counts
    only. ``unfinished``: number of milestones whose counts end before their due date, which are left out.
    """

    containers: list[Container] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    observed: dict[str, list[datetime]] = field(default_factory=dict)
    unfinished: int = 0

    @property
    def ledger(self) -> Ledger:
        """The ledger of all files."""
        return Ledger.of(self.containers, self.memberships)


def read_histories(prefixes: Sequence[str], removed: frozenset[str] = frozenset()) -> CsvHistory:
    """Read the pairs, or the counts, of all prefixes.

    A container's id is ``<name of the pair>/<milestone>``. ``removed``: keys of items whose closure took them out of
    scope instead of finishing them (see `removed_items`). Raises `HistoryError` with file, row and column.
    """
    history = CsvHistory()
    for prefix in prefixes:
        name = Path(prefix).name
        counts = counts_file(prefix)
        if counts is None:
            history.containers += _containers(_file(prefix, "milestones"), name)
            history.memberships += _memberships(_file(prefix, "memberships"), name, removed)
        else:
            read = read_counts(counts, name)
            history.containers += read.containers
            history.memberships += read.memberships
            history.observed |= read.observed
            history.unfinished += read.unfinished
    repeated = len(history.containers) - len({container.id for container in history.containers})
    if repeated:
        raise HistoryError(
            f"{repeated} milestones are named twice: two pairs have the same name, or a file repeats a row"
        )
    return history


def removed_items(issues: str, resolutions: frozenset[str]) -> frozenset[str]:
    """Return the keys of the issues with one of these resolutions, compared as in `sync.model.item_state`.

    ``issues`` is a CSV file, plain or .gz, with the columns ``key`` and ``resolution``. Raises `HistoryError`.
    """
    removing = {fold_name(name) for name in resolutions}
    rows = csv_rows(Path(issues), frozenset({"key", "resolution"}))
    return frozenset(row.values["key"] for row in rows if fold_name(row.values["resolution"]) in removing)


def _containers(path: Path, pair: str) -> Iterator[Container]:
    for row in csv_rows(path, _MILESTONES):
        due = row.moment("due")
        yield Container(
            id=f"{pair}/{row.values['milestone']}",
            kind=row.values["kind"],
            stream=f"{pair}/{row.values['stream']}",
            start=row.moment("start"),
            due=None if due is None else end_of_day(due.date(), _ZONE),
        )


def _memberships(path: Path, pair: str, removed: frozenset[str]) -> Iterator[Membership]:
    for row in csv_rows(path, _MEMBERSHIPS):
        joined = row.moment("joined")
        if joined is None:
            raise row.error("joined", "is empty")
        yield Membership(
            container=f"{pair}/{row.values['milestone']}",
            item=f"{pair}/{row.values['item']}",
            joined=joined,
            left=row.moment("left"),
            closed=row.moment("closed"),
            removed=row.values["item"] in removed,
        )


def _file(prefix: str, what: str) -> Path:
    path = csv_file(prefix, what)
    if path is None:
        raise HistoryError(f"no file {prefix}_{what}.csv or {prefix}_{what}.csv.gz")
    return path
