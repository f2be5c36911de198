"""Votes are computed once for each container and number of items, and a question with any other input is a new one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from sync.forecast.batch import Assumptions, ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.votes import Votes
from sync.forecast.waiting import WaitingBatch
from sync.history.calendar import Calendar
from tests.random_history import FIRST, history

Floats = NDArray[np.float64]

CALENDAR = Calendar(country="US")
NOW = FIRST + 130.0

QUESTIONS: list[Callable[[ForecastBatch], Floats]] = [
    lambda batch: batch.probability(),
    lambda batch: batch.probability(batch.open + 1),
    lambda batch: batch.probability(batch.open, batch.open + batch.done + 3),
    lambda batch: batch.probability(assumed=Assumptions(frozen=True)),
    lambda batch: batch.probability(assumed=Assumptions(hit_rate=0.5)),
    lambda batch: batch.probability(assumed=Assumptions(elapsed=2.0)),
    lambda batch: batch.probability(assumed=Assumptions(due=batch.due + 9.0)),
    lambda batch: batch.probability(assumed=Assumptions(days_to_due=batch.days_to_due + 1.0)),
    lambda batch: batch.probability(envelope=False),
    lambda batch: batch.completion(),
    lambda batch: batch.completion(batch.open + 2),
    lambda batch: batch.moments_of(batch.completion(), [0.5, 0.85]),
    lambda batch: batch.leftover().quantiles(),
    lambda batch: batch.usual_probability(),
    lambda batch: batch.expected_items,
    lambda batch: np.stack(batch.silence()),
]


def new_batch(tables: HistoryTables, index: NDArray[np.int64], moved_to: Floats | None = None) -> ForecastBatch:
    return ForecastBatch(tables, index, np.full(len(index), NOW), CALENDAR, moved_to, np.full(len(index), NOW + 0.3))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("tolerance", [0.0, 0.1])
def test_copies_that_share_votes_answer_like_new_batches(seed: int, tolerance: float) -> None:
    tables = HistoryTables(history(seed, 60, messy=True), Rules(tolerance=tolerance))
    batch = new_batch(tables, np.arange(60))
    for question in QUESTIONS:  # what the batch remembers changes no answer of a copy
        question(batch)
    rows = np.arange(seed, 60, 3)
    due = batch.due + 12.0
    later = due[rows] + np.arange(len(rows)) % 5
    pairs = [
        (batch, new_batch(tables, np.arange(60))),
        (batch.part(rows), new_batch(tables, rows)),
        (batch.moved(due), new_batch(tables, np.arange(60), due)),
        (batch.part(rows).moved(later), new_batch(tables, rows, later)),
        (batch.moved(due).part(rows), new_batch(tables, rows, due[rows])),
        (batch.part(rows).part(np.arange(4)), new_batch(tables, rows[:4])),
        (batch.with_clip(0.001).part(rows), new_batch(tables, rows).with_clip(0.001)),
        (WaitingBatch(batch, [], []).moved(due), new_batch(tables, np.arange(60), due)),
        (WaitingBatch(batch, [], []).part(rows), new_batch(tables, rows)),
    ]
    for shared, alone in pairs:
        for k, question in enumerate(QUESTIONS):
            np.testing.assert_array_equal(question(shared), question(alone), err_msg=f"question {k}")


def test_each_question_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    survival = Votes.survival

    def noted(self: Votes, remaining: Floats, total: Floats, arrivals: Floats) -> Floats:
        asked.append(len(remaining))
        return survival(self, remaining, total, arrivals)

    monkeypatch.setattr(Votes, "survival", noted)
    batch = new_batch(HistoryTables(history(1, 60, messy=False), Rules()), np.arange(60))
    batch.probability(batch.open + 5)
    assert asked == [60]
    batch.probability(batch.open + 5)
    batch.with_clip(0.001).probability(batch.open + 5)
    batch.part(np.arange(10)).probability(batch.open[:10] + 5)
    assert asked == [60]
    one_more = np.where(np.arange(60) < 3, 6, 5)
    batch.probability(batch.open + one_more)
    assert asked == [60, 3]


def test_every_input_belongs_to_the_question() -> None:
    tables = HistoryTables(history(2, 60, messy=True), Rules())
    batch = new_batch(tables, np.arange(60))
    rows, remaining, total = np.arange(60), np.full(60, 4.0), np.full(60, 9.0)
    votes = batch.common.for_due
    answer = votes.at(rows, remaining, total)
    others = [
        votes.at(rows, remaining + 1, total),
        votes.at(rows, remaining, total + 1),
        votes.at(rows, remaining, total, frozen=True),
        votes.at(rows[::-1], remaining, total),
    ]
    assert all((answer != other).any() for other in others)
    np.testing.assert_array_equal(answer[::-1], others[-1])
