"""Probability that a container is done by its due date, and the dates by which it will be: a pool of three estimates.

What earlier milestones of the same stream did from this phase on (`sync.forecast.survival`: item survival and
reference class),
and what the stream's recent throughput makes of the open items (`sync.forecast.simulation`), are pooled in log-odds
with fixed
weights (`sync.forecast.batch`). Nothing dated after ``at`` is used.

The published probability is a monotone envelope of that pool: with the history held fixed, more open items never
raise it at tolerance 0, a later due date never lowers it, and passing time without closures never raises it. History
enters as a function of the phase alone, made non-increasing in the phase by the mean of its running minimum and the
running maximum of what follows; the simulation as a function of the working days ahead, made non-decreasing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch, forecast_batches
from sync.forecast.history_tables import TIMES, HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment
from sync.model.health import Basis, Dates

__all__ = ["Forecast", "HistoryTables", "Rules", "forecast", "forecasts_of"]

Floats = NDArray[np.float64]

HALF_A_DAY = 0.5
"""Days after a due moment, the end of a day, that lie in the day after it."""


class Forecast(Struct, frozen=True, kw_only=True):
    """The forecast of one container at one time.

    ``p`` is the published probability of being done by the due date: the pool after its monotone envelope; ``raw``
    is the pool before. Both lie in [clip, 1 - clip] and are None without usable dates (no due date, or a due date
    not after the start). ``survival``, ``reference``, ``simulation`` are the components before pooling, clipped;
    ``simulation`` is None where the stream is too young to be sampled.
    ``times`` are relative times (1 = the due date, 3 = three planned durations after the start) with the pooled
    probability ``cdf`` of being done by each. ``phase`` is the share of the planned time gone, not clipped.
    ``expected_left``: open items expected at the due date. ``capacity`` dates come from throughput alone.
    """

    container: str
    at: datetime
    open: int
    done: int
    phase: float | None
    p: float | None
    raw: float | None
    survival: float | None
    reference: float | None
    simulation: float | None
    times: tuple[float, ...]
    cdf: tuple[float, ...]
    dates: Dates
    capacity: Dates
    expected_left: float | None
    basis: Basis


def forecast(
    ledger: Ledger | HistoryTables,
    indices: Sequence[int],
    at: datetime | Sequence[datetime],
    rules: Rules,
    calendar: Calendar,
) -> list[Forecast]:
    """Forecast the containers at positions ``indices`` as of ``at`` (one moment for all, or one for each).

    Give a `HistoryTables` made with the same rules instead of a ledger to forecast repeatedly without counting again.
    """
    past = ledger if isinstance(ledger, HistoryTables) else HistoryTables(ledger, rules)
    moments = [at] * len(indices) if isinstance(at, datetime) else list(at)
    found: list[Forecast] = []
    for outlook in forecast_batches(past, indices, moments, calendar):
        found += forecasts_of(outlook)
    return found


def forecasts_of(outlook: ForecastBatch) -> list[Forecast]:
    """One `Forecast` per container of the batch."""
    published, raw = outlook.probability(), outlook.probability(envelope=False)
    survival, reference, simulated = outlook.components()
    curve = outlook.completion()
    moments = [outlook.reached(curve, level) for level in (0.50, 0.85, 0.95)]
    by_capacity, horizon = outlook.capacity(), outlook.horizon
    left = outlook.at_phase(np.rint(outlook.open[:, None] * (1 + outlook.habits.growth)) * (1 - outlook.habits.q))
    found = []
    for k, i in enumerate(outlook.index):
        dated = bool(outlook.dated[k])
        parts = [_number(v[k]) if dated else None for v in (survival, reference, simulated, raw)]
        container = outlook.past.ledger.containers[int(i)]
        late = float(outlook.due[k]) + HALF_A_DAY if dated else -np.inf
        found.append(
            Forecast(
                container=container.id,
                at=moment(float(outlook.at[k])).astimezone(UTC),
                open=int(outlook.open[k]),
                done=int(outlook.done[k]),
                phase=float(outlook.phase[k]) if dated else None,
                p=_number(published[k]),
                raw=parts[3],
                survival=parts[0],
                reference=parts[1],
                simulation=parts[2],
                times=tuple(TIMES.tolist()) if dated else (),
                cdf=tuple(curve[k].tolist()) if dated else (),
                dates=_dates(outlook.calendar, [float(m[k]) for m in moments], by_capacity[k], float(horizon[k]), late),
                capacity=_dates(outlook.calendar, [np.inf] * 3, by_capacity[k], float(horizon[k])),
                expected_left=float(left[k]) if dated else None,
                basis=Basis(
                    stream=container.stream,
                    survival=parts[0],
                    reference=parts[1],
                    simulation=parts[2],
                    raw=parts[3],
                    stream_finished=int(outlook.habits.own[k]),
                    kind_finished=int(outlook.habits.kind[k]),
                    closures_84d=int(outlook.by_week[k].sum()),
                ),
            )
        )
    return found


def _dates(calendar: Calendar, moments: list[float], capacity: Floats, horizon: float, late: float = -np.inf) -> Dates:
    """The curve's dates; where it does not reach a quantile the capacity's, never before an earlier quantile, nor
    before ``late``: what is not that likely by the due date cannot be that sure of an earlier one.
    """
    chosen: list[float] = []
    used = False
    for own, other in zip(moments, capacity.tolist(), strict=True):
        value = own if np.isfinite(own) else max([other, late, *chosen])
        if not np.isfinite(own) and value <= horizon:
            used = True
        chosen.append(value if value <= horizon else np.inf)
    p50, p85, p95 = (calendar.day_of(value) for value in chosen)
    return Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.day_of(horizon), capacity=used)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
