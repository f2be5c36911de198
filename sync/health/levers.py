"""Levers: computed ways back on track, each with the probability after it. They are model counterfactuals.

========  ============================================================================================================
cut       the fewest items to remove for P >= .80, if at most 60 % of the open items
move      the first date on the completion curve with P >= .80, on the weekday on which the stream is usually due;
          where the curve ends below, the capacity date at 80 %
both      half that cut, then the date
freeze    no more items join
pace      closures a week that would be enough, and in how many of the last weeks the stream reached that
assign    owners for open items without one (no probability: the forecast does not know owners)
========  ============================================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import Assumptions, ForecastBatch
from sync.forecast.throughput import capacity_moments
from sync.health.attention import Attention
from sync.model.health import Lever, LeverKind, Value

__all__ = ["levers", "smallest_cut"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Candidates = Callable[[int], Sequence[str]]
"""Function from the position k of a container in the batch to the uids of items to cut, best first."""

_LEAST_GAIN = 0.01
_USUAL_SHARE = 0.5
_NORMAL_80, _NORMAL_85 = 0.8416, 1.0364


def levers(
    batch: ForecastBatch,
    published: Floats,
    mask: NDArray[np.bool_],
    attentions: Sequence[Attention],
    candidates: Candidates,
) -> list[tuple[Lever, ...]]:
    """Compute the levers of each container of the batch where ``mask`` is True; none where P >= the target."""
    mask = mask & batch.has_dates & (batch.open > 0) & ~(published >= batch.rules.target)
    levers: list[list[Lever]] = [[] for _ in range(len(mask))]
    if not mask.any():
        return [() for _ in levers]
    running = mask & (batch.phase < 1.0)
    cut, reached = smallest_cut(batch, running)
    frozen = batch.probability(assumed=Assumptions(frozen=True))
    half = np.minimum(-(-cut // 2), np.floor(batch.rules.cut_share * batch.open).astype(np.int64))
    moves = _moves(batch, np.zeros_like(cut), mask)
    halves = _moves(batch, half, running & (half > 0))
    for k in np.flatnonzero(mask).tolist():
        own, names, open_count = levers[k], tuple(candidates(k)), int(batch.open[k])
        if running[k] and 0 < cut[k] <= batch.rules.cut_share * open_count:
            own.append(_lever(LeverKind.CUT, float(reached[k]), names[: cut[k]], count=int(cut[k]), of=open_count))
        if moves[k]:
            own.append(_lever(LeverKind.MOVE, moves[k]["p"], (), **_dated(moves[k])))
        if halves[k]:
            values = {"count": int(half[k]), "of": open_count, **_dated(halves[k])}
            own.append(_lever(LeverKind.BOTH, halves[k]["p"], names[: half[k]], **values))
        if running[k] and frozen[k] - published[k] >= _LEAST_GAIN:
            own.append(_lever(LeverKind.FREEZE, float(frozen[k]), ()))
        if running[k]:
            own.append(_pace(batch, k))
        unassigned = attentions[k].unassigned
        if unassigned:
            own.append(_lever(LeverKind.ASSIGN, None, unassigned, count=len(unassigned)))
    return [tuple(own) for own in levers]


def smallest_cut(batch: ForecastBatch, mask: NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Find the fewest items to cut for P >= target, by bisection, and the P after it.

    Where no cut is enough: all open items. Where ``mask`` is False: 0.
    """
    low = np.zeros(len(mask), dtype=np.int64)  # not enough
    high = np.where(mask, batch.open, 1)  # enough, or all open items
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = _after_cut(batch, middle) >= batch.rules.target
        moving = high - low > 1
        low, high = np.where(moving & ~enough, middle, low), np.where(moving & enough, middle, high)
    high = np.where(mask, high, 0)
    return high, _after_cut(batch, high)


def _after_cut(batch: ForecastBatch, cut: Ints) -> Floats:
    remaining = np.maximum(batch.open - cut, 0)
    return batch.probability(remaining, remaining + batch.done)


def _moves(batch: ForecastBatch, cut: Ints, mask: NDArray[np.bool_]) -> list[dict[str, Value]]:
    """Find the date to move to after a cut: ``to``, ``p``, ``capacity``; empty where no date is enough."""
    remaining = np.maximum(batch.open - cut, 0)
    target = batch.rules.target
    curve = batch.completion(remaining, remaining + batch.done)
    when = batch.moment_of(curve, target)
    by_capacity, horizon = _capacity(batch, remaining), batch.horizon
    moves: list[dict[str, Value]] = []
    for k in range(len(cut)):
        capacity = not np.isfinite(when[k])
        at = float(by_capacity[k] if capacity else when[k])
        if not mask[k] or not at <= horizon[k] or at <= batch.due[k]:
            moves.append({})
            continue
        later = at + _to_usual_weekday(batch, k, at)
        p = target if capacity else max(target, float(batch.probability_at(curve, k, later)))
        moves.append({"to": batch.calendar.completion_day(later), "p": p, "capacity": capacity})
    return moves


def _capacity(batch: ForecastBatch, remaining: Ints) -> Floats:
    """Return the capacity date at 80 % (days since 1970).

    Its multiplier lies between those of 50 and 85 % as the quantiles of a normal distribution do.
    """
    middle, high, _ = batch.rules.multipliers
    multiplier = middle + (high - middle) * _NORMAL_80 / _NORMAL_85
    stream = batch.tables.ledger.stream[batch.index]
    items = batch.expected_items(remaining)
    return capacity_moments(batch.tables, stream, items, batch.at, batch.calendar, np.array([multiplier]))[:, 0]


def _to_usual_weekday(batch: ForecastBatch, k: int, at: float) -> int:
    """Return the days to add to reach the weekday on which at least half of the stream's milestones were due."""
    members = batch.estimates.members[k]
    dues = [batch.tables.ledger.due[j] for j in members if j >= 0] if batch.estimates.from_stream[k] else []
    days = [day for day in (batch.calendar.day_of(float(due)) for due in dues) if day is not None]
    target = batch.calendar.day_of(at)
    if not days or target is None:
        return 0
    weekday, count = min(Counter(day.weekday() for day in days).items(), key=lambda pair: (-pair[1], pair[0]))
    return (weekday - target.weekday()) % 7 if count >= _USUAL_SHARE * len(days) else 0


def _pace(batch: ForecastBatch, k: int) -> Lever:
    """Compare the closures needed a week with this container's share of the stream's closures in the last weeks."""
    by_week = batch.closures_by_week[k] * batch.samples[k].share
    needed = float(batch.expected_items(batch.open)[k]) / max(float(batch.days_to_due[k]) / 7.0, 1 / 7)
    return _lever(
        LeverKind.PACE,
        None,
        (),
        needed=round(needed, 1),
        median=round(median(by_week.tolist()), 1),
        reached=int(np.count_nonzero(by_week >= needed)),
        weeks=len(by_week),
    )


def _dated(move: dict[str, Value]) -> dict[str, Value]:
    return {"to": move["to"], "capacity": move["capacity"]}


def _lever(kind: LeverKind, p: Value, items: tuple[str, ...], **values: Value) -> Lever:
    probability = None if p is None or not isinstance(p, int | float) else float(p)
    return Lever(kind=kind, probability=probability, values=values, items=items)
