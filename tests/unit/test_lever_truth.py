"""Truth of levers in the back-test: a lever is taken as the tracker would show it, and the next assessment compared."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from sync.backtest.lever_truth import LeverTrial, history_until, score_levers, with_lever, without_changes
from sync.backtest.questions import BacktestSetup, outcomes
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from sync.model.health import Lever, LeverKind
from tests.ledgers import container, ledger, releases
from tests.random_history import FIRST, history

PLAIN = Calendar.plain()
MOVE = Lever(kind=LeverKind.MOVE, probability=0.8, values={"to": date(2031, 1, 1)})
CUT = Lever(kind=LeverKind.CUT, probability=0.8, values={"count": 2, "of": 3})
NEW = "new"


def running() -> Ledger:
    """Finished releases, and one that runs from day 336 to 366 with three open items of four."""
    items = [(336.0, 340.0), (337.0, None), (338.0, None), (339.0, None)]
    return ledger([*releases(), (container(NEW, 336.0, 366.0), items)])


def at_day(history: Ledger, day: float) -> float:
    """Return a day from the start of the new release, in days since 1970 UTC."""
    return float(history.start[history.index[NEW]]) + day


def test_a_cut_removes_the_newest_open_items_from_then_on() -> None:
    before = running()
    i, at = before.index[NEW], at_day(before, 10)
    after = with_lever(before, i, CUT, at, PLAIN)
    assert [int(history.is_open(at, history.rows(i)).sum()) for history in (before, after)] == [3, 1]
    assert int(after.is_open(at - 0.1, after.rows(i)).sum()) == 3
    assert int(after.is_done(at, after.rows(i)).sum()) == 1
    assert after.joined[after.rows(i)][after.is_open(at, after.rows(i))].min() == at_day(before, 1)
    assert before.left.tolist() != after.left.tolist()


def test_a_move_changes_the_due_date_and_keeps_the_clock_of_the_first_move() -> None:
    before = running()
    i, at = before.index[NEW], at_day(before, 10)
    once = with_lever(before, i, MOVE, at, PLAIN)
    again = Lever(kind=LeverKind.MOVE, probability=0.8, values={"to": date(2032, 1, 1)})
    twice = with_lever(once, i, again, at + 5, PLAIN)
    assert once.due[i] < twice.due[i]
    for after in (once, twice):
        assert after.first_due[i] == before.due[i]
        assert after.plan_due[i] == before.due[i]
        assert after.moved_at[i] == pytest.approx(at)
    others = np.arange(len(before.due)) != i
    assert once.due[others].tolist() == before.due[others].tolist()


def test_a_forecast_needs_nothing_of_later_milestones() -> None:
    whole = history(3, 40, messy=True)
    at = FIRST + 100.0
    part = history_until(whole, at)
    assert 0 < len(part.containers) < len(whole.containers)
    for i in np.flatnonzero((whole.start < at) & (whole.due > at)).tolist():
        name = whole.containers[i].id
        trials = (LeverTrial(known, known.index[name], at, Rules(tolerance=0.1), PLAIN) for known in (whole, part))
        same = [trial.distance(0.0) for trial in trials]
        assert same[0] == pytest.approx(same[1], nan_ok=True)


def test_a_quiet_day_has_no_changes_of_the_milestone_and_those_of_others() -> None:
    whole = running()
    at = at_day(whole, 0.5)  # later, two items join and one is closed
    quiet = without_changes(whole, NEW, at)
    rows = whole.rows(whole.index[NEW])
    assert [int(known.in_scope(at + 10, rows).sum()) for known in (whole, quiet)] == [4, 1]
    assert int(quiet.is_done(at + 10, rows).sum()) == 0
    assert quiet.closed[: rows.start].tolist() == whole.closed[: rows.start].tolist()


def test_levers_are_compared_for_milestones_that_are_offered_some() -> None:
    tables = HistoryTables(history(7, 25, messy=False), Rules(tolerance=0.1))
    until = FIRST + 400
    figures = score_levers(tables, outcomes(tables.ledger, 0.1, until), BacktestSetup(until, PLAIN))
    offered = figures["untouched"]
    assert 0 < offered["n"] <= figures["milestones"]
    assert 0 <= offered["within_5_next_day"] <= 1
    assert figures["in_a_row"]["1"]["n"] == figures["move"]["n"]
    assert figures["in_a_row"]["3"]["n"] <= figures["in_a_row"]["2"]["n"] <= figures["move"]["n"]


def test_a_history_without_milestones_has_no_figures() -> None:
    tables = HistoryTables(Ledger.of([], []), Rules())
    figures = score_levers(tables, outcomes(tables.ledger, 0.0, 0.0), BacktestSetup(0.0, PLAIN))
    assert figures["milestones"] == 0
    assert all(np.isnan(figures[kind]["median"]) for kind in ("move", "cut", "both", "untouched"))


def test_what_a_trial_says_does_not_depend_on_later_events() -> None:
    whole = running()
    i, at = whole.index[NEW], at_day(whole, 15)
    later = Ledger(
        whole.containers,
        np.repeat(np.arange(len(whole.containers)), np.diff(whole.offsets)),
        whole.item,
        whole.joined,
        whole.left,
        np.where(np.isinf(whole.closed), at + 1.5, whole.closed),
        whole.items,
    )
    trials = [LeverTrial(known, i, at, Rules(), PLAIN) for known in (whole, later)]
    assert trials[0].levers
    assert trials[0].levers == trials[1].levers
    gaps = [[trial.gap(lever) for lever in trial.levers] for trial in trials]
    assert gaps[0] == gaps[1]
