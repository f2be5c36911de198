"""Expect the items that join a milestone from now until its due moment, by the earlier milestones of its series."""

from __future__ import annotations

from statistics import median

import numpy as np

from sync.forecast.batch import ForecastBatch

__all__ = ["usual_joins"]


def usual_joins(batch: ForecastBatch, k: int) -> int | None:
    """Return the median number of items that joined the earlier milestones from the same phase until their due moment.

    It is that of the batch's k-th container; None without an earlier milestone.
    """
    tables, ledger = batch.tables, batch.tables.ledger
    joins = []
    for member in batch.members.index[k][batch.members.is_representative[k]].tolist():
        rows, due = ledger.rows(member), float(ledger.due[member])
        moment = float(tables.start[member] + tables.length[member] * batch.phase[k])
        joins.append(int(np.count_nonzero(tables.newcomers(rows, ledger.joined[rows] <= due, moment))))
    return round(median(joins)) if joins else None
