"""The back-test on the real Titanium history: our figures, and that they are worth more than the usual methods'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sync.backtest.csv_history import read_history, removed_items
from sync.backtest.run import backtest, run_backtest
from sync.model import removal

DATA = Path(__file__).parents[3] / "shared" / "data"
PREFIX = str(DATA / "titanium")

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real history, ../shared/data, is not here"),
]


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    return run_backtest([PREFIX])


@pytest.mark.parametrize(("tau", "error"), [("tau0", 0.05), ("tau10", 0.06)])
def test_the_pool_is_better_than_quoting_the_hit_rate(result: dict[str, Any], tau: str, error: float) -> None:
    pool = result[tau]["pool"]
    assert pool["bss"] >= 0.10
    assert pool["bss_ci"][0] > 0.04
    assert pool["ece"] <= error
    assert pool["n"] > 1900


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


def test_it_holds_when_some_resolutions_take_items_out_of_scope() -> None:
    removed = removed_items(str(DATA / "jira_titanium_issues.csv.gz"), removal.REMOVED_RESOLUTIONS)
    result = backtest(read_history([PREFIX], removed))
    assert result["tau0"]["pool"]["bss"] >= 0.10
    assert result["tau10"]["pool"]["bss"] >= 0.10
    assert result["labels"]["changes"] <= 0.40
