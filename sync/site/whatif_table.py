"""The what-if table of a page: the probability for each change of scope and each due date, computed in advance.

Each cell is the probability that the levers and the next forecast have for that scope and due date. Today's scope and
date give the published probability. Where that includes milestones that this one waits for, all cells are moved by the
same amount in log-odds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import Assumptions, ForecastBatch
from sync.forecast.stats import expit, logit
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.report.figures import probability_percent

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

    @property
    def percents(self) -> list[list[int]]:
        """The cells as integer percentages from 1 to 99."""
        return [[probability_percent(cell) for cell in line] for line in self.p]


def what_if(batch: ForecastBatch, k: int, published: float | None) -> WhatIf | None:
    """Return the table for the batch's k-th container; None without a forecast."""
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
    cuts = _cuts(count)
    table = _table(batch, k, cuts, np.array([moments[day] for day in dates]))
    here = (cuts.index(0), dates.index(due))
    table = _consistent(table, here, published)
    return WhatIf(
        open=count,
        cuts=tuple(cuts),
        dates=tuple(dates),
        p=tuple(tuple(float(cell) for cell in line) for line in table),
        now=here,
    )


def _table(batch: ForecastBatch, k: int, cuts: Sequence[int], due: Floats) -> Floats:
    """Return P with each number of more open items, due at each of the moments: float64[cuts, moments]."""
    columns = ForecastBatch(
        batch.tables,
        np.full(len(due), batch.index[k]),
        np.full(len(due), batch.at[k]),
        batch.calendar,
        counted_at=np.full(len(due), batch.counted_at[k]),
    )
    lines = []
    for cut in cuts:
        open_then = np.maximum(columns.open + cut, 0)
        lines.append(columns.probability(open_then, open_then + columns.done, assumed=Assumptions(due=due)))
    return np.array(lines)


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
