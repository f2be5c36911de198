"""Days: when a due day ends, which days are worked, and how much work a day carries.

All three trackers store a due date without a useful time: GitHub midnight Pacific, meaning the UTC date of that
moment; GitLab and Jira a plain date. Whatever is due today is not overdue, so the due moment is the end of that day in
the project's time zone (`end_of_day`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

__all__ = ["Calendar", "due_date", "end_of_day"]

_LAST = datetime.max.replace(tzinfo=UTC)
_FIRST = datetime.min.replace(tzinfo=UTC)
_HOLIDAY_YEARS = range(1900, 2101)  # outside, country calendars are guesses or fail to compute


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The UTC moment at which ``day`` ends in ``zone``: the first moment of the next day there.

    On days when clocks change this is 23 or 25 hours after its beginning. At the ends of the calendar (years 1 and
    9999), where the moment has no UTC date, it is the first or last representable one; nothing is raised.
    """
    if day >= date.max:
        return _LAST
    midnight = datetime.combine(day + timedelta(days=1), time(), tzinfo=zone)
    try:
        return midnight.astimezone(UTC)
    except OverflowError:
        return _FIRST if day.year < 5000 else _LAST


def due_date(value: datetime | date | str | None) -> date | None:
    """A tracker's due date as it is meant: a date stays, a moment (GitHub ``due_on``) gives its UTC date.

    Text is read as ISO 8601; None and empty text give None. Raises ValueError on text that is no date.
    """
    if value is None or value == "":
        return None
    if isinstance(value, str):
        value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).date()
    return value


class Calendar:
    """Which days a team works.

    ``weekend``: ISO weekdays without work (Saturday 6, Sunday 7). ``country`` and ``subdivision``: codes of the
    ``holidays`` package ("DE", "BY"). ``off``: the team's own days off. ``quiet_weeks``: ISO weeks in which a day
    carries ``quiet_factor`` of its usual work: at the turn of the year trackers' histories show 39 to 55 % of it.
    Raises ValueError for a country or subdivision that the package does not know.
    """

    def __init__(
        self,
        *,
        weekend: Iterable[int] = (6, 7),
        country: str = "",
        subdivision: str = "",
        off: Iterable[date] = (),
        quiet_weeks: Iterable[int] = (52, 53, 1),
        quiet_factor: float = 0.5,
    ) -> None:
        self.weekend = frozenset(weekend)
        self.country, self.subdivision = country, subdivision
        self.off = frozenset(off)
        self.quiet_weeks, self.quiet_factor = frozenset(quiet_weeks), quiet_factor
        if country:
            _holidays(country, subdivision, 2000)

    @classmethod
    def plain(cls) -> Calendar:
        """Every day alike: no weekends, no holidays, no quiet weeks."""
        return cls(weekend=(), quiet_weeks=())

    def with_off(self, days: Iterable[date]) -> Calendar:
        """The same calendar with more days off."""
        return Calendar(
            weekend=self.weekend,
            country=self.country,
            subdivision=self.subdivision,
            off=self.off | frozenset(days),
            quiet_weeks=self.quiet_weeks,
            quiet_factor=self.quiet_factor,
        )

    def holiday(self, day: date) -> bool:
        """Whether a country holiday or a team day off falls on ``day``."""
        if day in self.off:
            return True
        if not self.country or day.year not in _HOLIDAY_YEARS:
            return False
        return day in _holidays(self.country, self.subdivision, day.year)

    def working(self, day: date) -> bool:
        """Whether the team works on ``day``: no weekend, no holiday, no day off."""
        return day.isoweekday() not in self.weekend and not self.holiday(day)

    def working_days(self, first: date, last: date) -> int:
        """How many working days lie in ``first`` <= day <= ``last``; 0 when ``last`` is before ``first``."""
        total = (last - first).days + 1
        return sum(self.working(first + timedelta(days=i)) for i in range(total))

    def factor(self, day: date) -> float:
        """The work that ``day`` carries, against the same weekday in a usual week: 0 on holidays, else 1 or less.

        Weekends are 1 here: throughput is sampled in whole weeks, so their rhythm is in the sample already.
        """
        if self.holiday(day):
            return 0.0
        return self.quiet_factor if day.isocalendar().week in self.quiet_weeks else 1.0

    def factors(self, first: int, count: int) -> NDArray[np.float64]:
        """`factor` of ``count`` days from the proleptic ordinal ``first``; 1 outside the years 1 to 9999."""
        end = date.max.toordinal()
        return np.array(
            [self.factor(date.fromordinal(n)) if 1 <= n <= end else 1.0 for n in range(first, first + count)],
            dtype=np.float64,
        )

    def describe(self) -> dict[str, object]:
        """What the calendar was made from, as plain data for explanations."""
        return {
            "weekend": sorted(self.weekend),
            "country": self.country,
            "subdivision": self.subdivision,
            "off": [day.isoformat() for day in sorted(self.off)],
            "quiet_weeks": sorted(self.quiet_weeks),
            "quiet_factor": self.quiet_factor,
        }


@lru_cache(maxsize=1024)
def _holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    import holidays  # late: the package takes longer to import than everything else here

    try:
        found = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except NotImplementedError as error:
        known = f"{country}/{subdivision}" if subdivision else country
        raise ValueError(f"no holiday calendar for {known}") from error
    return frozenset(found)
