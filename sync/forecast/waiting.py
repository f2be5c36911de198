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
Bools = NDArray[np.bool_]

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
    """Containers of a batch, with a probability that includes their predecessors.

    ``alone``: the same batch without the predecessors. ``ranks[t]``: the rank of each path among the container's
    completion moments, int64[paths]. ``predecessors[t]``: those that the container waits for.
    """

    def __init__(
        self, alone: ForecastBatch, ranks: Sequence[Ints], predecessors: Sequence[PredecessorsAfterCut]
    ) -> None:
        vars(self).update(vars(alone))
        self.alone = alone
        self._ranks, self._predecessors = ranks, predecessors

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
        due, cut = self.due if assumed.due is None else assumed.due, np.zeros(len(p), dtype=np.int64)
        return self._after_others(p, now_open, total, due, cut, np.full(len(p), True))

    def after_change(self, cut: Ints, due: Floats, is_asked: Bools) -> Floats:
        """Return P after items are cut, and the due moment is moved to ``due``. Cut items wait for no one.

        The predecessors are included where ``is_asked[t]``.
        """
        remaining = np.maximum(self.open - cut, 0)
        total = remaining + self.done
        p = self.alone.probability(remaining, total, assumed=Assumptions(due=due))
        return self._after_others(p, *self._scope(remaining, total), due, cut, is_asked)

    def with_clip(self, clip: float) -> Self:
        """Return the same batch with its components clipped to [clip, 1 - clip], as reasons need it."""
        other = copy(self)
        other.clip, other.alone, other.answers = clip, self.alone.with_clip(clip), type(self.answers)()
        return other

    def _after_others(
        self, p: Floats, remaining: Floats, total: Floats, due: Floats, cut: Ints, is_asked: Bools
    ) -> Floats:
        waits = is_asked & self.has_dates & ~np.isnan(p) & (self.at <= due)
        if not waits.any():
            return p
        plan = self.alone if (due == self.due)[waits].all() else self.alone.moved(due).with_clip(self.clip)
        curve = plan.completion(remaining, total)
        curve = published_curve(curve, curve[:, AT_DUE], np.where(waits, p, np.nan))
        horizon, after_others = plan.horizon, p.copy()
        for k in np.flatnonzero(waits).tolist():
            moment, now = float(due[k]), float(self.at[k])
            own = Curve(*plan.points(curve, k), float(horizon[k])).draw(self._ranks[k])
            planned = PlannedTime(float(self.start[k]), moment)
            after, _ = delayed(own, planned, self._predecessors[k](int(cut[k])), now)
            after_others[k] = probability_after(float(p[k]), own, after, moment, self.clip)
        return after_others
