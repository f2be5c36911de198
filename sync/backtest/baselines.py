"""The usual ways to forecast a milestone, as permanent rows beside ours: what cannot beat them is worth nothing.

All of them answer one question: will at most a share ``tolerance`` of the milestone's items be open when it is due?
They see a `Sight`: what was known at the time of asking. The past outcomes that the expanding base rate and Platt's
scaling learn from are those of milestones which were due more than a day before.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, expit, logit

from sync.history.ledger import Ledger

__all__ = ["BASELINES", "Sight", "StreamLog", "base_rate", "platt", "sight", "sights"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

WINDOW = 90
GAMMA_WINDOW = 84
PATHS = 1000
SETTLED = 1.0  # days after the due moment before an outcome counts as known
_TINY = 1e-9


@dataclass(frozen=True)
class Sight:
    """What is known of one milestone at one time. Times are days.

    ``scope`` items belong to it, ``open`` of them are open; ``closed`` were closed since it started. ``closures`` and
    ``arrivals`` are its stream's, float64[90]: the last one is the day that ends at the time of asking.
    ``share`` is the part of the stream's closures since its start that were this milestone's.
    """

    id: str
    scope: int
    open: int
    closed: int
    elapsed: float
    remaining: float
    closures: Floats
    arrivals: Floats
    share: float

    def must_close(self, tolerance: float) -> int:
        """Open items that must be closed for the milestone to count as done, its scope staying as it is."""
        return self.open - math.floor(tolerance * self.scope + _TINY)


@dataclass(frozen=True)
class StreamLog:
    """When a stream's items arrived and were closed: sorted moments in days, each item's event once.

    An item that several of the stream's milestones held (a carried-over one) arrived and was closed once. One that had
    been closed before it joined was never the stream's work.
    """

    arrived: Floats
    closed: Floats

    @classmethod
    def of(cls, ledger: Ledger) -> tuple[StreamLog, ...]:
        """One log for each of the ledger's streams, in the order of their codes."""
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


def sight(ledger: Ledger, log: StreamLog, i: int, at: float, active: int) -> Sight:
    """What is known at ``at`` (days) of container ``i``, which has a start and a due moment.

    ``log`` is its stream's, ``active`` the number of the stream's milestones that run at ``at``.
    """
    rows = ledger.rows(i)
    start = float(ledger.start[i])
    done = int((ledger.is_done(at, rows) & (ledger.closed[rows] > start)).sum())
    finished = np.searchsorted(log.closed, [start, at], side="right")
    return Sight(
        id=ledger.containers[i].id,
        scope=int(ledger.in_scope(at, rows).sum()),
        open=int(ledger.is_open(at, rows).sum()),
        closed=done,
        elapsed=at - start,
        remaining=float(ledger.due[i]) - at,
        closures=_daily(log.closed, at),
        arrivals=_daily(log.arrived, at),
        share=min(1.0, (done + 3 / max(1, active)) / (float(finished[1] - finished[0]) + 3)),
    )


def sights(ledger: Ledger, index: NDArray[np.int64], at: Floats) -> list[Sight]:
    """What is known of each container ``index`` int64[m] at its time ``at`` float64[m] (days)."""
    logs = StreamLog.of(ledger)
    ends = np.fmin(ledger.due, ledger.ended)
    starts, stops = (
        [np.sort(moments[ledger.stream == code]) for code in range(len(ledger.streams))]
        for moments in (ledger.start, ends)
    )
    seen = []
    for i, t in zip(index.tolist(), at.tolist(), strict=True):
        stream = int(ledger.stream[i])
        begun, over = (int(np.searchsorted(of[stream], t, side="right")) for of in (starts, stops))
        seen.append(sight(ledger, logs[stream], i, t, active=begun - over))
    return seen


def _daily(events: Floats, at: float) -> Floats:
    edges = np.searchsorted(events, at - np.arange(WINDOW, -1, -1.0), side="right")
    return np.diff(edges).astype(np.float64)


def linear(seen: Sight, tolerance: float) -> float:
    """The milestone's own pace so far, drawn on as a straight line: yes or no."""
    return float(_reached(seen.closed / seen.elapsed, seen, tolerance))


def jira(seen: Sight, tolerance: float) -> float:
    """The same with a pace 10 % better and worse, as Jira's version report draws it: between the two, even odds."""
    return _band(seen.closed / seen.elapsed, seen, tolerance)


def velocity(seen: Sight, tolerance: float) -> float:
    """The stream's average over 90 days, and 10 % better and worse."""
    return _band(float(seen.closures.mean()), seen, tolerance)


def monte_carlo(seen: Sight, tolerance: float) -> float:
    """Days drawn singly from the stream's last 90, the milestone's share of their closures, scope standing still."""
    random = _random(seen.id)
    draws = random.integers(WINDOW, size=(PATHS, max(1, math.ceil(seen.remaining))))
    return float((seen.share * seen.closures[draws].sum(axis=1) >= seen.must_close(tolerance)).mean())


def gamma_poisson(seen: Sight, tolerance: float) -> float:
    """Closed form: a Gamma rate from 84 days of the milestone's share of closures, scope growing as it did."""
    recent = seen.closures[-GAMMA_WINDOW:].sum() * seen.share
    growth = seen.arrivals[-GAMMA_WINDOW:].sum() * seen.share * seen.remaining / GAMMA_WINDOW
    scope = seen.scope + round(growth)
    must = seen.open + round(growth) - math.floor(tolerance * scope + _TINY)
    if must <= 0:
        return 1.0
    # The chance that a negative binomial count reaches ``must``.
    return float(betainc(must, recent + 0.5, seen.remaining / (GAMMA_WINDOW + seen.remaining)))


BASELINES: Mapping[str, Callable[[Sight, float], float]] = {
    "linear": linear,
    "jira": jira,
    "velocity_90d": velocity,
    "monte_carlo": monte_carlo,
    "gamma_poisson": gamma_poisson,
}


def _reached(pace: float, seen: Sight, tolerance: float) -> bool:
    return pace * seen.remaining >= seen.must_close(tolerance) - _TINY


def _band(pace: float, seen: Sight, tolerance: float) -> float:
    return sum(float(_reached(pace * part, seen, tolerance)) for part in (0.9, 1.1)) / 2


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big"))


def base_rate(asked: Floats, kind: NDArray[np.int64], due: Floats, hit: Bools, of: NDArray[np.int64]) -> Floats:
    """Expanding hit rate: of the milestones of the kind that were due before, the share which was done by then.

    ``asked`` float64[m] are the times of asking in days about the milestones ``of`` int64[m]; ``kind, due, hit`` are
    one entry per milestone. With one hit and one miss added (Laplace): .5 while there are none.
    """
    rate = np.empty(len(asked))
    for code in np.unique(kind[of]):
        order = np.flatnonzero(kind == code)
        order = order[np.argsort(due[order], kind="stable")]
        hits = np.concatenate([[0], np.cumsum(hit[order])])
        mine = kind[of] == code
        known = np.searchsorted(due[order] + SETTLED, asked[mine], side="left")
        rate[mine] = (hits[known] + 1) / (known + 2)
    return rate


def platt(p: Floats, asked: Floats, due: Floats, hit: Bools, kind: NDArray[np.int64] | None = None) -> Floats:
    """Platt's scaling, expanding: slope and offset of logit ``p`` fitted to the forecasts whose outcome was known.

    All one entry per forecast, strictly between 0 and 1; ``asked`` and ``due`` in days. With ``kind`` int64[m] each
    kind has its own offset. A weak prior holds the scaling at the identity (slope 1, offset 0) while little is known.
    """
    kinds = np.zeros(len(p), dtype=np.int64) if kind is None else kind
    offsets = (kinds[:, None] == np.arange(kinds.max(initial=0) + 1)).astype(np.float64)
    design = np.column_stack([logit(p), offsets])
    result = np.empty(len(p))
    weights = identity = np.eye(1, design.shape[1])[0]
    for k in np.argsort(asked, kind="stable"):
        known = due + SETTLED < asked[k]
        weights = _logistic(design[known], hit[known].astype(np.float64), weights, identity)
        result[k] = expit(design[k] @ weights)
    return result


def _logistic(design: Floats, y: Floats, begin: Floats, prior: Floats) -> Floats:
    """Weights by Newton's method, in steps of at most 1; the prior weighs as one unit of information each."""
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
