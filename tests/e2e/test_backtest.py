"""The back-test on the real Titanium history: our figures, and that they are worth more than the usual methods'."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from sync.backtest import lever_truth
from sync.backtest.aims import aims_of
from sync.backtest.baselines import base_rate
from sync.backtest.csv_history import read_histories, removed_items
from sync.backtest.questions import BacktestSetup, ask, last_event
from sync.backtest.run import run_backtest
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.scoring import score
from sync.history.calendar import Calendar
from sync.model import item_state
from tests.printed_figures import page_blocks, printed_blocks, with_blocks
from tests.proof import full

DATA = Path(__file__).parents[3] / "shared" / "data"
PREFIX = str(DATA / "titanium")
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "forecast.md"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.timeout(900),  # the whole back-test takes more than a minute of CPU
    pytest.mark.skipif(not DATA.is_dir(), reason="the real history, ../shared/data, is not here"),
]


IS_GOLDEN = os.environ.get("MILESYNC_GOLDEN") == "1"
IS_WHOLE = full(True, IS_GOLDEN)
LEVER_MILESTONES = lever_truth.MOST_MILESTONES if IS_WHOLE else 30
"""To take levers on milestones is most of the back-test's work. `make proof` takes them on all."""


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    with mock.patch.object(lever_truth, "MOST_MILESTONES", LEVER_MILESTONES):
        return run_backtest([PREFIX])


OF_ALL_LEVERS = ("Levers taken", "Aims of")
"""Parts of the page whose figures need the levers of all milestones."""

NOT_REACHED = {
    "P50 dates held, all done",  # 43% of 264; few milestones end in full here
}


def test_the_aims_of_a_release_are_reached(result: dict[str, Any]) -> None:
    aims = aims_of(result)
    assert {aim.measure for aim in aims if aim.is_reached is False} <= NOT_REACHED
    assert sum(aim.is_reached is True for aim in aims) >= 20
    assert all(result[tau]["pool"]["n"] > 1900 for tau in ("tau0", "tau10"))


def test_a_lever_moves_with_time_no_more_than_a_milestone_without_one(result: dict[str, Any]) -> None:
    for tau in ("tau0", "tau10"):
        levers = result["levers"][tau]
        usual = levers["untouched"]["median_quiet_day"]
        assert all(levers[kind]["median_quiet_day"] <= usual + 1.5 for kind in ("move", "cut", "both"))


def test_the_first_pool_keeps_its_figures(result: dict[str, Any]) -> None:
    assert [round(result[tau]["first_pool"]["bss"], 3) for tau in ("tau0", "tau10")] == [0.112, 0.129]


@pytest.mark.parametrize("tau", ["tau0", "tau10"])
@pytest.mark.parametrize("usual", ["linear", "jira", "velocity_90d", "monte_carlo", "monte_carlo_blocks"])
def test_the_pool_is_surely_better_than_the_usual_methods(result: dict[str, Any], tau: str, usual: str) -> None:
    assert result[tau]["pool"]["bss_ci"][0] > result[tau][usual]["bss_ci"][1]


def test_the_envelope_costs_nothing(result: dict[str, Any]) -> None:
    for tau in ("tau0", "tau10"):
        assert result[tau]["pool"]["brier"] == pytest.approx(result[tau]["pool_raw"]["brier"], abs=0.001)


def test_labels_are_steady_and_mean_what_they_say(result: dict[str, Any]) -> None:
    labels = result["labels"]
    assert labels["changes"] <= 0.40
    assert labels["reversals"] <= 0.10
    assert labels["done_given_on_track"] >= 0.75
    assert labels["done_given_off_track"] <= 0.20


def test_capacity_dates_hold_as_often_as_they_say(result: dict[str, Any]) -> None:
    assert result["dates"]["p85"] == pytest.approx(0.85, abs=0.03)
    assert result["dates"]["n"] > 1500
    assert all(
        stream["p85"] == pytest.approx(0.85, abs=0.09) for stream in result["detail"]["dates_by_stream"].values()
    )


@pytest.mark.parametrize(("tolerance", "skill"), [(0.0, 0.12), (0.1, 0.14)])
def test_it_holds_when_some_resolutions_take_items_out_of_scope(tolerance: float, skill: float) -> None:
    removed = removed_items(str(DATA / "jira_titanium_issues.csv.gz"), item_state.REMOVED_RESOLUTIONS)
    ledger = read_histories([PREFIX], removed).ledger
    setup = BacktestSetup(last_event(ledger), Calendar())
    resolved = ask(HistoryTables(ledger, Rules(tolerance=tolerance)), setup).resolved
    asked, became = resolved.asked, resolved.became
    base = base_rate(asked.at, ledger.kind, became.due, became.hit, asked.index)
    p = np.array([own.p for own in resolved.forecasts], dtype=np.float64)
    assert score(p, resolved.hit, asked.index, base).bss >= skill


def test_page_about_the_forecast_shows_what_the_command_prints(result: dict[str, Any]) -> None:
    page = PAGE.read_text("utf-8")
    if IS_GOLDEN:
        page = with_blocks(page, printed_blocks(result))
        PAGE.write_text(page, "utf-8")
    shown, printed = (
        [block for block in blocks if IS_WHOLE or not block.startswith(OF_ALL_LEVERS)]
        for blocks in (page_blocks(page), printed_blocks(result))
    )
    assert shown == printed
    assert len(shown) > 5
