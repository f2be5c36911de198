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
from sync.backtest.csv_history import read_histories
from sync.backtest.leftover import reference_shares
from sync.backtest.lever_truth import LeverTrial
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


def answered(ledger: Ledger, asked: replay.Questions, tolerance: float) -> replay.AnsweredQuestions:
    tables = HistoryTables(ledger, Rules(tolerance=tolerance))
    became = replay.outcomes(ledger, tolerance, np.inf)
    return replay.AnsweredQuestions(
        tables, became, *replay.answerable(tables, asked, PLAIN), replay.BacktestSetup(np.inf, PLAIN)
    )


def same(ledger: Ledger, tolerance: float, cut: float) -> int:
    """Assert it for every question before the cut; how many there were."""
    asked = asked_before(ledger, tolerance, cut)
    knowing, blind = (answered(known, asked, tolerance) for known in (ledger, blanked(ledger, cut)))
    assert knowing.asked.at.tolist() == blind.asked.at.tolist(), (
        "whether there is enough to publish must not depend on the future"
    )
    told, told_blind = methods.answers(knowing), methods.answers(blind)
    assert set(told) == set(methods.METHODS)
    for method, values in told.items():
        assert told_blind[method].tolist() == pytest.approx(values.tolist(), abs=1e-9), method
    for own, own_blind in zip(knowing.forecasts, blind.forecasts, strict=True):
        assert (own_blind.dates, own_blind.leftover, own_blind.usual) == (own.dates, own.leftover, own.usual)
    shares, shares_blind = (reference_shares(each.tables, each.asked.index, each.asked.at) for each in (knowing, blind))
    assert [each.tolist() for each in shares_blind] == [each.tolist() for each in shares]
    return len(knowing.asked)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), tolerance=st.sampled_from([0.0, 0.1]), share=st.floats(0.3, 0.9))
def test_levers_and_what_follows_them_do_not_change_when_the_future_is_blanked(
    seed: int, tolerance: float, share: float
) -> None:
    ledger, at = history(seed, 20, messy=True), FIRST + share * 150
    blind = blanked(ledger, at + 1.0)
    running = np.flatnonzero((ledger.start < at) & (ledger.due > at + 1) & (ledger.ended > at + 1))
    for i in running[:3].tolist():
        trial, trial_blind = (LeverTrial(known, i, at, Rules(tolerance=tolerance), PLAIN) for known in (ledger, blind))
        assert trial_blind.levers == trial.levers
        for lever in trial.levers:
            assert tuple(trial_blind.gap(lever)) == pytest.approx(tuple(trial.gap(lever)), abs=1e-9, nan_ok=True)


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
    ledger = read_histories([str(SHARED)]).ledger
    cut = (year - 1970) * 365.25 + 100
    assert same(ledger, 0.1, cut) > 200
