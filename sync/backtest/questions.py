"""Questions of a back-test about a history, their times, and the outcomes.

A question is asked about a milestone at fixed shares of its planned time. The milestone can be scored when its dates
make sense, its due day is over by the end of the history, and it is not empty then: without items it is neither hit nor
missed. Done means that at most a share ``tolerance`` of its items is open at the end of its due day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sync.forecast.batch import forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.outcomes import planned_and_left
from sync.forecast.pooled import Forecast, forecast, without_forecast
from sync.forecast.stats import allowed_open
from sync.health.status import ContainerState, missing_data
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment

__all__ = [
    "CHECKS",
    "AnsweredQuestions",
    "BacktestSetup",
    "Outcomes",
    "Questions",
    "answerable",
    "ask",
    "is_done_by",
    "last_event",
    "outcomes",
    "probabilities",
    "questions",
]

CHECKS = (0.25, 0.5, 0.75)
"""Shares of the planned time at which questions are asked."""
NEAR_SHARE = 0.05
"""Counts at most this share of the planned time before or after the time of a question are those of the question."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]


@dataclass(frozen=True)
class BacktestSetup:
    """Setup of a back-test.

    ``until``: the end of the history in days since 1970 UTC. ``observed``: container id -> the times (days) at which
    its counts are known, in order; of containers whose items are not known only.
    """

    until: float
    calendar: Calendar
    observed: Mapping[str, Floats] = field(default_factory=dict)

    def known_until(self, ledger: Ledger) -> Floats:
        """Return until when the state of each container is known: float64[n], days since 1970 UTC."""
        last = (self.observed.get(container.id) for container in ledger.containers)
        return np.array([self.until if times is None else min(times[-1], self.until) for times in last])


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of n containers.

    ``known`` bool[n]: it can be scored. ``hit`` bool[n]: it was done. ``due`` float64[n]: when that was decided, in
    days since 1970 UTC, infinite where it never can be.
    """

    known: Bools
    hit: Bools
    due: Floats


@dataclass(frozen=True)
class Questions:
    """Questions (m) about the containers at positions ``index``, in the order of shares of planned time, then of
    containers.

    ``at`` float64[m]: the moment of the question, in days since 1970 UTC. ``scope`` and ``open`` int64[m]: the items in
    scope and the open ones at that moment.
    """

    index: Codes
    at: Floats
    scope: Codes
    open: Codes

    def __len__(self) -> int:
        return len(self.index)

    def where(self, mask: Bools) -> Questions:
        """Return the questions that ``mask`` bool[m] selects."""
        return Questions(self.index[mask], self.at[mask], self.scope[mask], self.open[mask])


@dataclass(frozen=True)
class AnsweredQuestions:
    """Questions (m) with our forecasts for them, and the outcomes of the containers of ``tables``.

    Some of the containers may be running at the end of the history.
    """

    tables: HistoryTables
    became: Outcomes
    asked: Questions
    forecasts: Sequence[Forecast]
    setup: BacktestSetup

    def where(self, mask: Bools) -> AnsweredQuestions:
        """Return the questions that ``mask`` bool[m] selects."""
        forecasts = [own for own, is_kept in zip(self.forecasts, mask.tolist(), strict=True) if is_kept]
        return replace(self, asked=self.asked.where(mask), forecasts=forecasts)

    @property
    def resolved(self) -> AnsweredQuestions:
        """The questions about containers whose outcome is known."""
        return self.where(self.became.known[self.asked.index])

    @property
    def hit(self) -> Bools:
        """Outcomes of the questions: bool[m]."""
        return self.became.hit[self.asked.index]


def ask(tables: HistoryTables, setup: BacktestSetup) -> AnsweredQuestions:
    """Ask at `CHECKS` about all containers with dates and items that are not done yet, and answer with our forecasts.

    Only questions before the end of the history with enough history to publish a forecast are asked.
    """
    became = outcomes(tables.ledger, tables.rules.tolerance, setup.until)
    asked = questions(tables.ledger, np.isfinite(became.due), CHECKS, setup.observed)
    is_unfinished = asked.open > allowed_open(asked.scope, tables.rules.tolerance)
    asked = asked.where(is_unfinished & (asked.at <= setup.until))
    return AnsweredQuestions(tables, became, *answerable(tables, asked, setup.calendar), setup)


def outcomes(ledger: Ledger, tolerance: float, until: float) -> Outcomes:
    """Return the outcome of each container as known at ``until`` (days since 1970 UTC), the end of the history."""
    dated = np.isfinite(ledger.start) & np.isfinite(ledger.due) & (ledger.start < ledger.due)
    scope, open_items = _count(ledger, np.arange(len(ledger.containers)), ledger.due)
    can_be_known = dated & (scope > 0)
    return Outcomes(
        known=can_be_known & (ledger.due <= until),
        hit=open_items <= allowed_open(scope, tolerance),
        due=np.where(can_be_known, ledger.due, np.inf),
    )


def questions(
    ledger: Ledger, among: Bools, shares: Sequence[float], observed: Mapping[str, Floats] | None = None
) -> Questions:
    """Ask about the containers ``among`` bool[n] at each of ``shares`` of their planned time, unless closed before.

    Where counts are known at some times only (``observed``, see `BacktestSetup`), the nearest time counts if it is
    near, and no question is asked before the first.
    """
    index = np.tile(np.flatnonzero(among), len(shares))
    share = np.repeat(np.array(shares), int(among.sum()))
    length = ledger.due[index] - ledger.start[index]
    at = ledger.start[index] + share * length
    for k, i in enumerate(index.tolist() if observed else []):
        times = (observed or {}).get(ledger.containers[i].id)
        if times is not None:
            at[k] = _observed_moment(times, float(at[k]), NEAR_SHARE * float(length[k]))
    running = at < ledger.ended[index]
    index, at = index[running], at[running]
    return Questions(index, at, *_count(ledger, index, at))


def _observed_moment(times: Floats, at: float, near: float) -> float:
    """Return the time of ``times`` that is nearest to ``at``, or ``at`` if none is near; NaN before the first."""
    nearest = float(times[np.abs(times - at).argmin()])
    if abs(nearest - at) <= near:
        return nearest
    return at if times[0] <= at else np.nan


def answerable(tables: HistoryTables, asked: Questions, calendar: Calendar) -> tuple[Questions, list[Forecast]]:
    """Return the questions with enough history to publish a forecast, and our forecasts for them.

    For the others the status is unknown.
    """
    forecasts = forecast(tables, asked.index.tolist(), [moment(at) for at in asked.at], tables.rules, calendar)
    is_enough = _is_enough(tables, asked, forecasts)
    published = [own for own, kept in zip(forecasts, is_enough, strict=True) if kept]
    return asked.where(is_enough), published


def probabilities(tables: HistoryTables, asked: Questions, calendar: Calendar) -> tuple[Questions, Floats]:
    """Return the questions that `answerable` returns, and the published probability of each, without the rest of it."""
    moments = [moment(at) for at in asked.at]
    batches = list(forecast_batches(tables, asked.index.tolist(), moments, calendar))
    is_enough = _is_enough(tables, asked, [own for batch in batches for own in without_forecast(batch)])
    p = np.concatenate([batch.probability() for batch in batches]) if batches else np.empty(0)
    return asked.where(is_enough), p[is_enough]


def _is_enough(tables: HistoryTables, asked: Questions, forecasts: Sequence[Forecast]) -> Bools:
    ledger = tables.ledger
    ages = asked.at - ledger.start[asked.index]
    lengths = ledger.due[asked.index] - ledger.start[asked.index]
    states = (
        ContainerState(
            ended=False,
            has_due=True,
            dated=True,
            past_due=False,
            open=own.open,
            done=own.done,
            allowed=0,
            age=age,
            length=length,
            stream_finished=own.basis.stream_finished,
            kind_finished=own.basis.kind_finished,
            closures=own.basis.closures_84d,
        )
        for own, age, length in zip(forecasts, ages.tolist(), lengths.tolist(), strict=True)
    )
    return np.array([missing_data(state, tables.rules) is None for state in states], dtype=bool)


def last_event(ledger: Ledger) -> float:
    """Return the last moment of the history in days since 1970 UTC; minus infinity for an empty one."""
    times = np.concatenate([ledger.joined, ledger.left, ledger.closed])
    return float(times[np.isfinite(times)].max(initial=-np.inf))


def is_done_by(ledger: Ledger, index: Codes, by: Floats, tolerance: float) -> Bools:
    """Return which of the containers ``index`` int64[m] are done at ``by`` float64[m] (days since 1970 UTC).

    After the due moment, the items that were planned by then count: those that join later change nothing. An empty
    container is not done.
    """
    is_done = np.zeros(len(index), dtype=bool)
    for k, (i, t) in enumerate(zip(index.tolist(), by.tolist(), strict=True)):
        planned, left = planned_and_left(ledger, i, t, float(ledger.due[i]))
        is_done[k] = planned > 0 and left <= allowed_open(planned, tolerance)
    return is_done


def _count(ledger: Ledger, index: Codes, at: Floats) -> tuple[Codes, Codes]:
    """Return the items of each container that are in scope at its time, and those that are open: int64[m] each."""
    counts = np.zeros((len(index), 2), dtype=np.int64)
    for k, (i, t) in enumerate(zip(index, at, strict=True)):
        rows = ledger.rows(int(i))
        counts[k] = ledger.in_scope(t, rows).sum(), ledger.is_open(t, rows).sum()
    return counts[:, 0], counts[:, 1]
