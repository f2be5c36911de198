"""Pace: a container's share of its stream's closures, and the usual gap between days with closures.

Reasons and levers compare a milestone with it; the probability does not use it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables

__all__ = ["share_of_stream", "usual_gap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WINDOW = 90.0
"""Days of the stream in which days with closures are counted."""
_LEAST = 14.0
"""Days of a stream's record below which no gap is usual."""


def share_of_stream(tables: HistoryTables, index: Ints, at: Floats) -> Floats:
    """Return the part of the stream's closures since each container's start that were its own: float64[t], up to 1.

    With few closures it is near an equal part of the milestones that run.
    """
    rules, ledger = tables.rules, tables.ledger
    stream = ledger.stream[index]
    start = np.where(np.isnan(tables.start[index]), at, tables.start[index])
    active = tables.starts.before(stream, at, inclusive=True) - tables.stops.before(stream, at)
    closures = np.maximum(tables.closures.count(stream, start, at), 0)  # 0 before the start
    own = np.zeros(len(index))
    for k, i in enumerate(index.tolist()):
        rows = ledger.rows(i)
        closed = ledger.closed[rows]
        own[k] = np.count_nonzero((closed > start[k]) & (closed <= at[k]) & (ledger.joined[rows] <= at[k]))
    share: Floats = (own + rules.share_weight / np.maximum(active, 1)) / (closures + rules.share_weight)
    return np.minimum(share, 1.0)


def usual_gap(tables: HistoryTables, index: Ints, at: Floats) -> Floats:
    """Return the usual days between days on which the stream closes items, in its last 90 days: float64[t].

    Infinite where the stream closed nothing, or has a record of less than two weeks.
    """
    stream = tables.ledger.stream[index]
    age = np.clip(np.floor(at - tables.stream_start[stream]), 0.0, _WINDOW)
    first = tables.closures.before(stream, at - age, inclusive=True)
    end = tables.closures.before(stream, at, inclusive=True)
    gap = np.full(len(index), np.inf)
    for k in np.flatnonzero((age >= _LEAST) & (end > first)).tolist():
        days = np.floor(at[k] - tables.closures.time[first[k] : end[k]])
        gap[k] = age[k] / (1 + np.count_nonzero(np.diff(days)))
    return gap
