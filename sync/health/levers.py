"""Computed ways back on track, each with the probability that it gives. They are model counterfactuals.

========  ============================================================================================================
cut       the fewest items to take out for P >= .80, if at most 60 % of what is open
move      the first date on the completion curve with P >= .80, on the weekday on which the stream is usually due;
          where the curve ends below, the capacity date at 80 %
both      half that cut, then the date
freeze    nothing more joins
pace      closures a week that would do it, and in how many of the last weeks the stream reached that
assign    owners for open items that have none (no probability: the pool does not know owners)
========  ============================================================================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.throughput import capacity_moments
from sync.health.attention import Attention
from sync.model.health import Lever, LeverKind, Value

__all__ = ["levers", "smallest_cut"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Candidates = Callable[[int], Sequence[str]]
"""Uids to cut of the batch's k-th container, best first."""

_LEAST_GAIN = 0.01
_USUAL_SHARE = 0.5
_NORMAL_80, _NORMAL_85 = 0.8416, 1.0364


def levers(
    outlook: ForecastBatch,
    published: Floats,
    wanted: NDArray[np.bool_],
    found: Sequence[Attention],
    candidates: Candidates,
) -> list[tuple[Lever, ...]]:
    """The levers of each container of the batch for which they are ``wanted``; none where P >= the target."""
    wanted = wanted & outlook.dated & (outlook.open > 0) & ~(published >= outlook.rules.target)
    told: list[list[Lever]] = [[] for _ in range(len(wanted))]
    if not wanted.any():
        return [() for _ in told]
    running = wanted & (outlook.phase < 1.0)
    cut, reached = smallest_cut(outlook, running)
    frozen = outlook.probability(frozen=True)
    half = np.minimum(-(-cut // 2), np.floor(outlook.rules.cut_share * outlook.open).astype(np.int64))
    moves = _moves(outlook, np.zeros_like(cut), wanted)
    halves = _moves(outlook, half, running & (half > 0))
    for k in np.flatnonzero(wanted).tolist():
        each, names = told[k], tuple(candidates(k))
        offered = running[k] and 0 < cut[k] <= outlook.rules.cut_share * outlook.open[k]
        if offered:
            each.append(
                _lever(LeverKind.CUT, float(reached[k]), names[: cut[k]], count=int(cut[k]), of=int(outlook.open[k]))
            )
        if moves[k]:
            each.append(_lever(LeverKind.MOVE, moves[k]["p"], (), **_dated(moves[k])))
        if halves[k]:
            values = {"count": int(half[k]), "of": int(outlook.open[k]), **_dated(halves[k])}
            each.append(_lever(LeverKind.BOTH, halves[k]["p"], names[: half[k]], **values))
        if running[k] and frozen[k] - published[k] >= _LEAST_GAIN:
            each.append(_lever(LeverKind.FREEZE, float(frozen[k]), ()))
        if running[k]:
            each.append(_pace(outlook, k))
        if found[k].unassigned:
            each.append(_lever(LeverKind.ASSIGN, None, found[k].unassigned, count=len(found[k].unassigned)))
    return [tuple(each) for each in told]


def smallest_cut(outlook: ForecastBatch, wanted: NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """The fewest items to cut for P >= target, by bisection, and the P they give; everything open if nothing does."""
    low = np.zeros(len(wanted), dtype=np.int64)  # not enough
    high = np.where(wanted, outlook.open, 1)  # enough, or all there is
    while np.any(high - low > 1):
        middle = (low + high) // 2
        enough = _after_cut(outlook, middle) >= outlook.rules.target
        moving = high - low > 1
        low, high = np.where(moving & ~enough, middle, low), np.where(moving & enough, middle, high)
    high = np.where(wanted, high, 0)
    return high, _after_cut(outlook, high)


def _after_cut(outlook: ForecastBatch, cut: Ints) -> Floats:
    remaining = np.maximum(outlook.open - cut, 0)
    return outlook.probability(remaining, remaining + outlook.done)


def _moves(outlook: ForecastBatch, cut: Ints, wanted: NDArray[np.bool_]) -> list[dict[str, Value]]:
    """Where to move the due date after a cut: ``to``, ``p``, ``capacity``; empty where no date does it."""
    remaining = np.maximum(outlook.open - cut, 0)
    target = outlook.rules.target
    curve = outlook.completion(remaining, remaining + outlook.done)
    when = outlook.reached(curve, target)
    by_capacity, horizon = _capacity(outlook, remaining), outlook.horizon
    found: list[dict[str, Value]] = []
    for k in range(len(cut)):
        capacity = not np.isfinite(when[k])
        at = float(by_capacity[k] if capacity else when[k])
        if not wanted[k] or not at <= horizon[k] or at <= outlook.due[k]:
            found.append({})
            continue
        later = at + _to_usual_weekday(outlook, k, at)
        p = target if capacity else max(target, float(outlook.at_time(curve, k, later)))
        found.append({"to": outlook.calendar.day_of(later), "p": p, "capacity": capacity})
    return found


def _capacity(outlook: ForecastBatch, remaining: Ints) -> Floats:
    """The capacity date at 80 %: its multiplier lies between those of 50 and 85 % as a normal's quantiles do."""
    middle, high, _ = outlook.rules.multipliers
    multiplier = middle + (high - middle) * _NORMAL_80 / _NORMAL_85
    stream = outlook.past.ledger.stream[outlook.index]
    items = outlook.grown_later(remaining)
    triple = (multiplier, multiplier, multiplier)
    return capacity_moments(outlook.past, stream, items, outlook.at, outlook.calendar, triple)[:, 0]


def _to_usual_weekday(outlook: ForecastBatch, k: int, at: float) -> int:
    """Days to add so that the date falls on the weekday on which at least half of the stream's milestones were due."""
    members = outlook.habits.members[k]
    dues = [outlook.past.ledger.due[j] for j in members if j >= 0] if outlook.habits.from_stream[k] else []
    days = [day for day in (outlook.calendar.day_of(float(due)) for due in dues) if day is not None]
    target = outlook.calendar.day_of(at)
    if not days or target is None:
        return 0
    weekday, count = min(Counter(day.weekday() for day in days).items(), key=lambda pair: (-pair[1], pair[0]))
    return (weekday - target.weekday()) % 7 if count >= _USUAL_SHARE * len(days) else 0


def _pace(outlook: ForecastBatch, k: int) -> Lever:
    """What a week would have to bring, against what this container's share of the stream's weeks brought."""
    by_week = outlook.by_week[k] * outlook.samples[k].share
    needed = float(outlook.grown_later(outlook.open)[k]) / max(float(outlook.ahead[k]) / 7.0, 1 / 7)
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
