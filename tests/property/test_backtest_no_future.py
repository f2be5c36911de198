"""No look at the future: blank everything after a time, and every method says the same about the time before."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.backtest import methods
from sync.backtest import questions as replay
from sync.backtest.csv_history import read_history
from sync.forecast import throughput_calibration as capacity_replay
from sync.forecast.history_tables import HistoryTables
from sync.forecast.outcomes import ContainerRules, LedgerOutcomes
from sync.forecast.parameters import Rules
from sync.forecast.stats import allowed_open
from sync.forecast.track_record import outcomes_of
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment
from tests.random_history import FIRST, blanked, history

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "titanium"
PLAIN = Calendar.plain()


def asked_before(ledger: Ledger, tolerance: float, cut: float) -> replay.Questions:
    became = replay.outcomes(ledger, tolerance, np.inf)
    asked = replay.questions(ledger, became.known, replay.CHECKS)
    return asked.where((asked.at <= cut) & (asked.open > allowed_open(asked.scope, tolerance)))


def all_answers(ledger: Ledger, asked: replay.Questions, tolerance: float) -> tuple[replay.Questions, methods.Answers]:
    tables = HistoryTables(ledger, Rules(tolerance=tolerance))
    told, made = replay.answerable(tables, asked, PLAIN)
    became = replay.outcomes(ledger, tolerance, np.inf)
    setup = replay.BacktestSetup(np.inf, PLAIN)
    return told, methods.answers(replay.AnsweredQuestions(tables, became, told, made, setup))


def same(ledger: Ledger, tolerance: float, cut: float) -> int:
    """Assert it for every question before the cut; how many there were."""
    asked = asked_before(ledger, tolerance, cut)
    knowing, told = all_answers(ledger, asked, tolerance)
    blind, told_blind = all_answers(blanked(ledger, cut), asked, tolerance)
    assert knowing.at.tolist() == blind.at.tolist(), "whether there is enough to publish must not depend on the future"
    assert set(told) == set(methods.METHODS)
    for method, values in told.items():
        assert told_blind[method].tolist() == pytest.approx(values.tolist(), abs=1e-9), method
    return len(knowing)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    milestones=st.integers(3, 30),
    messy=st.booleans(),
    tolerance=st.sampled_from([0.0, 0.1]),
    share=st.floats(0.2, 0.9),
)
def test_answers_do_not_change_when_the_future_is_blanked(
    seed: int, milestones: int, messy: bool, tolerance: float, share: float
) -> None:
    same(history(seed, milestones, messy), tolerance, FIRST + share * 180)


@pytest.mark.parametrize("messy", [False, True])
def test_histories_like_these_do_ask_questions(messy: bool) -> None:
    assert same(history(7, 30, messy), 0.0, FIRST + 150) > 20


def entries(record: capacity_replay.Replay) -> dict[tuple[int, float, float], tuple[list[int], float]]:
    """Return the inputs of each capacity date, by stream, time and items."""
    keys = zip(record.stream.tolist(), record.at.tolist(), record.items.tolist(), strict=True)
    return dict(zip(keys, zip(record.weeks.tolist(), record.expected.tolist(), strict=True), strict=True))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.0, 0.1, 0.2]))
def test_history_scoring_and_service_mean_the_same_by_done(seed: int, tolerance: float) -> None:
    ledger = history(seed, 20, messy=True)
    became, tables = replay.outcomes(ledger, tolerance, np.inf), HistoryTables(ledger, Rules(tolerance=tolerance))
    rules = {container.id: ContainerRules(tolerance=tolerance) for container in ledger.containers}
    later = moment(FIRST + 10_000)
    ends, scored = outcomes_of(ledger, rules, later), LedgerOutcomes(ledger, later, rules)
    assert became.known.tolist() == tables.is_usable.tolist()
    for i in np.flatnonzero(became.known):
        hit, end = bool(became.hit[i]), ends[ledger.containers[i].id]
        assert hit == tables.finished_by[i, 0]
        assert hit == (end.done is not None and end.done <= moment(float(ledger.due[i])) + timedelta(milliseconds=1))
        assert not end.dropped
        for ahead in (-5.0, 0.0, 5.0, 50.0):
            due, by = float(ledger.due[i]), float(ledger.due[i]) + ahead
            (is_done,) = replay.is_done_by(ledger, np.array([i]), np.array([by]), tolerance)
            known = scored.is_done(ledger.containers[i].id, moment(by), moment(due))
            assert bool(known) == is_done


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.5, 0.95))
def test_capacity_dates_do_not_change_when_the_future_is_blanked(seed: int, share: float) -> None:
    ledger = history(seed, 40, messy=True)
    cut = FIRST + share * 200
    tables = [HistoryTables(history, Rules()) for history in (ledger, blanked(ledger, cut))]
    knowing, blind = (capacity_replay.replay(own) for own in tables)
    last = min(cut, float(blind.at.max(initial=-np.inf)))  # a month without any closure yet is not asked about
    told, told_blind = ({k: v for k, v in entries(result).items() if k[1] <= last} for result in (knowing, blind))
    assert told_blind == told
    stream, at = np.zeros(3, dtype=np.int64), np.full(3, min(cut, last))
    learned = [capacity_replay.learned_dates(own) for own in tables]
    multipliers = [own.multipliers(stream, np.arange(3), at) for own in learned]
    assert multipliers[0] == pytest.approx(multipliers[1])
    assert learned[0].record(0, last) == learned[1].record(0, last)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.parent.exists(), reason="the real history is not next to the checkout")
@pytest.mark.parametrize("year", [2013, 2016])
def test_the_real_history_does_not_look_ahead(year: int) -> None:
    ledger = read_history([str(SHARED)])
    cut = (year - 1970) * 365.25 + 100
    assert same(ledger, 0.1, cut) > 200
