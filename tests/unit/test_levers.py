"""Each lever against every smaller and every larger change, asked of the batch's own probability."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.batch import AT_DUE, Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.attention import Attention
from sync.health.levers import LEAST_GAIN, carry_over_days, levers
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.health import Lever, LeverKind
from sync.model.plan_clock import PlanClock
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases

PLAIN, UTC = Calendar.plain(), ZoneInfo("UTC")
RULES = Rules(cut_share=1.0)
START, DUE, NOW = 336.0, 364.0, 350.0
YES = np.array([True])
NAMES = tuple("abcdefghijklmnopqrstuvwxyz")


def closed(count: int) -> list[MembershipDays]:
    return [(START, START + 2.0 * n + 0.5) for n in range(count)]


LATE: list[MembershipDays] = [*closed(2), *[(START, None)] * 14]


def seen(
    memberships: Sequence[MembershipDays] = LATE,
    at: float = NOW,
    rules: Rules = RULES,
    habits: Sequence[Given] = (),
    calendar: Calendar = PLAIN,
    **dates: Any,
) -> ForecastBatch:
    running = container("now", dates.pop("start", START), dates.pop("due", DUE), **dates)
    history = ledger([*(habits or releases(missed=1)), (running, memberships)])
    (batch,) = forecast_batches(HistoryTables(history, rules), [history.index["now"]], [day(at)], calendar)
    return batch


def told(
    batch: ForecastBatch, found: Attention | None = None, published: float | None = None
) -> dict[LeverKind, Lever]:
    p = batch.probability() if published is None else np.array([published])
    (given,) = levers(batch, p, YES, YES, [found or Attention()], lambda k: NAMES)
    assert len({lever.kind for lever in given}) == len(given)
    return {lever.kind: lever for lever in given}


def after(batch: ForecastBatch, cut: int = 0, to: date | None = None) -> float:
    left = batch.open - cut
    due = batch.due if to is None else np.array([days(end_of_day(to, UTC))])
    return float(batch.probability(left, left + batch.done, assumed=Assumptions(due=due))[0])


def first_near_the_best(batch: ForecastBatch, planned: float = 28.0) -> date:
    """The first day that reaches the target, or else comes near the latest one: three planned durations."""
    due, latest = PLAIN.day_of(float(batch.due[0])), PLAIN.day_of(float(batch.start[0]) + 3 * planned)
    assert due is not None
    assert latest is not None
    best = after(batch, to=latest)
    goal = RULES.target if best >= RULES.target else max(best - LEAST_GAIN, after(batch) + LEAST_GAIN)
    days_ahead = (due + timedelta(days=n) for n in range(1, 200))
    return next(to for to in days_ahead if after(batch, to=to) >= goal)


def day_of(lever: Lever) -> date:
    to = lever.values["to"]
    assert isinstance(to, date)
    return to


def test_the_cut_is_the_fewest_items_and_names_the_best_candidates() -> None:
    batch = seen()
    cut = told(batch)[LeverKind.CUT]
    fewest = next(c for c in range(15) if after(batch, c) >= RULES.target)
    assert 1 < fewest < 14
    assert cut.probability == after(batch, fewest)
    gain = round(after(batch, fewest) - after(batch), 4)
    assert cut.values == {"count": fewest, "of": 14, "gain": gain, "is_enough": True}
    assert cut.items == NAMES[:fewest]


def test_the_scope_shrinks_with_the_cut() -> None:
    """With a tolerance a share of what is left may be open, so the whole scope matters too."""
    batch = seen([*closed(6), *[(START, None)] * 24], rules=Rules(cut_share=1.0, tolerance=0.1))
    assert batch.allowed_open(30) == 3
    cut = told(batch)[LeverKind.CUT]
    assert cut.values["count"] == next(c for c in range(25) if after(batch, c) >= RULES.target)


def test_where_the_share_is_not_enough_the_cut_is_the_least_that_comes_near_the_best() -> None:
    batch = seen(rules=Rules(cut_share=0.5))
    best = after(batch, 7)
    assert best < RULES.target
    cut = told(batch)[LeverKind.CUT]
    count = next(c for c in range(8) if after(batch, c) >= best - LEAST_GAIN)
    assert (cut.values["count"], cut.values["is_enough"]) == (count, False)
    assert cut.probability == after(batch, count) >= after(batch) + LEAST_GAIN


def test_nothing_is_offered_where_the_target_is_reached_or_nothing_is_open_or_dated() -> None:
    assert told(seen(), published=RULES.target) == {}
    assert told(seen(), published=RULES.target - 0.001) != {}
    assert told(seen(closed(4)), published=0.1) == {}
    assert told(seen(due=None), published=0.1) == {}
    batch = seen()
    assert levers(batch, np.array([0.1]), ~YES, YES, [Attention()], lambda k: NAMES) == [()]


@pytest.mark.parametrize(("at", "is_offered"), [(DUE - 3.01, True), (DUE - 2.99, False), (DUE, False)])
def test_no_cut_in_the_last_days_where_an_item_that_leaves_is_carried_over(at: float, is_offered: bool) -> None:
    assert (LeverKind.CUT in told(seen(at=at))) is is_offered


def test_of_a_short_plan_the_last_quarter_is_the_last_days() -> None:
    assert carry_over_days(np.array([28.0, 12.0, 8.0])).tolist() == [3.0, 3.0, 2.0]
    assert carry_over_days(np.array([60.0])).tolist() == [6.0]  # the last tenth, for what moves on in the stream


@pytest.mark.parametrize("count", [4, 60])
def test_the_date_is_the_first_that_is_enough_then_on_to_the_usual_weekday(count: int) -> None:
    batch = seen([*closed(6), *[(START, None)] * count], due=DUE + 3)
    move = told(batch)[LeverKind.MOVE]
    first, usual = first_near_the_best(batch, 31.0), day(27.99).weekday()
    to = next(first + timedelta(days=n) for n in range(7) if (first + timedelta(days=n)).weekday() == usual)
    assert day_of(move) == to
    assert move.probability == after(batch, to=to)
    due = PLAIN.day_of(float(batch.due[0]))
    assert move.values["longer"] == round((to - due).days / 31, 3)  # type: ignore[operator]
    assert move.values["capacity"] is False
    assert move.values["is_enough"] is (after(batch, to=to) >= RULES.target) is (count == 4)


def test_a_working_day_is_offered() -> None:
    shut = Calendar(weekend=(), quiet_weeks=(), off=[day(DUE + n).date() for n in range(-1, 21)])
    batch = seen(due=DUE + 3, calendar=shut)
    to = day_of(told(batch)[LeverKind.MOVE])
    assert shut.is_working_day(to)
    assert to.weekday() == day(27.99).weekday()


@pytest.mark.parametrize(
    ("ends", "usual"),
    [
        ([28.0] * 12, 6),
        ([28.0, 29.0] * 6, 0),  # half of them each: the earlier in the week wins
        ([28.0, 28.0, 29.0, 30.0] * 3, 6),
        ([28.0, 29.0, 30.0] * 4, None),
    ],
)
def test_a_weekday_is_usual_from_half_of_the_milestones_on(ends: list[float], usual: int | None) -> None:
    habits = [
        (container(c.id, 28.0 * n, 28.0 * n + end), given)
        for n, ((c, given), end) in enumerate(zip(releases(missed=1), ends, strict=True))
    ]
    batch = seen(habits=habits, due=DUE + 3)
    first = first_near_the_best(batch, 31.0)
    weekday = first.weekday() if usual is None else usual
    assert day_of(told(batch)[LeverKind.MOVE]).weekday() == weekday


def test_another_streams_weekday_is_no_habit_of_this_stream() -> None:
    batch = seen(stream="app/Other", due=DUE + 3)
    assert not batch.members.from_stream[0]
    first = first_near_the_best(batch, 31.0)
    assert day_of(told(batch)[LeverKind.MOVE]) == first


def test_cut_and_date_come_together_only_where_both_gain_over_each_alone() -> None:
    for count in (6, 10, 14, 20, 40, 80):
        batch = seen([*closed(2), *[(START, None)] * count], rules=Rules(cut_share=0.6))
        found, base = told(batch), after(batch)
        cut, move, both = (found.get(kind) for kind in (LeverKind.CUT, LeverKind.MOVE, LeverKind.BOTH))
        if both is None:
            continue
        assert move is not None
        assert both.values["to"] == move.values["to"]
        items = both.values["count"]
        assert isinstance(items, int)
        assert both.probability == after(batch, items, day_of(both))
        alone = max(lever.probability or base for lever in (cut, move) if lever is not None)
        assert both.probability >= max(alone, after(batch, items)) + LEAST_GAIN - 1e-12
        assert both.items == NAMES[:items]


def test_a_lever_gains_five_points_or_is_left_out() -> None:
    for at in np.linspace(START + 2, DUE + 2, 12):
        for count in (3, 8, 20, 60):
            batch = seen([*closed(2), *[(START, None)] * count], at=float(at), rules=Rules())
            base = float(np.nan_to_num(batch.probability()[0]))
            for lever in told(batch).values():
                assert lever.probability is None or lever.probability >= base + LEAST_GAIN


def growing() -> list[Given]:
    """Releases that six items join each, late, and are closed in time."""
    return [(c, [*given, *[(28.0 * n + 20, 28.0 * n + 27.0)] * 6]) for n, (c, given) in enumerate(releases(missed=1))]


def test_freezing_is_named_without_a_figure_where_items_usually_join() -> None:
    batch = seen([*closed(6), *[(START, None)] * 8], habits=growing())
    (frozen,) = batch.probability(assumed=Assumptions(frozen=True))
    assert frozen - after(batch) >= LEAST_GAIN
    freeze = told(batch)[LeverKind.FREEZE]
    assert (freeze.probability, dict(freeze.values), freeze.items) == (None, {}, ())
    assert LeverKind.FREEZE not in told(seen([*closed(6), *[(START, None)] * 8]))


def test_the_pace_is_what_is_left_over_the_weeks_that_are_left() -> None:
    batch = seen()
    pace = told(batch)[LeverKind.PACE]
    by_week = batch.closures_by_week[0] * batch.share_of_stream[0]
    assert pace.values == {
        "needed": 7.0,  # 14 in two weeks
        "median": round(float(np.median(by_week)), 1),
        "reached": int((by_week >= 7.0).sum()),
        "weeks": 12,
    }
    assert (pace.probability, pace.items) == (None, ())
    easy = seen([*closed(2), (START, None), (START, None), (START, None)], due=NOW + 14)
    assert told(easy, published=0.1)[LeverKind.PACE].values["needed"] == 1.5
    close = seen(due=NOW + 0.5)
    (grown,) = close.expected_items
    assert told(close)[LeverKind.PACE].values["needed"] == 7 * grown  # of less than a day, a day's


def test_owners_are_asked_for_by_name() -> None:
    assign = told(seen(), Attention(unassigned=("x", "y"), known=14))[LeverKind.ASSIGN]
    assert (assign.probability, assign.items, assign.values) == (None, ("x", "y"), {"count": 2})
    assert LeverKind.ASSIGN not in told(seen())


def test_past_the_due_date_only_the_date_can_move() -> None:
    batch = seen(at=DUE + 1)
    assert days(day(DUE + 1)) > batch.due[0]
    assert set(told(batch, published=float("nan"))) <= {LeverKind.MOVE, LeverKind.BOTH}


def test_past_the_due_date_a_move_is_to_a_day_after_today() -> None:
    batch = seen(at=DUE + 1.5)
    move = told(batch, published=float("nan"))[LeverKind.MOVE]
    assert day_of(move) > day(DUE + 1.5).date()
    assert move.probability == after(batch, to=day_of(move))


def test_the_dates_of_a_moved_milestone_are_those_of_its_levers() -> None:
    """A week after a move to a later day, P of a further move to a time of the curve is the curve's value there."""
    clock = PlanClock(due=day(DUE - 1).date(), moved_at=day(NOW - 7))
    running = replace(container("now", START, DUE + 7, first_due=DUE), clock=clock, clock_due=day(DUE))
    history = ledger([*releases(missed=4), (running, LATE)])
    (batch,) = forecast_batches(HistoryTables(history, RULES), [history.index["now"]], [day(NOW)], PLAIN)
    (curve,) = batch.completion()
    for x, due in enumerate(batch.curve_moments[0].tolist()):
        (p,) = batch.probability(assumed=Assumptions(due=np.array([max(due, day(DUE).timestamp() / 86400)])))
        assert curve[x] == pytest.approx(p) or due < batch.clocks.plan_due[0]
    assert curve[AT_DUE] < curve[-1]


def test_a_due_date_that_moves_to_a_later_day_moves_no_other_date() -> None:
    for later in (1, 7, 20):
        batch = seen(habits=releases(missed=4))
        moved = batch.moved(batch.due + later)
        for level in (0.3, 0.5, 0.7):
            (before,), (after,) = batch.moment_of(batch.completion(), level), moved.moment_of(moved.completion(), level)
            assert after <= before + 1.0  # days: only the moved curve has the envelope over phases
