"""The items that usually join a milestone in which nothing is open."""

from __future__ import annotations

import numpy as np
import pytest

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.joins import usual_joins
from sync.history.calendar import Calendar
from sync.history.ledger import days
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger

LENGTH = 20


def joined(start: float, count: int) -> list[MembershipDays]:
    """Four items at the start, and ``count`` more, one at each tenth of the planned time after the middle."""
    late = [start + LENGTH * (0.51 + 0.1 * n) for n in range(count)]
    return [*[(start, start + 3)] * 4, *[(at, at + 0.5) for at in late]]


@pytest.mark.parametrize(("at", "expected"), [(0.1, 3), (0.5, 3), (0.7, 1), (0.95, 0)])
def test_it_is_the_median_of_the_earlier_ones_from_the_same_phase(at: float, expected: int) -> None:
    earlier: list[Given] = [
        (container(f"r{n}", LENGTH * n, LENGTH * (n + 1)), joined(LENGTH * n, count))
        for n, count in enumerate((1, 3, 3, 4, 2))
    ]
    assert joins([*earlier, now(5)], at) == expected


def test_without_an_earlier_milestone_there_is_none() -> None:
    assert joins([now(0)], 0.5) is None


def now(n: int) -> Given:
    return container("now", LENGTH * n, LENGTH * (n + 1)), joined(LENGTH * n, 0)


def joins(pairs: list[Given], at: float) -> int | None:
    history = HistoryTables(ledger(pairs), Rules())
    last = len(pairs) - 1
    moment = days(day(LENGTH * (last + at)))
    batch = ForecastBatch(history, np.array([last]), np.array([moment]), Calendar.plain())
    return usual_joins(batch, 0)
