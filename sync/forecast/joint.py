"""Joint milestones: the probability that every member is done, and the dates by which all of them are.

Each member brings its own pooled curve, P(done by each moment). From it come paths: a fixed number of completion
moments, one in each equal slice of probability, so a member's own probability and dates are those of its curve. Paths
of different members are shuffled independently, unless history shows that their series ran late together; then ranks
follow a Gaussian copula. A joint milestone is done on a path when its last member is: its date is that of the maximum.

An issue that is in two members is counted in the one with more open items: where one member holds all of another's
issues, both are done when the larger is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import TIMES, HistoryTables
from sync.forecast.simulation import seed
from sync.forecast.stats import expit, logit, normal_score

__all__ = [
    "LEVELS",
    "PATHS",
    "Curve",
    "chance",
    "completion_samples",
    "correlation_matrix",
    "curves",
    "deduplicated_open_counts",
    "quantiles",
]

Floats = NDArray[np.float64]

PATHS = 8192
"""Completion moments drawn for each milestone."""

LEVELS = (0.50, 0.85, 0.95)
"""How sure the three dates of a forecast are."""

PAIRS_LEAST, PAIRS_WEIGHT, STRONGEST = 5, 10.0, 0.9
"""Fewer pairs of earlier milestones show nothing; as many as the weight count for half; none shows more than that."""

_TINY = 1e-9


class Curve(Struct, frozen=True):
    """P(done by each of ``moments``) of one milestone: piecewise linear from 0 at the first.

    ``moments`` (float64[x], days since 1970, not falling) and ``chances`` (float64[x], not falling). What the last
    chance leaves over is not done by ``horizon``.
    """

    moments: Floats
    chances: Floats
    horizon: float

    @classmethod
    def done(cls, at: float) -> Curve:
        """Of a milestone that is done."""
        return cls(np.array([at, at]), np.array([0.0, 1.0]), at)

    def reached(self, shares: Floats) -> Floats:
        """The moment at which each of ``shares`` is reached; infinite where it never is."""
        found: Floats = np.interp(shares, self.chances, self.moments)
        return np.where(shares > self.chances[-1], np.inf, found)


def curves(outlook: ForecastBatch, published: Floats, remaining: Floats | None = None) -> list[Curve | None]:
    """The curve of each container of the batch; None where dates make no sense.

    ``published[t]`` is the probability that was published (NaN: none): where it is not the forecast's own, the curve is
    moved by as much in log-odds. ``remaining[t]`` open items instead of all. Where the curve ends, the capacity dates
    go on as far as they were published, so that a joint milestone of one member has that member's dates.
    """
    still_open = np.asarray(outlook.open if remaining is None else remaining, dtype=np.float64)
    curve = outlook.completion(still_open, still_open + outlook.done)
    own = outlook.probability()
    capacity, horizon = outlook.capacity(), outlook.horizon
    found: list[Curve | None] = []
    for k, at in enumerate(outlook.at.tolist()):
        if still_open[k] == 0 and (outlook.open[k] > 0 or outlook.done[k] > 0):
            found.append(Curve.done(at))
        elif not outlook.dated[k]:
            found.append(None)
        else:
            chances = curve[k]
            if not np.isnan(published[k]) and abs(published[k] - own[k]) > _TINY:
                chances = np.where(chances > 0, expit(logit(chances) + logit(published[k]) - logit(own[k])), 0.0)
            moments = outlook.start[k] + outlook.length[k] * TIMES
            ahead = moments > at
            found.append(_continued(at, moments[ahead], chances[ahead], capacity[k], float(horizon[k])))
    return found


def _continued(at: float, moments: Floats, chances: Floats, capacity: Floats, horizon: float) -> Curve:
    xs, ys = [at, *moments.tolist()], [0.0, *chances.tolist()]
    for level, by_capacity in zip(LEVELS, capacity.tolist(), strict=True):
        when = max(by_capacity, xs[-1])
        if level > ys[-1] and when <= horizon:
            xs.append(when)
            ys.append(level)
    return Curve(np.array(xs), np.array(ys), horizon)


def deduplicated_open_counts(members: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many open items count in each member (id -> its open items): one in several counts in the largest."""
    by_size = sorted(members, key=lambda name: (-len(members[name]), name))
    seen: set[str] = set()
    counted = {}
    for name in by_size:
        own = set(members[name]) - seen
        counted[name] = len(own)
        seen |= own
    return counted


def completion_samples(ids: Sequence[str], drawn: Sequence[Curve], correlation: Floats | None = None) -> Floats:
    """Completion moments (days since 1970, infinite: not by the horizon) of each milestone: float64[m, `PATHS`].

    The same ids and curves always give the same paths, whatever ids come after. ``correlation[m, m]`` is that of a
    Gaussian copula.
    """
    normal = np.array([_normal(name) for name in ids]).reshape(len(ids), PATHS)
    if correlation is not None and not np.array_equal(correlation, np.eye(len(ids))):
        normal = _root(correlation) @ normal
    rank = normal.argsort(axis=1).argsort(axis=1)
    shares = (rank + 0.5) / PATHS
    return np.array([curve.reached(share) for curve, share in zip(drawn, shares, strict=True)]).reshape(len(ids), PATHS)


def _normal(name: str) -> Floats:
    return np.random.Generator(np.random.PCG64(seed(name) ^ 2)).standard_normal(PATHS)


def _root(correlation: Floats) -> Floats:
    """A lower triangular root of a matrix that can be a correlation, and this one where it can: estimates pair by pair
    need not fit together. A row depends on those above it only, so that nobody's paths change by who comes after.
    """
    root = np.zeros_like(correlation)
    left = np.ones(len(root))
    """Of each row's length 1."""
    for j in range(len(root)):
        root[j, j] = edge = np.sqrt(left[j])
        if edge > _TINY:
            below = (correlation[j + 1 :, j] - root[j + 1 :, :j] @ root[j, :j]) / edge
            most = np.sqrt(left[j + 1 :])
            root[j + 1 :, j] = np.clip(below, -most, most)
            left[j + 1 :] = np.maximum(left[j + 1 :] - root[j + 1 :, j] ** 2, 0.0)
    return root


def chance(paths: Floats, due: float) -> float:
    """The share of paths that are done by then."""
    return float(np.count_nonzero(paths <= due + _TINY) / len(paths))


def quantiles(paths: Floats) -> tuple[float, ...]:
    """The moments by which the shares `LEVELS` of paths are done; infinite where they never are."""
    ordered = np.sort(paths)
    return tuple(float(ordered[int(np.ceil(level * len(ordered))) - 1]) for level in LEVELS)


# --- do they run late together? --------------------------------------------------------------------------------------


def correlation_matrix(past: HistoryTables, streams: Sequence[str], at: float) -> Floats:
    """The correlation to assume between milestones of these streams: float64[m, m], 0 where history shows none.

    Pairs are earlier milestones of two streams (or of one) whose planned times overlap, each with the one that was due
    nearest. What is correlated is how late each was among its own stream, as a normal score. The estimate from n pairs
    is shrunk to n / (n + `PAIRS_WEIGHT`) of itself.
    """
    known = {name: _lateness(past, name, at) for name in dict.fromkeys(streams)}
    found: dict[tuple[str, str], float] = {}
    matrix = np.eye(len(streams))
    for i, first in enumerate(streams):
        for j in range(i + 1, len(streams)):
            key = (min(first, streams[j]), max(first, streams[j]))
            if key not in found:
                found[key] = _correlation(past, *(known[name] for name in key))
            matrix[i, j] = matrix[j, i] = found[key]
    return matrix


def _lateness(past: HistoryTables, stream: str, at: float) -> tuple[NDArray[np.int64], Floats]:
    """A stream's finished containers, and how late each was among them as a normal score."""
    ledger = past.ledger
    code = ledger.streams.index(stream) if stream in ledger.streams else -1
    mine = np.flatnonzero((ledger.stream == code) & past.usable & (ledger.due < at - past.rules.settle_days))
    late = past.unfinished[mine].sum(axis=1) + (~past.finished_by[mine]).sum(axis=1)
    order = np.sort(late)
    place = np.searchsorted(order, late, side="left") + np.searchsorted(order, late, side="right")
    scores: Floats = normal_score(place / (2 * max(1, len(mine))))
    return mine, scores


def _correlation(
    past: HistoryTables, one: tuple[NDArray[np.int64], Floats], two: tuple[NDArray[np.int64], Floats]
) -> float:
    due, start = past.ledger.due, past.start
    (mine, scores), (other, others) = (one, two) if len(one[0]) <= len(two[0]) else (two, one)
    pairs: list[tuple[float, float]] = []
    used: set[frozenset[int]] = set()
    for i, score in zip(mine.tolist(), scores.tolist(), strict=True):
        beside = (start[other] < due[i]) & (start[i] < due[other]) & (other != i)
        if not beside.any():
            continue
        nearest = int(np.argmin(np.where(beside, np.abs(due[other] - due[i]), np.inf)))
        pair = frozenset((i, int(other[nearest])))
        if pair not in used:
            used.add(pair)
            pairs.append((score, float(others[nearest])))
    if len(pairs) < PAIRS_LEAST:
        return 0.0
    a, b = np.array(pairs).T
    spread = np.sqrt((a @ a) * (b @ b))
    raw = float(a @ b / spread) if spread > 0 else 0.0
    return float(np.clip(raw * len(pairs) / (len(pairs) + PAIRS_WEIGHT), -STRONGEST, STRONGEST))
