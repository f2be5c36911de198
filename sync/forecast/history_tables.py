"""History tables: the counts of a ledger's containers at each phase of their planned time, in columns.

Each membership row has at most one open time, [joined, open_until). It ends when the item is finished, leaves the
container or is closed as removed. In each case the item is not among those left over at the due date, which is what
forecasts are scored on. A reopening begins a new row, so it counts as an arrival.

The counts are tables over a fixed grid of relative times. The forecast of a container at any moment uses differences of
running sums, whose cost does not depend on the length of the history.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sync.forecast.parameters import Rules
from sync.forecast.stats import allowed_open
from sync.history.ledger import Ledger

__all__ = ["DUE", "GRID", "LONGEST", "PHASES", "TIMES", "HistoryTables", "SortedEvents", "TableColumn"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PHASES: Floats = np.array([0.02, *(round(0.05 * k, 2) for k in range(1, 20)), 0.98])
"""Phases: shares of the planned time at which history is compared."""

TIMES: Floats = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
"""Relative times of the completion curve: 1 is the due date, 3 is three planned durations after the start."""

GRID: Floats = np.concatenate([PHASES, TIMES])
DUE = len(PHASES)  # the column of the due date in tables over GRID

LONGEST = 3653.0
"""Longest planned time in days: ten years. Dates further apart (year 1, year 9999) are placeholders."""


class TableColumn(IntEnum):
    """Columns of the running sums in `HistoryTables`.

    At a phase, the items that are open then or join until the due date are exposed.
    """

    EXPOSED = 0
    GONE = 1
    GONE_SQUARED = 2
    CROSS = 3
    EXPOSED_SQUARED = 4
    JOINING = 5
    OPEN = 6
    DONE = 7
    COUNT = 8
    UNFINISHED = 9
    HITS = 10
    BEGUN = 11


class SortedEvents:
    """Moments (days) sorted within groups: counts the moments of a group before others, for many at once.

    ``order`` is the original position of each sorted entry. Group g is ``first[g]:first[g + 1]``.
    """

    def __init__(self, group: Ints, time: Floats, groups: int) -> None:
        self.order: Ints = np.lexsort((time, group))
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

    Tables over containers (n) and `GRID` (g): ``joined_by[n, g]`` open times begun by then, ``gone_by[n, g]`` open
    times begun by the due date that ended by then, ``done_by[n, g]`` items finished by then and still in scope.

    Columns over containers: ``start`` (days since 1970 UTC) is the container's start, or else when its first item
    joined. ``length`` is the planned time in days. ``has_dates``: start and due date make sense. ``is_usable``: has
    dates and had items in scope at the due date. ``allowed_open``: how many items may be open when it counts as done.

    Usable containers are sorted by due date in ``by_stream`` and ``by_kind``. ``closures`` holds the finished items of
    each stream once, in however many of its containers they were. ``outflow`` adds open items that left a container
    before its due date. ``arrivals`` are open times begun after the start.
    """

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self.ledger, self.rules = ledger, rules
        n = len(ledger.containers)
        self.row_container: Ints = np.repeat(np.arange(n), np.diff(ledger.offsets))
        first = np.full(n, np.nan)
        np.fmin.at(first, self.row_container, ledger.joined)
        self.start: Floats = np.where(np.isnan(ledger.start), first, ledger.start)
        self.length: Floats = ledger.due - self.start
        self.has_dates: NDArray[np.bool_] = np.isfinite(self.length) & (self.length > 0) & (self.length <= LONGEST)
        self.first_joined = self._first_joined()
        self._tabulate(n)
        due_total = self.joined_by[:, DUE] - self.gone_by[:, DUE] + self.done_by[:, DUE]
        self.is_usable = self.has_dates & (due_total > 0)
        self.allowed_open: Ints = allowed_open(due_total, rules.tolerance).astype(np.int64)
        self._finish()
        self._series()

    def newcomers(self, rows: slice, mask: NDArray[np.bool_], since: float) -> NDArray[np.bool_]:
        """Return which rows of a container that ``mask`` selects have items that first joined it after ``since``.

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
        was_done = np.isfinite(finished[row]) & (finished[row] < ledger.left[row])
        self.joined_by = _table(container[was_open], joined[was_open], n)
        self.gone_by = _table(container[was_planned], ended[was_planned], n)
        self.done_by = _table(container[was_done], relative(finished)[was_done], n) - _table(
            container[was_done], relative(ledger.left)[was_done], n
        )

    def _finish(self) -> None:
        """Compute which containers were finished at each phase and time, and sort them by when that became known."""
        phase = slice(0, DUE)
        now_open = self.joined_by[:, phase] - self.gone_by[:, phase]
        total = now_open + self.done_by[:, phase]
        self.unfinished = (now_open > allowed_open(total, self.rules.tolerance)) | (total <= 0)
        left_over = self.joined_by[:, DUE, None] - self.gone_by[:, DUE:]
        self.finished_by = left_over <= self.allowed_open[:, None]  # over TIMES
        usable = np.flatnonzero(self.is_usable)
        ledger = self.ledger
        self.by_stream = SortedEvents(ledger.stream[usable], ledger.due[usable], len(ledger.streams))
        self.by_kind = SortedEvents(ledger.kind[usable], ledger.due[usable], len(ledger.kinds))
        self.stream_members: Ints = usable[self.by_stream.order]
        self.kind_members: Ints = usable[self.by_kind.order]
        after = [self.start[usable] + x * self.length[usable] for x in TIMES[1:]]
        self.by_kind_shown = [self.by_kind, *(SortedEvents(ledger.kind[usable], m, len(ledger.kinds)) for m in after)]
        self.kind_hits = [
            _running(self.finished_by[usable[line.order], k].astype(np.float64))
            for k, line in enumerate(self.by_kind_shown)
        ]
        self.stream_sums, self.kind_sums = self._sums(self.stream_members), self._sums(self.kind_members)

    def _sums(self, member: Ints) -> Floats:
        """Return running sums over ``member`` containers at each phase: float64[len + 1, phases, `TableColumn`]."""
        due_joined, due_gone = self.joined_by[member, DUE, None], self.gone_by[member, DUE, None]
        begun, ended = self.joined_by[member, :DUE], self.gone_by[member, :DUE]
        exposed, gone = (due_joined - ended).astype(np.float64), (due_gone - ended).astype(np.float64)
        unfinished = self.unfinished[member]
        sums = np.zeros((len(member) + 1, DUE, len(TableColumn)))
        columns = sums[1:]
        columns[:, :, TableColumn.EXPOSED] = exposed
        columns[:, :, TableColumn.GONE] = gone
        columns[:, :, TableColumn.GONE_SQUARED] = gone * gone
        columns[:, :, TableColumn.CROSS] = gone * exposed
        columns[:, :, TableColumn.EXPOSED_SQUARED] = exposed * exposed
        columns[:, :, TableColumn.JOINING] = due_joined - begun
        columns[:, :, TableColumn.OPEN] = begun - ended
        columns[:, :, TableColumn.BEGUN] = begun
        columns[:, :, TableColumn.DONE] = self.done_by[member, :DUE]
        columns[:, :, TableColumn.COUNT] = exposed > 0
        columns[:, :, TableColumn.UNFINISHED] = unfinished
        columns[:, :, TableColumn.HITS] = unfinished & self.finished_by[member, 0, None]
        np.cumsum(columns, axis=0, out=columns)
        return sums

    def _series(self) -> None:
        """Sort the events of each stream, and the starts and stops of its containers."""
        ledger = self.ledger
        streams = len(ledger.streams)
        stream = ledger.stream[self.row_container]
        once = self._closed_once(stream)
        self.closures = SortedEvents(stream[once], ledger.closed[once], streams)
        was_open = ledger.open_until > ledger.joined
        cut = np.flatnonzero(was_open & (ledger.left < ledger.closed) & (ledger.left <= ledger.due[self.row_container]))
        self.outflow = (
            self.closures
            if len(cut) == 0
            else SortedEvents(
                np.concatenate([stream[once], stream[cut]]),
                np.concatenate([ledger.closed[once], ledger.left[cut]]),
                streams,
            )
        )
        begun = self.start[self.row_container]
        late = np.flatnonzero((ledger.joined > begun) & was_open)
        self.arrivals = SortedEvents(stream[late], ledger.joined[late], streams)
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
        order = closed[np.lexsort((ledger.closed[closed], ledger.item[closed], stream[closed]))]
        is_repeated = np.zeros(len(order), dtype=bool)
        if len(order):
            is_repeated[1:] = True
            for column in (stream, ledger.item, ledger.closed):
                sorted_ = column[order]
                is_repeated[1:] &= sorted_[1:] == sorted_[:-1]
        return order[~is_repeated]


def _table(container: Ints, relative: Floats, n: int) -> Ints:
    """Return how many entries of each container lie at or before each relative time of `GRID`: int64[n, g]."""
    columns = len(GRID) + 1
    column = np.searchsorted(GRID, relative)
    counts = np.bincount(container * columns + column, minlength=n * columns).reshape(n, columns)
    table: Ints = np.cumsum(counts[:, :-1], axis=1)
    return table


def _running(values: Floats) -> Floats:
    """Return running sums along the first axis, with a leading zero."""
    zero = np.zeros((1, *values.shape[1:]))
    return np.concatenate([zero, np.cumsum(values, axis=0)])
