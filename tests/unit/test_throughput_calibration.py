"""Throughput dates learn from those that did not hold: never-came is a miss, silence and streams have their own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.throughput import LEVELS, capacity_moments, weeks_of_silence
from sync.forecast.throughput_calibration import (
    RECORD_LEAST,
    learned_dates,
    longest,
    score_dates,
    start_multipliers,
)
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Promise, Status
from tests.days import ORIGIN, day
from tests.ledgers import Given, container, ledger

PLAIN = Calendar.plain()
RULES = Rules()
P85 = LEVELS.index(0.85)


def closures(name: str, times: list[float], stream: str) -> Given:
    return container(name, 0.0, None, stream=stream), [(0.0, time) for time in times]


def steady(until: float, every: float = 1.0, stream: str = "app/Release") -> Given:
    return closures(stream, np.arange(every, until, every).tolist(), stream)


def tables(*given: Given) -> HistoryTables:
    return HistoryTables(ledger(given), RULES)


def test_without_a_record_the_multipliers_are_those_of_the_rules() -> None:
    learned = learned_dates(tables(steady(60)))
    found = learned.multipliers(np.zeros(3, dtype=np.int64), np.arange(3), np.full(3, days(day(60))))
    assert found.tolist() == [start_multipliers(RULES).tolist()] * 3
    assert (np.diff(start_multipliers(RULES)) > 0).all()
    assert learned.record(0, days(day(60))) == (0, 0)


def test_dates_that_always_hold_come_nearer_and_those_that_never_come_go_away() -> None:
    held = learned_dates(tables(steady(900)))
    ended = tables(steady(900), *(steady(200.0 + 40 * n, stream=f"old/{n}") for n in range(12)))
    missed = learned_dates(ended)
    zero, at = np.zeros(1, dtype=np.int64), np.array([days(day(900))])
    start = start_multipliers(RULES)
    near = held.multipliers(zero, zero, at)[0]
    assert (near < start).all()
    silent = missed.multipliers(np.full(1, ended.ledger.streams.index("old/0")), zero + 2, at)[0]
    assert silent[P85] > start[P85]
    assert silent[P85] > near[P85]


def test_a_date_that_never_came_is_a_miss_as_soon_as_its_time_has_passed() -> None:
    history = tables(steady(200, stream="old"), steady(900))
    learned = learned_dates(history)
    own = learned.asked.stream == history.ledger.streams.index("old")
    never = own & np.isinf(learned.asked.actual)
    assert never.any()
    assert not learned.held[never].any()
    assert (learned.decided[never] <= learned.asked.at[never, None] + longest(RULES)).all()
    until, ahead = days(day(900)), learned.given[:, P85]
    has_passed = (ahead <= longest(RULES)) & (learned.asked.at + ahead <= until)
    assert (has_passed & never).any()
    scored, _ = score_dates(history, until)
    assert scored["n"] == has_passed.sum()
    assert scored["p85"] == pytest.approx((learned.asked.actual <= ahead)[has_passed].mean())


def test_in_the_long_run_as_many_dates_hold_as_they_say() -> None:
    """A stream whose pace is drawn again every 40 days, from .1 to 2 a day: the dates of the rules are too early."""
    rng = np.random.default_rng(5)
    times: list[float] = []
    now = 0.0
    while now < 4000:
        pace = rng.choice([0.1, 0.5, 1.0, 2.0])
        times += (now + np.sort(rng.random(rng.poisson(40 * pace))) * 40).tolist()
        now += 40.0
    scored, detail = score_dates(tables(closures("one", times, "one")), days(day(4000)))
    for name, level in (("p50", 0.5), ("p70", 0.7), ("p85", 0.85)):
        assert scored[name] == pytest.approx(level, abs=0.06)
    assert detail["dates_as_shipped"]["n"] > 300


def test_the_dates_that_are_shown_have_the_multipliers_that_were_tested() -> None:
    """On the first day of a month, for 5 items, the promise is the date that the replay gives for the same question."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    until = (at - ORIGIN).days
    rng = np.random.default_rng(2)
    times = np.sort(rng.random(400) * (until + 60)).tolist()
    history = tables(
        closures("one", times, "one"), (container("open", 0.0, None, stream="one"), [(until - 9.5, None)] * 5)
    )
    learned = learned_dates(history)
    asked = learned.asked
    (row,) = np.flatnonzero((asked.at == days(at)) & (asked.items == 5))
    health = assess(history, ["open"], at, PLAIN)["open"]
    assert health.status is Status.NO_DUE_DATE
    expected = [PLAIN.completion_day(days(at) + ahead) for ahead in learned.given[row, : P85 + 1].tolist()]
    assert health.promise is not None
    assert [health.promise.p50, health.promise.p70, health.promise.p85] == expected
    assert (health.dates.p50, health.dates.p85) == (expected[0], expected[2])
    assert (health.promise.held, health.promise.of) == learned.record(int(asked.stream[row]), days(at))
    assert health.promise.of > 50
    shipped = capacity_moments(history, asked.stream[[row]], np.array([5.0]), np.array([days(at)]), PLAIN)
    assert PLAIN.completion_day(float(shipped[0, 1])) != health.promise.p85


def test_a_stream_with_a_short_record_gets_that_of_all() -> None:
    young = steady(1000, stream="young")
    history = tables(
        steady(980), (young[0], [(0.0, closed) for _, closed in young[1] if closed is not None and closed > 890])
    )
    learned = learned_dates(history)
    at = days(day(1000))
    own, of = learned.record(history.ledger.streams.index("app/Release"), at)
    assert of >= RECORD_LEAST
    assert learned.record(history.ledger.streams.index("young"), at)[1] >= of
    assert own > 0


def test_silence_counts_weeks_of_usual_work() -> None:
    history = tables(steady(90))
    stream, at = np.zeros(1, dtype=np.int64), np.array([days(day(89.0 + 20.0))])
    off = [(ORIGIN + timedelta(days=n)).date() for n in range(91, 105)]
    assert weeks_of_silence(history, stream, at).tolist() == [2]
    assert weeks_of_silence(history, stream, at, PLAIN.with_days_off(off)).tolist() == [0]
    assert weeks_of_silence(history, stream, np.array([days(day(0.5))])).tolist()[0] > 100


def test_a_milestone_with_a_due_date_or_without_closures_promises_nothing() -> None:
    history = tables(
        steady(300),
        (container("dated", 250.0, 330.0), [(250.0, None)] * 5),
        (container("quiet", 250.0, None, stream="quiet"), [(250.0, None)] * 5),
        (container("empty", 250.0, None), [(250.0, 260.0)]),
    )
    found = assess(history, ["dated", "quiet", "empty"], day(300), PLAIN)
    assert [health.promise for health in found.values()] == [None, None, None]
    assert not any(health.dates.capacity and health.due is None for health in found.values())


def test_dates_after_the_horizon_are_not_promised() -> None:
    history = tables(
        steady(300, every=12.0),
        (container("large", 250.0, None), [(250.0, None)] * 400),
    )
    health = assess(history, ["large"], day(300), PLAIN)["large"]
    assert health.promise == Promise()
    assert health.dates.p50 is None
    assert health.dates.horizon is not None
