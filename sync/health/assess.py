"""Assess containers: status with hysteresis, ranked reasons, levers with computed effect.

Each rule has its own module: the status in `sync.health.status`, reasons in `sync.health.reasons`, levers in
`sync.health.levers`, the numbers in `sync.forecast.pooled`. This module combines them for one moment; `explain_batch`
returns every number behind containers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch, daily_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.joint import published_curve
from sync.forecast.pooled import Forecast, dates_of, forecasts_of, without_forecast
from sync.forecast.promise import ThroughputDates, throughput_dates
from sync.forecast.track_record import StreamScore
from sync.health.advice import Advisor
from sync.health.date_band import with_steady_dates
from sync.health.explain import BatchNumbers, explanation
from sync.health.joins import usual_joins
from sync.health.leftover import consistent_leftover
from sync.health.reason_band import with_steady_reasons
from sync.health.status import (
    BANDS,
    ContainerState,
    confidence,
    missing_data,
    published_probability,
    verdict,
    with_status,
)
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.counting import method_number
from sync.model.health import Basis, Dates, Health, Status
from sync.model.membership import Counts
from sync.model.tracker_data import Issue

__all__ = ["AssessmentInputs", "assess", "explain_batch", "has_enough_data"]

Floats = NDArray[np.float64]


class AssessmentInputs(Struct, frozen=True, kw_only=True):
    """Inputs of an assessment besides the history. All may be empty.

    ``previous``: container id -> its last health, for hysteresis. ``issues``: uid -> issue, and ``members``: container
    id -> uids of its open items; without them reasons and levers name no items. ``changes``: container id -> uids of
    all open pull and merge requests in it, counted or not. ``scores``: stream -> score of its published forecasts.
    ``counts``: container id -> the counts to show instead of those of the history. ``levers_for``: ids of the
    containers whose levers are computed; None: all. ``has_advice``: reasons and levers are computed.
    ``forecast_for``: ids of the containers that are forecast; None: all. The others have what facts alone say.
    """

    previous: Mapping[str, Health] = {}
    issues: Mapping[str, Issue] = {}
    members: Mapping[str, Sequence[str]] = {}
    changes: Mapping[str, Sequence[str]] = {}
    scores: Mapping[str, StreamScore] = {}
    counts: Mapping[str, Counts] = {}
    levers_for: Collection[str] | None = None
    forecast_for: Collection[str] | None = None
    has_advice: bool = True

    def advisor(self, history: HistoryTables) -> Advisor:
        """Return the advisor for a history."""
        return Advisor(history, self.issues, self.members, self.changes, self.levers_for)


_NO_INPUTS = AssessmentInputs()


def assess(
    history: HistoryTables,
    targets: Sequence[str],
    at: datetime,
    calendar: Calendar,
    inputs: AssessmentInputs = _NO_INPUTS,
) -> dict[str, Health]:
    """Assess the containers with ids ``targets`` as of ``at`` (UTC). Raises KeyError for an id without history."""
    running = set(np.flatnonzero(history.ledger.ended > days(at)).tolist())
    if inputs.forecast_for is not None:
        running &= {history.ledger.index[target] for target in inputs.forecast_for if target in history.ledger.index}
    places = [history.ledger.index[target] for target in targets]
    advisor = inputs.advisor(history)
    assessed: list[Health] = []
    for batch in daily_batches(history, [i for i in places if i in running], at, calendar):
        assessed += _healths(batch, forecasts_of(batch), at, advisor, inputs)
    others = [i for i in places if i not in running]
    for batch in daily_batches(history, others, at, calendar):  # facts decide, so nothing is forecast
        assessed += _healths(batch, without_forecast(batch), at, advisor, replace(inputs, has_advice=False))
    return {health.container: health for health in assessed}


def explain_batch(
    batch: ForecastBatch, healths: Sequence[Health], inputs: AssessmentInputs = _NO_INPUTS
) -> list[dict[str, Any]]:
    """Return every number behind the healths of a batch's containers, as JSON-able data.

    The same input gives the same bytes.
    """
    shared = BatchNumbers(batch)
    return [
        explanation(
            shared, k, forecast, health, inputs.previous.get(health.container), inputs.scores.get(forecast.basis.stream)
        )
        for k, (forecast, health) in enumerate(zip(forecasts_of(batch), healths, strict=True))
    ]


def _healths(
    batch: ForecastBatch, forecasts: Sequence[Forecast], at: datetime, advisor: Advisor, inputs: AssessmentInputs
) -> list[Health]:
    undated = throughput_dates(batch)
    healths = [_without_advice(batch, k, forecast, undated[k], at, inputs) for k, forecast in enumerate(forecasts)]
    if any(health.basis.calibrating and health.probability is not None for health in healths):
        published = np.array([np.nan if health.probability is None else health.probability for health in healths])
        healths = _with_published_dates(batch, healths, published, inputs.previous)
    if inputs.has_advice:
        advised = advisor.advise(batch, healths, has_enough_data(batch))
    else:
        advised = advisor.lower_confidence(batch, healths)
    return [with_steady_reasons(health, inputs.previous.get(health.container)) for health in advised]


def has_enough_data(batch: ForecastBatch) -> NDArray[np.bool_]:
    """Return which containers of the batch have enough data for a forecast: bool[t]."""
    return np.array([missing_data(_state(batch, k), batch.rules) is None for k in range(len(batch.index))], dtype=bool)


def _with_published_dates(
    batch: ForecastBatch, healths: Sequence[Health], published: Floats, previous: Mapping[str, Health]
) -> list[Health]:
    """Return the healths with dates that agree with the published hit rate, where it replaces the forecast."""
    dates = dates_of(batch, published_curve(batch.completion(), batch.probability(), published))

    def with_own(health: Health, own: Dates) -> Health:
        before = previous.get(health.container)
        return with_steady_dates(replace(health, dates=own), before, batch.calendar, batch.rules)

    return [
        with_own(health, dates[k]) if health.basis.calibrating and health.probability is not None else health
        for k, health in enumerate(healths)
    ]


def _without_advice(
    batch: ForecastBatch,
    k: int,
    forecast: Forecast,
    undated: ThroughputDates | None,
    at: datetime,
    inputs: AssessmentInputs,
) -> Health:
    """Return the health of the batch's k-th container, without reasons and levers."""
    rules, calendar, ledger = batch.rules, batch.calendar, batch.tables.ledger
    container = ledger.containers[int(batch.index[k])]
    counts = inputs.counts.get(container.id) or _counts(batch, k)
    state = replace(_state(batch, k), uncounted_open=counts.uncounted_open)
    basis, p = published_probability(forecast, inputs.scores.get(forecast.basis.stream), rules)
    band, cause = verdict(state, p, rules)
    has_forecast = band in BANDS and not state.past_due and missing_data(state, rules) is None
    health = Health(
        container=container.id,
        at=at,
        method=method_number(rules.method, container.counting, container.states),
        status=band,
        band=band,
        since=at,
        due=calendar.day_of(float(batch.due[k])),
        baseline=calendar.day_of(float(ledger.first_due[batch.index[k]])),
        start=calendar.first_day_of(float(batch.start[k])),
        probability=p if has_forecast else None,
        dates=_dates(band, forecast, undated, has_forecast=has_forecast),
        promise=undated.promise if undated is not None and band is Status.NO_DUE_DATE else None,
        leftover=consistent_leftover(forecast.leftover, p, batch.allowed_open(state.open + state.done))
        if has_forecast
        else None,
        usual=forecast.usual if has_forecast else None,
        counts=counts,
        confidence=confidence(basis.stream_finished, state.open + state.done, rules) if has_forecast else None,
        unknown=cause,
        basis=basis if has_forecast or band is Status.OVERDUE else _without_numbers(basis),
        clock=container.clock,
        expected_joins=usual_joins(batch, k) if band in BANDS and state.is_all_done else None,
    )
    previous = inputs.previous.get(container.id)
    return with_steady_dates(with_status(health, previous, rules), previous, calendar, rules)


def _state(batch: ForecastBatch, k: int) -> ContainerState:
    dated = bool(batch.has_dates[k])
    total = int(batch.open[k] + batch.done[k])
    return ContainerState(
        ended=bool(batch.tables.ledger.ended[batch.index[k]] <= batch.counted_at[k]),
        has_due=not np.isnan(batch.due[k]),
        dated=dated,
        past_due=bool(batch.due[k] <= batch.counted_at[k]),
        open=int(batch.open[k]),
        done=int(batch.done[k]),
        allowed=batch.allowed_open(total),
        age=float(batch.at[k] - batch.start[k]) if dated else None,
        length=float(batch.length[k]) if dated else None,
        stream_finished=int(batch.members.stream_finished[k]),
        kind_finished=int(batch.members.kind_finished[k]),
        closures=int(batch.closures_by_week[k].sum()),
        carried=int(batch.carried[k]),
    )


def _without_numbers(basis: Basis) -> Basis:
    """Keep how much history there was, without the probabilities: they are not published."""
    return replace(basis, survival=None, reference=None, closures=None, raw=None)


def _dates(band: Status, forecast: Forecast, undated: ThroughputDates | None, *, has_forecast: bool) -> Dates:
    """Return the dates to show next to the status: none where there is no probability to go with them."""
    if has_forecast or (band is Status.OVERDUE and forecast.open > 0):
        return forecast.dates
    return undated.dates if undated is not None and band is Status.NO_DUE_DATE else Dates()


def _counts(batch: ForecastBatch, k: int) -> Counts:
    return Counts(
        open=int(batch.open[k] - batch.carried[k]),
        carried=int(batch.carried[k]),
        closed=int(batch.done[k]),
        added=int(batch.added[k]),
        added_week=int(batch.added_week[k]),
    )
