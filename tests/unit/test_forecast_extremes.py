"""Histories and milestones at the edges: a verdict that can be defended, or `unknown` with its cause."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, days, moment
from sync.history.plan_clock import plan_clock
from sync.model.health import Health, Status
from sync.model.membership import Container
from sync.model.plan_clock import PlanClock
from sync.model.tracker_data import DueDate
from tests.days import day
from tests.ledgers import Given, container, ledger, releases

PLAIN = Calendar.plain()
START = 400.0
HALF = [*[(START, START + 5.0)] * 5, *[(START, None)] * 5]
NOW = (container("now", START, START + 28.0), HALF)


def healthy(pairs: list[Given], at: float, *, tolerance: float = 0.0) -> Health:
    """The health of the last container, whose figures agree with each other."""
    rules = Rules(tolerance=tolerance)
    found = assess(HistoryTables(ledger(pairs), rules), [pairs[-1][0].id], day(at), PLAIN)[pairs[-1][0].id]
    check(found, day(at).date())
    return found


def check(found: Health, today: object) -> None:
    dates = [date_ for date_ in (found.dates.p50, found.dates.p85, found.dates.p95) if date_ is not None]
    assert dates == sorted(dates)
    assert all(str(date_) >= str(today) for date_ in dates)
    assert (found.unknown is not None) == (found.status in (Status.UNKNOWN, Status.NO_DUE_DATE))
    if found.probability is not None:
        assert 0.0 < found.probability < 1.0
    if found.leftover is not None:
        assert 0 <= found.leftover.low <= found.leftover.usually <= found.leftover.high
    if found.usual is not None:
        assert 0.0 < found.usual.probability < 1.0


def finished(count: int, *, done: bool, stream: str = "app/Release") -> list[Given]:
    """Milestones that closed their eight items evenly over the time, or none of them."""
    return [
        (
            container(f"{stream}-{n}", 28.0 * n, 28.0 * n + 28, stream=stream),
            [(28.0 * n, 28.0 * n + 3.0 * (k + 1) if done else None) for k in range(8)],
        )
        for n in range(count)
    ]


def test_one_earlier_milestone_decides_little() -> None:
    good, bad = (healthy([*finished(1, done=done), NOW], START + 14) for done in (True, False))
    assert good.probability is not None
    assert bad.probability is not None
    assert 0.1 < bad.probability < good.probability < 0.9


def test_streams_of_one_member_learn_from_the_kind() -> None:
    pairs = [pair for n in range(12) for pair in finished(1, done=True, stream=f"app/{n}")]
    found = healthy([*pairs, NOW], START + 14)
    assert found.probability is not None
    assert found.probability > 0.6
    assert found.usual is not None
    assert not found.usual.own


def test_histories_that_all_failed_or_were_all_perfect() -> None:
    failing, perfect = (healthy([*finished(12, done=done), NOW], START + 14) for done in (False, True))
    assert failing.status is Status.OFF_TRACK
    assert perfect.status is Status.ON_TRACK
    assert failing.leftover is not None
    assert perfect.leftover is not None
    assert failing.leftover.usually == 5
    assert perfect.leftover.usually == 0
    assert failing.dates.p50 is None
    assert perfect.dates.p50 is not None


@pytest.mark.parametrize("length", [1 / 24, 1.0, 3652.0])
def test_a_milestone_of_an_hour_of_a_day_and_of_ten_years(length: float) -> None:
    items = [*[(START, START + 0.1 * length)] * 5, *[(START, None)] * 5]
    pairs = [*releases(8), (container("now", START, START + length), items)]
    for part in (0.0, 0.5, 0.999):
        healthy(pairs, START + part * length)
    late = healthy(pairs, START + 1.01 * length)
    assert late.status is Status.OVERDUE


def test_a_milestone_of_more_than_ten_years_has_no_forecast() -> None:
    found = healthy([*releases(8), (container("now", START, START + 3700.0), HALF)], START + 14)
    assert found.status is Status.UNKNOWN
    assert found.probability is None


def large(count: int) -> Ledger:
    """Twelve milestones of 8 items, and one of ``count``, of which a hundredth was closed on day 10 of 28."""
    pairs = finished(12, done=True)
    sizes = [*[8] * 12, count]
    containers = [*(c for c, _ in pairs), container("now", START, START + 28.0)]
    of = np.repeat(np.arange(13), sizes)
    joined = np.array([days(day(28.0 * n if n < 12 else START)) for n in range(13)])[of]
    closed = joined + 14.0
    closed[96:] = np.where(np.arange(count) % 100 == 0, joined[96:] + 10.0, np.inf)
    return Ledger(containers, of, np.arange(len(of)), joined, np.full(len(of), np.inf), closed)


@pytest.mark.parametrize("tolerance", [0.0, 0.2])
def test_a_hundred_thousand_items_far_beyond_experience(tolerance: float) -> None:
    tables = HistoryTables(large(100_000), Rules(tolerance=tolerance))
    found = assess(tables, ["now"], day(START + 14), PLAIN)["now"]
    check(found, day(START + 14).date())
    assert found.status is Status.OFF_TRACK
    assert found.leftover is not None
    assert found.leftover.low > 0


def test_a_due_date_moved_ten_times_to_and_fro_is_that_of_its_plan() -> None:
    """Only the plan's date, the first move past it and the date in force count."""
    plan, later = day(START + 27).date(), day(START + 40).date()
    notes = [DueDate(day(START + n), later if n % 2 else plan) for n in range(11)]
    clock = plan_clock(notes, None, ZoneInfo("UTC"))
    assert clock == PlanClock(due=plan, moved_at=day(START + 1))
    before = healthy([*releases(8), NOW], START + 14)
    back = replace(NOW[0], clock=clock, clock_due=NOW[0].due)
    after = healthy([*releases(8), (back, HALF)], START + 14)
    assert after.probability == before.probability
    assert after.dates == before.dates


def test_items_that_joined_after_the_end_are_no_part_of_what_was_planned() -> None:
    pairs = finished(12, done=True)
    late = [(c, [*items, *[(28.0 * n + 40, None)] * 30]) for n, (c, items) in enumerate(pairs)]
    plain, more = (healthy([*history, NOW], START + 14) for history in (pairs, late))
    assert plain.probability == more.probability
    assert plain.leftover == more.leftover


def test_items_closed_before_they_joined_add_no_pace() -> None:
    closed_before = [(START, START - 50.0)] * 5
    plain, more = (healthy([*releases(8), (NOW[0], [*HALF, *added])], START + 14) for added in ([], closed_before))
    assert more.basis.closures_84d == plain.basis.closures_84d
    assert more.status is plain.status


def test_a_milestone_without_scope_is_unknown() -> None:
    gone = [(START, None, START + 3.0)] * 8
    found = healthy([*releases(8), (NOW[0], gone)], START + 14)
    assert found.status is Status.UNKNOWN
    assert found.probability is None


def test_earlier_milestones_without_scope_teach_nothing() -> None:
    empty: list[Given] = [
        (container(f"gone-{n}", 300.0 + n, 330.0 + n), [(300.0 + n, None, 310.0)] * 8) for n in range(9)
    ]
    plain, more = (healthy([*releases(8), *extra, NOW], START + 14) for extra in ([], empty))
    assert plain.probability == more.probability


def test_a_due_date_before_the_start_is_unknown_until_it_is_overdue() -> None:
    found = healthy([*releases(8), (container("now", START + 20, START), HALF)], START - 5)
    assert found.status is Status.UNKNOWN
    assert healthy([*releases(8), (container("now", START + 20, START), HALF)], START + 14).status is Status.OVERDUE


def test_identical_times_are_a_milestone_that_was_done_at_once() -> None:
    pairs: list[Given] = [
        (container(f"at-once-{n}", 28.0 * n, 28.0 * n + 28), [(28.0 * n, 28.0 * n)] * 8) for n in range(8)
    ]
    found = healthy([*pairs, NOW], START + 14)
    assert found.probability is not None


def test_a_milestone_without_a_start_begins_with_its_first_item() -> None:
    with_start = healthy([*releases(8), NOW], START + 14)
    without = healthy([*releases(8), (replace(NOW[0], start=None), HALF)], START + 14)
    assert without.probability == with_start.probability


def test_a_stream_of_a_hundred_thousand_closures_and_ten_thousand_milestones() -> None:
    count = 10_000
    due: NDArray[np.float64] = np.linspace(18_000.0, 20_000.0, count)
    containers = [
        Container(id=f"m{n}", kind="milestone", stream="s", start=moment(end - 7), due=moment(end))
        for n, end in enumerate(due.tolist())
    ]
    of = np.repeat(np.arange(count), 10)
    joined: NDArray[np.float64] = due[of] - 7.0
    closed: NDArray[np.float64] = joined + 2.5 + np.tile(np.linspace(0.0, 4.0, 10), count)
    history = Ledger(containers, of, np.arange(len(of)), joined, np.full(len(of), np.inf), closed)
    at = moment(float(due[-1]) - 3.0)
    found = assess(HistoryTables(history, Rules()), ["m9999"], at, PLAIN)["m9999"]
    check(found, at.date())
    assert found.status is Status.ON_TRACK
