"""Capacity dates: the moments by which a stream will have closed k more items, from its throughput alone.

The rate of the last twelve weeks is a gamma distribution, the time to k closures a beta-prime in units of those weeks.
Both are stretched by the over-dispersion of weekly closures. The quantiles are then moved by multipliers that were
estimated on other projects, and are blended with the installation's own once it has a record (`blended_multipliers`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import beta_prime_quantile, quantiles
from sync.history.calendar import Calendar

__all__ = [
    "LEVELS",
    "blended_multipliers",
    "capacity_days",
    "capacity_moments",
    "closures_by_week",
    "median_and_scale",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.50, 0.85, 0.95)
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


def capacity_days(
    items: Floats, by_week: Ints, rules: Rules, multipliers: tuple[float, float, float] | None = None
) -> Floats:
    """Return the days until ``items[t]`` more are closed, at 50, 85 and 95 %: float64[t, 3], infinite without closures.

    The days carry as much work as those of the weeks did; see `capacity_moments` for dates. ``multipliers``: None for
    those of the rules.
    """
    median, scale = median_and_scale(items, by_week, rules)
    with np.errstate(invalid="ignore"):
        days: Floats = median[:, None] * np.exp(np.array(multipliers or rules.multipliers) * scale[:, None])
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
    low, high = (beta_prime_quantile(q, shape, rate) for q in LEVELS[:2])
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
    multipliers: tuple[float, float, float] | None = None,
) -> Floats:
    """Return the moments by which each stream will have closed ``items[t]`` more as of ``at[t]``, at 50, 85 and 95 %.

    Days since 1970 UTC: float64[t, 3], infinite where unknown. Holidays and quiet weeks are removed from the observed
    weeks and added to those ahead.
    """
    rules = tables.rules
    days = capacity_days(items, closures_by_week(tables, stream, at), rules, multipliers)
    span = _WEEK * rules.capacity_weeks
    worked = calendar.work_between(at - span, at) / span
    ahead = days * np.where(worked > 0, worked, 1.0)[:, None]
    return np.stack([calendar.moment_after(at, ahead[:, k]) for k in range(len(LEVELS))], axis=1)


def blended_multipliers(scaled: Floats, rules: Rules) -> tuple[float, float, float]:
    """Return the multipliers of an installation: the shipped ones blended with the quantiles of its own record.

    ``scaled`` holds ln(actual / T.50) / s of forecasts whose whole horizon has elapsed; see `median_and_scale`. With
    fewer than ``multipliers_least`` of them, the shipped ones are returned.
    """
    count = len(scaled)
    if count < rules.multipliers_least:
        return rules.multipliers
    weight = count / (count + rules.multipliers_weight)
    own = quantiles(scaled, LEVELS)
    low, middle, high = (
        float(weight * observed + (1 - weight) * shipped)
        for observed, shipped in zip(own, rules.multipliers, strict=True)
    )
    return low, middle, high
