"""Forecast the probability that a container is done by its due date, and dates; a pool of three votes without training.

All three come from earlier milestones at the same phase (`sync.forecast.votes`). They are pooled in log-odds with fixed
weights (`sync.forecast.batch`) and bounded by experience (`sync.forecast.experience`). Nothing that is dated after
``at`` is used.

The published probability is a monotone envelope of the pool: at each phase the mean of the running minimum over earlier
phases and of the running maximum over later ones. With the same history, more open items never raise it at tolerance 0,
a later due date never lowers it, and time without closures never raises it. A milestone that has no more open items
than allowed has no envelope: its probability rises with time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.batch import AT_DUE, ForecastBatch, forecast_batches
from sync.forecast.history_tables import TIMES, HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment
from sync.model.health import Basis, Dates, Leftover, Usual

__all__ = ["Forecast", "dates_of", "forecast", "forecasts_of", "without_forecast"]

Floats = NDArray[np.float64]

LEVELS = (0.50, 0.85, 0.95)
"""Probabilities of the three dates."""


class Forecast(Struct, frozen=True, kw_only=True):
    """Forecast of one container as of ``at`` (UTC).

    ``p`` is the published probability of being done by the due date: the pool after its monotone envelope and its bound
    by experience. ``raw`` is the pool before. Both lie in [clip, 1 - clip] and are None without usable dates (no due
    date, or one that is not after the start). ``survival``, ``reference`` and ``closures`` are the clipped votes.
    ``times`` are relative times (1 = the due date, 3 = three planned durations after the start), ``cdf`` the pooled
    probabilities of being done by each. ``phase`` is the share of the planned time gone, not clipped. ``leftover``: the
    number of items that will be open at the due date; ``usual``: whether that is no more than usual in the series.
    """

    container: str
    at: datetime
    open: int
    done: int
    phase: float | None
    basis: Basis
    p: float | None = None
    raw: float | None = None
    survival: float | None = None
    reference: float | None = None
    closures: float | None = None
    times: tuple[float, ...] = ()
    cdf: tuple[float, ...] = ()
    dates: Dates = Dates()
    leftover: Leftover | None = None
    usual: Usual | None = None


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
    dates = dates_of(batch, curve)
    leftovers, usual = _leftovers(batch), _usual(batch)
    forecasts = []
    for k, bare in enumerate(without_forecast(batch)):
        has_dates = bare.phase is not None
        survival, reference, closures, pool = (_number(p[k]) if has_dates else None for p in components)
        forecasts.append(
            replace(
                bare,
                p=_number(published[k]),
                raw=pool,
                survival=survival,
                reference=reference,
                closures=closures,
                times=tuple(TIMES.tolist()) if has_dates else (),
                cdf=tuple(curve[k, AT_DUE:].tolist()) if has_dates else (),
                dates=dates[k],
                leftover=leftovers[k] if has_dates else None,
                usual=usual[k] if has_dates else None,
                basis=replace(bare.basis, survival=survival, reference=reference, closures=closures, raw=pool),
            )
        )
    return forecasts


def without_forecast(batch: ForecastBatch) -> list[Forecast]:
    """Return for each container of the batch what is known without a forecast; all probabilities and dates are None."""
    members = batch.members
    closures = batch.closures_by_week.sum(axis=1)
    found = []
    for k, i in enumerate(batch.index.tolist()):
        container = batch.tables.ledger.containers[i]
        found.append(
            Forecast(
                container=container.id,
                at=moment(float(batch.at[k])).astimezone(UTC),
                open=int(batch.open[k]),
                done=int(batch.done[k]),
                phase=float(batch.phase[k]) if batch.has_dates[k] else None,
                basis=Basis(
                    stream=container.stream,
                    stream_finished=int(members.stream_finished[k]),
                    kind_finished=int(members.kind_finished[k]),
                    closures_84d=int(closures[k]),
                ),
            )
        )
    return found


def dates_of(batch: ForecastBatch, curve: Floats) -> list[Dates]:
    """Return the dates of each completion curve of the batch: float64[t, x], as `ForecastBatch.completion` gives it."""
    moments = batch.moments_of(curve, LEVELS).tolist()
    dues = np.where(batch.has_dates, batch.due, np.nan).tolist()
    calendar, found = batch.calendar, []
    for own, due, end, now in zip(moments, dues, batch.horizon.tolist(), batch.at.tolist(), strict=True):
        p50, p85, p95 = (calendar.completion_day(moment, due=due, now=now) for moment in own)
        found.append(Dates(p50=p50, p85=p85, p95=p95, horizon=calendar.horizon_day(end, now)))
    return found


def _leftovers(batch: ForecastBatch) -> list[Leftover | None]:
    """Return the number of items left over at the due date of each container; None without members."""
    quantiles = batch.leftover().quantiles()
    return [
        None if np.isnan(high) else Leftover(usually=int(usually), low=int(low), high=int(high))
        for low, usually, high in quantiles.tolist()
    ]


def _usual(batch: ForecastBatch) -> list[Usual | None]:
    """Return for each container what is usual in its series; None without members."""
    shares, probability = batch.usual_shares, batch.usual_probability()
    return [
        None
        if np.isnan(p)
        else Usual(
            share=float(shares.share[k]),
            probability=p,
            milestones=int(shares.milestones[k]),
            in_full=int(shares.in_full[k]),
            in_tolerance=int(shares.in_tolerance[k]),
            of=int(shares.of[k]),
            own=bool(batch.members.from_stream[k]),
        )
        for k, p in enumerate(probability.tolist())
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
