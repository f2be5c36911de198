"""Which days are worked, and how much work a day carries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOOK_AHEAD", "Calendar"]

LOOK_AHEAD = 3653
"""How many days ahead work is counted: ten years. No forecast reaches so far."""

Floats = NDArray[np.float64]
_EPOCH = date(1970, 1, 1).toordinal()
_LAST_ORDINAL = date.max.toordinal()
_UTC = ZoneInfo("UTC")
_FIRST_DAY, _LAST_DAY = 2.0 - _EPOCH, float(_LAST_ORDINAL - _EPOCH)
_HOLIDAY_YEARS = range(1900, 2101)  # outside, country calendars are guesses or fail to compute


class Calendar:
    """Which days a team works.

    ``weekend``: ISO weekdays without work (Saturday 6, Sunday 7). ``country`` and ``subdivision``: codes of the
    ``holidays`` package ("DE", "BY"). ``off``: the team's own days off. ``quiet_weeks``: ISO weeks in which a day
    carries ``quiet_factor`` of its usual work: at the turn of the year trackers' histories show 39 to 55 % of it.
    ``zone`` is the project's time zone, in which forecast moments become dates.

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
        zone: ZoneInfo = _UTC,
    ) -> None:
        self.weekend = frozenset(weekend)
        self.country, self.subdivision = country, subdivision
        self.off = frozenset(off)
        self.quiet_weeks, self.quiet_factor = frozenset(quiet_weeks), quiet_factor
        self.zone = zone
        self._kept: tuple[int, Floats] = (0, np.zeros(0))
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
            zone=self.zone,
        )

    def day_of(self, moment: float) -> date | None:
        """The day in the calendar's zone on which a moment (days since 1970 UTC) falls.

        An end of day is still that day. None when the moment is not finite, or outside the years 1 to 9999.
        """
        if not _FIRST_DAY < moment < _LAST_DAY:
            return None
        seconds = moment * 86400.0 - 1.0
        if self.zone is _UTC:
            return date.fromordinal(_EPOCH + int(seconds // 86400.0))
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        try:
            return utc.astimezone(self.zone).date()
        except OverflowError:
            return utc.date()

    def holiday(self, day: date) -> bool:
        """Whether a country holiday or a team day off falls on ``day``."""
        if day in self.off:
            return True
        if not self.country or day.year not in _HOLIDAY_YEARS:
            return False
        return day in _holidays(self.country, self.subdivision, day.year)

    def first_day_of(self, moment: float) -> date | None:
        """The day on which something begins at ``moment``: at midnight it is the day that begins. See `day_of`."""
        return self.day_of(moment + 2 / 86400.0)

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

    def effective(self, start: Floats, end: Floats) -> Floats:
        """Days of usual work between moments (days since 1970 UTC), elementwise; at most `LOOK_AHEAD` days; >= 0.

        A fraction of a UTC day counts as that fraction of the day's `factor`.
        """
        end = np.clip(end, start, start + LOOK_AHEAD)
        low, sums = self._sums(float(np.min(start, initial=np.inf)), float(np.max(end, initial=-np.inf)))
        grid = low + np.arange(len(sums))
        work: Floats = np.interp(end, grid, sums) - np.interp(start, grid, sums)
        return work

    def after(self, start: Floats, work: Floats) -> Floats:
        """The moments at which ``work`` days of usual work have passed since ``start``; infinite past `LOOK_AHEAD`."""
        if len(start) == 0:
            return np.zeros(0)
        low, sums = self._sums(float(start.min()), float(start.max()) + LOOK_AHEAD)
        grid = low + np.arange(len(sums))
        wanted = np.interp(start, grid, sums) + work
        found = np.where(wanted <= sums[-1], np.interp(wanted, sums, grid), np.inf)
        return np.where(found <= start + LOOK_AHEAD, found, np.inf)

    def usual(self, at: float, days: int) -> NDArray[np.bool_]:
        """Which of the ``days`` days before ``at`` (oldest first, 24 hours each) were usual: factor 1."""
        middle = np.floor(at - np.arange(days, 0, -1) + 0.5)
        low, sums = self._sums(at - days - 1, at + 1)
        place = (middle - low).astype(np.int64)
        usual: NDArray[np.bool_] = np.diff(sums)[place] >= 1.0 - 1e-9
        return usual

    def _sums(self, first: float, last: float) -> tuple[int, Floats]:
        """Running sums of `factor` over UTC days from a day at or before ``first`` to one behind ``last``; kept."""
        if not first <= last:
            return 0, np.zeros(2)
        low, running = self._kept
        if not (low <= first and last + 1 < low + len(running)):
            begin, end = int(np.floor(first)) - 366, int(np.floor(last)) + 368
            if begin <= low + len(running) and low <= end and len(running):  # grow what there is
                begin, end = min(begin, low), max(end, low + len(running) - 1)
            low, running = begin, np.concatenate([[0.0], np.cumsum([self._factor_at(n) for n in range(begin, end)])])
            self._kept = low, running
        return low, running

    def _factor_at(self, day: int) -> float:
        ordinal = day + _EPOCH
        return self.factor(date.fromordinal(ordinal)) if 1 <= ordinal <= _LAST_ORDINAL else 1.0

    def describe(self) -> dict[str, object]:
        """What the calendar was made from, as plain data for explanations."""
        return {
            "zone": str(self.zone),
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
