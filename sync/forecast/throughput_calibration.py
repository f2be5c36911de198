"""Adapt throughput dates to an installation: replay them on its history, and learn from those that did not hold.

A date is asked for on the first day of each month, for 5 to 80 items, of every stream with at least 5 closures in the
twelve weeks before, if the items would take at most 180 days at the average rate. It is decided when its time has
passed: it held, or it is a miss. A date that never came true is a miss too.

The multipliers move by adaptive conformal steps: after a date with 85% up by .85 of a step if it was a miss, else down
by .15 of it, so that in the long run 85% hold. Two sums of steps add up. One is that of all streams after the same
silence (`SILENCES`), as a stream that has closed nothing for a week often never does again; its first steps are longer.
The other is the stream's own, which is 0 without a record.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables, SortedEvents
from sync.forecast.parameters import Rules
from sync.forecast.scoring import pinball
from sync.forecast.throughput import LEVELS, capacity_days, closures_by_week, median_and_scale, weeks_of_silence
from sync.history.ledger import days, moment

__all__ = ["ITEMS", "LearnedDates", "Replay", "learned_dates", "longest", "replay", "score_dates", "start_multipliers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ITEMS = (5, 10, 20, 40, 80)
LONGEST = 180.0
"""Longest expected duration asked about, in days."""
SILENCES = 3
"""Groups of streams by the weeks since their last closure: none, one, two or more."""
STEP = 0.05
"""Size of a step (gamma), in the unit of the multipliers."""
FIRST_STEP, FIRST_STEPS = 0.35, 20.0
"""Size of the first step after a silence, and the number of steps in which the excess is halved."""
LIMIT = 6.0
"""Largest absolute value of a multiplier."""
RECORD = 100
"""Number of the latest dates with 85% that a record counts."""
RECORD_LEAST = 20
"""Fewest dates of a stream for a record of its own, and fewest of all streams for any."""
STREAM_LEAST = 200
"""Fewest dates of one stream for a coverage of its own."""

_P50, _P85, _P95 = (LEVELS.index(level) for level in (0.50, 0.85, 0.95))
_NORMAL_70, _NORMAL_85 = 0.5244, 1.0364


class Replay(Struct, frozen=True):
    """Questions of a history (m), each about ``items`` more closures of ``stream`` as of ``at`` (days since 1970 UTC).

    In the order of time. ``weeks`` int64[m, 12]: the closures of the weeks before. ``silence`` int64[m]: the group of
    `SILENCES`. ``expected``: days at the average rate. ``actual``: days that it took, infinite if it never came.
    """

    stream: Ints
    at: Floats
    items: Floats
    weeks: Ints
    silence: Ints
    expected: Floats
    actual: Floats


def replay(tables: HistoryTables) -> Replay:
    """Ask for throughput dates at the beginning of each month from the first closure to the last."""
    closed, rules = tables.closures, tables.rules
    cuts = _months(float(closed.time.min()), float(closed.time.max())) if len(closed.time) else np.empty(0)
    streams = np.arange(len(tables.ledger.streams))
    at, stream = np.repeat(cuts, len(streams)), np.tile(streams, len(cuts))
    span = 7.0 * rules.capacity_weeks
    is_old = closed.before(stream, at - span, inclusive=True) > closed.first[stream]
    at, stream = at[is_old], stream[is_old]
    weeks = closures_by_week(tables, stream, at)
    is_busy = weeks.sum(axis=1) >= rules.least_closures
    at, stream, weeks = (np.repeat(column[is_busy], len(ITEMS), axis=0) for column in (at, stream, weeks))
    items = np.tile(np.array(ITEMS, dtype=np.float64), len(at) // len(ITEMS))
    expected = items * span / weeks.sum(axis=1)
    is_asked = expected <= LONGEST
    at, stream, weeks, items, expected = (column[is_asked] for column in (at, stream, weeks, items, expected))
    silence = np.minimum(weeks_of_silence(tables, stream, at), SILENCES - 1)
    target = closed.before(stream, at, inclusive=True) + items.astype(np.int64) - 1
    is_reached = target < closed.first[stream + 1]
    actual = np.where(is_reached, closed.time[np.minimum(target, len(closed.time) - 1)], np.inf) - at
    return Replay(stream, at, items, weeks, silence, expected, actual)


def longest(rules: Rules) -> float:
    """Return the days ahead after which no throughput date is given: three times the weeks that it is drawn from."""
    return 3 * 7.0 * rules.capacity_weeks


def start_multipliers(rules: Rules) -> Floats:
    """Return the multipliers of `LEVELS` before any step. That of 70% lies between as in a normal distribution."""
    middle, high, highest = rules.multipliers
    return np.array([middle, middle + (high - middle) * _NORMAL_70 / _NORMAL_85, high, highest])


# --- learning ---------------------------------------------------------------------------------------------------------


class _Steps:
    """Running sums of the steps of groups, by the time (days since 1970 UTC) at which their dates were decided."""

    def __init__(self, group: Ints, time: Floats, step: Floats, groups: int) -> None:
        self.events = SortedEvents(group, time, groups)
        self.sums = np.concatenate([[0.0], np.cumsum(step[self.events.order])])

    def until(self, group: Ints, at: Floats) -> Floats:
        """Return the sum of each group's steps until ``at[t]``, which is included."""
        if not len(self.events.time):
            return np.zeros(len(group))
        end = self.events.before(group, at, inclusive=True)
        total: Floats = self.sums[end] - self.sums[self.events.first[group]]
        return total


class LearnedDates:
    """Multipliers and records that a history teaches, to be read as of any moment: nothing later than it is used.

    ``asked`` are the questions, ``given`` float64[m, `LEVELS`] the days of the dates that were given, each with the
    multipliers of its own time.
    """

    def __init__(self, tables: HistoryTables) -> None:
        self.rules, self.asked = tables.rules, replay(tables)
        self.streams = len(tables.ledger.streams)
        self.start = start_multipliers(tables.rules)
        steps = _give_and_learn(self.asked, self.start, self.streams, self.rules)
        self.given, self.decided, by_silence, by_stream = steps
        columns = range(len(LEVELS))
        self._by_silence = [_Steps(self.asked.silence, self.decided[:, k], by_silence[:, k], SILENCES) for k in columns]
        self._by_stream = [
            _Steps(self.asked.stream, self.decided[:, k], by_stream[:, k], self.streams) for k in columns
        ]
        is_given = self.given[:, _P85] <= longest(self.rules)
        time, held = self.decided[is_given, _P85], (self.held[:, _P85] > 0)[is_given].astype(np.float64)
        self._records = _Steps(self.asked.stream[is_given], time, held, self.streams)
        self._all_records = _Steps(np.zeros(len(time), dtype=np.int64), time, held, 1)

    @property
    def held(self) -> Floats:
        """1 for a date by which the items were closed, 0 for a miss: float64[m, `LEVELS`]."""
        held: Floats = (self.asked.actual[:, None] <= np.minimum(self.given, longest(self.rules))).astype(np.float64)
        return held

    def multipliers(self, stream: Ints, silence: Ints, at: Floats) -> Floats:
        """Return the multipliers of streams after weeks of ``silence[t]``, as of ``at[t]``: float64[t, `LEVELS`]."""
        silence = np.minimum(silence, SILENCES - 1)
        learned = [
            by_silence.until(silence, at) + by_stream.until(stream, at)
            for by_silence, by_stream in zip(self._by_silence, self._by_stream, strict=True)
        ]
        return _bounded(self.start + np.stack(learned, axis=1))

    def record(self, stream: int, at: float) -> tuple[int, int]:
        """Return how many of the last dates with 85% held, and their number, as of ``at`` (days since 1970 UTC).

        Those of the stream, or of all streams while it has few; (0, 0) while all have few.
        """
        for steps, group in ((self._records, stream), (self._all_records, 0)):
            if not len(steps.events.time):
                continue
            end = int(steps.events.before(np.array([group]), np.array([at]), inclusive=True)[0])
            begin = max(int(steps.events.first[group]), end - RECORD)
            if end - begin >= RECORD_LEAST:
                return round(float(steps.sums[end] - steps.sums[begin])), end - begin
        return 0, 0


_LEARNED: WeakKeyDictionary[HistoryTables, LearnedDates] = WeakKeyDictionary()


def learned_dates(tables: HistoryTables) -> LearnedDates:
    """Return what the history teaches. It is computed once for each `HistoryTables`."""
    found = _LEARNED.get(tables)
    if found is None:
        found = _LEARNED[tables] = LearnedDates(tables)
    return found


def _bounded(multipliers: Floats) -> Floats:
    """Return multipliers within `LIMIT` that do not fall with the level."""
    bounded: Floats = np.maximum.accumulate(np.clip(multipliers, -LIMIT, LIMIT), axis=1)
    return bounded


def _give_and_learn(asked: Replay, start: Floats, streams: int, rules: Rules) -> tuple[Floats, Floats, Floats, Floats]:
    """Give the dates month by month, each with the steps of the dates that were decided until then.

    Return the days of each date, the time at which it is decided, and its steps by silence and by stream: float64[m,
    `LEVELS`] each.
    """
    median, scale = median_and_scale(asked.items, asked.weeks, rules)
    shape = (len(asked.at), len(LEVELS))
    given, decided, by_silence, by_stream = (np.full(shape, fill) for fill in (np.inf, np.inf, 0.0, 0.0))
    silence_sums, stream_sums = np.zeros((SILENCES, len(LEVELS))), np.zeros((streams, len(LEVELS)))
    numbers = np.zeros((SILENCES, len(LEVELS)), dtype=np.int64)
    undecided: list[Ints] = [np.empty(0, dtype=np.int64)] * len(LEVELS)
    for month in _ranges_of_equals(asked.at):
        cut = float(asked.at[month.start])
        for k, level in enumerate(LEVELS):
            is_decided = decided[undecided[k], k] <= cut
            rows = undecided[k][is_decided]
            rows = rows[np.argsort(decided[rows, k], kind="stable")]
            undecided[k] = np.concatenate([undecided[k][~is_decided], np.arange(month.start, month.stop)])
            error = (asked.actual[rows] > decided[rows, k] - asked.at[rows]) - (1 - level)
            by_stream[rows, k] = STEP * error
            by_silence[rows, k] = _sizes(asked.silence[rows], numbers[:, k]) * error
            np.add.at(stream_sums[:, k], asked.stream[rows], by_stream[rows, k])
            np.add.at(silence_sums[:, k], asked.silence[rows], by_silence[rows, k])
        own = _bounded(start + silence_sums[asked.silence[month]] + stream_sums[asked.stream[month]])
        given[month] = median[month, None] * np.exp(own * scale[month, None])
        decided[month] = cut + np.minimum(given[month], longest(rules))
    return given, decided, by_silence, by_stream


def _sizes(silence: Ints, numbers: Ints) -> Floats:
    """Return the size of each step by silence; ``numbers``, how many there were in each group, is raised."""
    sizes = np.empty(len(silence))
    for group in range(SILENCES):
        own = np.flatnonzero(silence == group)
        number = numbers[group] + np.arange(len(own))
        sizes[own] = STEP + (FIRST_STEP - STEP) * FIRST_STEPS / (FIRST_STEPS + number)
        numbers[group] += len(own)
    return sizes


def _ranges_of_equals(at: Floats) -> Iterator[slice]:
    """Yield the ranges of equal times in a sorted column."""
    edges = [0, *(np.flatnonzero(np.diff(at)) + 1).tolist(), len(at)]
    yield from (slice(low, high) for low, high in pairwise(edges) if high > low)


# --- scores -----------------------------------------------------------------------------------------------------------


def score_dates(tables: HistoryTables, until: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the coverage at each level over all dates whose time has passed by ``until`` (days), never-came a miss.

    Dates further ahead than `longest` are not given, so not scored. ``n`` is the number of dates with 85%, ``given``
    the share of questions that get one, ``days`` the median days ahead of all questions (at most `longest`) at each
    level, and ``pinball`` the mean loss at 50, 85 and 95% as a share of the actual duration. The second value has the
    details: ``dates_by_stream`` for streams with 200 questions or more, ``dates_by_items``, and ``dates_as_shipped``,
    with the multipliers of the rules. Figures that do not exist are NaN.
    """
    learned = learned_dates(tables)
    asked = learned.asked
    shipped = capacity_days(asked.items, asked.weeks, tables.rules, learned.start)
    streams = {
        name: _coverage(learned, learned.given, rows, until)
        for code, name in enumerate(tables.ledger.streams)
        if (rows := asked.stream == code).sum() >= STREAM_LEAST
    }
    by_items = {
        str(items): _coverage(learned, learned.given, rows, until)
        for items in ITEMS
        if (rows := asked.items == items).any()
    }
    every = np.ones(len(asked.at), dtype=bool)
    as_shipped = _coverage(learned, shipped, every, until)
    detail = {"dates_by_stream": streams, "dates_by_items": by_items, "dates_as_shipped": as_shipped}
    return _coverage(learned, learned.given, every, until), detail


def _coverage(learned: LearnedDates, given: Floats, rows: NDArray[np.bool_], until: float) -> dict[str, Any]:
    at, actual, last = learned.asked.at[rows], learned.asked.actual[rows], longest(learned.rules)
    ahead = np.minimum(given[rows], last)
    is_given = given[rows] <= last
    has_passed = is_given & (at[:, None] + ahead <= until)
    held = actual[:, None] <= ahead
    came = at + actual <= until
    losses = [pinball(LEVELS[k], ahead[came, k], actual[came]) / actual[came] for k in (_P50, _P85, _P95)]
    names = [f"p{100 * level:.0f}" for level in LEVELS]
    return {
        **{name: _mean(held[has_passed[:, k], k]) for k, name in enumerate(names)},
        "pinball": _mean(np.concatenate(losses)),
        "n": int(has_passed[:, _P85].sum()),
        "given": _mean(is_given[:, _P85]),
        "days": {name: float(np.median(ahead[:, k])) if len(at) else float("nan") for k, name in enumerate(names)},
    }


def _mean(values: NDArray[Any]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _months(first: float, last: float) -> Floats:
    """Return the first moment of each month (UTC) after ``first`` and not after ``last``, in days since 1970."""
    begin, end = moment(first), moment(last)
    months = range(begin.year * 12 + begin.month, end.year * 12 + end.month)
    return np.array([days(datetime(m // 12, m % 12 + 1, 1, tzinfo=UTC)) for m in months], dtype=np.float64)
