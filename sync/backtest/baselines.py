"""Baselines: the usual methods to forecast a milestone, scored next to ours.

All answer one question: will at most a share ``tolerance`` of the milestone's items be open when it is due? Their input
is a `KnownState`, what was known at the time of the question. The expanding base rate and Platt's scaling use the
outcomes of milestones that were due more than a day before.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sync.forecast.stats import allowed_open, expit, log_gamma, logit
from sync.history.ledger import Ledger

__all__ = ["BASELINES", "KnownState", "StreamLog", "base_rate", "fit_logistic", "known_state", "known_states", "platt"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW = 90
"""Days of the stream that are known."""
GAMMA_WINDOW = 84
PATHS = 1000
SETTLED = 1.0
"""Days after the due moment from which an outcome counts as known."""
_TINY = 1e-9


@dataclass(frozen=True)
class KnownState:
    """State of one milestone as known at the time of a question.

    ``scope``: items in scope; ``open``: open items; ``done``: items done since its start. ``elapsed`` and
    ``remaining``: days since the start and until the due moment. ``closures`` and ``arrivals``: those of its stream per
    day, float64[90], of which the last day ends at the time of the question. ``share``: the part of the stream's
    closures since the start that were this milestone's.
    """

    id: str
    scope: int
    open: int
    done: int
    elapsed: float
    remaining: float
    closures: Floats
    arrivals: Floats
    share: float

    def must_close(self, tolerance: float) -> int:
        """Return how many open items must be closed until the milestone counts as done, with its present scope."""
        return self.open - int(allowed_open(self.scope, tolerance))


@dataclass(frozen=True)
class StreamLog:
    """Arrivals and closures of a stream's items: sorted moments in days since 1970 UTC.

    An item that was in several of the stream's milestones arrived and was closed once. An item that was closed before
    it joined was never work of the stream.
    """

    arrived: Floats
    closed: Floats

    @classmethod
    def of(cls, ledger: Ledger) -> tuple[StreamLog, ...]:
        """Return one log for each of the ledger's streams, in the order of their codes."""
        stream = np.repeat(ledger.stream, np.diff(ledger.offsets))
        finished = (ledger.closed >= ledger.joined) & (ledger.closed <= ledger.left) & np.isfinite(ledger.closed)
        ends = np.stack([stream[finished], ledger.item[finished], ledger.closed[finished]], axis=1)
        ends = np.unique(ends, axis=0)
        order = np.lexsort((ledger.joined, ledger.item, stream))
        first = np.ones(len(order), dtype=bool)
        first[1:] = (np.diff(stream[order]) != 0) | (np.diff(ledger.item[order]) != 0)
        begins = order[first]
        return tuple(
            cls(
                arrived=np.sort(ledger.joined[begins[stream[begins] == code]]),
                closed=np.sort(ends[ends[:, 0] == code, 2]),
            )
            for code in range(len(ledger.streams))
        )


def known_state(ledger: Ledger, log: StreamLog, i: int, at: float, active: int) -> KnownState:
    """Return what is known at ``at`` (days since 1970 UTC) of container ``i``, which has a start and a due moment.

    ``log`` is its stream's, ``active`` the number of the stream's milestones that run at ``at``.
    """
    rows = ledger.rows(i)
    start = float(ledger.start[i])
    done = int((ledger.is_done(at, rows) & (ledger.closed[rows] > start)).sum())
    finished = np.searchsorted(log.closed, [start, at], side="right")
    return KnownState(
        id=ledger.containers[i].id,
        scope=int(ledger.in_scope(at, rows).sum()),
        open=int(ledger.is_open(at, rows).sum()),
        done=done,
        elapsed=at - start,
        remaining=float(ledger.due[i]) - at,
        closures=_daily(log.closed, at),
        arrivals=_daily(log.arrived, at),
        share=min(1.0, (done + 3 / max(1, active)) / (float(finished[1] - finished[0]) + 3)),
    )


def known_states(ledger: Ledger, index: NDArray[np.int64], at: Floats) -> list[KnownState]:
    """Return what is known of each container ``index`` int64[m] at its ``at`` float64[m] (days since 1970 UTC)."""
    logs = StreamLog.of(ledger)
    ends = np.fmin(ledger.due, ledger.ended)
    starts, stops = (
        [np.sort(moments[ledger.stream == code]) for code in range(len(ledger.streams))]
        for moments in (ledger.start, ends)
    )
    states = []
    for i, t in zip(index.tolist(), at.tolist(), strict=True):
        stream = int(ledger.stream[i])
        started, stopped = (int(np.searchsorted(of[stream], t, side="right")) for of in (starts, stops))
        states.append(known_state(ledger, logs[stream], i, t, active=started - stopped))
    return states


def _daily(events: Floats, at: float) -> Floats:
    edges = np.searchsorted(events, at - np.arange(WINDOW, -1, -1.0), side="right")
    return np.diff(edges).astype(np.float64)


def linear(known: KnownState, tolerance: float) -> float:
    """Extrapolate the milestone's own pace as a straight line: 0 or 1."""
    return float(_reached(known.done / known.elapsed, known, tolerance))


def jira(known: KnownState, tolerance: float) -> float:
    """Extrapolate the own pace, 10% faster and slower, as Jira's version report does: 0, .5 or 1."""
    return _band(known.done / known.elapsed, known, tolerance)


def velocity(known: KnownState, tolerance: float) -> float:
    """Extrapolate the stream's average over 90 days, 10% faster and slower: 0, .5 or 1."""
    return _band(float(known.closures.mean()), known, tolerance)


def monte_carlo(known: KnownState, tolerance: float) -> float:
    """Simulate with single days from the stream's last 90, the milestone's share of closures, and a fixed scope."""
    random = _random(known.id)
    draws = random.integers(WINDOW, size=(PATHS, max(1, math.ceil(known.remaining))))
    return float((known.share * known.closures[draws].sum(axis=1) >= known.must_close(tolerance)).mean())


def gamma_poisson(known: KnownState, tolerance: float) -> float:
    """Compute with a Gamma rate from 84 days of the milestone's share of closures, and scope growing as before."""
    recent = known.closures[-GAMMA_WINDOW:].sum() * known.share
    growth = known.arrivals[-GAMMA_WINDOW:].sum() * known.share * known.remaining / GAMMA_WINDOW
    scope = known.scope + round(growth)
    must = known.open + round(growth) - int(allowed_open(scope, tolerance))
    if must <= 0:
        return 1.0
    if known.remaining <= 0:
        return 0.0
    return _reaches(must, recent + 0.5, known.remaining / (GAMMA_WINDOW + known.remaining))


def _reaches(must: int, shape: float, share: float) -> float:
    """Return the probability that a negative binomial count reaches ``must``: a Poisson count whose rate is Gamma."""
    counts = np.arange(must, dtype=np.float64)
    ways = log_gamma(counts + shape) - log_gamma(counts + 1) - log_gamma(shape)
    less = np.exp(ways + shape * math.log1p(-share) + counts * math.log(share))
    return max(0.0, 1.0 - float(less.sum()))


BASELINES: Mapping[str, Callable[[KnownState, float], float]] = {
    "linear": linear,
    "jira": jira,
    "velocity_90d": velocity,
    "monte_carlo": monte_carlo,
    "gamma_poisson": gamma_poisson,
}


def _reached(pace: float, known: KnownState, tolerance: float) -> bool:
    return pace * known.remaining >= known.must_close(tolerance) - _TINY


def _band(pace: float, known: KnownState, tolerance: float) -> float:
    return sum(float(_reached(pace * part, known, tolerance)) for part in (0.9, 1.1)) / 2


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big"))


def base_rate(asked_at: Floats, kind: NDArray[np.int64], due: Floats, hit: Bools, of: NDArray[np.int64]) -> Floats:
    """Return the expanding hit rate: the share done of the milestones of the same kind that were due before.

    ``asked_at`` float64[m]: the times of the questions, in days, about the milestones ``of`` int64[m]. ``kind``,
    ``due`` and ``hit`` have one entry per milestone. One hit and one miss are added (Laplace), so the first answer is
    .5.
    """
    rate = np.empty(len(asked_at))
    for code in np.unique(kind[of]):
        order = np.flatnonzero(kind == code)
        order = order[np.argsort(due[order], kind="stable")]
        hits = np.concatenate([[0], np.cumsum(hit[order])])
        rows = kind[of] == code
        known = np.searchsorted(due[order] + SETTLED, asked_at[rows], side="left")
        rate[rows] = (hits[known] + 1) / (known + 2)
    return rate


def platt(p: Floats, asked_at: Floats, due: Floats, hit: Bools, kind: NDArray[np.int64] | None = None) -> Floats:
    """Scale probabilities by Platt's method: fit slope and offset of logit ``p`` to the forecasts with known outcomes.

    Columns have one entry per forecast; ``p`` is strictly between 0 and 1, ``asked_at`` and ``due`` are in days. With
    ``kind`` int64[m], each kind has its own offset. A weak prior keeps the scaling near the identity (slope 1, offset
    0) while few outcomes are known.
    """
    kinds = np.zeros(len(p), dtype=np.int64) if kind is None else kind
    offsets = (kinds[:, None] == np.arange(kinds.max(initial=0) + 1)).astype(np.float64)
    design = np.column_stack([logit(p), offsets])
    result = np.empty(len(p))
    weights = identity = np.eye(1, design.shape[1])[0]
    for k in np.argsort(asked_at, kind="stable"):
        known = due + SETTLED < asked_at[k]
        weights = fit_logistic(design[known], hit[known].astype(np.float64), weights, identity)
        result[k] = expit(design[k] @ weights)
    return result


def fit_logistic(design: Floats, y: Floats, begin: Floats, prior: Floats) -> Floats:
    """Fit weights by Newton's method in steps of at most 1; each weight's prior counts as one unit of information."""
    weights = begin
    for _ in range(50):
        mean = expit(design @ weights)
        slope = (y - mean) @ design - (weights - prior)
        step = np.linalg.solve((design.T * (mean * (1 - mean))) @ design + np.eye(len(prior)), slope)
        size = float(np.abs(step).max())
        weights = weights + step / max(1.0, size)
        if size < 1e-7:
            break
    return weights
