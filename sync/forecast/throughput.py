"""Throughput dates: the moments by which a stream will have closed k more items, from its throughput alone.

The rate of the last twelve weeks is a gamma distribution, the time to k closures a beta-prime in units of those weeks.
Both are stretched by the over-dispersion of weekly closures. The quantiles are then moved by multipliers: those of the
rules were estimated on other projects, `sync.forecast.throughput_calibration` adapts them to the installation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import beta_prime_quantile
from sync.history.calendar import LOOK_AHEAD, Calendar

__all__ = [
    "LEVELS",
    "capacity_days",
    "capacity_moments",
    "closures_by_week",
    "median_and_scale",
    "weeks_of_silence",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.50, 0.70, 0.85, 0.95)
"""Probabilities of throughput dates."""

_WEEK = 7.0


def closures_by_week(tables: HistoryTables, stream: Ints, at: Floats) -> Ints:
    """Return the items each stream finished in each of the last full weeks before ``at[t]`` (days): int64[t, weeks].

    The newest week comes first.
    """
    weeks = tables.rules.capacity_weeks
    edges = at[:, None] - _WEEK * np.arange(weeks + 1)
    codes = np.repeat(stream, weeks + 1)
    until = tables.closures.before(codes, edges.ravel(), inclusive=True).reshape(edges.shape)
    return until[:, :-1] - until[:, 1:]


def weeks_of_silence(tables: HistoryTables, stream: Ints, at: Floats, calendar: Calendar | None = None) -> Ints:
    """Return the whole weeks of usual work since each stream's last closure before ``at[t]`` (days): int64[t].

    Without a calendar all days count. `LOOK_AHEAD` days for a stream without closures.
    """
    closed = tables.closures
    place = closed.before(stream, at, inclusive=True)
    has_closed = place > closed.first[stream]
    last = np.where(has_closed, closed.time[np.maximum(place, 1) - 1], at) if len(closed.time) else at
    gap = at - last if calendar is None else calendar.work_between(last, at)
    return np.where(has_closed, gap, LOOK_AHEAD).astype(np.int64) // int(_WEEK)


def capacity_days(items: Floats, by_week: Ints, rules: Rules, multipliers: Floats | None = None) -> Floats:
    """Return the days until ``items[t]`` more are closed, at each multiplier: float64[t, k], infinite without closures.

    The days carry as much work as those of the weeks did; see `capacity_moments` for dates. ``multipliers`` is
    float64[k] or float64[t, k]; None for those of the rules, at 50, 85 and 95%.
    """
    median, scale = median_and_scale(items, by_week, rules)
    own = np.array(rules.multipliers) if multipliers is None else multipliers
    with np.errstate(invalid="ignore"):
        days: Floats = median[:, None] * np.exp(own * scale[:, None])
    return np.where(np.isfinite(median)[:, None], days, np.inf)


def median_and_scale(items: Floats, by_week: Ints, rules: Rules) -> tuple[Floats, Floats]:
    """Return the beta-prime's median (days) and its clipped scale s = ln(T.85 / T.50), the unit of the multipliers."""
    weeks = rules.capacity_weeks
    total = by_week.sum(axis=1)
    mean = np.maximum(total / weeks, 1e-9)
    ratio = np.maximum(by_week.var(axis=1, ddof=1) / mean, 1.0)
    phi = (weeks * ratio + rules.capacity_weight * rules.capacity_dispersion) / (weeks + rules.capacity_weight)
    is_finite = (total > 0) & (items > 0)
    shape, rate = items[is_finite] / phi[is_finite], total[is_finite] / phi[is_finite]
    low, high = (beta_prime_quantile(q, shape, rate) for q in (0.50, 0.85))
    median, scale = np.where(items > 0, np.inf, 0.0), np.full(len(items), rules.spread_high)
    median[is_finite] = weeks * _WEEK * low
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.log(high / low)
    clipped = np.clip(spread, rules.spread_low, rules.spread_high)
    scale[is_finite] = np.where(np.isfinite(spread), clipped, rules.spread_high)
    return median, scale


def capacity_moments(
    tables: HistoryTables,
    stream: Ints,
    items: Floats,
    at: Floats,
    calendar: Calendar,
    multipliers: Floats | None = None,
) -> Floats:
    """Return the moments by which each stream will have closed ``items[t]`` more as of ``at[t]``, at each multiplier.

    Days since 1970 UTC: float64[t, k], infinite where unknown. ``multipliers`` as in `capacity_days`. Holidays and
    quiet weeks are removed from the observed weeks and added to those ahead.
    """
    rules = tables.rules
    days = capacity_days(items, closures_by_week(tables, stream, at), rules, multipliers)
    span = _WEEK * rules.capacity_weeks
    worked = calendar.work_between(at - span, at) / span
    ahead = days * np.where(worked > 0, worked, 1.0)[:, None]
    return np.stack([calendar.moment_after(at, ahead[:, k]) for k in range(ahead.shape[1])], axis=1)
