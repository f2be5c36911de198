"""The earlier milestones that a milestone is compared with, also after its own due date."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from sync.forecast.batch import Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.plan_clock import PlanClock
from tests.days import day
from tests.ledgers import Given, container, ledger, releases

PLAIN = Calendar.plain()


def batch_of(pairs: list[Given], name: str, at: float) -> ForecastBatch:
    history = ledger(pairs)
    (batch,) = forecast_batches(HistoryTables(history, Rules()), [history.index[name]], [day(at)], PLAIN)
    return batch


def members(batch: ForecastBatch) -> list[str]:
    containers = batch.tables.ledger.containers
    return [containers[i].id for i in batch.members.index[0].tolist() if i >= 0]


def test_newest_members_come_first_without_itself() -> None:
    pairs = [*releases(25), *releases(30, stream="web/Release")]
    found = members(batch_of(pairs, "app/Release-24", at=5000))
    assert found[:20] == [f"app/Release-{n}" for n in range(23, 3, -1)]
    assert found[20:] == [f"web/Release-{n}" for n in range(29, 4, -1)]


def test_an_overdue_milestone_is_compared_with_those_that_finished_after_its_due_date() -> None:
    pairs = releases(8)  # release 3 is due on day 112
    batch = batch_of(pairs, "app/Release-3", at=168.5)
    assert members(batch) == [f"app/Release-{n}" for n in (4, 2, 1, 0)]  # 5 was due on day 168
    assert batch.members.stream_finished.tolist() == batch.members.kind_finished.tolist() == [4]


def test_a_milestone_counts_one_day_after_its_due_date() -> None:
    pairs: list[Given] = [*releases(1), (container("now", 20, 60), [(20, None)])]
    assert members(batch_of(pairs, "now", at=28.9)) == []
    assert members(batch_of(pairs, "now", at=29.1)) == ["app/Release-0"]


@pytest.mark.parametrize("late", [0.5, 12.0, 40.0])
def test_the_next_forecast_of_an_overdue_milestone_is_what_its_new_date_promised(late: float) -> None:
    """Milestones that end between the old and the new due date are members before the move and after it."""
    start, due, at, new_due = 100.0, 112.0, 112.0 + late, 190.0
    items = [*[(start, start + 5.0)] * 4, *[(start, None)] * 3]
    before = container("now", start, due)
    clock = PlanClock(due=day(due).date(), moved_at=day(at))
    after = replace(before, due=day(new_due), first_due=day(due), clock=clock, clock_due=day(due))
    promised = batch_of([*releases(8), (before, items)], "now", at)
    moved = batch_of([*releases(8), (after, items)], "now", at)
    what_if = promised.probability(assumed=Assumptions(due=np.array([days(day(new_due))])))
    assert what_if.tolist() == moved.probability().tolist()
