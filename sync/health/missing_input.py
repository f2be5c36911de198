"""Verdicts of milestones whose data, or that of a predecessor, could not be read: a missing input improves nothing.

=========================================  =========================================================================
the milestone is finished                  it stays so
its own data is missing                    overdue, as of the last reading, if work was open then and its due date has
                                           passed; else the last verdict as of its time, while the outage is short;
                                           then unknown
that of a predecessor is missing           its own verdict, if its status is worse than the last one even without the
                                           predecessor, which can only make it worse; else as for its own data
that of a member is missing                a joint milestone is overdue if its due date has passed with open work in a
                                           member that was read; else as for its own data
=========================================  =========================================================================

A health with ``stale_since`` is not stored, announced or scored. The dates and levers of a last verdict are removed as
soon as they have passed, and its forecast as soon as the due date has. Pure.
"""

from __future__ import annotations

from datetime import date, datetime

from msgspec import Struct
from msgspec.structs import replace

from sync.model.health import Dates, Health, Lever, Promise, Status, UnknownCause

__all__ = [
    "Outage",
    "health_without_data",
    "health_without_members",
    "health_without_predecessor",
    "stale_health",
    "worst_outage",
]

_RANK = {status: n for n, status in enumerate((Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE))}
"""Statuses of running milestones that a predecessor can change, from best to worst."""


class Outage(Struct, frozen=True, kw_only=True):
    """An outage of a project's data. ``since``: the last time (UTC) at which it was read in full; None: never.

    ``is_short``: the last verdict is still kept. ``failure``: its cause in short, see `sync.model.inputs.Input`.
    """

    since: datetime | None
    is_short: bool
    failure: str = ""


def worst_outage(first: Outage | None, second: Outage | None) -> Outage | None:
    """Return the outage in which a verdict is kept for less time; None without an outage."""
    if first is None or second is None:
        return first or second
    return min(first, second, key=lambda outage: outage.is_short)


def health_without_data(health: Health, previous: Health | None, outage: Outage, today: date) -> Health:
    """Return the health to show during an outage of the milestone's own data. ``health`` is computed from old data.

    ``previous`` is the last health that was stored; None: there is none. ``today`` is the day of the connection.
    """
    if health.status.is_over and (previous is None or previous.status.is_over):
        return health
    if previous is not None and previous.status.is_over:
        return previous
    return _last_verdict(health, previous, outage, today)


def health_without_predecessor(
    health: Health, alone: Health, previous: Health | None, outage: Outage, today: date
) -> Health:
    """Return the health to show during an outage of a predecessor's data.

    ``alone`` is the milestone's health without any predecessor, ``health`` with those whose data is there. An overdue
    milestone, and one that gets worse by itself, shows that with the earliest possible dates; others keep their last
    verdict.
    """
    if health.status not in _RANK or health.stale_since is not None:
        return health
    is_worse = previous is not None and _RANK.get(alone.status, -1) > _RANK.get(previous.status, len(_RANK))
    if is_worse or alone.status is Status.OVERDUE:
        return replace(health, dates=replace(health.dates, earliest=True))
    return _last_verdict(health, previous, outage, today)


def health_without_members(
    health: Health, previous: Health | None, outage: Outage, today: date, *, is_open: bool
) -> Health:
    """Return the health of a joint milestone during an outage of some members' data.

    ``health`` is computed from their old data. ``is_open``: a member whose data is there has open work, so that an
    overdue joint milestone surely is.
    """
    if health.status is Status.OVERDUE and is_open:
        return replace(health, dates=replace(health.dates, earliest=True))
    if health.status is not Status.OVERDUE and not outage.is_short:
        return health
    return _last_verdict(health, previous, outage, today)


def stale_health(health: Health, previous: Health | None, since: datetime | None) -> Health:
    """Return ``health`` without a forecast, because its tracker could not be read since a time (UTC; None: never read).

    It is unknown, but one that is overdue by the data that was read last stays overdue. A milestone that was over in
    its ``previous`` health stays so.
    """
    if previous is not None and previous.status.is_over and health.status.is_over:
        return health
    status = Status.OVERDUE if health.status is Status.OVERDUE else Status.UNKNOWN
    return replace(
        _without_forecast(health),
        status=status,
        band=status,
        unknown=UnknownCause.STALE,
        stale_since=since or (previous.at if previous else health.at),
    )


def _without_forecast(health: Health) -> Health:
    return replace(
        health,
        probability=None,
        dates=Dates(),
        promise=None,
        leftover=None,
        usual=None,
        reasons=(),
        levers=(),
        confidence=None,
    )


def _last_verdict(health: Health, previous: Health | None, outage: Outage, today: date) -> Health:
    if previous is None or not outage.is_short:
        return stale_health(health, previous, outage.since)
    if health.status is Status.OVERDUE and previous.status is not Status.OVERDUE:
        return replace(stale_health(health, previous, outage.since or previous.at), unknown=None)
    if previous.due is not None and previous.due < today:
        previous = _without_forecast(previous)
    return replace(
        previous,
        stale_since=outage.since or previous.at,
        dates=_dates_ahead(previous.dates, today),
        promise=previous.promise and _promise_ahead(previous.promise, today),
        levers=tuple(lever for lever in previous.levers if _is_ahead(lever, today)),
    )


def _dates_ahead(dates: Dates, today: date) -> Dates:
    """Return the dates without those before ``today``."""
    p50, p85, p95, horizon = (_ahead(day, today) for day in (dates.p50, dates.p85, dates.p95, dates.horizon))
    return replace(dates, p50=p50, p85=p85, p95=p95, horizon=horizon)


def _promise_ahead(promise: Promise, today: date) -> Promise:
    p50, p70, p85 = (_ahead(day, today) for day in (promise.p50, promise.p70, promise.p85))
    return replace(promise, p50=p50, p70=p70, p85=p85)


def _ahead(day: date | None, today: date) -> date | None:
    return day if day is not None and day >= today else None


def _is_ahead(lever: Lever, today: date) -> bool:
    """Return True if the day that the lever moves to, if any, has not passed."""
    day = lever.values.get("to")
    return not isinstance(day, date) or day >= today
