"""How forecasts did: those published here, a replay over the finished milestones, and the promises of each stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sync.backtest.questions import allowed, outcomes, questions, tell
from sync.forecast.history_tables import HistoryTables
from sync.forecast.scoring import Bin, brier, reliability
from sync.forecast.track_record import StreamScore, outcomes_of
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.published import Outcome

__all__ = ["DateReliability", "Replayed", "promises", "replayed"]

CHECKS = (0.25, 0.5, 0.75)
"""Shares of the planned time at which a finished milestone is asked about, as the back-test does."""


@dataclass(frozen=True)
class Replayed:
    """Forecasts that would have been published of milestones whose due date has passed, against what happened."""

    bins: tuple[Bin, ...]
    forecasts: int
    milestones: int
    brier: float | None
    base: float | None


@dataclass(frozen=True)
class DateReliability:
    """How one stream kept its dates: of ``due`` milestones whose date has come, ``kept`` were done by the date that
    stood last, ``first`` by the first one. ``slip`` is the usual (median) number of days from the first date until
    done, of those that are done; None without any.
    """

    stream: str
    due: int
    kept: int
    first: int
    slip: int | None
    score: StreamScore | None


def replayed(past: HistoryTables, at: datetime, calendar: Calendar) -> Replayed:
    """What would have been said at 25, 50 and 75 % of the planned time, from what was known then, and what came."""
    ledger, tolerance = past.ledger, past.rules.tolerance
    became = outcomes(ledger, tolerance, days(at))
    asked = questions(ledger, became.known, CHECKS)
    asked, made = tell(past, asked.where(asked.open > allowed(asked.scope, tolerance)), calendar)
    p: NDArray[np.float64] = np.array(
        [np.nan if forecast.p is None else forecast.p for forecast in made], dtype=np.float64
    )
    there = ~np.isnan(p)
    index = asked.index[there]
    p, hit = p[there], became.hit[index].astype(np.bool_)
    if not len(p):
        return Replayed((), 0, 0, None, None)
    rate = np.full(len(p), hit.mean())
    return Replayed(reliability(p, hit), len(p), len(set(index.tolist())), brier(p, hit), brier(rate, hit))


def promises(
    past: HistoryTables, at: datetime, calendar: Calendar, scores: Mapping[str, StreamScore]
) -> list[DateReliability]:
    """The streams in which a date has come, those with the most milestones first."""
    ledger = past.ledger
    became = outcomes_of(ledger, past.rules.tolerance, at)
    by: dict[str, list[tuple[float, float, float | None]]] = defaultdict(list)
    for container, due, first in zip(ledger.containers, ledger.due.tolist(), ledger.first_due.tolist(), strict=True):
        outcome = became.get(container.id, Outcome())
        if due <= days(at) and not outcome.dropped:
            by[container.stream].append((due, first, None if outcome.done is None else days(outcome.done)))
    made = [_promise(stream, told, calendar, scores.get(stream)) for stream, told in by.items()]
    return sorted(made, key=lambda row: (-row.due, row.stream))


def _promise(
    stream: str, told: Sequence[tuple[float, float, float | None]], calendar: Calendar, score: StreamScore | None
) -> DateReliability:
    slips = sorted(_days(calendar, first, done) for _, first, done in told if done is not None)
    return DateReliability(
        stream=stream,
        due=len(told),
        kept=sum(done is not None and done <= due for due, _, done in told),
        first=sum(done is not None and done <= first for _, first, done in told),
        slip=slips[len(slips) // 2] if slips else None,
        score=score,
    )


def _days(calendar: Calendar, first: float, done: float) -> int:
    """Whole days from the first date until done; negative when it was early."""
    promised, ended = calendar.day_of(first), calendar.day_of(done)
    return (ended - promised).days if promised is not None and ended is not None else 0
