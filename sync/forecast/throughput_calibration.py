"""Capacity dates replayed on a history: when a stream was said to have closed k more items, and when it had.

Asked on the first day of each month, for 5 to 80 items, of every stream with at least 5 closures in the twelve weeks
before, if at its average rate they would take at most 180 days. Scored are those that came true within the history:
of a stream that was given up nobody can say when it would have closed k more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.scoring import pinball
from sync.forecast.throughput import QUANTILES, capacity_days, closures_by_week, learnt, spread
from sync.history.ledger import days, moment

__all__ = ["ITEMS", "Replay", "own_multipliers", "replay", "score_dates"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ITEMS = (5, 10, 20, 40, 80)
LONGEST = 180.0
ELAPSED = 3.0  # expected durations after which a forecast's horizon is past
STREAM_LEAST = 200  # forecasts of one stream from which its coverage means something


@dataclass(frozen=True)
class Replay:
    """One entry per capacity date: asked of ``stream`` at ``at`` (days) for ``items`` more, ``weeks`` int64[m, 12] of
    closures before. ``expected`` days at the average rate; ``actual`` days that it took, infinite if it never came.
    """

    stream: Ints
    at: Floats
    items: Floats
    weeks: Ints
    expected: Floats
    actual: Floats

    def scaled(self, rules: Rules) -> Floats:
        """How far each was off, in the units of the multipliers: ln(actual / T.50) / s."""
        median, scale = spread(self.items, self.weeks, rules)
        return np.asarray(np.log(self.actual / median) / scale, dtype=np.float64)


def replay(past: HistoryTables) -> Replay:
    """Ask at every month's beginning from the first closure on to the last."""
    closed = past.closures
    if not len(closed.time):
        return _at(past, np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    cuts = _months(float(closed.time.min()), float(closed.time.max()))
    streams = np.arange(len(past.ledger.streams))
    stream = np.repeat(streams, len(cuts) * len(ITEMS))
    at = np.tile(np.repeat(cuts, len(ITEMS)), len(streams))
    items = np.tile(np.array(ITEMS, dtype=np.float64), len(streams) * len(cuts))
    found = _at(past, stream, at, items)
    begun = closed.first[:-1]
    first = np.where(begun < closed.first[1:], closed.time[np.minimum(begun, len(closed.time) - 1)], np.inf)
    span = 7.0 * past.rules.capacity_weeks
    asked = (
        (found.weeks.sum(axis=1) >= past.rules.least_closures)
        & (found.expected <= LONGEST)
        & (found.at >= first[found.stream] + span)
    )
    return Replay(*(getattr(found, name)[asked] for name in Replay.__dataclass_fields__))


def _at(past: HistoryTables, stream: Ints, at: Floats, items: Floats) -> Replay:
    closed = past.closures
    weeks = closures_by_week(past, stream, at)
    total = weeks.sum(axis=1)
    target = closed.before(stream, at, inclusive=True) + items.astype(np.int64) - 1
    came = target < closed.first[stream + 1]
    last = max(len(closed.time) - 1, 0)
    when = closed.time[np.minimum(target, last)] if len(closed.time) else at
    expected = items * 7.0 * past.rules.capacity_weeks / np.maximum(total, 1e-9)
    return Replay(stream, at, items, weeks, expected, np.where(came, when - at, np.inf))


def own_multipliers(record: Replay, at: float, rules: Rules) -> tuple[float, float, float]:
    """The multipliers that a history itself teaches by ``at`` (days): the shipped ones while it is short.

    Learnt from those whose horizon (three expected durations) was past by then and which had come true.
    """
    known = (record.at + ELAPSED * record.expected < at) & (record.at + record.actual <= at)
    return learnt(record.scaled(rules)[known], rules)


def score_dates(past: HistoryTables, until: float) -> tuple[dict[str, float | int], dict[str, Any]]:
    """Coverage at each quantile, mean pinball loss as a share of the actual duration, and n.

    Scored are those that came true by ``until`` (days), with the multipliers that the history had taught by then.
    Second, in detail: ``dates_by_stream`` for those with 200 or more, ``dates_by_items``, and ``dates_as_shipped``:
    without learning.
    """
    record = replay(past)
    said = np.empty((len(record.at), len(QUANTILES)))
    for cut in np.unique(record.at):
        now = record.at == cut
        own = own_multipliers(record, float(cut), past.rules)
        said[now] = capacity_days(record.items[now], record.weeks[now], past.rules, own)
    came = record.at + record.actual <= until
    streams = {
        name: _coverage(said[mine], record.actual[mine])
        for code, name in enumerate(past.ledger.streams)
        if (mine := came & (record.stream == code)).sum() >= STREAM_LEAST
    }
    shipped = capacity_days(record.items, record.weeks, past.rules)
    by_items = {
        str(items): _coverage(said[mine], record.actual[mine])
        for items in ITEMS
        if (mine := came & (record.items == items)).any()
    }
    as_shipped = _coverage(shipped[came], record.actual[came])
    detail = {"dates_by_stream": streams, "dates_by_items": by_items, "dates_as_shipped": as_shipped}
    return _coverage(said[came], record.actual[came]), detail


def _coverage(said: Floats, actual: Floats) -> dict[str, float | int]:
    n = len(actual)
    kept = [float((actual <= said[:, q]).mean()) if n else float("nan") for q in range(len(QUANTILES))]
    losses = [pinball(level, said[:, q], actual) / actual for q, level in enumerate(QUANTILES)]
    p50, p85, p95 = kept
    return {"p50": p50, "p85": p85, "p95": p95, "pinball": float(np.mean(losses)) if n else float("nan"), "n": n}


def _months(first: float, last: float) -> Floats:
    """The first moment of each month (UTC) after ``first`` and not after ``last``, in days."""
    begin, end = moment(first), moment(last)
    months = range(begin.year * 12 + begin.month, end.year * 12 + end.month)
    return np.array([days(datetime(m // 12, m % 12 + 1, 1, tzinfo=UTC)) for m in months], dtype=np.float64)
