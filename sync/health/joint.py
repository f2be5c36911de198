"""The health of a joint milestone, and that of a milestone which waits for others: from paths to a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast import joint
from sync.forecast.dependencies import mean_delay
from sync.forecast.parameters import Rules
from sync.forecast.stats import logit
from sync.health.status import band, replanned, settled, since
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Basis, Confidence, Dates, Health, Reason, ReasonKind, Status, UnknownWhy
from sync.model.membership import Counts

__all__ = ["joint_health", "moved_health"]

Floats = NDArray[np.float64]

_LEAST = 0.005
"""A probability that moves by less than this is not moved: it is shown in whole percents."""

_GRADES = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


def joint_health(
    name: str,
    members: Sequence[Health],
    paths: Floats | None,
    *,
    at: datetime,
    due: float,
    promised: date | None,
    horizon: float,
    counts: Counts,
    previous: Health | None,
    rules: Rules,
    calendar: Calendar,
) -> Health:
    """The health of a joint milestone. ``paths`` are when the last member is done; None: one cannot be forecast.

    ``due`` (days, the end of the due day) is the ``promised`` day's, else that of the last member. It has no reasons
    and levers of its own: those are its members'.
    """
    done = bool(members) and all(one.status is Status.DONE for one in members)
    day = promised or calendar.day_of(due)
    starts = [one.start for one in members if one.start is not None]
    health = Health(
        container=name,
        at=at,
        status=Status.DONE,
        band=Status.DONE,
        since=at,
        due=day,
        baseline=(previous.baseline if previous else None) or day,
        start=min(starts, default=None),
        counts=counts,
        basis=Basis(stream=name, stream_finished=min((one.basis.stream_finished for one in members), default=0)),
    )
    if paths is None and not done:
        health = replace(health, status=Status.UNKNOWN, band=Status.UNKNOWN, unknown=UnknownWhy.MEMBER)
    elif paths is not None and not done:
        p = float(np.clip(joint.chance(paths, due), 1 / joint.PATHS, 1 - 1 / joint.PATHS))
        late = due < days(at)
        status = Status.OVERDUE if late else band(p, rules)
        grades = [_GRADES.index(one.confidence) for one in members if one.confidence is not None]
        health = replace(
            health,
            status=status,
            band=status,
            probability=None if late else p,
            dates=_dates(paths, horizon, calendar, capacity=any(one.dates.capacity for one in members)),
            confidence=None if late else _GRADES[min(grades, default=0)],
        )
    return _remembered(health, previous, rules)


def moved_health(
    health: Health,
    own: Floats,
    moved: Floats,
    *,
    due: float,
    horizon: float,
    count: int,
    previous: Health | None,
    rules: Rules,
    calendar: Calendar,
) -> Health:
    """A milestone's health after the ``count`` milestones that it waits for moved its paths from ``own``.

    Levers that name a probability are left out: they were computed as if it waited for nothing.
    """
    before, after = joint.chance(own, due), joint.chance(moved, due)
    cost = mean_delay(own, moved)
    if health.probability is None:  # overdue: only its dates move
        return replace(health, dates=_dates(moved, horizon, calendar, capacity=health.dates.capacity))
    if before - after < _LEAST and cost < 1.0:
        return health
    p = max(health.probability - (before - after), min(rules.clip, health.probability))
    reason = Reason(
        kind=ReasonKind.PREDECESSOR,
        effect=float(logit(p) - logit(health.probability)),
        values={"count": count, "days": round(cost, 1)},
    )
    changed = replace(
        health,
        status=band(p, rules),
        band=band(p, rules),
        since=health.at,
        probability=p,
        dates=_dates(moved, horizon, calendar, capacity=health.dates.capacity),
        reasons=tuple(sorted((reason, *health.reasons), key=lambda one: -abs(one.effect))),
        levers=tuple(lever for lever in health.levers if lever.probability is None),
    )
    return _remembered(changed, previous, rules)


def _remembered(health: Health, previous: Health | None, rules: Rules) -> Health:
    """With hysteresis, and since when the status holds."""
    health = replace(health, replan=replanned(previous, health))
    status = settled(health.band, health.probability, previous, health, rules)
    return replace(health, status=status, **since(status, previous, health.at))


def _dates(paths: Floats, horizon: float, calendar: Calendar, *, capacity: bool) -> Dates:
    moments = [moment if moment <= horizon else np.inf for moment in joint.quantiles(paths)]
    p50, p85, p95 = (calendar.day_of(moment) for moment in moments)
    return Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.day_of(horizon), capacity=capacity)
