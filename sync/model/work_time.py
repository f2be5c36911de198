"""Working time of a team: the hours of a day and the days of a week with which estimates are compared."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["WorkTime"]


class WorkTime(Struct, frozen=True, kw_only=True):
    """Hours of work in a day, and days of work in a week; None: every day of the calendar that is no weekend."""

    hours_a_day: float = 8.0
    days_a_week: float | None = None

    def seconds(self, days: int, *, weekdays: int) -> float:
        """Return the seconds of work in a number of working days, ``weekdays`` of which the calendar has in a week."""
        part = 1.0 if self.days_a_week is None else min(1.0, self.days_a_week / max(weekdays, 1))
        return days * part * self.hours_a_day * 3600
