"""Due moment of a due date.

All three trackers store a due date without a useful time: GitHub midnight Pacific, meaning the UTC date of that
moment; GitLab and Jira a plain date. A milestone that is due today is not overdue, so the due moment is the end of the
day in the project's time zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["beginning_of_day", "day_ended", "day_of", "end_of_day", "end_of_utc_day", "week_until"]

_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)


def day_of(moment: datetime, zone: tzinfo) -> date:
    """Return the day of a moment in a zone."""
    return moment.astimezone(zone).date()


def day_ended(at: datetime) -> date:
    """Return the day on which something ended, in the zone of ``at``. Midnight belongs to the day before.

    A Jira version ends at the end of its release day, which is the first moment of the next one.
    """
    return (at - timedelta(microseconds=1) if at > _FIRST else at).date()


def end_of_utc_day(day: date) -> datetime:
    """Return the moment (UTC) at which something ended of which the tracker knows the day only; see `day_ended`.

    The last day of the calendar (year 9999) ends a day early, so that the moment has a date in every zone.
    """
    return datetime.combine(min(day, date(9999, 12, 30)) + timedelta(days=1), time(), UTC)


def beginning_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment (UTC) of ``day`` in ``zone``; at the ends of the calendar as `end_of_day`."""
    return end_of_day(day - timedelta(days=1), zone) if day > date.min else _FIRST


def week_until(at: datetime, zone: ZoneInfo) -> datetime:
    """Return the beginning (UTC) of the last seven days: of the day of ``at`` in ``zone`` and of the six before it.

    So what joined in the last seven days changes at the change of the day only.
    """
    day = day_of(at, zone)
    return beginning_of_day(max(day, date.min + timedelta(days=6)) - timedelta(days=6), zone)


@lru_cache(maxsize=4096)
def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the moment (UTC) at which ``day`` ends in ``zone``: the first moment of the next day there.

    On days when clocks change, it is 23 or 25 hours after the beginning. At the ends of the calendar (years 1 and
    9999), where the moment has no UTC date, it is the first or last representable one; nothing is raised.
    """
    if day >= date.max:
        return _LAST
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    try:
        return midnight.astimezone(UTC)
    except OverflowError:
        return _FIRST  # the end of the last day but one has a UTC date in every zone
