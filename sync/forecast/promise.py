"""Throughput dates of containers without a due date: by when as many items will be closed as they have open.

They answer "which date can we promise?", with the multipliers that the history has taught until then, and how often
such dates held.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.throughput import capacity_moments, weeks_of_silence
from sync.forecast.throughput_calibration import learned_dates, longest
from sync.model.health import Dates, Promise

__all__ = ["ThroughputDates", "throughput_dates", "throughput_multipliers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ThroughputDates(Struct, frozen=True):
    """Dates at 50, 85 and 95% and the promise, from throughput alone."""

    dates: Dates
    promise: Promise


def throughput_dates(batch: ForecastBatch) -> list[ThroughputDates | None]:
    """Return the dates of each container of the batch that has open items, closures in its stream and no due date."""
    needs_dates = np.isnan(batch.due) & (batch.open > 0) & (batch.closures_by_week.sum(axis=1) > 0)
    rows = np.flatnonzero(needs_dates)
    found: list[ThroughputDates | None] = [None] * len(batch.index)
    if not len(rows):
        return found
    learned, calendar = learned_dates(batch.tables), batch.calendar
    stream, at = batch.tables.ledger.stream[batch.index[rows]], batch.at[rows]
    items, multipliers = batch.open[rows].astype(np.float64), throughput_multipliers(batch, rows)
    moments = capacity_moments(batch.tables, stream, items, at, calendar, multipliers)
    last = at + longest(batch.rules)
    for k, row in enumerate(rows.tolist()):
        p50, p70, p85, p95 = (
            calendar.completion_day(moment, now=float(at[k])) if moment <= last[k] else None
            for moment in moments[k].tolist()
        )
        held, of = learned.record(int(stream[k]), float(at[k]))
        horizon = calendar.horizon_day(float(last[k]), float(at[k]))
        found[row] = ThroughputDates(
            Dates(p50=p50, p85=p85, p95=p95, horizon=horizon, capacity=True),
            Promise(p50=p50, p70=p70, p85=p85, held=held, of=of),
        )
    return found


def throughput_multipliers(batch: ForecastBatch, rows: Ints) -> Floats:
    """Return the learned multipliers of the containers at positions ``rows`` of the batch: float64[t, `LEVELS`]."""
    stream, at = batch.tables.ledger.stream[batch.index[rows]], batch.at[rows]
    silence = weeks_of_silence(batch.tables, stream, at, batch.calendar)
    return learned_dates(batch.tables).multipliers(stream, silence, at)
