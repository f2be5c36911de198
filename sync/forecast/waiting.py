"""Forecast of a milestone that waits for others: its probability with them, in every question that is asked about it.

Its completion moments are drawn from its own curve, then each path is delayed by its predecessors
(`sync.forecast.dependencies`). What the paths lose by the due date is taken from its own probability.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import AT_DUE, PRESENT, Assumptions, ForecastBatch
from sync.forecast.dependencies import PlannedTime, Predecessor, delayed, mean_delay
from sync.forecast.joint import Curve, published_curve, share_done_by

__all__ = ["PredecessorsAfterCut", "WaitingBatch", "probability_after"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_CHANGE = 0.005
"""Smaller losses are ignored, with a delay of less than a day: probabilities are shown in whole percents."""

PredecessorsAfterCut = Callable[[int], Sequence[Predecessor]]
"""Function from the number of cut items to the predecessors that the milestone then still waits for."""


def probability_after(p: float, own: Floats, after: Floats, due: float, clip: float) -> float:
    """Return the probability ``p`` of being done by ``due``, less what the paths ``after`` others lose to ``own``.

    It is at least ``clip``, where ``p`` is.
    """
    loss = share_done_by(own, due) - share_done_by(after, due)
    if loss < LEAST_CHANGE and mean_delay(own, after) < 1.0:
        return p
    return max(p - loss, min(clip, p))


class WaitingBatch(ForecastBatch):
    """One container of a batch, with a probability that includes its predecessors.

    ``shares``: the rank of each path among the container's completion moments, float64[paths]. ``alone``: the same
    batch without the predecessors.
    """

    def __init__(self, alone: ForecastBatch, shares: Floats, predecessors: PredecessorsAfterCut) -> None:
        super().__init__(alone.tables, alone.index, alone.at, alone.calendar, counted_at=alone.counted_at)
        self.alone = alone
        self._shares, self._predecessors = shares, predecessors
        self._plans: dict[tuple[float, float], ForecastBatch] = {}

    def probability(
        self,
        remaining: Floats | Ints | None = None,
        total: Floats | Ints | None = None,
        *,
        assumed: Assumptions = PRESENT,
        envelope: bool = True,
        decided: bool = True,
    ) -> Floats:
        """Return P(done by due) with the predecessors: see `ForecastBatch.probability`."""
        p = self.alone.probability(remaining, total, assumed=assumed, envelope=envelope, decided=decided)
        now_open, total = self._scope(remaining, total)
        return self._after_others(p, now_open, total, self.due if assumed.due is None else assumed.due, 0)

    def after_change(self, cut: Ints, due: Floats) -> Floats:
        """Return P after items are cut, and the due moment is moved to ``due``. Cut items wait for no one."""
        remaining = np.maximum(self.open - cut, 0)
        total = remaining + self.done
        p = self.alone.probability(remaining, total, assumed=Assumptions(due=due))
        return self._after_others(p, *self._scope(remaining, total), due, int(cut[0]))

    def with_clip(self, clip: float) -> Self:
        """Return the same batch with its components clipped to [clip, 1 - clip], as reasons need it."""
        other = copy(self)
        other.clip, other.alone, other.answers = clip, self.alone.with_clip(clip), type(self.answers)()
        return other

    def _after_others(self, p: Floats, remaining: Floats, total: Floats, due: Floats, cut: int) -> Floats:
        moment, now = float(due[0]), float(self.at[0])
        if not self.has_dates[0] or np.isnan(p[0]) or not now <= moment:
            return p
        plan = self._plan(moment)
        curve = plan.completion(remaining, total)
        curve = published_curve(curve, curve[:, AT_DUE], p)
        own = Curve(*plan.points(curve, 0), float(plan.horizon[0])).quantile(self._shares)
        planned = PlannedTime(float(self.start[0]), moment)
        after, _ = delayed(own, planned, self._predecessors(cut), now)
        return np.array([probability_after(float(p[0]), own, after, moment, self.clip)])

    def _plan(self, due: float) -> ForecastBatch:
        """Return the batch alone with this due moment."""
        if due == self.due[0]:
            return self.alone
        if (self.clip, due) not in self._plans:
            self._plans[self.clip, due] = self.alone.moved(np.array([due])).with_clip(self.clip)
        return self._plans[self.clip, due]
