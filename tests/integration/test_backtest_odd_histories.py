"""A back-test of odd histories: no crash, JSON without NaN, and a dash where a figure does not exist."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from sync.backtest.run import backtest
from sync.cli.backtest_tables import render
from sync.history.ledger import Ledger
from sync.model.plan_clock import PlanClock
from tests.days import day
from tests.ledgers import Given, container, ledger, releases


def one_milestone() -> Ledger:
    return ledger(releases(1))


def streams_of_one() -> Ledger:
    return ledger([given for k in range(14) for given in releases(1, stream=f"app/{k}", length=20.0 + k)])


def all_fail() -> Ledger:
    return ledger(
        [(container(f"r{k}", 20 * k, 20 * k + 20), [(20 * k, 20 * k + 15), *[(20 * k, None)] * 5]) for k in range(14)]
    )


def all_perfect() -> Ledger:
    return ledger(releases(14, missed=0))


def a_day_long() -> Ledger:
    return ledger(releases(20, length=1.0, items=6))


def ten_years_long() -> Ledger:
    return ledger([*releases(5, length=3600.0), *releases(5, length=4000.0, stream="app/Longer")])


def moved_to_and_fro() -> Ledger:
    given = releases(14)
    moved: list[Given] = []
    for k, (each, items) in enumerate(given):
        assert each.due is not None
        first, planned = day(28 * k + 20.0), each.due
        clock = PlanClock(due=first.date(), moved_at=day(28 * k + 9.0))
        moved.append((replace(each, first_due=first, due=planned, clock=clock, clock_due=first), items))
    return ledger(moved)


def joined_after_the_end() -> Ledger:
    late = [(each, [(28.0 * k + 40, 28.0 * k + 41)] * 8) for k, (each, _) in enumerate(releases(14))]
    return ledger([*late[::2], *releases(14, stream="app/Other")[::2]])


def without_dates() -> Ledger:
    return ledger([(container(f"u{k}", None, None), [(k, k + 3.0)] * 4) for k in range(12)])


def closed_at_once() -> Ledger:
    return ledger([(container(f"c{k}", 9 * k, 9 * k + 9), [(9 * k, 9 * k)] * 6) for k in range(12)])


def all_leave() -> Ledger:
    return ledger([(container(f"l{k}", 9 * k, 9 * k + 9), [(9 * k, None, 9 * k + 5)] * 6) for k in range(12)])


HISTORIES = [
    one_milestone,
    streams_of_one,
    all_fail,
    all_perfect,
    a_day_long,
    ten_years_long,
    moved_to_and_fro,
    joined_after_the_end,
    without_dates,
    closed_at_once,
    all_leave,
]


@pytest.mark.parametrize("history", HISTORIES)
def test_an_odd_history_is_scored_without_a_crash(history: Callable[[], Ledger]) -> None:
    result: dict[str, Any] = backtest(history())
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    shown = StringIO()
    render(result, Console(file=shown, width=80))
    text = shown.getvalue()
    assert "nan" not in text
    assert "None" not in text
    assert "–" in text
