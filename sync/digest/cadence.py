"""When an audience is told: once each working day or week of its own calendar, in its own time zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sync.history.calendar import Calendar

__all__ = ["Cadence"]

_LONGEST = 60
"""Days in a row without work after which no message is due any more: such a calendar is a mistake."""


@dataclass(frozen=True)
class Cadence:
    """Each working day from ``at`` on, or each week from ``weekday`` on (Monday is 1) or the next working day after it.

    A run at any later time of the same period will do: the message belongs to its day, whenever it is sent.
    """

    calendar: Calendar
    zone: ZoneInfo
    at: time = time(8)
    weekday: int | None = None

    def due(self, now: datetime) -> date | None:
        """The day whose message is due at a time (UTC), at most one for each period; None on days without work."""
        local = now.astimezone(self.zone)
        today = local.date()
        if not self.calendar.is_working_day(today):
            return None
        begun = today if local.time() >= self.at else today - timedelta(days=1)
        return self._day_until(begun)

    def _day_until(self, last: date) -> date | None:
        """The last day not after ``last`` on which a message falls."""
        if self.weekday is None:
            return _first(last, -1, self.calendar.is_working_day)
        monday = last - timedelta(days=last.isoweekday() - 1)
        for weeks in range(_LONGEST // 7):
            start = monday + timedelta(days=self.weekday - 1 - 7 * weeks)
            found = _first(start, 1, self.calendar.is_working_day)
            if found is not None and found <= last:
                return found
        return None


def _first(start: date, step: int, wanted: Callable[[date], bool]) -> date | None:
    return next((day for n in range(_LONGEST) if wanted(day := start + timedelta(days=step * n))), None)
