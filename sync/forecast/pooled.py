"""Forecast the probability that a container is done by its due date, and dates; a pool of three estimates.

Two come from earlier milestones at the same phase (item survival and reference class, `sync.forecast.survival`), one
from the stream's recent throughput (`sync.forecast.simulation`). They are pooled in log-odds with fixed weights
(`sync.forecast.batch`). Nothing that is dated after ``at`` is used.

The published probability is a monotone envelope of the pool. With the same history, more open items never raise it at
tolerance 0, a later due date never lowers it, and time without closures never raises it. To this end the estimates from
history are made non-increasing in the phase, by the mean of their running minimum and of the running maximum of the
later phases. The simulation is made non-decreasing in the days of usual work ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch, forecast_batches
from sync.forecast.history_tables import TIMES, HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment
from sync.model.health import Basis, Dates

__all__ = ["Forecast", "forecast", "forecasts_of"]

Floats = NDArray[np.float64]

HALF_A_DAY = 0.5
"""Days to add to a due moment, which is the end of a day, to get into the next day."""

LEVELS = (0.50, 0.85, 0.95)
"""Probabilities of the three dates."""


class Forecast(Struct, frozen=True, kw_only=True):
    """Forecast of one container as of ``at`` (UTC).

    ``p`` is the published probability of being done by the due date: the pool after its monotone envelope. ``raw`` is
    the pool before. Both lie in [clip, 1 - clip] and are None without usable dates (no due date, or one that is not
    after the start). ``survival``, ``reference`` and ``simulation`` are the clipped components; ``simulation`` is None
    where the stream is too young to be sampled. ``times`` are relative times (1 = the due date, 3 = three planned
    durations after the start), ``cdf`` the pooled probabilities of being done by each. ``phase`` is the share of the
    planned time gone, not clipped. ``expected_left``: open items expected at the due date. ``capacity``: dates from
    throughput alone.
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
    history: Ledger | HistoryTables,
    indices: Sequence[int],
    at: datetime | Sequence[datetime],
    rules: Rules,
    calendar: Calendar,
) -> list[Forecast]:
    """Forecast the containers at positions ``indices`` as of ``at`` (UTC; one moment for all, or one for each).

    ``history``: `HistoryTables` made with the same rules save counting again where forecasts are made repeatedly.
    """
    tables = history if isinstance(history, HistoryTables) else HistoryTables(history, rules)
    moments = [at] * len(indices) if isinstance(at, datetime) else list(at)
    forecasts: list[Forecast] = []
    for batch in forecast_batches(tables, indices, moments, calendar):
        forecasts += forecasts_of(batch)
    return forecasts


def forecasts_of(batch: ForecastBatch) -> list[Forecast]:
    """Return one `Forecast` for each container of the batch, in its order."""
    published, raw = batch.probability(), batch.probability(envelope=False)
    components = [*batch.components(), raw]
    curve = batch.completion()
    moments = np.stack([batch.moment_of(curve, level) for level in LEVELS], axis=1)
    capacity, horizon = batch.capacity(), batch.horizon
    estimates = batch.estimates
    expected_left = batch.at_phase(np.rint(batch.open[:, None] * (1 + estimates.growth)) * (1 - estimates.q))
    forecasts = []
    for k, i in enumerate(batch.index):
        has_dates = bool(batch.has_dates[k])
        survival, reference, simulation, pool = (_number(p[k]) if has_dates else None for p in components)
        container = batch.tables.ledger.containers[int(i)]
        days = float(horizon[k])
        window = _Window(float(batch.at[k]), float(batch.due[k]) if has_dates else np.nan, days)
        forecasts.append(
            Forecast(
                container=container.id,
                at=moment(float(batch.at[k])).astimezone(UTC),
                open=int(batch.open[k]),
                done=int(batch.done[k]),
                phase=float(batch.phase[k]) if has_dates else None,
                p=_number(published[k]),
                raw=pool,
                survival=survival,
                reference=reference,
                simulation=simulation,
                times=tuple(TIMES.tolist()) if has_dates else (),
                cdf=tuple(curve[k].tolist()) if has_dates else (),
                dates=_dates(batch.calendar, moments[k].tolist(), capacity[k], window),
                capacity=_dates(batch.calendar, [np.inf] * len(LEVELS), capacity[k], window._replace(due=np.nan)),
                expected_left=float(expected_left[k]) if has_dates else None,
                basis=Basis(
                    stream=container.stream,
                    survival=survival,
                    reference=reference,
                    simulation=simulation,
                    raw=pool,
                    stream_finished=int(estimates.stream_finished[k]),
                    kind_finished=int(estimates.kind_finished[k]),
                    closures_84d=int(batch.closures_by_week[k].sum()),
                ),
            )
        )
    return forecasts


class _Window(NamedTuple):
    """Time of a forecast, due moment (NaN: none) and last moment of its dates, in days since 1970 UTC."""

    now: float
    due: float
    horizon: float


def _dates(calendar: Calendar, moments: list[float], capacity: Floats, window: _Window) -> Dates:
    """Return the dates of the curve's moments, and the capacity dates for quantiles that the curve does not reach.

    A capacity date is never by the due date, nor before an earlier quantile: the curve says that the due date is less
    probable than the quantile. Dates after the horizon are None.
    """
    late = -np.inf if np.isnan(window.due) else window.due + HALF_A_DAY
    chosen: list[float] = []
    is_capacity = False
    for own, other in zip(moments, capacity.tolist(), strict=True):
        value = own if np.isfinite(own) else max([other, late, *chosen])
        if not np.isfinite(own) and value <= window.horizon:
            is_capacity = True
        chosen.append(value if value <= window.horizon else np.inf)
    p50, p85, p95 = (calendar.completion_day(value, due=window.due, now=window.now) for value in chosen)
    return Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.working_day_by(window.horizon), capacity=is_capacity)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
