"""Read histories of counts: the open and done items of each milestone at several times, without the items themselves.

The file is ``<prefix>_counts.csv``, plain or .gz, or any CSV file with these columns:

=============  =======================================================================================================
milestone      name, unique in the file
kind, stream   as in `sync.backtest.csv_history`
start, due     a date or time; a due date without a time ends with its day. The last row of the milestone decides.
at             time of the counts; a date means its end
open, done     items in the milestone at that time
added          optional: items that have joined so far, to know more than the change of the scope
removed        optional: items that were removed from scope so far (not planned, duplicate)
=============  =======================================================================================================

The counts become memberships of items without names that give the same counts at each time: what changes between two
rows happens at the time of the later one. The items of the first row are in scope from the start. The oldest open items
are closed first, the newest leave first. So figures that follow from counts are computed as from items; single closures
and the same item in two milestones cannot be known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from sync.backtest.csv_rows import CsvRow, HistoryError, csv_columns, csv_file, csv_rows
from sync.model.dates import end_of_day
from sync.model.membership import Container, Membership

__all__ = ["CountsHistory", "ItemCounts", "counts_file", "memberships_of_counts", "read_counts"]

_ZONE = ZoneInfo("UTC")
_COLUMNS = frozenset({"milestone", "kind", "stream", "start", "due", "at", "open", "done"})
_ROUNDING = timedelta(seconds=1)
"""A row counts from so much before its time, as a time may have been rounded up to the second."""
_NEAR_DUE = timedelta(days=1)
_NEAR_SHARE = 0.05
"""The outcome is known from a row at most a day, or this share of the planned time, before the due moment."""


@dataclass
class CountsHistory:
    """Milestones from counts, with memberships that give these counts.

    ``observed``: container id -> times (UTC) of its rows, in order. ``unfinished``: number of milestones that are left
    out, because their counts end with open items before a due moment that has passed.
    """

    containers: list[Container] = field(default_factory=list)
    memberships: list[Membership] = field(default_factory=list)
    observed: dict[str, list[datetime]] = field(default_factory=dict)
    unfinished: int = 0


class ItemCounts(Struct, frozen=True):
    """Counts of a milestone's items ``at`` a time (UTC). ``added`` and ``removed`` so far; None: not known."""

    at: datetime
    open: int
    done: int
    added: int | None = None
    removed: int | None = None

    @property
    def scope(self) -> int:
        """Items in scope."""
        return self.open + self.done


def counts_file(prefix: str) -> Path | None:
    """Return the file of counts of a prefix, which may be the path of a CSV file; None for the prefix of a pair.

    Raises `HistoryError` for a path of a file with other columns.
    """
    found = csv_file(prefix, "counts")
    if found is not None or not prefix.endswith((".csv", ".csv.gz")):
        return found
    path = Path(prefix)
    missing = sorted(_COLUMNS - csv_columns(path))
    if missing:
        raise HistoryError(f"{path}:1: no column {', '.join(missing)}")
    return path


def read_counts(path: Path, name: str) -> CountsHistory:
    """Read a file of counts; ``name`` is that of the history. Raises `HistoryError` with file, row and column."""
    rows: dict[str, list[tuple[datetime, CsvRow]]] = defaultdict(list)
    for row in csv_rows(path, _COLUMNS):
        if not row.text("milestone"):
            raise row.error("milestone", "is empty")
        rows[row.text("milestone")].append((_observed_at(row), row))
    history = CountsHistory()
    end = max((at for of_milestone in rows.values() for at, _ in of_milestone), default=None)
    for milestone, of_milestone in rows.items():
        of_milestone.sort(key=lambda pair: pair[0])
        counts = list(_counts(of_milestone))
        container = _container(f"{name}/{milestone}", name, of_milestone)
        if _is_unfinished(container, counts[-1], end):
            history.unfinished += 1
            continue
        history.containers.append(container)
        history.memberships += memberships_of_counts(container, counts)
        history.observed[container.id] = [each.at for each in counts]
    return history


def _observed_at(row: CsvRow) -> datetime:
    at = row.moment("at")
    if at is None:
        raise row.error("at", "is empty")
    return end_of_day(at.date(), _ZONE) if row.is_date("at") else at


def _counts(rows: Sequence[tuple[datetime, CsvRow]]) -> Iterator[ItemCounts]:
    before: datetime | None = None
    for at, row in rows:
        if at == before:
            raise row.error("at", f"{row.text('at')!r} is the time of another row of this milestone")
        before = at
        added, removed = (row.count(column) if row.text(column) else None for column in ("added", "removed"))
        yield ItemCounts(at, row.count("open"), row.count("done"), added, removed)


def _container(name: str, history: str, rows: Sequence[tuple[datetime, CsvRow]]) -> Container:
    last = rows[-1][1]
    for column in ("kind", "stream"):
        for _, row in rows:
            if row.text(column) != last.text(column):
                raise row.error(
                    column, f"{row.text(column)!r} is {last.text(column)!r} in another row of the milestone"
                )
    first_due = next((due for _, row in rows if (due := _due(row)) is not None), None)
    return Container(
        id=name,
        kind=last.text("kind"),
        stream=f"{history}/{last.text('stream')}",
        start=last.moment("start"),
        due=_due(last),
        first_due=first_due,
    )


def _due(row: CsvRow) -> datetime | None:
    due = row.moment("due")
    return end_of_day(due.date(), _ZONE) if due is not None and row.is_date("due") else due


def _is_unfinished(container: Container, last: ItemCounts, end: datetime | None) -> bool:
    """Return True if the outcome should be known by the ``end`` of the file and is not."""
    due, start = container.due, container.start
    if due is None or end is None or due > end or last.open == 0:
        return False
    planned = max(due - start, timedelta(0)) if start is not None else timedelta(0)
    return last.at < due - max(_NEAR_DUE, _NEAR_SHARE * planned)


def memberships_of_counts(container: Container, counts: Sequence[ItemCounts]) -> list[Membership]:
    """Return memberships that give these counts, which are in the order of time and begin with the first row."""
    items = _Items(container.id)
    before = ItemCounts(counts[0].at, 0, 0)
    for k, now in enumerate(counts):
        at = now.at - _ROUNDING
        joined = min(at, container.start or at) if k == 0 else at
        removed = max((now.removed or 0) - (before.removed or 0), 0)
        more = now.scope - before.scope
        joining = max((now.added or 0) - (before.added or 0) if k else 0, more, 0)
        leaving = joining - more
        closing = now.done - before.done
        items.reopen(max(-closing, 0), at)
        items.join(max(joining, 0), joined if closing <= 0 else min(joined, at - _ROUNDING))
        items.close(max(closing, 0), at)
        items.leave(leaving, min(removed, leaving), at)
        before = now
    return items.memberships


class _Items:
    """Items of a milestone. The open ones are in the order in which they joined, the done ones as they were closed."""

    def __init__(self, container: str) -> None:
        self.container = container
        self.memberships: list[Membership] = []
        self.open_rows: list[int] = []
        self.done_rows: list[int] = []
        self.items = 0

    def join(self, count: int, at: datetime) -> None:
        for _ in range(count):
            self.items += 1
            self._add(f"{self.container}#{self.items}", at)

    def close(self, count: int, at: datetime) -> None:
        for row in self.open_rows[:count]:
            self.memberships[row] = replace(self.memberships[row], closed=at)
        self.done_rows += self.open_rows[:count]
        del self.open_rows[:count]

    def reopen(self, count: int, at: datetime) -> None:
        again = self.done_rows[len(self.done_rows) - count :]
        del self.done_rows[len(self.done_rows) - count :]
        for row in again:
            self.memberships[row] = replace(self.memberships[row], reopened=at)
            self._add(self.memberships[row].item, at)

    def leave(self, count: int, removed: int, at: datetime) -> None:
        """End ``count`` memberships of open items, of which ``removed`` are closed as removed from scope."""
        kept = len(self.open_rows) - count
        for place, row in enumerate(self.open_rows[kept:]):
            open_row = self.memberships[row]
            is_removed = place < removed
            self.memberships[row] = (
                replace(open_row, closed=at, removed=True) if is_removed else replace(open_row, left=at)
            )
        del self.open_rows[kept:]

    def _add(self, item: str, at: datetime) -> None:
        self.open_rows.append(len(self.memberships))
        self.memberships.append(Membership(container=self.container, item=item, joined=at))
