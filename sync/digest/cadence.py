"""The days on which an audience gets a message: each working day or week of its own calendar and time zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.history.calendar import Calendar
from sync.model.dates import day_of

__all__ = ["Cadence"]

_MAX_DAYS_OFF = 60
"""Consecutive days without work after which no message is due: such a calendar is a mistake."""


@dataclass(frozen=True)
class Cadence:
    """Each working day from the time ``at``, or each week from ``weekday`` (Monday is 1; None: daily).

    A weekly message is due on the weekday or the next working day. A run at any later time of the same period sends
    it: a message belongs to its due day.
    """

    calendar: Calendar
    zone: ZoneInfo
    at: time = time(8)
    weekday: int | None = None

    def due(self, now: datetime) -> date | None:
        """Return the day whose message is due at a time (UTC), at most one per period; None on days without work."""
        today = day_of(now, self.zone)
        if not self.calendar.is_working_day(today):
            return None
        begin = datetime.combine(today, self.at, self.zone).astimezone(UTC)  # a time on a clock may come twice
        latest = today if now >= begin else today - timedelta(days=1)
        return self._last_due_day(latest)

    def _last_due_day(self, last: date) -> date | None:
        """Return the last day not after ``last`` on which a message is due."""
        if self.weekday is None:
            return _first(last, -1, self.calendar.is_working_day)
        monday = last - timedelta(days=last.isoweekday() - 1)
        for weeks in range(_MAX_DAYS_OFF // 7):
            start = monday + timedelta(days=self.weekday - 1 - 7 * weeks)
            due = _first(start, 1, self.calendar.is_working_day)
            if due is not None and due <= last:
                return due
        return None


def _first(start: date, step: int, wanted: Callable[[date], bool]) -> date | None:
    return next((day for n in range(_MAX_DAYS_OFF) if wanted(day := start + timedelta(days=step * n))), None)
