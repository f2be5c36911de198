"""How forecasts did: those published here, a replay over the finished milestones, and the promises of each stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray

from sync.assessment import Assessed
from sync.calendar import Calendar
from sync.ledger import days
from sync.model import Status
from sync.past import Past
from sync.replay import allowed, outcomes, questions, tell
from sync.scoring import Bin, brier, reliability
from sync.selfscore import StreamScore

__all__ = ["Promise", "Replayed", "promises", "replayed"]

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
class Promise:
    """How the milestones of one stream kept their dates: of ``finished`` ones, ``kept`` the date that stood last,
    ``first`` the first one. ``slip`` is the usual (median) number of days from the first date to the end.
    """

    stream: str
    finished: int
    kept: int
    first: int
    slip: int
    score: StreamScore | None


def replayed(past: Past, at: datetime, calendar: Calendar) -> Replayed:
    """What would have been said at 25, 50 and 75 % of the planned time, from what was known then, and what came."""
    ledger, tolerance = past.ledger, past.rules.tolerance
    became = outcomes(ledger, tolerance, days(at))
    asked = questions(ledger, became.known, CHECKS)
    asked, made = tell(past, asked.where(asked.open > allowed(asked.scope, tolerance)), calendar)
    p: NDArray[np.float64] = np.array([np.nan if one.p is None else one.p for one in made], dtype=np.float64)
    there = ~np.isnan(p)
    index = asked.index[there]
    p, hit = p[there], became.hit[index].astype(np.bool_)
    if not len(p):
        return Replayed((), 0, 0, None, None)
    rate = np.full(len(p), hit.mean())
    return Replayed(reliability(p, hit), len(p), len(set(index.tolist())), brier(p, hit), brier(rate, hit))


def promises(assessed: Iterable[Assessed], scores: Mapping[str, StreamScore]) -> list[Promise]:
    """The streams by name, those with the most finished milestones first."""
    by: dict[str, list[tuple[date, date, date]]] = defaultdict(list)
    for one in assessed:
        ended, due = one.milestone.closed_at, one.health.due
        if one.health.status is Status.DONE and ended is not None and due is not None:
            by[one.stream].append((ended.astimezone(one.source.zone).date(), due, one.health.baseline or due))
    made = [_promise(stream, ends, scores.get(stream)) for stream, ends in by.items()]
    made += [Promise(stream, 0, 0, 0, 0, score) for stream, score in scores.items() if stream not in by]
    return sorted(made, key=lambda one: (-one.finished, one.stream))


def _promise(stream: str, ends: Sequence[tuple[date, date, date]], score: StreamScore | None) -> Promise:
    slips = sorted((ended - first).days for ended, _, first in ends)
    return Promise(
        stream=stream,
        finished=len(ends),
        kept=sum(ended <= due for ended, due, _ in ends),
        first=sum(ended <= first for ended, _, first in ends),
        slip=slips[len(slips) // 2],
        score=score,
    )
