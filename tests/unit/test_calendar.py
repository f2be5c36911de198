"""Days: when they end, which are worked, what they carry."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from sync.history.calendar import LOOK_AHEAD, Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day

BERLIN, PACIFIC, APIA = ZoneInfo("Europe/Berlin"), ZoneInfo("America/Los_Angeles"), ZoneInfo("Pacific/Apia")


@pytest.mark.parametrize(
    ("day", "zone", "ends"),
    [
        (date(2024, 5, 1), ZoneInfo("UTC"), datetime(2024, 5, 2, tzinfo=UTC)),
        (date(2024, 1, 10), BERLIN, datetime(2024, 1, 10, 23, tzinfo=UTC)),
        (date(2024, 3, 31), BERLIN, datetime(2024, 3, 31, 22, tzinfo=UTC)),  # 23 hours long
        (date(2024, 10, 27), BERLIN, datetime(2024, 10, 27, 23, tzinfo=UTC)),  # 25 hours long
        (date(2024, 12, 31), PACIFIC, datetime(2025, 1, 1, 8, tzinfo=UTC)),
        (date(2024, 2, 28), ZoneInfo("UTC"), datetime(2024, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_day_ends_at_the_first_moment_of_the_next(day: date, zone: ZoneInfo, ends: datetime) -> None:
    assert end_of_day(day, zone) == ends


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), BERLIN, PACIFIC, APIA])
def test_the_ends_of_the_calendar_do_not_raise(zone: ZoneInfo) -> None:
    assert end_of_day(date.min, zone).year == 1
    assert end_of_day(date.max, zone) == datetime.max.replace(tzinfo=UTC)
    assert end_of_day(date(9999, 12, 30), zone).year == 9999
    assert end_of_day(date.min, zone).tzinfo is end_of_day(date(2024, 1, 1), zone).tzinfo is UTC


def test_weekends_holidays_and_days_off_are_not_worked() -> None:
    calendar = Calendar(country="DE", off=[date(2024, 5, 10)])
    assert not calendar.is_working_day(date(2024, 5, 1))  # Labour Day, a Wednesday
    assert not calendar.is_working_day(date(2024, 5, 4))  # a Saturday
    assert not calendar.is_working_day(date(2024, 5, 10))  # the bridge day after Ascension
    assert calendar.is_working_day(date(2024, 5, 2))
    fortnight = [date(2024, 4, 29) + timedelta(days=n) for n in range(14)]
    assert sum(map(calendar.is_working_day, fortnight)) == 7


def test_the_subdivision_has_its_own_holidays() -> None:
    corpus_christi = date(2024, 5, 30)
    assert not Calendar(country="DE", subdivision="BY").is_working_day(corpus_christi)
    assert Calendar(country="DE", subdivision="BE").is_working_day(corpus_christi)


@pytest.mark.parametrize(("country", "subdivision"), [("XX", ""), ("DE", "XX")])
def test_an_unknown_country_is_an_error_at_once(country: str, subdivision: str) -> None:
    with pytest.raises(ValueError, match="no holiday calendar for"):
        Calendar(country=country, subdivision=subdivision)


def test_another_weekend() -> None:
    calendar = Calendar(weekend=(5, 6))
    assert calendar.is_working_day(date(2024, 5, 5))  # a Sunday
    assert not calendar.is_working_day(date(2024, 5, 3))


@pytest.mark.parametrize(
    ("day", "carries"),
    [
        (date(2024, 5, 2), 1.0),
        (date(2024, 5, 4), 1.0),  # a Saturday: its rhythm is in the sample
        (date(2024, 12, 23), 0.5),  # week 52
        (date(2025, 1, 3), 0.5),  # week 1
        (date(2021, 1, 2), 0.5),  # week 53, between them
        (date(2025, 1, 6), 1.0),
        (date(2024, 12, 25), 0.0),
    ],
)
def test_what_a_day_carries(day: date, carries: float) -> None:
    assert Calendar(country="US").factor(day) == carries


def test_years_without_a_holiday_calendar_have_none() -> None:
    calendar = Calendar(country="US")
    assert calendar.is_working_day(date(1, 1, 1))
    assert calendar.is_working_day(date(9999, 12, 31))


def test_effective_days_are_whole_days_weighted() -> None:
    calendar = Calendar(off=[date(2024, 5, 8)])
    start, end = datetime(2024, 5, 6, 12, tzinfo=UTC), datetime(2024, 5, 10, 6, tzinfo=UTC)
    work = calendar.work_between(np.array([days(start)]), np.array([days(end)]))
    assert work[0] == pytest.approx(0.5 + 1 + 0 + 1 + 0.25)


def test_effective_days_are_bounded_and_never_negative() -> None:
    calendar = Calendar()
    now = days(datetime(2024, 5, 6, tzinfo=UTC))
    work = calendar.work_between(np.array([now, now, now]), np.array([now - 5, now + 1e9, np.inf]))
    assert work[0] == 0
    assert work[1] == work[2]
    assert 0.95 * LOOK_AHEAD < work[1] <= LOOK_AHEAD


def test_work_ahead_and_back_again() -> None:
    calendar = Calendar(country="US")
    start = np.array([days(datetime(2024, 12, 20, tzinfo=UTC))])
    end = calendar.moment_after(start, np.array([10.0]))
    assert calendar.work_between(start, end)[0] == pytest.approx(10.0)
    assert end[0] - start[0] > 16  # Christmas, New Year, and two quiet weeks
    assert np.isinf(calendar.moment_after(start, np.array([1e6]))[0])
    assert len(calendar.moment_after(np.zeros(0), np.zeros(0))) == 0


def test_usual_days_leave_out_the_quiet_ones_oldest_first() -> None:
    at = days(datetime(2024, 5, 10, 9, tzinfo=UTC))
    usual = Calendar(off=[date(2024, 5, 8)]).usual_days(at, 4)
    assert usual.tolist() == [True, True, False, True]  # 24 hours each: the third is mostly the 8th


def test_a_forecast_moment_at_the_end_of_a_day_is_that_day() -> None:
    for zone in (ZoneInfo("UTC"), BERLIN, PACIFIC):
        day = date(2024, 3, 31)
        assert Calendar(zone=zone).day_of(days(end_of_day(day, zone))) == day
        begun = end_of_day(day - timedelta(days=1), zone)
        assert Calendar(zone=zone).first_day_of(days(begun)) == day


@pytest.mark.parametrize("zone", [ZoneInfo("UTC"), BERLIN, PACIFIC], ids=str)
def test_every_moment_of_a_day_has_the_same_clock(zone: ZoneInfo) -> None:
    day = date(2024, 3, 31)  # Berlin's has 23 hours
    begun, end = end_of_day(day - timedelta(days=1), zone), end_of_day(day, zone)
    first = [begun + timedelta(seconds=seconds) for seconds in (0, 0.001, 0.7, 1, 3600)]
    last = [end - timedelta(seconds=seconds) for seconds in (3600, 2, 1, 0.001)]
    (clock,) = {Calendar(zone=zone).clock_of_day(days(moment)) for moment in (*first, *last)}
    assert clock == pytest.approx(days(begun + timedelta(seconds=1)), abs=1e-9)
    assert Calendar(zone=zone).clock_of_day(days(end)) > clock + 0.9


FIRST_DAY = 2.0 - date(1970, 1, 1).toordinal()
LAST_DAY = float(date.max.toordinal() - date(1970, 1, 1).toordinal())


@pytest.mark.parametrize("moment", [np.inf, -np.inf, np.nan, -1e9, 1e9, FIRST_DAY, LAST_DAY])
def test_a_moment_outside_the_calendar_has_no_day(moment: float) -> None:
    assert Calendar().day_of(moment) is None


def test_a_second_before_midnight_is_still_the_day_that_ends() -> None:
    midnight = days(datetime(2024, 4, 1, tzinfo=UTC))
    seconds = [(-1.5, 31), (0, 1), (1.5, 1)]
    found = [Calendar().first_day_of(midnight + more / 86400) for more, _ in seconds]
    assert [day and day.day for day in found] == [day for _, day in seconds]


def test_the_last_moments_that_have_a_day() -> None:
    assert Calendar().day_of(LAST_DAY - 0.5) == date(9999, 12, 30)
    assert Calendar().day_of(FIRST_DAY + 0.5) == date(1, 1, 2)


def test_what_was_worked_out_before_changes_no_answer() -> None:
    questions = [
        (19_700.0, 19_800.0),
        (18_000.0, 18_010.0),
        (19_000.0, 21_500.0),
        (25_000.0, 25_010.0),
        (19_700.0, 19_800.0),
    ]
    used = Calendar(country="DE")
    for start, end in questions:
        asked = np.array([start]), np.array([end])
        assert used.work_between(*asked) == pytest.approx(Calendar(country="DE").work_between(*asked), abs=0)
        assert used.moment_after(asked[0], np.array([30.0])) == pytest.approx(
            Calendar(country="DE").moment_after(asked[0], np.array([30.0])), abs=0
        )


def test_a_plain_calendar_counts_every_day_alike() -> None:
    calendar = Calendar.plain()
    now = np.array([days(datetime(2024, 12, 20, tzinfo=UTC))])
    assert calendar.work_between(now, now + 20)[0] == 20


def test_more_days_off_keep_the_rest() -> None:
    calendar = Calendar(country="US", zone=BERLIN).with_days_off([date(2024, 5, 2)])
    assert not calendar.is_working_day(date(2024, 5, 2))
    assert not calendar.is_working_day(date(2024, 7, 4))
    assert calendar.describe()["off"] == ["2024-05-02"]
    assert calendar.describe()["zone"] == "Europe/Berlin"


def test_a_calendar_describes_its_settings_and_keeps_them_with_more_days_off() -> None:
    made = Calendar(
        weekend=(5, 6),
        country="DE",
        subdivision="BY",
        off=[date(2024, 5, 2)],
        quiet_weeks=(30, 31),
        quiet_factor=0.25,
        zone=BERLIN,
    )
    told = {
        "zone": "Europe/Berlin",
        "weekend": [5, 6],
        "country": "DE",
        "subdivision": "BY",
        "off": ["2024-05-02"],
        "quiet_weeks": [30, 31],
        "quiet_factor": 0.25,
    }
    assert made.describe() == told
    more = made.with_days_off([date(2024, 5, 3)])
    assert more.describe() == {**told, "off": ["2024-05-02", "2024-05-03"]}
    assert more.is_holiday(date(2024, 11, 1)), "a holiday of that part of the country only"


def test_a_plain_calendar_works_on_every_weekday_of_every_week() -> None:
    plain = Calendar.plain()
    assert all(plain.is_working_day(date(2024, 12, 23) + timedelta(days=n)) for n in range(14))
    assert {plain.factor(date(2024, 12, 23) + timedelta(days=n)) for n in range(14)} == {1.0}


@pytest.mark.parametrize("far", [-800_000.0, 2_950_000.0])
def test_days_that_no_date_names_carry_a_usual_day(far: float) -> None:
    year = Calendar(quiet_weeks=range(1, 54)).work_between(np.array([far]), np.array([far + 10]))
    assert year == pytest.approx([10.0])
