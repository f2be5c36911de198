"""The what-if table of a page: the probability for each change of scope and each due date, computed in advance.

Each cell comes from the same computation as the levers: the completion curve with that many open items, read at that
date; before the present due date, the forecast for that date. Today's scope and date give the published probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import Assumptions, ForecastBatch
from sync.forecast.stats import expit, logit

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
        return [[min(99, max(1, round(cell * 100))) for cell in line] for line in self.p]


def what_if(batch: ForecastBatch, k: int, published: float | None) -> WhatIf | None:
    """Return the table for the batch's k-th container; None without a completion curve."""
    count = int(batch.open[k])
    if published is None or not batch.is_running[k] or count == 0 or not batch.at[k] <= batch.due[k]:
        return None
    due, at = float(batch.due[k]), float(batch.at[k])
    days = [d for d in range(-EARLIER, LATER + 1) if due + d > at and due + d <= float(batch.horizon[k])]
    dates = [batch.calendar.day_of(due + d) for d in days]
    if 0 not in days or None in dates:
        return None
    cuts = _cuts(count)
    lines = [_line(batch, k, cut, days) for cut in cuts]
    table = _consistent(np.array(lines), here := (cuts.index(0), days.index(0)), published)
    return WhatIf(
        open=count,
        cuts=tuple(cuts),
        dates=tuple(on for on in dates if on is not None),
        p=tuple(tuple(float(cell) for cell in line) for line in table),
        now=here,
    )


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


def _line(batch: ForecastBatch, k: int, cut: int, days: Sequence[int]) -> list[float]:
    """Return one row of the table: the probability for each day with ``cut`` more open items."""
    open_then = np.maximum(batch.open + cut, 0).astype(np.float64)
    total = open_then + batch.done
    curve = batch.completion(open_then, total)
    due = float(batch.due[k])
    line = []
    for d in days:
        if d < 0:
            line.append(float(batch.probability(open_then, total, assumed=Assumptions(due=batch.due + d))[k]))
        else:
            line.append(batch.probability_at(curve, k, due + d))
    return line
