"""One clock for a due date before and after it moves: the probability of a date does not jump when the plan takes it.

A milestone that moves its due date keeps the pace of its plan for a while, and then takes the new date's. P(D), the
probability of being done by a due date D that is later than the plan's due date D*, therefore lies between two
forecasts: that of a milestone which was always due at D, and the completion curve of the plan that was due at D*, read
at D. In log-odds

    P(D) = L(D) + (1 - w) max(0, Lcurve(D) - L(D)),    w = (now - m) / (D - m), between 0 and 1

where m is the time of the first move past D*; before it, m is now and w is 0. A date up to D* has L(D). So a lever, a
what-if answer and the next forecast agree at the moment of the move, and later moves gain nothing.
"""

from __future__ import annotations

from typing import Self

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.history.ledger import Ledger

__all__ = ["PlanClocks", "clocked_logit"]

Floats = NDArray[np.float64]


class PlanClocks(Struct, frozen=True):
    """The plans that containers had before their due dates moved: float64[t], in days since 1970 UTC.

    ``plan_due``: due moment of the plan; NaN without a due date. ``moved_at``: time of the first move past it; NaN
    without a move.
    """

    plan_due: Floats
    moved_at: Floats

    @classmethod
    def of(cls, ledger: Ledger, index: NDArray[np.int64], at: Floats) -> Self:
        """Return the clocks of the containers at positions ``index``, as of ``at[t]``.

        A due date that has passed is the plan's own from then on (`sync.history.plan_clock`).
        """
        due, moved_at = ledger.due[index], ledger.moved_at[index]
        plan_due = np.where(np.isnan(moved_at), np.fmax(ledger.first_due[index], due), ledger.plan_due[index])
        return cls(np.where(at > due, due, plan_due), np.where(moved_at <= at, moved_at, np.nan))

    def part(self, rows: NDArray[np.int64]) -> Self:
        """Return the clocks of the containers at ``rows``."""
        return type(self)(self.plan_due[rows], self.moved_at[rows])

    def moved(self, due: Floats, at: Floats) -> Self:
        """Return the clocks after the due moments were moved ``at[t]`` to ``due[t]``."""
        is_first_move = np.isnan(self.moved_at) & (due > self.plan_due)
        return type(self)(self.plan_due, np.where(is_first_move, at, self.moved_at))

    def share_gone(self, due: Floats, at: Floats) -> Floats:
        """Return w: the share of the time from the first move to ``due[t]`` that has passed at ``at[t]``; 0 to 1."""
        moved_at = np.where(np.isnan(self.moved_at), at, self.moved_at)
        with np.errstate(divide="ignore", invalid="ignore"):
            gone = np.where(due > moved_at, (at - moved_at) / (due - moved_at), 1.0)
        share: Floats = np.clip(gone, 0.0, 1.0)
        return share


def clocked_logit(own: Floats, plan: Floats, clocks: PlanClocks, due: Floats, at: Floats) -> Floats:
    """Return logit P of being done by ``due[t]``, as of ``at[t]``: float64[t].

    ``own``: logit of the forecast for a milestone that was always due then. ``plan``: logit of the plan's completion
    curve at ``due``; NaN where the plan had no dates that make sense.
    """
    gain = np.maximum(np.nan_to_num(plan - own, nan=0.0), 0.0)
    kept = np.where(due > clocks.plan_due, 1.0 - clocks.share_gone(due, at), 0.0)
    clocked: Floats = own + kept * gain
    return clocked
