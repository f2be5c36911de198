"""What a back-test asks about a history, when, and what became of it.

A milestone is asked about at fixed shares of its planned time. It can be scored when its dates are usable, its due day
is past by the end of the history, and it is not empty then: one that everything was moved out of was neither hit nor
missed. Done means that at most a share ``tolerance`` of its items are open at the end of its due day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.pooled import Forecast, forecast
from sync.health.status import ContainerState, missing_data
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger, moment

__all__ = ["Outcomes", "Questions", "allowed", "last_event", "outcomes", "questions", "tell"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Codes = NDArray[np.int64]

_TINY = 1e-9


@dataclass(frozen=True)
class Outcomes:
    """What became of each container: ``known`` bool[n] that it can be scored, ``hit`` bool[n] that it was done.

    ``due`` float64[n] is when that was decided (days), infinity where it never can be.
    """

    known: Bools
    hit: Bools
    due: Floats


@dataclass(frozen=True)
class Questions:
    """Containers ``index`` int64[m], each asked about at ``at`` float64[m] (days), with its items ``scope``, of which
    ``open`` are open then. In the order of shares of planned time, then of containers.
    """

    index: Codes
    at: Floats
    scope: Codes
    open: Codes

    def __len__(self) -> int:
        return len(self.index)

    def where(self, mask: Bools) -> Questions:
        """Those that ``mask`` bool[m] keeps."""
        return Questions(self.index[mask], self.at[mask], self.scope[mask], self.open[mask])


def allowed(scope: Codes, tolerance: float) -> Codes:
    """How many of ``scope`` items may be open when the milestone counts as done."""
    count: Codes = np.floor(tolerance * scope + _TINY).astype(np.int64)
    return count


def outcomes(ledger: Ledger, tolerance: float, until: float) -> Outcomes:
    """What is known of each container at ``until`` (days), the end of the history."""
    dated = np.isfinite(ledger.start) & np.isfinite(ledger.due) & (ledger.start < ledger.due)
    scope, left = _count(ledger, np.arange(len(ledger.containers)), ledger.due)
    settled = dated & (scope > 0)
    return Outcomes(
        known=settled & (ledger.due <= until),
        hit=left <= allowed(scope, tolerance),
        due=np.where(settled, ledger.due, np.inf),
    )


def questions(ledger: Ledger, among: Bools, shares: Sequence[float]) -> Questions:
    """Ask about the containers ``among`` bool[n] at each share of their planned time, unless closed before."""
    index = np.tile(np.flatnonzero(among), len(shares))
    share = np.repeat(np.array(shares), int(among.sum()))
    at = ledger.start[index] + share * (ledger.due[index] - ledger.start[index])
    running = at < ledger.ended[index]
    index, at = index[running], at[running]
    return Questions(index, at, *_count(ledger, index, at))


def tell(past: HistoryTables, asked: Questions, calendar: Calendar) -> tuple[Questions, list[Forecast]]:
    """Our forecasts, with the questions that they answer: those for which there is enough to publish one.

    For the others the status is unknown.
    """
    made = forecast(past, asked.index.tolist(), [moment(at) for at in asked.at], past.rules, calendar)
    told = _enough(past, asked, made)
    return asked.where(told), [one for one, kept in zip(made, told, strict=True) if kept]


def _enough(past: HistoryTables, asked: Questions, made: Sequence[Forecast]) -> Bools:
    ledger = past.ledger
    ages = asked.at - ledger.start[asked.index]
    lengths = ledger.due[asked.index] - ledger.start[asked.index]
    standings = (
        ContainerState(
            ended=False,
            has_due=True,
            dated=True,
            past_due=False,
            open=one.open,
            done=one.done,
            allowed=0,
            age=age,
            length=length,
            stream_finished=one.basis.stream_finished,
            kind_finished=one.basis.kind_finished,
            closures=one.basis.closures_84d,
        )
        for one, age, length in zip(made, ages.tolist(), lengths.tolist(), strict=True)
    )
    return np.array([missing_data(standing, past.rules) is None for standing in standings], dtype=bool)


def last_event(ledger: Ledger) -> float:
    """The last moment at which anything happened (days); minus infinity when nothing did."""
    times = np.concatenate([ledger.joined, ledger.left, ledger.closed])
    return float(times[np.isfinite(times)].max(initial=-np.inf))


def _count(ledger: Ledger, index: Codes, at: Floats) -> tuple[Codes, Codes]:
    """Members of each container at its time, and the open ones among them."""
    counts = np.zeros((len(index), 2), dtype=np.int64)
    for k, (i, t) in enumerate(zip(index, at, strict=True)):
        rows = ledger.rows(int(i))
        counts[k] = ledger.in_scope(t, rows).sum(), ledger.is_open(t, rows).sum()
    return counts[:, 0], counts[:, 1]
