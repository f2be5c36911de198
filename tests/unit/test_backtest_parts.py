"""Parts of a back-test, the comparison with the first pool, and streams whose pace changes."""

from __future__ import annotations

import numpy as np
import pytest

from sync.backtest.methods import answers
from sync.backtest.parts import paired_difference, parts_of, score_parts
from sync.backtest.questions import AnsweredQuestions, BacktestSetup, ask
from sync.backtest.splices import MILESTONES, change_moments, score_splices, spliced
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from tests.ledgers import ledger, releases
from tests.random_history import FIRST, history

PLAIN = Calendar.plain()


def resolved() -> AnsweredQuestions:
    tables = HistoryTables(history(7, 30, messy=False), Rules(tolerance=0.1))
    return ask(tables, BacktestSetup(FIRST + 400, PLAIN)).resolved


@pytest.mark.parametrize("subject", ["kind", "length", "half", "time_gone"])
def test_each_question_is_in_one_part_of_each_subject(subject: str) -> None:
    masks = parts_of(resolved())[subject]
    assert np.sum(list(masks.values()), axis=0).tolist() == [1] * len(resolved().asked)
    assert sum(mask.any() for mask in masks.values()) >= 2


def test_the_parts_of_a_subject_have_all_questions_together() -> None:
    asked = resolved()
    figures = score_parts(asked, answers(asked))
    for subject in ("kind", "length", "half", "time_gone"):
        assert sum(part["n"] for part in figures[subject].values()) == len(asked.asked)
    low, high = figures["paired"]["ci"]
    assert low <= figures["paired"]["difference"] <= high


def test_the_better_forecast_has_a_positive_difference_with_its_interval() -> None:
    hit = np.arange(60) % 3 == 0
    good, bad, base = np.where(hit, 0.8, 0.1), np.where(hit, 0.4, 0.5), np.full(60, 1 / 3)
    difference, (low, high) = paired_difference(good, bad, hit, np.arange(60) // 2, base)
    assert 0 < low < difference < high
    assert paired_difference(bad, good, hit, np.arange(60) // 2, base)[0] == pytest.approx(-difference)
    assert paired_difference(good, good, hit, np.arange(60) // 2, base) == (0.0, (0.0, 0.0))


def test_a_comparison_without_questions_has_no_figures() -> None:
    none = np.zeros(0)
    difference, interval = paired_difference(none, none, none > 0, none.astype(np.int64), none)
    assert np.isnan([difference, *interval]).all()


def test_closures_after_the_change_take_twice_as_long_and_earlier_ones_do_not_change() -> None:
    before = ledger(releases(MILESTONES + 4))
    after = spliced(before, 2.0)
    (change,) = change_moments(before)
    assert change == np.sort(before.start)[(MILESTONES + 4) // 2]
    early = before.closed <= change
    assert after.closed[early].tolist() == before.closed[early].tolist()
    begin = np.maximum(before.joined, change)[~early]
    assert (after.closed[~early] - begin).tolist() == pytest.approx((2 * (before.closed[~early] - begin)).tolist())
    assert spliced(before, 1.0).closed.tolist() == pytest.approx(before.closed.tolist())


def test_a_change_to_slower_work_makes_the_first_forecasts_expect_too_much() -> None:
    whole = ledger(releases(30, missed=1))
    figures = score_splices(whole, Rules(tolerance=0.1), BacktestSetup(float(whole.due.max()) + 30, PLAIN))
    assert figures["streams"] == 1
    slower = figures["twice_as_long"]
    assert slower["excess"][0] > 0.3
    assert slower["excess"][0] > slower["excess"][MILESTONES - 1] + 0.2
    assert len(slower["n"]) == MILESTONES


def test_short_streams_are_not_spliced() -> None:
    whole = ledger(releases(MILESTONES - 1))
    figures = score_splices(whole, Rules(), BacktestSetup(float(whole.due.max()), PLAIN))
    assert figures["streams"] == 0
    assert figures["twice_as_long"]["n"] == [0] * MILESTONES
    assert change_moments(Ledger.of([], [])).tolist() == []
