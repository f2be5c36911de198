"""Good news of a running milestone: at most one short line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sync.history.counting import is_done, is_open
from sync.model.health import Health, Status
from sync.model.membership import Membership

__all__ = ["good_news"]

FRESH = timedelta(days=7)
"""Time for which an event counts as news."""

RECORD_LEAST, WEEKS_LEAST = 5, 3
"""Minimum closures of a record week, and minimum full weeks before it."""

_LATE = (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)
_RUNS = (*_LATE, Status.ON_TRACK)


def good_news(health: Health, memberships: Sequence[Membership]) -> str:
    """Return the line in our own words; empty without good news. ``memberships`` are those known at the assessment."""
    if health.status not in _RUNS or health.stale_since is not None:
        return ""
    now = health.at
    if health.status is Status.ON_TRACK and health.previous_status in _LATE and now - health.since < FRESH:
        return "Good news: it is back on track."
    this, earlier = _weeks(health, memberships)
    if this >= RECORD_LEAST and len(earlier) > WEEKS_LEAST and this > max(earlier):
        return f"Good news: {this} issues were closed in the last 7 days, more than in any week before."
    if _half(health.counts.done, health.counts.total) and not _half(*_progress(memberships, now - FRESH)):
        return "Good news: half of the work is done."
    return ""


def _half(done: int, total: int) -> bool:
    return total > 0 and 2 * done >= total


def _progress(memberships: Sequence[Membership], at: datetime) -> tuple[int, int]:
    """Return the numbers of items done and items in scope at a time (UTC)."""
    done = sum(is_done(membership, at) for membership in memberships)
    return done, done + sum(is_open(membership, at) for membership in memberships)


def _weeks(health: Health, memberships: Sequence[Membership]) -> tuple[int, list[int]]:
    """Count closures without a reopening: in the last 7 days, and in each week before (the earliest may be partial)."""
    if health.start is None:
        return 0, []
    weeks = [0] * max(0, (health.at.date() - health.start).days // 7 + 1)
    for membership in memberships:
        if membership.closed is None or membership.reopened is not None or membership.removed:
            continue
        back = (health.at - membership.closed) // FRESH
        if 0 <= back < len(weeks):
            weeks[back] += 1
    return (weeks[0], weeks[1:]) if weeks else (0, [])
