"""Health of joint milestones, and of milestones that wait for others: from sampled completion paths to a status.

=================  ==================================================================================================
done               every member is done
ended              every member is over, and one of them was not done
overdue            the due moment has passed, and a member that is not over has open items, other open work on its
                   page or no items: a fact, even if another member cannot be forecast
done or ended      the due moment has passed, and nothing is open in any member
unknown            a member is missing or cannot be forecast
on track, at risk  by the share of paths on which the last member is done by the due moment (`sync.health.status`)
or off track
=================  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.dependencies import mean_delay
from sync.forecast.joint import PATHS, quantile_moments, share_done_by
from sync.forecast.parameters import Rules
from sync.forecast.stats import logit
from sync.forecast.waiting import probability_after
from sync.health.date_band import with_steady_dates
from sync.health.status import band, forecast_status, with_status
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Basis, Confidence, Dates, Health, Reason, ReasonKind, Status, UnknownCause
from sync.model.joint import JointMilestone
from sync.model.membership import Counts

__all__ = ["AssessmentContext", "ForecastWindow", "dates_of_paths", "joint_health", "moved_health"]

Floats = NDArray[np.float64]

_GRADES = (Confidence.LOW, Confidence.MEDIUM, Confidence.HIGH)


class AssessmentContext(Struct, frozen=True):
    """Time (UTC) and rules of an assessment, and the last health of the container; None: never assessed before."""

    at: datetime
    previous: Health | None
    rules: Rules
    calendar: Calendar


class ForecastWindow(Struct, frozen=True):
    """Due moment of a milestone and the first end of the curves behind its forecast, in days since 1970; NaN: none."""

    due: float
    horizon: float


def joint_health(
    joint: JointMilestone,
    members: Sequence[Health],
    counts: Counts,
    paths: Floats | None,
    window: ForecastWindow,
    context: AssessmentContext,
) -> Health:
    """Return the health of a joint milestone, without reasons and levers (`sync.health.joint_levers`).

    ``paths`` are the moments at which the last member is done; None: a member cannot be forecast. ``window.due`` is the
    end of the joint milestone's own due day, or else of the last member's.
    """
    name, previous = f"joint:{joint.name}", context.previous
    is_over = bool(members) and all(member.status.is_over for member in members)
    status = Status.DONE if all(member.status is Status.DONE for member in members) else Status.ENDED
    due = joint.due or context.calendar.day_of(window.due)
    starts = [member.start for member in members if member.start is not None]
    stream_finished = min((member.basis.stream_finished for member in members), default=0)
    health = Health(
        container=name,
        at=context.at,
        method=context.rules.method,
        status=status,
        band=status,
        since=context.at,
        due=due,
        baseline=(previous.baseline if previous else None) or due,
        start=min(starts, default=None),
        counts=counts,
        basis=Basis(stream=name, stream_finished=stream_finished),
    )
    if not is_over:
        health = _running(health, members, paths, window, context)
    return _with_memory(health, context)


def _running(
    health: Health, members: Sequence[Health], paths: Floats | None, window: ForecastWindow, context: AssessmentContext
) -> Health:
    """Return the health of a joint milestone that is not over yet."""
    dates = Dates() if paths is None else dates_of_paths(paths, window, days(context.at), context.calendar)
    if window.due <= days(context.at):
        if any(_has_open_work(member) for member in members):
            return replace(health, status=Status.OVERDUE, band=Status.OVERDUE, dates=dates)
        if paths is not None:
            return replace(health, status=Status.at_end(health.counts), band=Status.at_end(health.counts))
    if paths is None:
        return replace(health, status=Status.UNKNOWN, band=Status.UNKNOWN, unknown=UnknownCause.MEMBER)
    p = float(np.clip(share_done_by(paths, window.due), 1 / PATHS, 1 - 1 / PATHS))
    grades = [_GRADES.index(member.confidence) for member in members if member.confidence is not None]
    return replace(
        health,
        status=band(p, context.rules),
        band=band(p, context.rules),
        probability=p,
        dates=dates,
        confidence=_GRADES[min(grades, default=0)],
    )


def _has_open_work(member: Health) -> bool:
    """Return True if the member is not over, and has open items, other open work on its page, or no items."""
    counts = member.counts
    return not member.status.is_over and (counts.unfinished > 0 or counts.uncounted_open > 0 or counts.done == 0)


def moved_health(
    health: Health, own: Floats, moved: Floats, count: int, window: ForecastWindow, context: AssessmentContext
) -> Health:
    """Return the health of a milestone after the ``count`` milestones that it waits for.

    They moved its completion moments from ``own`` to ``moved``. Levers with a probability, and the number of items left
    over, are removed: they were computed without the other milestones.
    """
    dates = dates_of_paths(moved, window, days(context.at), context.calendar)
    if health.probability is None:  # overdue: only the dates move
        return _with_memory(replace(health, dates=dates), context)
    p = probability_after(health.probability, own, moved, window.due, context.rules.clip)
    delay = mean_delay(own, moved)
    if p == health.probability and delay < 1.0:
        return health
    reason = Reason(
        kind=ReasonKind.PREDECESSOR,
        effect=float(logit(p) - logit(health.probability)),
        values={"count": count, "days": round(delay, 1)},
    )
    reasons = (reason, *health.reasons) if reason.effect < 0 else health.reasons
    changed = replace(
        health,
        status=forecast_status(p, health.counts, context.rules),
        band=forecast_status(p, health.counts, context.rules),
        since=health.at,
        probability=p,
        dates=dates,
        leftover=None,
        usual=None,
        reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.effect))),
        levers=tuple(lever for lever in health.levers if lever.probability is None),
    )
    return _with_memory(changed, context)


def _with_memory(health: Health, context: AssessmentContext) -> Health:
    """Return ``health`` with the status and the dates to publish."""
    health = with_status(health, context.previous, context.rules)
    return with_steady_dates(health, context.previous, context.calendar, context.rules)


def dates_of_paths(paths: Floats, window: ForecastWindow, now: float, calendar: Calendar) -> Dates:
    """Return the dates by which the shares of `quantile_moments` of the paths are done, as of ``now`` (days).

    None where too few paths are done within the curves. That is so by the window's horizon, and by the last date.
    """
    moments = quantile_moments(paths)
    p50, p85, p95 = (calendar.completion_day(moment, due=window.due, now=now) for moment in moments)
    end = max((moment for moment in (window.horizon, *moments) if np.isfinite(moment)), default=np.nan)
    return Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.horizon_day(end, now))
