"""History tables: the counts of a ledger's containers at each phase of their planned time, in columns.

Each membership row has at most one open time, [joined, open_until). It ends when the item is finished, leaves the
container or is closed as removed. In each case the item is not among those left over at the due date, which is what
forecasts are scored on. A reopening begins a new row, so it counts as an arrival.

The counts are tables over a fixed grid of relative times. The forecast of a container at any moment reads those of the
earlier containers that it is compared with, whose number does not depend on the length of the history.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from sync.forecast.parameters import Rules
from sync.forecast.stats import allowed_open
from sync.history.ledger import Ledger

__all__ = ["DUE", "GRID", "LONGEST", "NODES", "TIMES", "HistoryTables", "SortedEvents"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

NODES: Floats = np.array([0.02, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98])
"""Phases: shares of the planned time at which history is compared. Votes between two of them are interpolated."""

TIMES: Floats = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
"""Relative times of the completion curve: 1 is the due date, 3 is three planned durations after the start."""

GRID: Floats = np.concatenate([NODES, TIMES])
DUE = len(NODES)  # the column of the due date in tables over GRID

LONGEST = 3653.0
"""Longest planned time in days: ten years. Dates further apart (year 1, year 9999) are placeholders."""


class SortedEvents:
    """Moments (days) sorted within groups: counts the moments of a group before others, for many at once.

    ``order`` is the original position of each sorted entry. Group g is ``first[g]:first[g + 1]``.
    """

    def __init__(self, group: Ints, time: Floats, groups: int) -> None:
        small = group.astype(np.min_scalar_type(groups))  # numpy sorts 16 bits by counting
        self.order: Ints = np.lexsort((time, small))
        self.time: Floats = time[self.order]
        self.first: Ints = np.searchsorted(group[self.order], np.arange(groups + 1))
        self._steps = int(np.diff(self.first).max(initial=0)).bit_length()

    def before(self, group: Ints, moment: Floats, *, inclusive: bool = False) -> Ints:
        """Return the sorted position behind the entries of ``group[i]`` that are < ``moment[i]`` (<= if inclusive).

        The ranges of all groups are halved at once: this needs no memory besides the entries, which may be millions.
        """
        low, high = self.first[group], self.first[group + 1]
        behind = np.greater if inclusive else np.greater_equal
        for _ in range(self._steps):
            middle = (low + high) // 2
            after = (low == high) | behind(self.time[np.minimum(middle, len(self.time) - 1)], moment)
            low, high = np.where(after, low, middle + 1), np.where(after, np.where(low == high, high, middle), high)
        return low

    def count(self, group: Ints, after: Floats, until: Floats) -> Ints:
        """Return how many entries of each group lie in (after, until]."""
        return self.before(group, until, inclusive=True) - self.before(group, after, inclusive=True)


class HistoryTables:
    """Counts of all containers of a ledger, to be read as of any moment: a question uses nothing later than its moment.

    Tables over containers (n) and `GRID` (g): ``joined_by[n, g]`` open times begun by then (after the due date: by the
    due date), ``gone_by[n, g]`` open times begun by the due date that ended by then, ``open_at[n, g]`` their
    difference, ``scope_at[n, g]`` these and the items that were finished by then and are still in scope.
    ``finished_by[n, x]``: at each of `TIMES`, no more items are left over than the tolerance allows.

    Columns over containers: ``start`` (days since 1970 UTC) is the container's start, or else when its first item
    joined. Items that join until ``agreed_at`` are the agreed scope, ``agreed`` is their number. ``length`` is the
    planned time in days. ``has_dates``: start and due date make sense. ``is_usable``: has
    dates and had items in scope at the due date. ``due_total``: items in scope then. ``allowed_open``: how many of them
    may be open when it counts as done.

    Usable containers are sorted by due date in ``by_stream`` and ``by_kind``; ``stream_members`` and ``kind_members``
    are their positions, and ``stream_place[n]`` is a container's place in the first of them, or -1. ``closures`` holds
    the finished items of each stream once, in however many of its containers they were.
    """

    def __init__(self, ledger: Ledger, rules: Rules, unread: Collection[str] = ()) -> None:
        """``unread`` are containers (ids) whose outcome is not known, because their data is older: not usable."""
        self.ledger, self.rules = ledger, rules
        self._unread = [ledger.index[name] for name in unread if name in ledger.index]
        n = len(ledger.containers)
        self.row_container: Ints = np.repeat(np.arange(n), np.diff(ledger.offsets))
        first = np.full(n, np.nan)
        np.fmin.at(first, self.row_container, ledger.joined)
        self.start: Floats = np.where(np.isnan(ledger.start), first, ledger.start)
        self.agreed_at: Floats = np.fmax(ledger.agreed_at, self.start)
        self.length: Floats = ledger.due - self.start
        self.has_dates: NDArray[np.bool_] = np.isfinite(self.length) & (self.length > 0) & (self.length <= LONGEST)
        self.first_joined = self._first_joined()
        self._tabulate(n)
        self._finish()
        self._series()

    def newcomers(self, rows: slice | Ints, mask: NDArray[np.bool_], since: float | Floats) -> NDArray[np.bool_]:
        """Return which of the rows that ``mask`` selects have items that first joined their container after ``since``.

        An item that was reopened, or that left and came back, is not new.
        """
        return mask & (self.first_joined[rows] > since)

    def _first_joined(self) -> Floats:
        """Return for each row when its item first joined the container."""
        ledger = self.ledger
        key = self.row_container * (int(ledger.item.max(initial=0)) + 1) + ledger.item
        if (np.diff(np.sort(key)) > 0).all():  # no item joined twice
            return ledger.joined
        _, pair = np.unique(key, return_inverse=True)
        first = np.full(int(pair.max()) + 1, np.inf)
        np.minimum.at(first, pair, ledger.joined)
        first_joined: Floats = first[pair]
        return first_joined

    def _tabulate(self, n: int) -> None:
        ledger = self.ledger
        row = np.flatnonzero(self.has_dates[self.row_container])
        container = self.row_container[row]
        start, length = self.start[container], self.length[container]

        def relative(time: Floats) -> Floats:
            return (time[row] - start) / length

        joined, ended = relative(ledger.joined), relative(ledger.open_until)
        was_open = ledger.open_until[row] > ledger.joined[row]
        was_planned = was_open & (joined <= 1.0)
        finished = np.maximum(ledger.closed, ledger.joined)
        was_done = np.isfinite(finished[row]) & (finished[row] < ledger.left[row]) & (joined <= 1.0)
        self.joined_by = _table(container[was_planned], joined[was_planned], n)
        self.gone_by = _table(container[was_planned], ended[was_planned], n)
        is_agreed = was_planned & (ledger.joined[row] <= self.agreed_at[container])
        self.agreed: Ints = np.bincount(container[is_agreed], minlength=n).astype(np.int64)
        self.open_at: Ints = self.joined_by - self.gone_by
        done_by = _table(container[was_done], relative(finished)[was_done], n) - _table(
            container[was_done], relative(ledger.left)[was_done], n
        )
        self.scope_at: Ints = self.open_at + done_by

    def _finish(self) -> None:
        """Compute which containers were finished at each of `TIMES`, and sort them by due date."""
        self.due_total: Ints = self.scope_at[:, DUE]
        self.is_usable = self.has_dates & (self.due_total > 0)
        self.is_usable[self._unread] = False
        self.allowed_open: Ints = allowed_open(self.due_total, self.rules.tolerance).astype(np.int64)
        self.finished_by = self.open_at[:, DUE:] <= self.allowed_open[:, None]
        usable = np.flatnonzero(self.is_usable)
        ledger = self.ledger
        self.by_stream = SortedEvents(ledger.stream[usable], ledger.due[usable], len(ledger.streams))
        self.by_kind = SortedEvents(ledger.kind[usable], ledger.due[usable], len(ledger.kinds))
        self.stream_members: Ints = usable[self.by_stream.order]
        self.kind_members: Ints = usable[self.by_kind.order]
        self.stream_place: Ints = np.full(len(ledger.containers), -1)
        self.stream_place[self.stream_members] = np.arange(len(usable))

    def _series(self) -> None:
        """Sort the events of each stream, and the starts and stops of its containers."""
        ledger = self.ledger
        streams = len(ledger.streams)
        stream = ledger.stream[self.row_container]
        once = self._closed_once(stream)
        self.closures = SortedEvents(stream[once], ledger.closed[once], streams)
        stop = np.fmin(ledger.ended, ledger.due)
        start = np.where(np.isnan(self.start), np.inf, self.start)
        self.starts = SortedEvents(ledger.stream, start, streams)
        self.stops = SortedEvents(ledger.stream, np.fmax(stop, start), streams)
        first = np.full(streams, np.inf)
        np.minimum.at(first, ledger.stream, start)
        self.stream_start: Floats = first

    def _closed_once(self, stream: Ints) -> Ints:
        """Return the rows whose item was closed, one row for each closure in a stream.

        An item that was closed before it joined was never work of the stream.
        """
        ledger = self.ledger
        in_stream = (ledger.closed >= ledger.joined) & (ledger.closed <= ledger.left)
        closed = np.flatnonzero(in_stream & np.isfinite(ledger.closed))
        item = ledger.item[closed]
        is_single = np.bincount(item)[item] == 1
        rows = closed[~is_single]  # few items have several rows
        order = rows[np.lexsort((ledger.closed[rows], ledger.item[rows], stream[rows]))]
        is_repeated = np.zeros(len(order), dtype=bool)
        if len(order):
            is_repeated[1:] = True
            for column in (stream, ledger.item, ledger.closed):
                sorted_ = column[order]
                is_repeated[1:] &= sorted_[1:] == sorted_[:-1]
        return np.concatenate([closed[is_single], order[~is_repeated]])


def _table(container: Ints, relative: Floats, n: int) -> Ints:
    """Return how many entries of each container lie at or before each relative time of `GRID`: int64[n, g]."""
    columns = len(GRID) + 1
    column = np.searchsorted(GRID, relative)
    counts = np.bincount(container * columns + column, minlength=n * columns).reshape(n, columns)
    table: Ints = np.cumsum(counts[:, :-1], axis=1)
    return table
