"""The capacity date: when a stream will have closed k more items, from its throughput alone.

The rate of the last twelve weeks is a gamma, the time to k closures a beta-prime in units of those weeks, both
stretched by the over-dispersion that weekly closures show. The quantiles are then moved by multipliers that were learnt
on other projects, blended with the installation's own once it has a record (`learnt`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.stats import beta_prime_quantile, quantiles
from sync.history.calendar import Calendar

__all__ = ["QUANTILES", "capacity_days", "capacity_moments", "closures_by_week", "learnt", "spread"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

QUANTILES = (0.50, 0.85, 0.95)
_WEEK = 7.0


def closures_by_week(past: HistoryTables, stream: Ints, at: Floats) -> Ints:
    """Items each stream finished in each of the last full weeks before ``at[t]``, newest first: int64[t, weeks]."""
    weeks = past.rules.capacity_weeks
    edges = at[:, None] - _WEEK * np.arange(weeks + 1)
    codes = np.repeat(stream, weeks + 1)
    until = past.closures.before(codes, edges.ravel(), inclusive=True).reshape(edges.shape)
    return until[:, :-1] - until[:, 1:]


def capacity_days(
    items: Floats, by_week: Ints, rules: Rules, multipliers: tuple[float, float, float] | None = None
) -> Floats:
    """Days until ``items[t]`` more are closed, at 50, 85 and 95 %: float64[t, 3], infinite without closures.

    Days are those of usual work if the weeks were; see `capacity_moments` for dates.
    """
    median, scale = spread(items, by_week, rules)
    with np.errstate(invalid="ignore"):
        days: Floats = median[:, None] * np.exp(np.array(multipliers or rules.multipliers) * scale[:, None])
    return np.where(np.isfinite(median)[:, None], days, np.inf)


def spread(items: Floats, by_week: Ints, rules: Rules) -> tuple[Floats, Floats]:
    """The beta-prime's median (days) and its scale s = ln(T.85 / T.50), clipped: the units of the multipliers."""
    weeks = rules.capacity_weeks
    total = by_week.sum(axis=1)
    mean = np.maximum(total / weeks, 1e-9)
    ratio = np.maximum(by_week.var(axis=1, ddof=1) / mean, 1.0)
    phi = (weeks * ratio + rules.capacity_weight * rules.capacity_dispersion) / (weeks + rules.capacity_weight)
    asked = (total > 0) & (items > 0)
    shape, rate = items[asked] / phi[asked], total[asked] / phi[asked]
    low, high = (beta_prime_quantile(q, shape, rate) for q in QUANTILES[:2])
    median, scale = np.where(items > 0, np.inf, 0.0), np.full(len(items), rules.spread_high)
    median[asked] = weeks * _WEEK * low
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.log(high / low)
    scale[asked] = np.where(np.isfinite(ratio), np.clip(ratio, rules.spread_low, rules.spread_high), rules.spread_high)
    return median, scale


def capacity_moments(
    past: HistoryTables,
    stream: Ints,
    items: Floats,
    at: Floats,
    calendar: Calendar,
    multipliers: tuple[float, float, float] | None = None,
) -> Floats:
    """When each stream will have closed ``items[t]`` more, as of ``at[t]``, at 50, 85 and 95 %.

    Moments are days since 1970 UTC, float64[t, 3], infinite where they cannot be told. Holidays and quiet weeks are
    taken out of the observed weeks and put back into those ahead.
    """
    rules = past.rules
    days = capacity_days(items, closures_by_week(past, stream, at), rules, multipliers)
    span = _WEEK * rules.capacity_weeks
    worked = calendar.work_between(at - span, at) / span
    ahead = days * np.where(worked > 0, worked, 1.0)[:, None]
    return np.stack([calendar.moment_after(at, ahead[:, k]) for k in range(len(QUANTILES))], axis=1)


def learnt(scaled: Floats, rules: Rules) -> tuple[float, float, float]:
    """Multipliers for an installation: the shipped ones blended with the quantiles of its own record.

    ``scaled`` holds ln(actual / T.50) / s of forecasts whose whole horizon has elapsed (see `spread`). Fewer than
    ``multipliers_least`` of them change nothing.
    """
    count = len(scaled)
    if count < rules.multipliers_least:
        return rules.multipliers
    weight = count / (count + rules.multipliers_weight)
    own = quantiles(scaled, QUANTILES)
    low, middle, high = (
        float(weight * mine + (1 - weight) * shipped) for mine, shipped in zip(own, rules.multipliers, strict=True)
    )
    return low, middle, high
