"""Calendar of a team: working days, days off, and the share of usual work that a day carries."""

from __future__ import annotations

import math
from collections.abc import Iterable
from copy import copy
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from sync.model.dates import beginning_of_day, day_of
from sync.model.settings import DaysOff, iso_weekday

__all__ = ["LOOK_AHEAD", "Calendar"]

LOOK_AHEAD = 3653
"""Days ahead up to which work is counted: ten years, further than any forecast."""

Floats = NDArray[np.float64]
_EPOCH = date(1970, 1, 1).toordinal()
_EPOCH_MOMENT = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ORDINAL = date.max.toordinal()
_UTC = ZoneInfo("UTC")
_FIRST_DAY, _LAST_DAY = 2.0 - _EPOCH, float(_LAST_ORDINAL - _EPOCH)
_MOST_DAYS_OFF = 366
_ROUNDING = 1e-9  # of a moment that is computed from others, in days
_SECOND = 1 / 86400.0
_HOLIDAY_YEARS = range(1900, 2101)  # outside, country calendars are guesses or fail to compute


class Calendar:
    """Working days of a team.

    ``weekend``: ISO weekdays without work (Saturday 6, Sunday 7). ``country`` and ``subdivision``: codes of the
    ``holidays`` package, for example "DE" and "BY"; empty: no public holidays. ``off``: the team's own days off.
    ``quiet_weeks``: ISO weeks in which a day carries ``quiet_factor`` of its usual work; around New Year, the histories
    of trackers show 39 to 55%. ``zone``: the time zone of the project, in which forecast moments become dates.

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
        self._sums_from: tuple[int, Floats] = (0, np.zeros(0))
        if country:
            _holidays(country, subdivision, 2000)

    @classmethod
    def of(cls, days: DaysOff) -> Calendar:
        """The calendar with these days off."""
        country, _, subdivision = days.country.partition("-")
        weekend = map(iso_weekday, days.weekend)
        return cls(weekend=weekend, country=country, subdivision=subdivision, off=days.days_off)

    @classmethod
    def plain(cls) -> Calendar:
        """Return a calendar in which all days are alike: no weekends, no holidays, no quiet weeks."""
        return cls(weekend=(), quiet_weeks=())

    def in_zone(self, zone: ZoneInfo) -> Calendar:
        """Return the same calendar for a project in another time zone."""
        other = copy(self)
        other.zone = zone
        return other

    def with_days_off(self, days: Iterable[date]) -> Calendar:
        """Return the same calendar with more days off."""
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
        """Return the day in the calendar's zone on which a moment (days since 1970 UTC) falls.

        Midnight belongs to the day that ends. None when the moment is not finite, or outside the years 1 to 9999.
        """
        if not _FIRST_DAY < moment < _LAST_DAY:
            return None
        seconds = moment * 86400.0 - 1.0
        if self.zone is _UTC:
            return date.fromordinal(_EPOCH + int(seconds // 86400.0))
        utc = _EPOCH_MOMENT + timedelta(seconds=seconds)
        try:
            return day_of(utc, self.zone)
        except OverflowError:
            return utc.date()

    def completion_day(self, moment: float, *, due: float = math.nan, now: float = -math.inf) -> date | None:
        """Return the day to print for a completion at ``moment`` (days since 1970 UTC): by the end of that day.

        It is a working day and not before ``now``. A day off becomes the next working day, so that the day keeps at
        least the probability of its moment. A moment by ``due`` gets a day by the due day, and a later moment a later
        day: where the due day is off, the last working day before it, if that has not passed. None as in `day_of`.
        """
        day, due_day, today = self.day_of(moment), self.day_of(due), self.first_day_of(now)
        if day is None:
            return None
        day = max(day, today or day)
        if due_day is None:
            return self._working_day(day, 1)
        if moment > due + _ROUNDING:
            return self._working_day(max(day, _next(due_day, 1)), 1)
        later, earlier = self._working_day(day, 1), self._working_day(due_day, -1)
        return earlier if earlier < later and earlier >= (today or earlier) else later

    def working_days(self, first: date, last: date) -> int:
        """Return the number of working days after ``first`` up to and including ``last``."""
        ordinals = range(first.toordinal() + 1, last.toordinal() + 1)
        return sum(self.is_working_day(date.fromordinal(ordinal)) for ordinal in ordinals)

    def horizon_day(self, moment: float, now: float) -> date | None:
        """Return the last working day by the end of a forecast (days since 1970 UTC); None if it has passed."""
        day, today = self.day_of(moment), self.first_day_of(now)
        last = None if day is None else self._working_day(day, -1)
        return None if last is None or today is None or last < today else last

    def _working_day(self, day: date, step: int) -> date:
        """Return the nearest working day from ``day`` on, forwards (1) or back (-1); ``day`` in a year without any."""
        nearest = day
        for _ in range(_MOST_DAYS_OFF):
            if self.is_working_day(nearest):
                return nearest
            nearest = _next(nearest, step)
        return day

    def last_working_day_before(self, day: date) -> date:
        """Return the last working day before ``day``; the day before it, in a year without any."""
        return self._working_day(_next(day, -1), -1)

    def is_holiday(self, day: date) -> bool:
        """Return True if ``day`` is a public holiday or a day off of the team."""
        if day in self.off:
            return True
        if not self.country or day.year not in _HOLIDAY_YEARS:
            return False
        return day in _holidays(self.country, self.subdivision, day.year)

    def first_day_of(self, moment: float) -> date | None:
        """Return the day of a beginning at ``moment``: as `day_of`, but midnight belongs to the day that begins."""
        return self.day_of(moment + 2 / 86400.0)

    def clock_of_day(self, moment: float) -> float:
        """Return the moment from which forecasts of a day are made: one second after the day of ``moment`` began.

        What is due by the end of the day before has then passed. All moments of a day have the same one; the first
        second of the day is before it. Moments are days since 1970 UTC.
        """
        day = self.day_of(moment + _SECOND + _ROUNDING)
        if day is None:
            return moment
        begun = (beginning_of_day(day, self.zone) - _EPOCH_MOMENT).total_seconds() / 86400.0
        return begun + _SECOND

    def is_working_day(self, day: date) -> bool:
        """Return True if the team works on ``day``: no weekend, no holiday, no day off."""
        return day.isoweekday() not in self.weekend and not self.is_holiday(day)

    def factor(self, day: date) -> float:
        """Return the work that ``day`` carries, relative to the same weekday in a usual week: 0 on holidays, else <= 1.

        Weekends are 1: throughput is sampled in whole weeks, so the sample has their rhythm already.
        """
        if self.is_holiday(day):
            return 0.0
        return self.quiet_factor if day.isocalendar().week in self.quiet_weeks else 1.0

    def work_between(self, start: Floats, end: Floats) -> Floats:
        """Return the days of usual work between moments (days since 1970 UTC), elementwise: 0 to `LOOK_AHEAD` days.

        A fraction of a UTC day counts as that fraction of the day's `factor`.
        """
        end = np.clip(end, start, start + LOOK_AHEAD)
        low, sums = self._sums(float(np.min(start, initial=np.inf)), float(np.max(end, initial=-np.inf)))
        grid = low + np.arange(len(sums))
        work: Floats = np.interp(end, grid, sums) - np.interp(start, grid, sums)
        return work

    def moment_after(self, start: Floats, work: Floats) -> Floats:
        """Return the moments at which ``work`` days of usual work have passed since ``start``, elementwise.

        Moments are days since 1970 UTC; infinite where `LOOK_AHEAD` days are not enough.
        """
        if len(start) == 0:
            return np.zeros(0)
        low, sums = self._sums(float(start.min()), float(start.max()) + LOOK_AHEAD)
        grid = low + np.arange(len(sums))
        target = np.interp(start, grid, sums) + work
        moment = np.where(target <= sums[-1], np.interp(target, sums, grid), np.inf)
        return np.where(moment <= start + LOOK_AHEAD, moment, np.inf)

    def usual_days(self, at: float, days: int) -> NDArray[np.bool_]:
        """Return which of the ``days`` days of 24 hours before ``at`` had factor 1: bool[days], the oldest first."""
        middle = np.floor(at - np.arange(days, 0, -1) + 0.5)
        low, sums = self._sums(at - days - 1, at + 1)
        place = (middle - low).astype(np.int64)
        usual: NDArray[np.bool_] = np.diff(sums)[place] >= 1.0 - 1e-9
        return usual

    def _sums(self, first: float, last: float) -> tuple[int, Floats]:
        """Return running sums of `factor` over UTC days that cover ``first`` to ``last``, after their first day.

        The sums are cached and extended when a call needs more.
        """
        if not first <= last:
            return 0, np.zeros(2)
        low, running = self._sums_from
        if not (low <= first and last + 1 < low + len(running)):
            begin, end = int(np.floor(first)) - 366, int(np.floor(last)) + 368
            if begin <= low + len(running) and low <= end and len(running):
                begin, end = min(begin, low), max(end, low + len(running) - 1)
            low, running = begin, np.concatenate([[0.0], np.cumsum([self._factor_at(n) for n in range(begin, end)])])
            self._sums_from = low, running
        return low, running

    def _factor_at(self, day: int) -> float:
        ordinal = day + _EPOCH
        return self.factor(date.fromordinal(ordinal)) if 1 <= ordinal <= _LAST_ORDINAL else 1.0

    def describe(self) -> dict[str, object]:
        """Return the settings of the calendar as plain data for explanations."""
        return {
            "zone": str(self.zone),
            "weekend": sorted(self.weekend),
            "country": self.country,
            "subdivision": self.subdivision,
            "off": [day.isoformat() for day in sorted(self.off)],
            "quiet_weeks": sorted(self.quiet_weeks),
            "quiet_factor": self.quiet_factor,
        }


def _next(day: date, step: int) -> date:
    """Return the day ``step`` days later; the same day at the ends of the calendar."""
    ordinal = day.toordinal() + step
    return date.fromordinal(ordinal) if 1 <= ordinal <= _LAST_ORDINAL else day


@lru_cache(maxsize=1024)
def _holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    import holidays  # late: slow to import

    try:
        days = holidays.country_holidays(country, subdiv=subdivision or None, years=year)
    except NotImplementedError as error:
        known = f"{country}/{subdivision}" if subdivision else country
        raise ValueError(f"no holiday calendar for {known}") from error
    return frozenset(days)
