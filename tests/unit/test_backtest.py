"""The shape of a back-test's result, what it asks, and how labels are counted."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import UTC, date, datetime, timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from rich.console import Console

from sync.backtest import label_stability as backtest_labels
from sync.backtest import questions as replay
from sync.backtest import run as backtest
from sync.backtest.methods import METHODS
from sync.backtest.milestone_dates import score_milestone_dates
from sync.backtest.reliability_plot import METHOD_NAMES
from sync.cli import backtest_tables
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from sync.model.health import Dates, Status
from sync.model.membership import Container, Membership

DAY = timedelta(days=1)
START = datetime(2022, 1, 3, tzinfo=UTC)
FIGURES = {"brier", "bss", "bss_ci", "log_loss", "auc", "ece", "n"}


def sprints(count: int = 16) -> Ledger:
    """Two-week sprints of six items, one closed every second day from the second on; each third sprint leaves two."""
    containers, memberships = [], []
    for k in range(count):
        begin = START + 14 * k * DAY
        name = f"sprint{k:02}"
        containers.append(Container(id=name, kind="sprint", stream="team", start=begin, due=begin + 14 * DAY))
        for item in range(6):
            late = k % 3 == 0 and item > 3
            memberships.append(
                Membership(
                    container=name,
                    item=f"{name}-{item}",
                    joined=begin,
                    closed=begin + ((20 if late else 2) + 2 * item) * DAY,
                )
            )
    return Ledger.of(containers, memberships)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return backtest.backtest(sprints())


def test_the_result_has_the_fixed_shape_and_is_json(result: dict[str, Any]) -> None:
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again == result
    kept = {"tau0", "tau10", "dates", "labels", "reliability", "detail"}
    assert set(result) == kept | {"milestone_dates", "leftover", "usual", "levers", "left_out"}
    for tau in ("tau0", "tau10"):
        assert tuple(result[tau]) == METHODS
        assert all(set(row) == FIGURES for row in result[tau].values())
        assert all(len(bins) == 10 for bins in result["reliability"][tau].values())
        assert result[tau]["base_rate"]["bss"] == 0
    assert set(result["dates"]) == {"p50", "p70", "p85", "p95", "pinball", "n", "given", "days"}
    assert set(result["labels"]) == {"changes", "reversals", "done_given_on_track", "done_given_off_track"}


def test_the_same_history_gives_the_same_figures(result: dict[str, Any]) -> None:
    assert backtest.backtest(sprints()) == result


def test_reliability_and_figures_use_the_same_forecasts(result: dict[str, Any]) -> None:
    bins = result["reliability"]["tau0"]["pool"]
    pool = result["tau0"]["pool"]
    assert sum(b["n"] for b in bins) == pool["n"] > 30
    distance = sum(b["n"] * abs(b["forecast"] - b["observed"]) for b in bins if b["n"])
    assert distance / pool["n"] == pytest.approx(pool["ece"])


def test_a_history_without_anything_gives_nothing_and_no_crash() -> None:
    result = backtest.backtest(Ledger.of([], []))
    assert result["tau0"]["pool"] == {
        **dict.fromkeys(("brier", "bss", "log_loss", "auc", "ece")),
        "bss_ci": [None, None],
        "n": 0,
    }
    assert result["dates"]["n"] == 0
    assert result["labels"]["changes"] is None
    written = StringIO()
    backtest_tables.render(result, Console(file=written, width=140))
    assert "–" in written.getvalue()


def released_late(*others: Membership, count: int = 12) -> Ledger:
    """Four-week releases of five items; the last item of every second one is closed six days late, of one never."""
    containers, memberships = [], []
    for k in range(count):
        begin, name = START + 28 * k * DAY, f"r{k:02}"
        containers.append(Container(id=name, kind="release", stream="app", start=begin, due=begin + 28 * DAY))
        for item in range(5):
            day = 34 if k % 2 and item == 4 else 5 * item + 3
            closed = None if k == 7 and item == 4 else begin + day * DAY
            memberships.append(Membership(container=name, item=f"{name}-{item}", joined=begin, closed=closed))
    return Ledger.of(containers, [*memberships, *others])


def test_a_milestone_is_done_by_a_time_if_its_planned_items_are_closed_by_then() -> None:
    ledger = released_late(Membership(container="r01", item="after the due date", joined=START + 60 * DAY))
    at = ledger.start[1] + np.array([20.0, 28.0, 33.0, 34.0, 300.0])
    assert replay.is_done_by(ledger, np.full(5, 1), at, 0.0).tolist() == [False, False, False, True, True]
    never = ledger.start[7] + np.array([-1.0, 0.0, 28.0, 300.0])
    assert replay.is_done_by(ledger, np.full(4, 7), never, 0.0).tolist() == [False] * 4
    assert replay.is_done_by(ledger, np.full(4, 7), never, 0.2).tolist() == [False, False, True, True]


def test_a_date_that_never_came_is_a_miss_and_a_later_date_does_not_count() -> None:
    ledger = released_late()
    until = float(ledger.due[-1]) + 3  # the last dates are not over
    answered = replay.ask(HistoryTables(ledger, Rules()), replay.BacktestSetup(until, Calendar.plain()))
    far, never = date(2030, 1, 1), date(2022, 9, 1)
    answered = answered.where(np.isin(answered.asked.index, [5, 7]))
    dates = {5: Dates(p50=date(2022, 7, 1), p85=far), 7: Dates(p50=never, p85=None)}
    forecasts = [replace(own, dates=dates[i]) for i, own in zip(answered.asked.index, answered.forecasts, strict=True)]
    figures = score_milestone_dates(dataclasses.replace(answered, forecasts=forecasts))
    of_late, of_never = (int((answered.asked.index == i).sum()) for i in (5, 7))
    assert of_late >= 2
    assert of_never >= 2
    p50, p85 = figures["p50"], figures["p85"]
    assert (p50["given"], p50["dates"], p50["held"]) == (1.0, of_late + of_never, of_late)
    assert (p85["given"], p85["dates"]) == (of_late / (of_late + of_never), 0)


def test_what_is_not_over_or_empty_or_undated_is_not_scored() -> None:
    def one(name: str, due: float | None, start: float | None = 0) -> Container:
        begin = None if start is None else START + start * DAY
        return Container(id=name, kind="k", stream="s", start=begin, due=None if due is None else START + due * DAY)

    containers = [one("past", 10), one("running", 30), one("empty", 10), one("due only", 10, None), one("no due", None)]
    containers += [one("backwards", 10, 12)]
    memberships = [
        Membership(container=c.id, item=c.id, joined=START, left=START + 5 * DAY if c.id == "empty" else None)
        for c in containers
    ]
    ledger = Ledger.of(containers, memberships)
    until = float(ledger.start[0]) + 20
    assert replay.outcomes(ledger, 0.0, until).known.tolist() == [True, False, False, False, False, False]


@pytest.mark.parametrize(("left", "done0", "done10"), [(0, True, True), (1, False, True), (2, False, False)])
def test_done_counts_the_items_open_at_the_due_moment(left: int, done0: bool, done10: bool) -> None:
    container = Container(id="c", kind="k", stream="s", start=START, due=START + 10 * DAY)
    memberships = [
        Membership(container="c", item=str(k), joined=START, closed=START + (10 * DAY if k >= left else 11 * DAY))
        for k in range(10)
    ]
    ledger = Ledger.of([container], memberships)
    assert [bool(replay.outcomes(ledger, tau, np.inf).hit[0]) for tau in (0.0, 0.1)] == [done0, done10]


def test_a_milestone_closed_early_is_not_asked_about_any_more() -> None:
    container = Container(id="c", kind="k", stream="s", start=START, due=START + 10 * DAY, ended=START + 6 * DAY)
    ledger = Ledger.of([container], [Membership(container="c", item="1", joined=START)])
    asked = replay.questions(ledger, np.array([True]), replay.CHECKS)
    assert (asked.at - ledger.start[0]).tolist() == pytest.approx([2.5, 5.0])
    assert (asked.scope.tolist(), asked.open.tolist()) == ([1, 1], [1, 1])


@pytest.mark.parametrize(
    ("row", "expected"),
    [("", 0), ("gg", 0), ("gr", 0), ("grg", 1), ("grgr", 2), ("gara", 1), ("grag", 0), ("ggrrgg", 1)],
)
def test_a_reversal_goes_back_to_where_the_change_before_came_from(row: str, expected: int) -> None:
    words = {"g": Status.ON_TRACK, "a": Status.AT_RISK, "r": Status.OFF_TRACK}
    assert backtest_labels.reversals([words[letter] for letter in row]) == expected


def test_the_table_names_every_method(result: dict[str, Any]) -> None:
    written = StringIO()
    backtest_tables.render(result, Console(file=written, width=80))
    text = written.getvalue()
    assert text.count("pool (published)") == 2
    assert f"{result['tau0']['pool']['brier']:.3f}" in text, "nothing may be cut off at 80 columns"
    assert not re.search(r"\d…(?![+-])", text)
    assert set(METHOD_NAMES) == set(METHODS)
