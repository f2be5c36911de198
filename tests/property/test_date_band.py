"""Published dates keep still: a milestone in which nothing happens gets new dates once a day at most."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import AssessmentInputs, assess
from sync.health.joint import AssessmentContext, ForecastWindow, joint_health
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Health, Status
from sync.model.joint import JointMilestone
from sync.model.membership import Counts
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger

few = settings(max_examples=min(12, settings().max_examples), deadline=None)
RULES = Rules()
LEVELS = (0.5, 0.85, 0.95)


@st.composite
def histories(draw: st.DrawFn) -> HistoryTables:
    """A stream of finished milestones with habits of its own, one that runs on day 400, and one without a due date."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    pace, length = draw(st.sampled_from([0.4, 0.8, 1.3])), draw(st.sampled_from([10.0, 28.0, 60.0]))
    pairs: list[Given] = []
    for n in range(int(360 / length)):
        start = 380.0 - (n + 1) * length
        items: list[MembershipDays] = [
            (start, start + length * float(rng.gamma(2.0, pace / 2))) for _ in range(int(rng.integers(3, 12)))
        ]
        pairs.append((container(f"past-{n}", start, start + length), items))
    begin = 400.0 - length * draw(st.floats(0.05, 1.3))
    items = [(begin, begin + 0.1)] * draw(st.integers(0, 4)) + [(begin, None)] * draw(st.integers(1, 8))
    pairs.append((container("running", begin, begin + length), items))
    pairs.append((container("undated", begin, None), items))
    return HistoryTables(ledger(pairs), RULES)


def printed(health: Health) -> tuple[date | None, ...]:
    dates = (health.dates.p50, health.dates.p85, health.dates.p95)
    return dates if health.promise is None else (*dates, health.promise.p70)


def runs(history: HistoryTables, name: str, at: list[datetime], calendar: Calendar) -> list[Health]:
    """Return the health at each time, each with the memory of the one before."""
    found: list[Health] = []
    for moment in at:
        inputs = AssessmentInputs(previous={name: found[-1]} if found else {})
        found.append(assess(history, [name], moment, calendar, inputs)[name])
    return found


def must_change(before: Health, after: Health) -> bool:
    """Return True if the status or the side of a level changed between two assessments: then the dates follow."""
    sides = [[(health.probability or 0) >= level for level in LEVELS] for health in (before, after)]
    return before.status is not after.status or sides[0] != sides[1]


@few
@given(
    history=histories(),
    name=st.sampled_from(["running", "undated"]),
    zone=st.sampled_from(["UTC", "Pacific/Kiritimati", "Etc/GMT+12", "America/New_York"]),
    first=st.floats(400, 401),
    minutes=st.sampled_from([60, 5]),
)
def test_an_untouched_milestone_changes_its_dates_once_a_day_at_most(
    history: HistoryTables, name: str, zone: str, first: float, minutes: int
) -> None:
    calendar = Calendar(zone=ZoneInfo(zone))
    found = runs(history, name, [day(first) + timedelta(minutes=minutes * n) for n in range(24)], calendar)
    changes = [pair for pair in pairwise(found) if printed(pair[0]) != printed(pair[1])]
    assert sum(not must_change(*pair) for pair in changes) <= 1
    for health in found:
        today = calendar.first_day_of(days(health.at))
        assert today is not None
        assert all(on is None or on >= today for on in printed(health))
        assert all(on is None or calendar.is_working_day(on) for on in printed(health))
        if health.probability is not None and health.due is not None and calendar.is_working_day(health.due):
            for level, on in zip(LEVELS, printed(health), strict=False):
                assert (on is not None and on <= health.due) == (health.probability >= level)


@few
@given(history=histories(), first=st.floats(400, 401))
def test_a_date_that_stays_is_near_the_one_of_the_forecast(history: HistoryTables, first: float) -> None:
    """After each night, a published date differs by a working day or 5% of the time ahead at most."""
    calendar = Calendar()
    at = [day(first) + timedelta(days=n) for n in range(10)]
    for health in runs(history, "running", at, calendar):
        fresh = assess(history, ["running"], health.at, calendar)["running"]
        for kept, own in ((health.dates.p50, fresh.dates.p50), (health.dates.p85, fresh.dates.p85)):
            assert (kept is None) == (own is None)
            if kept is not None and own is not None:
                ahead = (own - health.at.date()).days
                assert (
                    calendar.working_days(min(kept, own), max(kept, own)) <= 1 or abs((kept - own).days) <= 0.05 * ahead
                )


@pytest.fixture
def steady() -> tuple[HistoryTables, Health]:
    pairs: list[Given] = []
    for n in range(12):
        start = 28.0 * n
        pairs.append((container(f"past-{n}", start, start + 28), [(start, start + 2.0 + n % 3 * 9) for _ in range(8)]))
    items: list[MembershipDays] = [(340.0, 345.0)] * 2 + [(340.0, None)] * 6
    pairs.append((container("running", 340.0, 368.0), items))
    history = HistoryTables(ledger(pairs), RULES)
    return history, assess(history, ["running"], day(350), Calendar.plain())["running"]


def after(history: HistoryTables, previous: Health | None, hours: float = 1.0) -> Health:
    inputs = AssessmentInputs(previous={} if previous is None else {"running": previous})
    return assess(history, ["running"], day(350) + timedelta(hours=hours), Calendar.plain(), inputs)["running"]


def published(health: Health, like: Health, by: int) -> Health:
    """Return ``health`` as if it had been published with the dates of ``like``, the 50% date ``by`` days from it."""
    assert like.dates.p50 is not None
    dates = replace(like.dates, p50=like.dates.p50 + timedelta(days=by), since=health.at)
    return replace(health, dates=dates)


def test_dates_move_by_more_than_the_band_only_after_a_night_or_an_event(
    steady: tuple[HistoryTables, Health],
) -> None:
    history, first = steady
    soon, tomorrow = after(history, None), after(history, None, 30)
    assert first.dates.since == day(350)
    near, far = published(first, tomorrow, -1), published(first, tomorrow, -3)
    assert after(history, near, 30).dates == near.dates
    assert after(history, far, 30).dates == tomorrow.dates
    far = published(first, soon, -3)
    assert after(history, far).dates == far.dates
    touched = replace(far, counts=replace(far.counts, closed=far.counts.closed - 1, open=far.counts.open + 1))
    assert after(history, touched).dates == soon.dates
    assert after(history, published(first, soon, -30)).dates == soon.dates  # it has passed


def test_facts_move_dates_at_once(steady: tuple[HistoryTables, Health]) -> None:
    history, first = steady
    soon = after(history, None)
    before = published(first, soon, -1)
    for changed in (
        replace(before, due=date(2025, 1, 20)),
        replace(before, counts=replace(before.counts, open=before.counts.open + 4)),
        replace(before, method=before.method + 1),
        replace(before, status=Status.OVERDUE),
    ):
        assert after(history, changed).dates == soon.dates
    assert after(history, before).dates == before.dates


def test_the_dates_of_a_joint_milestone_keep_still_likewise() -> None:
    calendar, at = Calendar(), day(350)
    due = days(day(370))

    def joint(previous: Health | None, shift: float, hours: float) -> Health:
        paths = np.linspace(days(day(355)), days(day(365)), 100) + shift
        context = AssessmentContext(at + timedelta(hours=hours), previous, RULES, calendar)
        return joint_health(
            JointMilestone(name="GA", members=("a",)), [], Counts(open=3), paths, ForecastWindow(due, due + 50), context
        )

    first = joint(None, 0.0, 0.0)
    soon = joint(first, 2.0, 1.0)
    assert soon.dates.p50 == first.dates.p50 != joint(None, 2.0, 1.0).dates.p50
    assert joint(soon, 2.0, 30.0).dates.p50 == joint(None, 2.0, 30.0).dates.p50
