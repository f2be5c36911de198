"""The clock of a plan: which plan it is, when it was first moved, and what no later move changes."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.clock import PlanClocks, clocked_logit
from sync.history.ledger import Ledger, days
from sync.history.plan_clock import KnownPlan, plan_clock
from sync.model.plan_clock import PlanClock
from sync.model.tracker_data import DueDate
from tests.days import ORIGIN, day
from tests.ledgers import container

UTC = ZoneInfo("UTC")


def on(value: int) -> date:
    """The day ``value`` days after the origin's."""
    return ORIGIN.date() + timedelta(days=value)


def notes(*moves: tuple[float, int | None]) -> list[DueDate]:
    """Due dates: (time of the move, the new date), in days from the origin."""
    return [DueDate(day(seen), None if due is None else on(due)) for seen, due in moves]


def clock(*moves: tuple[float, int | None], known: KnownPlan | None = None) -> tuple[date, datetime] | None:
    found = plan_clock(notes(*moves), known, UTC)
    return None if found is None else (found.due, found.moved_at)


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([], None),
        ([(0, None)], None),
        ([(0, 100)], None),
        ([(0, None), (5, 100)], None),
        ([(0, 100), (50, 90)], None),
        ([(0, 100), (50, 90), (60, 100)], None),
        ([(0, 100), (50, 150)], (100, 50)),
        ([(0, 100), (50, 150), (60, 200)], (100, 50)),
        ([(0, 100), (50, 150), (60, 100)], (100, 50)),
        ([(0, 100), (50, 150), (60, 90), (70, 150)], (100, 50)),
        ([(0, 100), (50, 90), (60, 120)], (100, 60)),
        ([(0, 100), (50, None), (60, 150)], (100, 60)),
        ([(0, 100), (50, 150), (60, None), (70, 150)], (100, 50)),
        ([(0, 100), (110, 150)], (100, 110)),
        ([(0, 100), (50, 150), (160, 200)], (150, 50)),
        ([(0, 100), (50, 80), (90, 95)], (80, 90)),
        ([(0, 100), (50, 80), (90, None), (95, 99)], (80, 95)),
    ],
)
def test_the_first_move_past_the_plan_sets_the_clock_and_a_passed_date_becomes_the_plan(
    moves: list[tuple[float, int | None]], expected: tuple[int, int] | None
) -> None:
    assert clock(*moves) == (None if expected is None else (on(expected[0]), day(expected[1])))


def test_a_date_has_passed_when_its_day_has_ended_in_the_zone_of_the_project() -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    moves = notes((0, 100), (50, 150), (150 + 16 / 24, 200))  # 1 a.m. on the next day in Tokyo
    assert plan_clock(moves, None, UTC) == PlanClock(due=on(100), moved_at=day(50))
    assert plan_clock(moves, None, tokyo) == PlanClock(due=on(150), moved_at=day(50))


def test_an_earlier_assessment_knows_moves_from_before_the_history_begins() -> None:
    known = KnownPlan(day(120), on(150), PlanClock(due=on(80), moved_at=day(30)))
    assert clock((0, 60), (120, 150), known=known) == (on(80), day(30))
    assert clock((0, 60), (120, 150), (130, 170), known=known) == (on(80), day(30))
    assert clock((0, 60), (120, 150), (160, 170), known=known) == (on(150), day(30))
    assert clock((0, 60), known=replace(known, due=None)) == (on(80), day(30))


def test_a_move_that_the_tracker_dates_earlier_than_we_saw_it_counts_from_then() -> None:
    known = KnownPlan(day(60), on(150), PlanClock(due=on(100), moved_at=day(60)))
    assert clock((0, 100), (55, 150), known=known) == (on(100), day(55))


def test_a_move_that_was_dated_before_the_last_assessment_but_read_after_it_counts() -> None:
    known = KnownPlan(day(60), on(150), PlanClock(due=on(100), moved_at=day(50)))
    assert clock((0, 100), (50, 150), (59.9, 90), known=known) == (on(100), day(50))


# --- the clock in the forecast ---------------------------------------------------------------------------------------


def clocks(at: float, due: float, first_due: float, *, moved: tuple[float, float] | None = None) -> PlanClocks:
    """The clock of one container; ``moved``: the plan's due date, and when it moved."""
    box = container("now", 0.0, due, first_due=first_due)
    if moved is not None:
        plan = PlanClock(due=day(moved[0]).date(), moved_at=day(moved[1]))
        box = replace(box, clock=plan, clock_due=day(moved[0]))
    return PlanClocks.of(Ledger.of([box], []), np.array([0]), np.array([days(day(at))]))


def shown(found: PlanClocks) -> list[float]:
    return [float(value[0]) - days(ORIGIN) for value in (found.plan_due, found.moved_at)]


def test_the_plan_is_the_first_date_until_a_move_and_the_date_in_force_once_that_has_passed() -> None:
    assert shown(clocks(40, 100, 100)) == [100, pytest.approx(np.nan, nan_ok=True)]
    assert shown(clocks(40, 80, 100))[0] == 100
    assert shown(clocks(40, 120, 100))[0] == 120, "a move without a date is no move"
    assert shown(clocks(60, 150, 100, moved=(100, 50))) == [100, 50]
    assert shown(clocks(151, 150, 100, moved=(100, 50))) == [150, 50]


def test_a_date_up_to_the_plans_has_its_own_forecast_and_a_later_one_keeps_the_plans_for_a_while() -> None:
    at, own, plan = np.array([days(day(60))]), np.array([-1.0]), np.array([1.0])

    def logit(found: PlanClocks, due: float, curve: float = 1.0) -> float:
        return float(clocked_logit(own, plan * curve, found, np.array([days(day(due))]), at)[0])

    moved, unmoved = clocks(60, 150, 100, moved=(100, 50)), clocks(60, 100, 100)
    assert logit(unmoved, 100) == logit(moved, 100) == -1.0
    assert logit(unmoved, 150) == 1.0, "at the moment of the move the plan's curve counts in full"
    assert logit(moved, 150) == pytest.approx(-1.0 + 0.9 * 2.0)
    assert logit(moved, 70) == -1.0
    assert logit(unmoved, 150, curve=-2.0) == -1.0, "and never for less than the date's own forecast"
    assert logit(unmoved, 150, curve=np.nan) == -1.0
