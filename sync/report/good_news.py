"""Good news of a running milestone: at most one short line."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.history.counting import is_done, is_open
from sync.model.dates import day_of, end_of_day
from sync.model.health import Health, Status
from sync.model.membership import Membership
from sync.report.counting import counted_in
from sync.report.language import ENGLISH, Language

__all__ = ["good_news"]

FRESH_DAYS = 7
"""Number of days, with today, for which an event counts as news."""

RECORD_LEAST, WEEKS_LEAST = 5, 3
"""Minimum closures of a record week, and minimum full weeks before it."""

_LATE = (Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)


def good_news(health: Health, memberships: Sequence[Membership], zone: ZoneInfo, language: Language = ENGLISH) -> str:
    """Return the line in our own words; empty without good news, and always where the milestone is in trouble.

    ``memberships`` are those known at the assessment; days begin and end in ``zone``.
    """
    if health.status not in (Status.ON_TRACK, Status.AT_RISK) or health.stale_since is not None:
        return ""
    today = day_of(health.at, zone)
    is_news = (today - day_of(health.since, zone)).days < FRESH_DAYS
    if health.status is Status.ON_TRACK and health.previous_status in _LATE and is_news:
        return language.say("Good news: it is back on track.")
    this, earlier = _weeks(health, memberships, today, zone)
    if this >= RECORD_LEAST and len(earlier) > WEEKS_LEAST and this > max(earlier):
        return counted_in(health, language).many(
            "Good news: {n} issue was closed in the last 7 days, more than in any week before.",
            "Good news: {n} issues were closed in the last 7 days, more than in any week before.",
            this,
        )
    before = end_of_day(today - timedelta(days=FRESH_DAYS), zone)
    if _is_half_done(memberships, health.at) and not _is_half_done(memberships, before, or_more=True):
        return language.say("Good news: half of the work is done.")
    return ""


def _is_half_done(memberships: Sequence[Membership], at: datetime, *, or_more: bool = False) -> bool:
    """Return whether half of the items in scope are done at a time (UTC); all of them count only with ``or_more``."""
    done = sum(is_done(membership, at) for membership in memberships)
    total = done + sum(is_open(membership, at) for membership in memberships)
    return total > 0 and 2 * done >= total and (or_more or done < total)


def _weeks(health: Health, memberships: Sequence[Membership], today: date, zone: ZoneInfo) -> tuple[int, list[int]]:
    """Count closures without a reopening: in the last 7 days, and in each week before (the earliest may be partial)."""
    if health.start is None or health.start > today:
        return 0, []
    weeks = [0] * ((today - health.start).days // 7 + 1)
    for membership in memberships:
        if membership.closed is None or membership.reopened is not None or membership.removed:
            continue
        back = (today - day_of(membership.closed, zone)).days // 7
        if 0 <= back < len(weeks):
            weeks[back] += 1
    return weeks[0], weeks[1:]
