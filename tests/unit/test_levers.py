"""Each lever does what it says: asked again, through the batch's questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from sync.forecast.batch import Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.throughput import capacity_moments
from sync.health.attention import Attention
from sync.health.levers import levers, smallest_cut
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Lever, LeverKind
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases

PLAIN = Calendar.plain()
RULES = Rules(cut_share=1.0)
START, DUE, NOW = 336.0, 364.0, 350.0
NAMES = tuple("abcdefghijklmnopqrstuvwxyz")


def closed(count: int) -> list[MembershipDays]:
    return [(START, START + 2.0 * n + 0.5) for n in range(count)]


LATE: list[MembershipDays] = [*closed(2), *[(START, None)] * 14]


def seen(
    memberships: Sequence[MembershipDays] = LATE,
    at: float = NOW,
    rules: Rules = RULES,
    habits: Sequence[Given] = (),
    **dates: Any,
) -> ForecastBatch:
    running = container("now", dates.pop("start", START), dates.pop("due", DUE), **dates)
    history = ledger([*(habits or releases(missed=1)), (running, memberships)])
    (batch,) = forecast_batches(HistoryTables(history, rules), [history.index["now"]], [day(at)], PLAIN)
    return batch


def told(
    batch: ForecastBatch, found: Attention | None = None, published: float | None = None
) -> dict[LeverKind, Lever]:
    p = batch.probability() if published is None else np.array([published])
    (given,) = levers(batch, p, np.array([True]), [found or Attention()], lambda k: NAMES)
    assert len({lever.kind for lever in given}) == len(given)
    return {lever.kind: lever for lever in given}


def after(batch: ForecastBatch, cut: int) -> float:
    left = int(batch.open[0]) - cut
    return float(batch.probability(np.array([left]), np.array([left + int(batch.done[0])]))[0])


def test_the_cut_is_the_fewest_items_and_names_the_best_candidates() -> None:
    batch = seen()
    cut = told(batch)[LeverKind.CUT]
    fewest = next(c for c in range(15) if after(batch, c) >= RULES.target)
    assert 1 < fewest < 14
    assert cut.values == {"count": fewest, "of": 14}
    assert cut.probability == pytest.approx(after(batch, fewest))
    assert cut.items == NAMES[:fewest]


def test_the_scope_shrinks_with_the_cut() -> None:
    """With a tolerance a share of what is left may be open, so the whole scope matters too."""
    batch = seen([*closed(6), *[(START, None)] * 24], rules=Rules(cut_share=1.0, tolerance=0.1))
    assert batch.allowed_open(30) == 3
    (count,), (reached,) = smallest_cut(batch, np.array([True]))
    assert 0 < count == next(c for c in range(25) if after(batch, c) >= RULES.target)
    assert reached == pytest.approx(after(batch, int(count)))


def test_a_cut_that_is_not_wanted_is_none() -> None:
    (count,), (p,) = smallest_cut(seen(), np.array([False]))
    assert (count, p) == (0, pytest.approx(float(seen().probability()[0])))


def test_a_cut_may_be_the_whole_share_and_no_more() -> None:
    batch = seen()
    fewest = told(batch)[LeverKind.CUT].values["count"]
    assert isinstance(fewest, int)
    assert LeverKind.CUT in told(seen(rules=Rules(cut_share=fewest / 14)))
    assert LeverKind.CUT not in told(seen(rules=Rules(cut_share=(fewest - 0.5) / 14)))


def test_nothing_is_offered_where_the_target_is_reached_or_nothing_is_open_or_dated() -> None:
    assert told(seen(), published=RULES.target) == {}
    assert told(seen(), published=RULES.target - 0.001) != {}
    assert told(seen(closed(4)), published=0.1) == {}
    assert told(seen(due=None), published=0.1) == {}
    batch = seen()
    assert levers(batch, np.array([0.1]), np.array([False]), [Attention()], lambda k: NAMES) == [()]


def curve(batch: ForecastBatch, cut: int = 0) -> np.ndarray[Any, Any]:
    left = batch.open - cut
    return batch.completion(left, left + batch.done)


def test_the_date_is_the_first_on_the_curve_then_on_to_the_usual_weekday() -> None:
    batch = seen(due=DUE + 3)  # reached on a Wednesday
    move = told(batch)[LeverKind.MOVE]
    (first,) = batch.moment_of(curve(batch), RULES.target)
    usual = day(27.99).weekday()
    to = next(n for n in range(7) if PLAIN.day_of(first + n).weekday() == usual)  # type: ignore[union-attr]
    assert move.values == {"to": PLAIN.day_of(first + to), "capacity": False}
    p = batch.probability_at(curve(batch), 0, first + to)
    assert p > RULES.target + 0.01
    assert move.probability == pytest.approx(p)


def test_half_the_cut_comes_with_an_earlier_date() -> None:
    batch = seen(due=DUE + 3)
    found = told(batch)
    cut, both = found[LeverKind.CUT].values["count"], found[LeverKind.BOTH]
    assert isinstance(cut, int)
    half = -(-cut // 2)
    (first,) = batch.moment_of(curve(batch, half), RULES.target)
    (later,) = batch.moment_of(curve(batch), RULES.target)
    assert first < later
    to = next(n for n in range(7) if PLAIN.day_of(first + n).weekday() == day(27.99).weekday())  # type: ignore[union-attr]
    assert both.values["to"] == PLAIN.day_of(first + to)
    assert (both.values["count"], both.values["of"], both.items) == (half, 14, NAMES[:half])


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
    move = told(batch)[LeverKind.MOVE]
    (first,) = batch.moment_of(curve(batch), RULES.target)
    weekday = PLAIN.day_of(first).weekday() if usual is None else usual  # type: ignore[union-attr]
    assert move.values["to"].weekday() == weekday  # type: ignore[union-attr]


def test_another_streams_weekday_is_nobodys_habit() -> None:
    batch = seen(stream="app/Other", due=DUE + 3)
    assert not batch.estimates.from_stream[0]
    (first,) = batch.moment_of(curve(batch), RULES.target)
    assert told(batch)[LeverKind.MOVE].values["to"] == PLAIN.day_of(first)


def test_where_the_curve_ends_below_the_capacity_date_is_used() -> None:
    """Its multiplier lies where a normal's 80 % lies between its 50 and its 85 %."""
    never = [(c, [*given[:-3], *[(28.0 * n, None)] * 3]) for n, (c, given) in enumerate(releases(missed=0))]
    batch = seen([*closed(2), *[(START, None)] * 4], habits=never)
    assert not np.isfinite(batch.moment_of(curve(batch), RULES.target)[0])
    move = told(batch)[LeverKind.MOVE]
    middle, high, _ = RULES.multipliers
    multiplier = middle + (high - middle) * norm.ppf(0.8) / norm.ppf(0.85)
    assert middle < multiplier < high
    items = batch.expected_items(batch.open)
    stream = batch.tables.ledger.stream[batch.index]
    at = capacity_moments(batch.tables, stream, items, batch.at, PLAIN, np.array([multiplier]))[0, 0]
    to = move.values["to"]
    assert move.values["capacity"] is True
    assert move.probability == RULES.target
    assert 0 <= (to - PLAIN.day_of(at)).days < 7  # type: ignore[operator,union-attr]
    assert to.weekday() == day(27.99).weekday()  # type: ignore[union-attr]


def test_no_date_beyond_the_horizon() -> None:
    batch = seen([*closed(2), *[(START, None)] * 400])
    assert LeverKind.MOVE not in told(batch)


def test_freezing_is_offered_from_one_point_on() -> None:
    growing = [
        (c, [*given, *[(28.0 * n + 20, 28.0 * n + 27.0)] * 6]) for n, (c, given) in enumerate(releases(missed=1))
    ]
    batch = seen([*closed(6), *[(START, None)] * 8], habits=growing)
    (frozen,) = batch.probability(assumed=Assumptions(frozen=True))
    freeze = told(batch)[LeverKind.FREEZE]
    assert freeze.probability == pytest.approx(frozen)
    assert (dict(freeze.values), freeze.items) == ({}, ())
    assert LeverKind.FREEZE in told(batch, published=float(frozen) - 0.0101)
    assert LeverKind.FREEZE not in told(batch, published=float(frozen) - 0.0099)


def test_the_pace_is_what_is_left_over_the_weeks_that_are_left() -> None:
    batch = seen()
    pace = told(batch)[LeverKind.PACE]
    by_week = batch.closures_by_week[0] * batch.samples[0].share
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
    (grown,) = close.expected_items(close.open)
    assert told(close)[LeverKind.PACE].values["needed"] == 7 * grown  # of less than a day, a day's


def test_owners_are_asked_for_by_name() -> None:
    assign = told(seen(), Attention(unassigned=("x", "y"), known=14))[LeverKind.ASSIGN]
    assert (assign.probability, assign.items, assign.values) == (None, ("x", "y"), {"count": 2})
    assert LeverKind.ASSIGN not in told(seen())


def test_past_the_due_date_only_the_date_can_move() -> None:
    batch = seen(at=DUE + 1)
    assert days(day(DUE + 1)) > batch.due[0]
    assert set(told(batch, published=0.02)) <= {LeverKind.MOVE}
