"""The ceiling of the back-test: a regression that learns from later milestones, but not from the one in question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sync.backtest.hindsight import hindsight, score_hindsight
from sync.backtest.questions import AnsweredQuestions, BacktestSetup, ask, last_event
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from tests.unit.test_backtest import sprints


@pytest.fixture(scope="module")
def resolved() -> AnsweredQuestions:
    ledger = sprints()
    setup = BacktestSetup(last_event(ledger), Calendar(), {})
    return ask(HistoryTables(ledger, Rules()), setup).resolved


def test_own_outcome_of_a_milestone_changes_no_answer_about_it(resolved: AnsweredQuestions) -> None:
    base = np.full(len(resolved.asked), 0.5)
    milestone = int(resolved.asked.index[0])
    hit = resolved.became.hit.copy()
    hit[milestone] = ~hit[milestone]
    other = replace(resolved, became=replace(resolved.became, hit=hit))
    is_asked = resolved.asked.index == milestone
    before, after = hindsight(resolved, base), hindsight(other, base)
    assert after[is_asked] == pytest.approx(before[is_asked])
    assert not np.allclose(after[~is_asked], before[~is_asked]), "it learns from all the others, also from later ones"


def test_scores_are_those_of_all_questions(resolved: AnsweredQuestions) -> None:
    base = np.full(len(resolved.asked), 0.5)
    p = hindsight(resolved, base)
    assert ((p >= 0.02) & (p <= 0.98)).all()
    assert score_hindsight(resolved, base)["n"] == len(p) > 30


def test_history_without_questions_has_no_scores() -> None:
    setup = BacktestSetup(0.0, Calendar(), {})
    resolved = ask(HistoryTables(Ledger.of([], []), Rules()), setup).resolved
    assert score_hindsight(resolved, np.zeros(0))["n"] == 0
