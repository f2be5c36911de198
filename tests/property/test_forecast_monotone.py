"""With the history held fixed: more work, less time and silence never raise a forecast, and order changes nothing."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.forecast.batch import Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import LEVELS, Forecast, forecast
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days, moment
from sync.model.dates import end_of_day
from sync.model.health import Status
from sync.model.membership import Container, Membership
from tests.days import day
from tests.health_numbers import explain
from tests.ledgers import Given, MembershipDays, container, ledger, memberships

PLAIN = Calendar.plain()
BUSY = Calendar(country="US", off=[date(2024, 3, n) for n in (5, 6, 20)])
STRICT = Rules()
TINY = 1e-12

few = settings(max_examples=min(60, settings().max_examples), deadline=None)


@st.composite
def habits(draw: st.DrawFn) -> list[Given]:
    """Up to eight finished milestones of one stream, each with its own habits."""
    found: list[Given] = []
    start = 0.0
    for n in range(draw(st.integers(0, 8))):
        length = draw(st.sampled_from([5.0, 10.0, 14.0]))
        items: list[MembershipDays] = []
        for _ in range(draw(st.integers(0, 8))):
            joined = start + draw(st.sampled_from([0.0, 0.0, 0.3, 0.8])) * length
            closed = draw(st.sampled_from([None, 0.05, 0.2, 0.5, 0.9, 1.4, 2.5]))
            left = draw(st.sampled_from([None, None, None, 0.4, 1.1]))
            items.append(
                (
                    joined,
                    None if closed is None else joined + closed * length,
                    None if left is None else joined + left * length,
                )
            )
        found.append((container(f"past-{n}", start, start + length), items))
        start += length
    return found


@st.composite
def running(draw: st.DrawFn) -> tuple[float, float, list[MembershipDays], float]:
    """Start, due, stays and the moment of a milestone that runs after day 112."""
    start = 112.0
    length = draw(st.sampled_from([4.0, 14.0, 30.0, 90.0]))
    at = start + draw(st.floats(0.0, 0.99)) * length
    closed = draw(st.lists(st.floats(start, at), max_size=6))
    late = draw(st.lists(st.floats(start, at), max_size=3))
    still_open = draw(st.integers(1, 10))
    given_: list[MembershipDays] = [
        *[(start, c) for c in closed],
        *[(j, None) for j in late],
        *[(start, None)] * still_open,
    ]
    return start, start + length, given_, at


def look(
    tables: list[Given], start: float, due: float, items: list[MembershipDays], at: float, calendar: Calendar
) -> ForecastBatch:
    history = ledger([*tables, (container("now", start, due), items)])
    (found,) = forecast_batches(HistoryTables(history, STRICT), [len(tables)], [day(at)], calendar)
    return found


@few
@given(habits(), running(), st.sampled_from([PLAIN, BUSY]))
def test_more_open_items_never_raise_it(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], calendar: Calendar
) -> None:
    start, due, items, at = now
    batch = look(tables, start, due, items, at, calendar)
    for scope in (None, 18):
        chances = [batch.probability(np.array([r]), np.array([scope or r + 3]))[0] for r in range(16)]
        assert all(b <= a + TINY for a, b in pairwise(chances))
    (more,) = forecast_of(tables, start, due, [*items, (start, None)], at, calendar)
    assert more.p is not None
    assert more.p <= batch.probability()[0] + TINY


def forecast_of(
    tables: list[Given], start: float, due: float, items: list[MembershipDays], at: float, calendar: Calendar
) -> list[Forecast]:
    history = ledger([*tables, (container("now", start, due), items)])
    return forecast(history, [len(tables)], day(at), STRICT, calendar)


@few
@given(habits(), running(), st.lists(st.floats(0.1, 300.0), min_size=1, max_size=5), st.sampled_from([PLAIN, BUSY]))
def test_a_later_due_date_never_lowers_it(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], later: list[float], calendar: Calendar
) -> None:
    start, due, items, at = now
    batch = look(tables, start, due, items, at, calendar)
    before = batch.probability()[0]
    for add in sorted(later):
        (moved,) = forecast_of(tables, start, due + add, items, at, calendar)
        assert moved.p is not None
        assert moved.p >= before - TINY
        assert batch.probability(assumed=Assumptions(due=batch.due + add))[0] >= moved.p - TINY  # the plan's clock
        before = moved.p


@few
@given(habits(), running(), st.lists(st.floats(0.01, 120.0), min_size=1, max_size=6), st.sampled_from([PLAIN, BUSY]))
def test_passing_time_without_closures_never_raises_it(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], waits: list[float], calendar: Calendar
) -> None:
    batch = look(tables, *now, calendar)
    before = batch.probability()[0]
    for wait in sorted(waits):
        after = batch.probability(assumed=Assumptions(elapsed=wait))[0]
        assert after <= before + TINY
        before = after


@few
@given(habits(), running(), st.randoms(use_true_random=False))
def test_order_changes_nothing(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], shuffler: random.Random
) -> None:
    start, due, items, at = now
    pairs = [*tables, (container("now", start, due), items)]
    rows = [m for c, own in pairs for m in memberships(c.id, own)]
    containers = [c for c, _ in pairs]
    told = [_told(containers, rows, at)]
    shuffler.shuffle(rows)
    shuffler.shuffle(containers)
    told.append(_told(containers, rows, at))
    assert told[0] == told[1]


def _told(containers: list[Container], rows: list[Membership], at: float) -> str:
    history = Ledger.of(containers, rows)
    return json.dumps(explain(HistoryTables(history, STRICT), "now", day(at), BUSY))


@few
@given(habits(), running(), st.floats(0.0, 1.0))
def test_the_future_changes_nothing(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], share: float
) -> None:
    start, due, items, at = now
    at = min(at, 30.0 + share * at)  # sometimes long ago, among the earlier milestones
    pairs: list[Given] = [*tables, (container("now", start, due), items)]

    def known(value: float | None) -> float | None:
        return value if value is not None and value <= at else None

    blind: list[Given] = [
        (c, [(j, *map(known, rest)) for j, *rest in own if j is not None and j <= at]) for c, own in pairs
    ]
    index = range(len(pairs))
    assert forecast(ledger(pairs), index, day(at), STRICT, PLAIN) == forecast(
        ledger(blind), index, day(at), STRICT, PLAIN
    )


@few
@given(habits(), running(), st.sampled_from([0.0, 0.1, 0.2]))
def test_a_forecast_is_never_certain_and_its_dates_are_in_order(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], tolerance: float
) -> None:
    start, due, items, at = now
    history = ledger([*tables, (container("now", start, due), items)])
    (found,) = forecast(history, [len(tables)], day(at), Rules(tolerance=tolerance), BUSY)
    assert found.p is not None
    assert found.raw is not None
    assert 0.02 - TINY <= found.p <= 0.98 + TINY
    assert 0.02 - TINY <= found.raw <= 0.98 + TINY
    assert list(found.cdf) == sorted(found.cdf)
    dates = [found.dates.p50, found.dates.p85, found.dates.p95]
    known = [date_ for date_ in dates if date_ is not None]
    assert known == sorted(known)
    assert dates[: len(known)] == known
    assert all(date_ >= day(at).date() for date_ in known)
    assert found.dates.horizon is not None
    assert all(date_ <= found.dates.horizon for date_ in known)


wild = st.one_of(
    st.none(),
    st.floats(-738_884.0, 2_913_000.0),
    st.floats(-5.0, 40.0),
    st.sampled_from([-738_884.0, 2_913_000.0, 0.0, 10.0]),
)


@few
@example(None, 1.0, None, None, [(0.0, 0.0, None)], 0.0)  # all is done before the due date
@example(0.0, 9.0, None, None, [(0.0, None, None)] * 4, 5.0)
@given(wild, wild, wild, wild, st.lists(st.tuples(st.floats(-40, 40), wild, wild), max_size=6), st.floats(-30, 30))
def test_nonsense_gives_an_honest_answer(
    start: float | None,
    due: float | None,
    first_due: float | None,
    ended: float | None,
    items: list[tuple[float, float | None, float | None]],
    at: float,
) -> None:
    odd = container("odd", start, due, first_due=first_due, ended=ended)
    history = ledger([(odd, items), (container("fine", 0, 10), [(0.0, 3.0)] * 4)])
    found = assess(HistoryTables(history, STRICT), ["odd", "fine"], day(at), BUSY)["odd"]
    is_all_done = found.counts.open == 0 and found.counts.done > 0
    if is_all_done and found.status is Status.ON_TRACK:
        assert found.probability is None
    elif found.probability is None:
        assert found.status not in (Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK)
    else:
        assert found.unknown is None
        assert 0.02 - TINY <= found.probability <= 0.98 + TINY
        assert due is not None
        assert abs(due - at) <= 3653
    assert (found.unknown is not None) == (found.status in (Status.UNKNOWN, Status.NO_DUE_DATE))


ZONES = ["UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe", "America/Los_Angeles"]


@given(st.dates(date(1970, 1, 2), date(9998, 12, 30)), st.sampled_from(ZONES))
def test_days_end_in_order_across_clock_changes(when: date, name: str) -> None:
    zone = ZoneInfo(name)
    ends, following = end_of_day(when, zone), end_of_day(when + timedelta(days=1), zone)
    assert ends < following
    assert following - ends <= timedelta(hours=48)  # Samoa left out a whole day
    assert ends.astimezone(zone).date() > when
    last = (ends - timedelta(microseconds=1)).astimezone(zone).date()
    assert last <= when
    if (name, when.year) != ("Pacific/Apia", 2011):
        assert last == when


@few
@given(st.integers(0, 60), st.sampled_from(ZONES))
def test_dates_survive_year_ends_and_clock_changes(offset: int, name: str) -> None:
    """A due day in a zone is shown as that day, in winter and in summer time."""
    zone = ZoneInfo(name)
    due_day = date(2024, 12, 1) + timedelta(days=offset * 2)
    odd = Container(
        id="now",
        kind="milestone",
        stream="s",
        start=datetime(2024, 10, 1, tzinfo=UTC),
        due=end_of_day(due_day, zone),
    )
    rows = memberships("now", [(280.0, None)] * 4)
    history = Ledger.of([odd], rows)
    at = datetime(2024, 11, 20, tzinfo=UTC)
    found = assess(HistoryTables(history, STRICT), ["now"], at, Calendar(zone=zone))["now"]
    assert found.due == found.baseline == due_day


@pytest.mark.parametrize("name", ZONES)
def test_a_milestone_due_today_is_not_overdue(name: str) -> None:
    zone = ZoneInfo(name)
    today = date(2024, 3, 31)
    due = end_of_day(today, zone)
    made = Container(id="now", kind="m", stream="s", start=datetime(2024, 3, 1, tzinfo=UTC), due=due)
    history = Ledger.of([made], memberships("now", [(60.0, None)] * 4))
    for at, overdue in ((due - timedelta(microseconds=1), False), (due, True), (due + timedelta(seconds=1), True)):
        found = assess(HistoryTables(history, STRICT), ["now"], at, Calendar(zone=zone))["now"]
        assert (found.status is Status.OVERDUE) is overdue


@few
@given(habits(), running())
def test_a_date_before_the_due_date_is_never_surer_than_the_due_date(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float]
) -> None:
    start, due, items, at = now
    history = ledger([*tables, (container("now", start, due), items)])
    index = [history.index["now"]]
    (told,) = forecast(HistoryTables(history, STRICT), index, moment(at), STRICT, PLAIN)
    last_day = moment(due).date()
    for level, date_ in ((0.50, told.dates.p50), (0.85, told.dates.p85), (0.95, told.dates.p95)):
        if told.p is not None and date_ is not None and date_ < last_day:
            assert told.p >= level - 0.02


@few
@given(habits(), running(), st.lists(st.floats(0.02, 0.98), min_size=1, max_size=4), st.sampled_from([PLAIN, BUSY]))
def test_an_earlier_due_date_never_gives_an_earlier_date(
    tables: list[Given], now: tuple[float, float, list[MembershipDays], float], parts: list[float], calendar: Calendar
) -> None:
    """Dates by the due date stay by it, and are the due date where the plan's date is later."""
    start, due, items, at = now
    (plan,) = forecast_of(tables, start, due, items, at, calendar)
    for part in parts:
        earlier = at + part * (due - at)
        moved = container("now", start, earlier, first_due=due)
        history = ledger([*tables, (moved, items)])
        (found,) = forecast(history, [len(tables)], day(at), STRICT, calendar)
        due_day = calendar.completion_day(moment_days(earlier), due=moment_days(earlier), now=moment_days(at))
        assert due_day is not None
        assert found.p is not None
        for level, before, after in zip(LEVELS, dates_of_levels(plan), dates_of_levels(found), strict=True):
            if found.p >= level:
                assert after is not None
                assert min(before or due_day, due_day) <= after <= due_day
            else:
                assert after is None or (before is not None and after >= before and after > due_day)


@few
@given(habits(), running(), st.sampled_from([0.0, 0.1, 0.2]), st.sampled_from([PLAIN, BUSY]))
def test_a_date_is_by_the_due_date_just_where_the_due_date_has_its_probability(
    tables: list[Given],
    now: tuple[float, float, list[MembershipDays], float],
    tolerance: float,
    calendar: Calendar,
) -> None:
    start, due, items, at = now
    history = ledger([*tables, (container("now", start, due), items)])
    (found,) = forecast(history, [len(tables)], day(at), Rules(tolerance=tolerance), calendar)
    due_day = calendar.completion_day(moment_days(due), due=moment_days(due), now=moment_days(at))
    assert due_day is not None
    assert found.p is not None
    for level, date_ in zip(LEVELS, dates_of_levels(found), strict=True):
        assert (date_ is not None and date_ <= due_day) is (found.p >= level)
        assert date_ is None or calendar.is_working_day(date_)


def dates_of_levels(found: Forecast) -> tuple[date | None, ...]:
    return found.dates.p50, found.dates.p85, found.dates.p95


def moment_days(value: float) -> float:
    return days(day(value))
