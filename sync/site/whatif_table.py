"""The what-if table of a page: the probability for each change of scope and each due date, computed in advance.

Each cell is the probability that the levers and the next forecast have for that scope and due date. Today's scope and
date give the published probability. Where that includes milestones that this one waits for, all cells are moved by the
same amount in log-odds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import BATCH_SIZE, Assumptions, ForecastBatch
from sync.forecast.stats import expit, logit
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.report.figures import probability_percents

__all__ = ["WhatIf", "what_if"]

Floats = NDArray[np.float64]

EARLIER, LATER = 14, 84
"""Days by which the due date may move to an earlier or a later day."""

_LEAST = 0.001

MORE, LESS, STEPS = 0.2, 0.6, 15
"""Shares of the open items that may be added or cut, and the approximate number of steps."""


@dataclass(frozen=True)
class WhatIf:
    """``p[c][d]`` is the probability with ``cuts[c]`` more open items (negative: fewer) and the due date ``dates[d]``.

    ``now`` are the row and the column of today's scope and date.
    """

    open: int
    cuts: tuple[int, ...]
    dates: tuple[date, ...]
    p: tuple[tuple[float, ...], ...]
    now: tuple[int, int]

    @cached_property
    def percents(self) -> list[list[int]]:
        """The cells as integer percentages from 1 to 99."""
        return probability_percents(self.p)

    @property
    def cells(self) -> str:
        """All percentages: lines between semicolons."""
        return ";".join(" ".join(map(str, line)) for line in self.percents)

    @property
    def weeks(self) -> range:
        """The columns whose days are whole weeks before or after the due date of today."""
        return range(self.now[1] % 7, len(self.dates), 7)


@dataclass(frozen=True)
class _Question:
    """The changes of one container to ask for: of the number of its open items, and the due dates with their moments.

    ``published``: its probability today.
    """

    k: int
    due: date
    cuts: Sequence[int]
    dates: Sequence[date]
    moments: Floats
    published: float


def what_if(batch: ForecastBatch, published: Sequence[float | None]) -> list[WhatIf | None]:
    """Return the table of each container of the batch; None without a forecast.

    A row of the forecast is a container with one number of open items: its votes serve all due dates.
    """
    tables: list[WhatIf | None] = [None] * len(batch.index)
    for questions in _parts([_question(batch, k, p) for k, p in enumerate(published)]):
        for question, table in zip(questions, _probabilities(batch, questions), strict=True):
            here = (question.cuts.index(0), question.dates.index(question.due))
            table = _consistent(table, here, question.published)
            tables[question.k] = WhatIf(
                open=int(batch.open[question.k]),
                cuts=tuple(question.cuts),
                dates=tuple(question.dates),
                p=tuple(map(tuple, table.tolist())),
                now=here,
            )
    return tables


def _parts(questions: Sequence[_Question | None]) -> Iterator[list[_Question]]:
    """Yield the questions in parts of `BATCH_SIZE` rows, or one that is larger."""
    part: list[_Question] = []
    for question in questions:
        if question is None:
            continue
        if part and sum(len(other.cuts) for other in part) + len(question.cuts) > BATCH_SIZE:
            yield part
            part = []
        part.append(question)
    if part:
        yield part


def _question(batch: ForecastBatch, k: int, published: float | None) -> _Question | None:
    count = int(batch.open[k])
    if published is None or not batch.has_dates[k] or count == 0 or not batch.at[k] <= batch.due[k]:
        return None
    due, zone = batch.calendar.day_of(float(batch.due[k])), batch.calendar.zone
    last = batch.calendar.day_of(float(batch.horizon[k]))
    if due is None or last is None:
        return None
    ahead = [due + timedelta(days=n) for n in range(-EARLIER, min(LATER, (last - due).days) + 1)]
    moments = {day: days(end_of_day(day, zone)) for day in ahead}
    dates = [day for day in ahead if moments[day] > batch.at[k]]
    return _Question(k, due, _cuts(count), dates, np.array([moments[day] for day in dates]), published)


def _probabilities(batch: ForecastBatch, questions: Sequence[_Question]) -> list[Floats]:
    """Return P of each question with each number of more open items, due at each moment: float64[cuts, moments]."""
    owner = np.repeat([question.k for question in questions], [len(question.cuts) for question in questions])
    rows = batch.part(owner)
    cut = np.concatenate([question.cuts for question in questions])
    remaining = np.maximum(rows.open + cut, 0)
    total = remaining + rows.done
    # the same column is as many days after each due date, so that the same rows are later than their plans
    before = [question.dates.index(question.due) for question in questions]
    after = [len(question.dates) - n for n, question in zip(before, questions, strict=True)]
    moments = np.stack(
        [
            np.pad(question.moments, (max(before) - early, max(after) - late), mode="edge")
            for question, early, late in zip(questions, before, after, strict=True)
        ]
    )
    due = moments[np.repeat(np.arange(len(questions)), [len(question.cuts) for question in questions])]
    p = np.stack([rows.probability(remaining, total, assumed=Assumptions(due=column)) for column in due.T], axis=1)
    tables = np.split(p, np.cumsum([len(question.cuts) for question in questions])[:-1])
    return [
        table[:, max(before) - early : max(before) + late]
        for table, early, late in zip(tables, before, after, strict=True)
    ]


def _consistent(table: Floats, here: tuple[int, int], published: float) -> Floats:
    """Shift the table in log-odds so that its present cell equals the published probability, and make it monotone.

    The published probability includes dependencies, the cells do not. More items never raise a probability, a later
    date never lowers it.
    """
    row, column = here
    table = expit(logit(table.clip(_LEAST, 1 - _LEAST)) + logit(published) - logit(table[here]))
    table[: row + 1, column:] = np.maximum(table[: row + 1, column:], published)
    table[row:, : column + 1] = np.minimum(table[row:, : column + 1], published)
    table[here] = published
    smooth: Floats = np.minimum.accumulate(np.maximum.accumulate(table, axis=1), axis=0)
    return smooth


def _cuts(count: int) -> list[int]:
    low, high = -int(LESS * count), max(1, int(MORE * count))
    step = max(1, round((high - low) / STEPS))
    return sorted({*range(0, low - 1, -step), *range(0, high + 1, step)})
