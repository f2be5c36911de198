"""First pool: the baseline keeps the digits of the release that it came from."""

from __future__ import annotations

import numpy as np
import pytest

from sync.backtest.first_pool import FirstPool, FirstPoolAnswers
from sync.backtest.questions import Questions, outcomes, questions
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from tests.random_history import history

GOLDEN: dict[float, list[tuple[float, float, float, float]]] = {
    0.0: [
        (0.375573669, 0.3, 0.5, np.nan),
        (0.155449299, 0.193610819, 0.25, 0.061941973),
        (0.023328765, 0.02, 0.033333333, 0.02),
        (0.02636243, 0.02, 0.042857143, 0.02),
        (0.036237314, 0.02, 0.135294118, 0.02),
        (0.156459198, 0.152841158, 0.16, 0.307247907),
    ],
    0.1: [
        (0.375573669, 0.3, 0.5, np.nan),
        (0.169426547, 0.193610819, 0.25, 0.090589298),
        (0.023328765, 0.02, 0.033333333, 0.02),
        (0.02636243, 0.02, 0.042857143, 0.02),
        (0.037140708, 0.02, 0.135294118, 0.022105571),
        (0.170640667, 0.152841158, 0.16, 0.401759465),
    ],
}
"""P of the pool, survival, reference class and simulation, at half time of milestones of one random history."""


def asked(tolerance: float) -> tuple[HistoryTables, Questions]:
    tables = HistoryTables(history(7, 30, messy=False), Rules(tolerance=tolerance))
    half_time = questions(tables.ledger, outcomes(tables.ledger, tolerance, np.inf).known, [0.5])
    return tables, half_time.where(half_time.open > 0)


def answers(tolerance: float) -> FirstPoolAnswers:
    tables, half_time = asked(tolerance)
    return FirstPool(tables).answers(half_time.index, half_time.at, Calendar.plain())


@pytest.mark.parametrize("tolerance", GOLDEN)
def test_the_first_pool_keeps_its_digits(tolerance: float) -> None:
    said = answers(tolerance)
    rows = np.column_stack([said.p, said.survival, said.reference, said.simulation])[::5]
    assert rows.tolist() == [pytest.approx(row, abs=1e-9, nan_ok=True) for row in GOLDEN[tolerance]]


def test_a_stream_that_is_too_young_has_no_simulation_and_still_a_probability() -> None:
    said = answers(0.0)
    is_young = np.isnan(said.simulation)
    assert 0 < is_young.sum() < len(is_young)
    assert np.isfinite(said.p).all()


def test_no_question_gives_no_answer() -> None:
    tables, half_time = asked(0.0)
    none = half_time.where(np.zeros(len(half_time), dtype=bool))
    assert len(FirstPool(tables).answers(none.index, none.at, Calendar.plain()).p) == 0
