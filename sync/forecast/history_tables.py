"""What a ledger's containers did, counted once per phase of their planned time, in columns.

Each membership row has at most one open spell, [joined, min(left, closed)). A spell ends by finishing, by leaving the
container or by a closure that took the item out of scope: whichever it is, the item is not among those left over at
the due date, and that is what a forecast is scored on. A reopening begins a new row, so it counts as an arrival.

All counts are kept as tables over a fixed grid of relative times, so that any container at any moment is forecast
from differences of running sums, whose cost does not depend on how much history there is.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sync.forecast.parameters import Rules
from sync.history.ledger import Ledger

__all__ = ["DUE", "GRID", "LONGEST", "PHASES", "TIMES", "HistoryTables", "SortedEvents", "TableColumn"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PHASES: Floats = np.array([0.02, *(round(0.05 * k, 2) for k in range(1, 20)), 0.98])
"""Shares of the planned time at which history is compared."""

TIMES: Floats = np.array([1.0, 1.25, 1.5, 2.0, 2.5, 3.0])
"""Relative times of the completion curve: 1 is the due date, 3 is three planned durations after the start."""

GRID: Floats = np.concatenate([PHASES, TIMES])
DUE = len(PHASES)  # the column of the due date in tables over GRID

LONGEST = 3653.0
"""No planned time is longer than ten years; such dates (year 1, year 9999) are placeholders."""

_EPS = 1e-9


class TableColumn(IntEnum):
    """The columns of a `HistoryTables`'s running sums: at a phase, items open then or joining until due are exposed."""

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
    """Moments in groups, sorted: how many of a group's lie before a moment, for many questions at once.

    ``order`` gives the original position of each sorted entry; group g is ``first[g]:first[g + 1]``.
    """

    def __init__(self, group: Ints, time: Floats, groups: int) -> None:
        self.order: Ints = np.lexsort((time, group))
        self.time: Floats = time[self.order]
        self.first: Ints = np.searchsorted(group[self.order], np.arange(groups + 1))
        self._steps = int(np.diff(self.first).max(initial=0)).bit_length()

    def before(self, group: Ints, moment: Floats, *, inclusive: bool = False) -> Ints:
        """The sorted position behind group ``group[i]``'s entries < ``moment[i]`` (<= if inclusive).

        Halving all groups' ranges at once takes no memory beside the entries, which may be millions.
        """
        low, high = self.first[group], self.first[group + 1]
        behind = np.greater if inclusive else np.greater_equal
        for _ in range(self._steps):
            middle = (low + high) // 2
            after = (low == high) | behind(self.time[np.minimum(middle, len(self.time) - 1)], moment)
            low, high = np.where(after, low, middle + 1), np.where(after, np.where(low == high, high, middle), high)
        return low

    def count(self, group: Ints, after: Floats, until: Floats) -> Ints:
        """How many of the group lie in (after, until]."""
        return self.before(group, until, inclusive=True) - self.before(group, after, inclusive=True)


class HistoryTables:
    """History of every container, for any moment: nothing later than the moment asked about enters an answer.

    Columns over containers (n) and over `GRID` (g): ``joined[n, g]`` spells begun by then, ``gone[n, g]`` spells of
    those begun by the due date that ended by then, ``done[n, g]`` items finished and still members then.
    ``start[n]`` is the container's, or else when its first item joined; ``dated[n]`` says that start and due date make
    sense. ``usable[n]``: and something was in it at the due date. ``allowed[n]``: how many items may be open
    when it counts as done. Finished containers are sorted by due date in ``by_stream`` and ``by_kind``;
    ``closures`` holds each stream's finished items once, however many of its containers they were in; ``outflow`` adds
    open items that left a container before its due date; ``arrivals`` are open spells begun after the start.
    """

    def __init__(self, ledger: Ledger, rules: Rules) -> None:
        self.ledger, self.rules = ledger, rules
        n = len(ledger.containers)
        self.row_container: Ints = np.repeat(np.arange(n), np.diff(ledger.offsets))
        first = np.full(n, np.nan)
        np.fmin.at(first, self.row_container, ledger.joined)
        self.start: Floats = np.where(np.isnan(ledger.start), first, ledger.start)
        self.length: Floats = ledger.due - self.start
        self.dated: NDArray[np.bool_] = np.isfinite(self.length) & (self.length > 0) & (self.length <= LONGEST)
        self.first_joined = self._first_joined()
        self._tabulate(n)
        due_total = self.joined[:, DUE] - self.gone[:, DUE] + self.done[:, DUE]
        self.usable = self.dated & (due_total > 0)
        self.allowed: Ints = np.floor(rules.tolerance * due_total + _EPS).astype(np.int64)
        self._finish()
        self._series()

    def newcomers(self, rows: slice, member: NDArray[np.bool_], since: float) -> NDArray[np.bool_]:
        """Which ``member`` rows of a container hold items that were never in it until ``since``.

        A later stay of an item that was reopened, or moved out and back, is not new.
        """
        return member & (self.first_joined[rows] > since)

    def _first_joined(self) -> Floats:
        """Of each row, when its item first joined the container."""
        ledger = self.ledger
        key = self.row_container * (int(ledger.item.max(initial=0)) + 1) + ledger.item
        if (np.diff(np.sort(key)) > 0).all():  # no item came twice
            return ledger.joined
        _, stay = np.unique(key, return_inverse=True)
        first = np.full(int(stay.max()) + 1, np.inf)
        np.minimum.at(first, stay, ledger.joined)
        found: Floats = first[stay]
        return found

    def _tabulate(self, n: int) -> None:
        ledger = self.ledger
        row = np.flatnonzero(self.dated[self.row_container])
        container = self.row_container[row]
        start, length = self.start[container], self.length[container]

        def relative(time: Floats) -> Floats:
            return (time[row] - start) / length

        joined, ended = relative(ledger.joined), relative(ledger.open_until)
        spell = ledger.open_until[row] > ledger.joined[row]
        planned = spell & (joined <= 1.0)
        finished = np.maximum(ledger.closed, ledger.joined)
        kept = np.isfinite(finished[row]) & (finished[row] < ledger.left[row])
        self.joined = _table(container[spell], joined[spell], n)
        self.gone = _table(container[planned], ended[planned], n)
        self.done = _table(container[kept], relative(finished)[kept], n) - _table(
            container[kept], relative(ledger.left)[kept], n
        )

    def _finish(self) -> None:
        """Whether each container was finished at each phase and time, and the order in which results became known."""
        phase = slice(0, DUE)
        now_open = self.joined[:, phase] - self.gone[:, phase]
        total = now_open + self.done[:, phase]
        complete = (now_open <= np.floor(self.rules.tolerance * total + _EPS)) & (total > 0)
        self.unfinished = ~complete
        left_over = self.joined[:, DUE, None] - self.gone[:, DUE:]
        self.finished_by = left_over <= self.allowed[:, None]  # over TIMES
        past = np.flatnonzero(self.usable)
        ledger = self.ledger
        self.by_stream = SortedEvents(ledger.stream[past], ledger.due[past], len(ledger.streams))
        self.by_kind = SortedEvents(ledger.kind[past], ledger.due[past], len(ledger.kinds))
        self.stream_members: Ints = past[self.by_stream.order]
        self.kind_members: Ints = past[self.by_kind.order]
        after = [self.start[past] + x * self.length[past] for x in TIMES[1:]]
        self.by_kind_shown = [self.by_kind, *(SortedEvents(ledger.kind[past], m, len(ledger.kinds)) for m in after)]
        self.kind_hits = [
            _running(self.finished_by[past[line.order], k].astype(np.float64))
            for k, line in enumerate(self.by_kind_shown)
        ]
        self.stream_sums, self.kind_sums = self._sums(self.stream_members), self._sums(self.kind_members)

    def _sums(self, member: Ints) -> Floats:
        """Running sums over finished containers at each phase: float64[len + 1, phases, columns of `TableColumn`]."""
        due_joined, due_gone = self.joined[member, DUE, None], self.gone[member, DUE, None]
        begun, ended = self.joined[member, :DUE], self.gone[member, :DUE]
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
        columns[:, :, TableColumn.DONE] = self.done[member, :DUE]
        columns[:, :, TableColumn.COUNT] = exposed > 0
        columns[:, :, TableColumn.UNFINISHED] = unfinished
        columns[:, :, TableColumn.HITS] = unfinished & self.finished_by[member, 0, None]
        np.cumsum(columns, axis=0, out=columns)
        return sums

    def _series(self) -> None:
        """Each stream's events over time, and its containers' comings and goings."""
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
        """The rows whose item was closed, one for each closure in a stream."""
        ledger = self.ledger
        # what was closed before it joined was never this stream's work, and is not known of until it joins
        here = (ledger.closed >= ledger.joined) & (ledger.closed <= ledger.left)
        closed = np.flatnonzero(here & np.isfinite(ledger.closed))
        order = closed[np.lexsort((ledger.closed[closed], ledger.item[closed], stream[closed]))]
        again = np.zeros(len(order), dtype=bool)
        if len(order):
            again[1:] = True
            for column in (stream, ledger.item, ledger.closed):
                sorted_ = column[order]
                again[1:] &= sorted_[1:] == sorted_[:-1]
        return order[~again]


def _table(container: Ints, relative: Floats, n: int) -> Ints:
    """How many entries of each container lie at or before each relative time of `GRID`: int64[n, g]."""
    columns = len(GRID) + 1
    column = np.searchsorted(GRID, relative)
    counts = np.bincount(container * columns + column, minlength=n * columns).reshape(n, columns)
    table: Ints = np.cumsum(counts[:, :-1], axis=1)
    return table


def _running(values: Floats) -> Floats:
    """Running sums with a leading zero, along the first axis."""
    zero = np.zeros((1, *values.shape[1:]))
    return np.concatenate([zero, np.cumsum(values, axis=0)])
