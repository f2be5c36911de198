"""Expect the items that join a milestone from now until its due moment, by the earlier milestones of its stream."""

from __future__ import annotations

import numpy as np

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import DUE, PHASES

__all__ = ["usual_joins"]

MEMBERS = 20
"""Number of the latest finished milestones of a stream that count."""


def usual_joins(batch: ForecastBatch, k: int) -> int | None:
    """Return the median number of items that joined the stream's milestones from this share of their planned time on.

    It is that of the batch's k-th container; None without a finished milestone of the stream.
    """
    tables = batch.tables
    stream = np.array([tables.ledger.stream[batch.index[k]]])
    last = int(tables.by_stream.before(stream, batch.at[k : k + 1])[0])
    first = max(int(tables.by_stream.first[stream[0]]), last - MEMBERS)
    members = tables.stream_members[first:last]
    if len(members) == 0:
        return None
    phase = max(int(np.searchsorted(PHASES, batch.phase[k], side="right")) - 1, 0)
    return round(float(np.median(tables.joined_by[members, DUE] - tables.joined_by[members, phase])))
