"""Leftover in the back-test: the CRPS, the reference, and what counts as no more than usual."""

from __future__ import annotations

import numpy as np
import pytest

from sync.backtest.leftover import (
    crps_of_cumulative,
    crps_of_sample,
    reference_shares,
    score_leftover,
    score_usual,
)
from sync.backtest.questions import AnsweredQuestions, BacktestSetup, ask
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from tests.ledgers import container, ledger, releases
from tests.random_history import FIRST, history

PLAIN = Calendar.plain()


@pytest.mark.parametrize("actual", range(8))
@pytest.mark.parametrize("sample", [[3], [0, 0, 1], [2, 2, 5, 6], [0, 1, 2, 3, 4]])
def test_both_forms_of_the_crps_agree(sample: list[int], actual: int) -> None:
    values = np.array(sample, dtype=np.float64)
    cumulative = np.array([(values <= k).mean() for k in range(7)])
    assert crps_of_sample(values, actual) == pytest.approx(crps_of_cumulative(cumulative, actual))


def test_a_certain_forecast_has_the_distance_as_crps() -> None:
    assert [crps_of_cumulative(np.array([0.0, 0.0, 1.0]), actual) for actual in (0, 2, 5)] == [2.0, 0.0, 3.0]


def test_the_reference_is_the_own_history_once_there_are_four_milestones_and_the_kind_before() -> None:
    own = releases(6, missed=5)  # the third and sixth leave 5 of 10
    other = releases(5, stream="app/Other", missed=0)
    whole = ledger([*own, *other, (container("new", 170, 190), [(170, None)])])
    tables, new = HistoryTables(whole, Rules()), whole.index["new"]
    at = float(whole.start[new])
    index = np.array([new, new])
    late, early = reference_shares(tables, index, np.array([at, at - 170 + 90]))
    assert late.tolist() == [0.0, 0.0, 0.5, 0.0, 0.0, 0.5]
    assert sorted(early.tolist()) == [0.0] * 5 + [0.5], "three own, and three of the kind"


def resolved(whole: Ledger) -> AnsweredQuestions:
    setup = BacktestSetup(float(whole.due.max()) + 30, PLAIN)
    return ask(HistoryTables(whole, Rules()), setup).resolved


def test_a_series_that_leaves_half_over_in_every_third_is_scored() -> None:
    figures = score_leftover(resolved(ledger(releases(30, missed=5))))
    assert figures["n"] > 60
    assert figures["crps_skill"] < 1
    assert figures["covered"] + figures["below"] + figures["above"] == pytest.approx(1)
    assert set(figures["by_time_gone"]) == {"25%", "50%", "75%"}


def test_the_event_is_no_more_left_over_than_the_published_share() -> None:
    answered = resolved(history(7, 40, messy=False))
    figures = score_usual(answered)
    tables = answered.tables
    hits = []
    for i, own in zip(answered.asked.index.tolist(), answered.forecasts, strict=True):
        if own.usual is not None:
            due, rows = float(tables.ledger.due[i]), tables.ledger.rows(i)
            left, scope = tables.ledger.is_open(due, rows).sum(), tables.ledger.in_scope(due, rows).sum()
            hits.append(left <= own.usual.share * scope + 1e-9)
    assert figures["n"] == len(hits) > 30
    assert figures["base"] == pytest.approx(np.mean(hits))
    assert 0 < figures["base"] < 1


def test_without_questions_there_are_no_figures() -> None:
    setup = BacktestSetup(FIRST, PLAIN)
    nothing = ask(HistoryTables(Ledger.of([], []), Rules()), setup).resolved
    assert np.isnan(score_leftover(nothing)["crps_skill"])
    assert np.isnan(score_usual(nothing)["bss"])
    assert score_usual(nothing)["n"] == 0
