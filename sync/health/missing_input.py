"""Verdicts of milestones whose data, or that of a predecessor, could not be read: a missing input improves nothing.

=========================================  =========================================================================
the milestone is finished                  it stays so
its own data is missing                    the last verdict as of its time, while the outage is short; then unknown
that of a predecessor is missing           its own verdict, if its status is worse than the last one even without the
                                           predecessor, which can only make it worse; else as for its own data
=========================================  =========================================================================

A health with ``stale_since`` is not stored, announced or scored. Pure.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from sync.health.status import stale_health
from sync.model.health import Health, Status

__all__ = ["Outage", "health_without_data", "health_without_predecessor", "worst_outage"]

_RANK = {status: n for n, status in enumerate((Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE))}
"""Statuses of running milestones that a predecessor can change, from best to worst."""


class Outage(Struct, frozen=True, kw_only=True):
    """An outage of a project's data. ``since``: the last time (UTC) at which it was read in full; None: never.

    ``is_short``: the last verdict is still kept.
    """

    since: datetime | None
    is_short: bool


def worst_outage(first: Outage | None, second: Outage | None) -> Outage | None:
    """Return the outage in which a verdict is kept for less time; None without an outage."""
    known = [outage for outage in (first, second) if outage is not None]
    return min(known, key=lambda outage: outage.is_short, default=None)


def health_without_data(health: Health, previous: Health | None, outage: Outage) -> Health:
    """Return the health to show during an outage of the milestone's own data. ``health`` is computed from old data.

    ``previous`` is the last health that was stored; None: there is none.
    """
    if health.status.is_over and (previous is None or previous.status.is_over):
        return health
    if previous is not None and previous.status.is_over:
        return previous
    return _last_verdict(health, previous, outage)


def health_without_predecessor(health: Health, alone: Health, previous: Health | None, outage: Outage) -> Health:
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
    return _last_verdict(health, previous, outage)


def _last_verdict(health: Health, previous: Health | None, outage: Outage) -> Health:
    if previous is None or not outage.is_short:
        return stale_health(health, previous, outage.since)
    return replace(previous, stale_since=outage.since or previous.at)
