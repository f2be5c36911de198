"""Detect a change of a stream's pace: its last milestones took much longer, or less long, than the ones before.

The pool needs 8 to 12 milestones to recover from such a change. So a reason names it, and the confidence is a grade
lower. The measure is the time from the start of a milestone until half of its issues were closed, in days and as a
share of the planned time: both must have changed, so that longer milestones are no change of pace. Each of the last
milestones must lie on the side of the change. On the histories that this was tried on, a sixth of the milestones have
such a change; with closing times doubled, a third of the changes are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from statistics import median

import numpy as np
from msgspec import Struct

from sync.forecast.history_tables import HistoryTables
from sync.model.health import Confidence

__all__ = ["LAST", "PaceChange", "lowered", "pace_change"]

LAST, LEAST_BEFORE, MOST_BEFORE = 3, 4, 8
"""Numbers of milestones: the last ones, the fewest before them, and the most of those that count."""
SLOWER, FASTER = 1.5, 1 / 1.5
"""Ratios of the median times from which a change is reported."""
_NEVER = 2.0
"""Ratio that stands for a change from or to a time that never came."""
_LEAST_DAYS = 0.5


class PaceChange(Struct, frozen=True, kw_only=True):
    """Median days until half of the issues were closed: ``days`` in the last milestones, ``usual`` in the ``before``
    ones before them. Infinite: in most of them that never came.
    """

    days: float
    usual: float
    before: int

    @property
    def ratio(self) -> float:
        """Factor by which it takes longer; 2 or .5 where one of the times never came."""
        if isfinite(self.days) and isfinite(self.usual):
            return self.days / self.usual
        return _NEVER if isfinite(self.usual) else 1 / _NEVER


class _Half(Struct, frozen=True):
    """Days from a milestone's start until half of its issues were closed, and as a share of its planned time."""

    days: float
    share: float


def pace_change(history: HistoryTables, stream: int, at: float) -> PaceChange | None:
    """Return the change of pace of a stream (code) as known ``at`` a time in days since 1970; None: no change.

    Milestones count whose due moment has passed and which had enough issues then.
    """
    ledger, rules = history.ledger, history.rules
    own = ledger.of_stream(stream)
    is_over = (
        history.is_usable[own] & (ledger.due[own] + rules.settle_days < at) & (ledger.start[own] < ledger.due[own])
    )
    finished = sorted(own[is_over].tolist(), key=lambda i: (ledger.due[i], ledger.containers[i].id))
    halves = [half for i in finished if (half := _half(history, i, at)) is not None][-LAST - MOST_BEFORE :]
    last, before = halves[-LAST:], halves[:-LAST]
    if len(before) < LEAST_BEFORE:
        return None
    changes = {_changed([half.days for half in last], [half.days for half in before])}
    changes.add(_changed([half.share for half in last], [half.share for half in before]))
    if len(changes) > 1 or 0 in changes:
        return None
    days, usual = median(half.days for half in last), median(half.days for half in before)
    return PaceChange(days=days, usual=usual, before=len(before))


def lowered(confidence: Confidence | None) -> Confidence | None:
    """Return the confidence that is one grade lower; low stays low, None stays None."""
    return Confidence.MEDIUM if confidence is Confidence.HIGH else confidence and Confidence.LOW


def _half(history: HistoryTables, i: int, at: float) -> _Half | None:
    """Return the time that half of the issues took that were in scope at the due moment; None with too few of them."""
    ledger = history.ledger
    rows, start, due = ledger.rows(i), float(ledger.start[i]), float(ledger.due[i])
    closed = np.sort(ledger.closed[rows][ledger.in_scope(due, rows)])
    if len(closed) < history.rules.least_items:
        return None
    moment = float(closed[(len(closed) - 1) // 2])
    days = max(moment - start, _LEAST_DAYS) if moment <= at else inf
    return _Half(days, days / (due - start))


def _changed(last: Sequence[float], before: Sequence[float]) -> int:
    """Return 1 for a slower pace, -1 for a faster one, 0 without a change."""
    now, usual = median(last), median(before)
    if not isfinite(now) and not isfinite(usual):
        return 0
    if now >= SLOWER * usual and min(last) > usual:
        return 1
    return -1 if now <= FASTER * usual and max(last) < usual else 0
