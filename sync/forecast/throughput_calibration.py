"""Replay capacity dates on a history: compare the moments forecast for k more closures with the actual ones.

A date is asked for on the first day of each month, for 5 to 80 items, of every stream with at least 5 closures in the
twelve weeks before, if the items would take at most 180 days at the average rate. Only dates that came true within the
history are scored: for an abandoned stream the actual duration is unknown.
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
from sync.forecast.throughput import LEVELS, blended_multipliers, capacity_days, closures_by_week, median_and_scale
from sync.history.ledger import days, moment

__all__ = ["ITEMS", "Replay", "own_multipliers", "replay", "replayed_days", "score_dates"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ITEMS = (5, 10, 20, 40, 80)
LONGEST = 180.0
"""Longest expected duration asked about, in days."""
ELAPSED = 3.0
"""Expected durations after which the horizon of a forecast has elapsed."""
STREAM_LEAST = 200
"""Fewest forecasts of one stream for a coverage of its own."""


@dataclass(frozen=True)
class Replay:
    """Capacity dates (m) of a history, each for ``items`` more closures of ``stream`` as of ``at`` (days since 1970
    UTC).

    ``weeks`` int64[m, 12]: the closures of the weeks before. ``expected``: days at the average rate. ``actual``: days
    that it took, infinite if it never came.
    """

    stream: Ints
    at: Floats
    items: Floats
    weeks: Ints
    expected: Floats
    actual: Floats

    def scaled(self, rules: Rules) -> Floats:
        """Return the error of each date in the unit of the multipliers: ln(actual / T.50) / s."""
        median, scale = median_and_scale(self.items, self.weeks, rules)
        return np.asarray(np.log(self.actual / median) / scale, dtype=np.float64)


def replay(tables: HistoryTables) -> Replay:
    """Ask for capacity dates at the beginning of each month from the first closure to the last."""
    closed = tables.closures
    if not len(closed.time):
        return _at(tables, np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    cuts = _months(float(closed.time.min()), float(closed.time.max()))
    streams = np.arange(len(tables.ledger.streams))
    stream = np.repeat(streams, len(cuts) * len(ITEMS))
    at = np.tile(np.repeat(cuts, len(ITEMS)), len(streams))
    items = np.tile(np.array(ITEMS, dtype=np.float64), len(streams) * len(cuts))
    dates = _at(tables, stream, at, items)
    begin = closed.first[:-1]
    first = np.where(begin < closed.first[1:], closed.time[np.minimum(begin, len(closed.time) - 1)], np.inf)
    span = 7.0 * tables.rules.capacity_weeks
    is_asked = (
        (dates.weeks.sum(axis=1) >= tables.rules.least_closures)
        & (dates.expected <= LONGEST)
        & (dates.at >= first[dates.stream] + span)
    )
    return Replay(*(getattr(dates, name)[is_asked] for name in Replay.__dataclass_fields__))


def _at(tables: HistoryTables, stream: Ints, at: Floats, items: Floats) -> Replay:
    closed = tables.closures
    weeks = closures_by_week(tables, stream, at)
    total = weeks.sum(axis=1)
    target = closed.before(stream, at, inclusive=True) + items.astype(np.int64) - 1
    is_reached = target < closed.first[stream + 1]
    last = max(len(closed.time) - 1, 0)
    when = closed.time[np.minimum(target, last)] if len(closed.time) else at
    expected = items * 7.0 * tables.rules.capacity_weeks / np.maximum(total, 1e-9)
    return Replay(stream, at, items, weeks, expected, np.where(is_reached, when - at, np.inf))


def own_multipliers(record: Replay, at: float, rules: Rules) -> tuple[float, float, float]:
    """Return the multipliers estimated from a history until ``at`` (days); the shipped ones while it is short.

    Only dates count whose horizon (three expected durations) had elapsed by then, and that had come true.
    """
    known = (record.at + ELAPSED * record.expected < at) & (record.at + record.actual <= at)
    return blended_multipliers(record.scaled(rules)[known], rules)


def replayed_days(tables: HistoryTables, record: Replay) -> Floats:
    """Return the days forecast for each date of the record at each of `LEVELS`: float64[m, 3].

    The multipliers are those of the history until each question.
    """
    forecast = np.empty((len(record.at), len(LEVELS)))
    for cut in np.unique(record.at):
        now = record.at == cut
        own = own_multipliers(record, float(cut), tables.rules)
        forecast[now] = capacity_days(record.items[now], record.weeks[now], tables.rules, own)
    return forecast


def score_dates(tables: HistoryTables, until: float) -> tuple[dict[str, float | int], dict[str, Any]]:
    """Return the coverage at each quantile, the mean pinball loss as a share of the actual duration, and n.

    Only dates that came true by ``until`` (days) are scored, with the multipliers of the history until each question.
    The second value has the details: ``dates_by_stream`` for streams with 200 dates or more, ``dates_by_items``, and
    ``dates_as_shipped``, with the shipped multipliers. Figures that do not exist are NaN.
    """
    record = replay(tables)
    forecast = replayed_days(tables, record)
    is_scored = record.at + record.actual <= until
    streams = {
        name: _coverage(forecast[rows], record.actual[rows])
        for code, name in enumerate(tables.ledger.streams)
        if (rows := is_scored & (record.stream == code)).sum() >= STREAM_LEAST
    }
    shipped = capacity_days(record.items, record.weeks, tables.rules)
    by_items = {
        str(items): _coverage(forecast[rows], record.actual[rows])
        for items in ITEMS
        if (rows := is_scored & (record.items == items)).any()
    }
    as_shipped = _coverage(shipped[is_scored], record.actual[is_scored])
    detail = {"dates_by_stream": streams, "dates_by_items": by_items, "dates_as_shipped": as_shipped}
    return _coverage(forecast[is_scored], record.actual[is_scored]), detail


def _coverage(forecast: Floats, actual: Floats) -> dict[str, float | int]:
    n = len(actual)
    p50, p85, p95 = (float((actual <= forecast[:, q]).mean()) if n else float("nan") for q in range(len(LEVELS)))
    losses = [pinball(level, forecast[:, q], actual) / actual for q, level in enumerate(LEVELS)]
    return {"p50": p50, "p85": p85, "p95": p95, "pinball": float(np.mean(losses)) if n else float("nan"), "n": n}


def _months(first: float, last: float) -> Floats:
    """Return the first moment of each month (UTC) after ``first`` and not after ``last``, in days since 1970."""
    begin, end = moment(first), moment(last)
    months = range(begin.year * 12 + begin.month, end.year * 12 + end.month)
    return np.array([days(datetime(m // 12, m % 12 + 1, 1, tzinfo=UTC)) for m in months], dtype=np.float64)
