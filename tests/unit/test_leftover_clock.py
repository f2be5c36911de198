"""Agreement of what is left over with the probability where the due date was moved: the clock of the plan counts."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.batch import ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.plan_clock import PlanClock
from tests.days import day
from tests.ledgers import MembershipDays, container, ledger, releases

START, PLANNED, MOVED, NOW = 336.0, 364.0, 392.0, 358.0
ITEMS: list[MembershipDays] = [
    *[(START, START + 3.0 * n + 0.5) for n in range(6)],
    *[(START, None)] * 4,
]


def batch(*, is_moved: bool) -> ForecastBatch:
    """A milestone with 4 of 10 items open that is due on the later date: it was moved to it, or always due then."""
    running = container("now", START, MOVED, first_due=PLANNED if is_moved else MOVED)
    if is_moved:
        clock = PlanClock(due=day(PLANNED - 0.5).date(), moved_at=day(NOW - 1))
        running = replace(running, clock=clock, clock_due=day(PLANNED))
    history = ledger([*releases(missed=6), (running, ITEMS)])
    (found,) = forecast_batches(HistoryTables(history, Rules()), [history.index["now"]], [day(NOW)], Calendar.plain())
    return found


def test_moved_plan_leaves_over_by_as_much_less_as_it_is_likelier_done() -> None:
    moved, plain = batch(is_moved=True), batch(is_moved=False)
    gain = (1.0 - moved.probability()[0]) / (1.0 - plain.probability()[0])
    assert gain < 0.9, "the clock of the plan makes it likelier"
    left, left_plain = moved.leftover().cumulative(0), plain.leftover().cumulative(0)
    assert left == pytest.approx(1.0 - gain * (1.0 - left_plain[: len(left)]))
    assert (moved.leftover().quantiles() <= plain.leftover().quantiles()).all()
    assert moved.usual_probability()[0] > plain.usual_probability()[0]


def test_plan_that_did_not_move_is_as_it_was() -> None:
    plain = batch(is_moved=False)
    assert plain.leftover().items.shape == plain.members.index.shape
    assert np.isfinite(plain.leftover().quantiles()).all()
