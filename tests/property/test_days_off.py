"""No date is printed on a day off, in any calendar and zone, and none contradicts the probability."""

from __future__ import annotations

import math
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import assess
from sync.health.joint import ForecastWindow, dates_of_paths
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days, moment
from sync.model.dates import end_of_day
from sync.model.health import Dates, LeverKind
from tests.days import day
from tests.ledgers import container, ledger, releases

ZONES = (
    *(ZoneInfo(f"Etc/GMT{hours:+d}") for hours in range(-14, 13)),
    ZoneInfo("America/Los_Angeles"),
    ZoneInfo("Australia/Lord_Howe"),
    ZoneInfo("Asia/Kathmandu"),
)
NOW = date(2024, 12, 1)

few = settings(max_examples=min(60, settings().max_examples), deadline=None)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any weekend of up to six days, public holidays of some countries, team days off."""
    weekend = draw(st.sets(st.integers(1, 7), max_size=6))
    country = draw(st.sampled_from(["", "", "DE", "US", "IL", "JP"]))
    first = draw(st.integers(-20, 60))
    off = {NOW + timedelta(days=first + n) for n in range(draw(st.integers(0, 25)))}
    return Calendar(weekend=weekend, country=country, off=off, zone=draw(st.sampled_from(ZONES)))


def moments(calendar: Calendar) -> st.SearchStrategy[float]:
    """Moments around `NOW`: anywhere, and exactly at midnight in the calendar's zone or a second from it."""
    midnight = st.integers(0, 90).map(lambda n: days(end_of_day(NOW + timedelta(days=n), calendar.zone)))
    near = st.builds(lambda at, seconds: at + seconds / 86400, midnight, st.sampled_from([0, 0, -1, 1, 2]))
    return near | st.floats(days(end_of_day(NOW, calendar.zone)), days(end_of_day(NOW, calendar.zone)) + 90)


@given(data=st.data(), calendar=calendars())
def test_a_date_is_a_working_day_and_never_early(data: st.DataObject, calendar: Calendar) -> None:
    at = data.draw(moments(calendar))
    printed = calendar.completion_day(at)
    assert printed is not None
    assert calendar.is_working_day(printed)
    assert days(end_of_day(printed, calendar.zone)) >= at - 1 / 86400
    on = calendar.day_of(at)
    assert on is not None
    assert not any(calendar.is_working_day(on + timedelta(days=n)) for n in range((printed - on).days))
    later = data.draw(moments(calendar))
    assert (calendar.completion_day(max(at, later)) or date.min) >= printed


@given(data=st.data(), calendar=calendars())
def test_a_date_is_by_the_due_day_exactly_if_its_moment_is(data: st.DataObject, calendar: Calendar) -> None:
    due_day = NOW + timedelta(days=data.draw(st.integers(0, 90)))
    due, at = days(end_of_day(due_day, calendar.zone)), data.draw(moments(calendar))
    now = data.draw(moments(calendar))
    printed = calendar.completion_day(max(at, now), due=due, now=now)
    today = calendar.first_day_of(now)
    assert printed is not None
    assert today is not None
    assert calendar.is_working_day(printed)
    assert printed >= today
    worked = [today + timedelta(days=n) for n in range((due_day - today).days + 1)]
    if any(calendar.is_working_day(on) for on in worked):
        assert (printed <= due_day) == (max(at, now) <= due)
    elif max(at, now) > due:
        assert printed > due_day


def _printed(dates: Dates) -> list[date]:
    return [on for on in (dates.p50, dates.p85, dates.p95, dates.horizon) if on is not None]


def _world(calendar: Calendar, due_day: date, open_count: int) -> Ledger:
    """A stream of releases, with one that is due at the end of a day in the calendar's zone, and one without a date."""
    due = days(end_of_day(due_day, calendar.zone)) - days(day(0))
    begin = due - 28.0
    running = container("running", begin, due)
    undated = container("undated", begin, None)
    items = [(begin, begin + 1 + n) for n in range(4)]
    done = [pair for pair in releases() if pair[0].due is not None and days(pair[0].due) < days(day(begin))]
    return ledger([*done, (running, [*items, *[(begin, None)] * open_count]), (undated, [(begin, None)] * open_count)])


@few
@given(data=st.data(), calendar=calendars())
def test_every_date_of_a_health_is_a_working_day(data: st.DataObject, calendar: Calendar) -> None:
    due_day = NOW + timedelta(days=data.draw(st.integers(-40, 20)))
    history = HistoryTables(_world(calendar, due_day, data.draw(st.integers(1, 8))), Rules())
    at = moment(days(end_of_day(NOW, calendar.zone)) - data.draw(st.sampled_from([0.0, 0.5, 1.0])))
    today = calendar.first_day_of(days(at))
    for health in assess(history, ["running", "undated"], at, calendar).values():
        printed = _printed(health.dates)
        moves = [lever for lever in health.levers if lever.kind in (LeverKind.MOVE, LeverKind.BOTH)]
        printed += [to for to in (lever.values.get("to") for lever in moves) if isinstance(to, date)]
        assert all(map(calendar.is_working_day, printed)), printed
        assert health.dates.p50 is None or today is None or health.dates.p50 >= today
        assert health.due in (None, due_day)
        worked = [NOW + timedelta(days=n) for n in range(1, (due_day - NOW).days + 1)]
        if health.probability is not None and any(map(calendar.is_working_day, worked)):
            for level, on in ((0.5, health.dates.p50), (0.85, health.dates.p85), (0.95, health.dates.p95)):
                assert (on is not None and on <= due_day) == (health.probability >= level)


@given(data=st.data(), calendar=calendars())
def test_every_date_of_paths_is_a_working_day(data: st.DataObject, calendar: Calendar) -> None:
    now = days(end_of_day(NOW, calendar.zone))
    paths = np.array(data.draw(st.lists(moments(calendar) | st.just(math.inf), min_size=8, max_size=8)))
    due = data.draw(st.just(math.nan) | moments(calendar))
    dates = dates_of_paths(paths, ForecastWindow(due, now + 60), now, calendar)
    assert all(map(calendar.is_working_day, _printed(dates)))
