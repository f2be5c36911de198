"""Forecast joint milestones: the probability that every member is done, and the dates by which all are done.

Each member has a pooled curve, P(done by each moment). Its paths are `PATHS` completion moments, one in each equal
slice of probability, so a member's own probability and dates are those of its curve. The paths of different members are
shuffled independently. Where history shows that their streams ran late together, their ranks follow a Gaussian copula.
A joint milestone is done on a path at the latest moment of its members.

An issue in several members counts in the one with the most open items.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from hashlib import blake2b

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.stats import expit, logit

__all__ = [
    "LEVELS",
    "PATHS",
    "Curve",
    "LastMoments",
    "completion_ranks",
    "curves",
    "deduplicated_open_counts",
    "published_curve",
    "quantile_moments",
    "share_done_by",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PATHS = 8192
"""Completion moments of each milestone."""

_SHARES: Floats = (np.arange(PATHS) + 0.5) / PATHS
"""Share of probability at which each moment is, by its rank."""

LEVELS = (0.50, 0.85, 0.95)
"""Probabilities of the three dates of a forecast."""

_TINY = 1e-9

_ROUNDING = 1e-12
"""What rounding may leave of a squared length that is used up."""


class Curve(Struct, frozen=True):
    """Completion curve of one milestone: P(done by each of ``moments``), linear between, 0 at the first.

    ``moments`` (float64[x], days since 1970 UTC) and ``probabilities`` (float64[x]) do not fall. The rest up to 1 is
    the probability of not being done by ``horizon`` (days since 1970 UTC).
    """

    moments: Floats
    probabilities: Floats
    horizon: float

    @classmethod
    def done(cls, at: float) -> Curve:
        """Return the curve of a milestone that is done ``at`` (days since 1970 UTC)."""
        return cls(np.array([at, at]), np.array([0.0, 1.0]), at)

    def draw(self, ranks: Ints) -> Floats:
        """Return the completion moment of each path from its rank (`completion_ranks`); infinite: never done."""
        moments: Floats = np.interp(_SHARES, self.probabilities, self.moments)  # fast, as the shares are sorted
        moments[self.probabilities[-1] < _SHARES] = np.inf
        return moments[ranks]


def curves(batch: ForecastBatch, published: Floats, remaining: Floats | None = None) -> list[Curve | None]:
    """Return the curve of each container of the batch; None where dates make no sense.

    ``published[t]`` is the published probability (NaN: none). Where it differs from the forecast's own, the curve is
    moved by the same amount in log-odds. ``remaining[t]`` open items replace all (None: all). What a curve leaves over
    at its end is the probability of not being done within it.
    """
    still_open = np.asarray(batch.open if remaining is None else remaining, dtype=np.float64)
    own = batch.probability()
    p = published_curve(batch.completion(still_open, still_open + batch.done), own, published)
    horizon = batch.horizon
    result: list[Curve | None] = []
    for k, at in enumerate(batch.at.tolist()):
        if still_open[k] == 0 and (batch.open[k] > 0 or batch.done[k] > 0):
            result.append(Curve.done(at))
        elif not batch.has_dates[k]:
            result.append(None)
        else:
            result.append(Curve(*batch.points(p, k), float(horizon[k])))
    return result


def published_curve(curve: Floats, own: Floats, published: Floats) -> Floats:
    """Move each completion curve (float64[t, x]) so that its probability ``own[t]`` becomes the ``published[t]`` one.

    It is moved by the same amount in log-odds at all times; where ``published`` is NaN, it stays.
    """
    k = np.flatnonzero(~np.isnan(published - own) & (np.abs(published - own) > _TINY))
    moved, shift = curve.copy(), logit(published[k]) - logit(own[k])
    moved[k] = np.where(curve[k] > 0, expit(logit(curve[k]) + shift[:, None]), 0.0)
    return moved


def deduplicated_open_counts(members: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how many open items count in each member: an item in several counts in the one with the most items.

    ``members``: id -> its open items.
    """
    by_size = sorted(members, key=lambda name: (-len(members[name]), name))
    assigned: set[str] = set()
    counts = {}
    for name in by_size:
        own = set(members[name]) - assigned
        counts[name] = len(own)
        assigned |= own
    return counts


def completion_ranks(ids: Sequence[str], correlation: Floats | None = None) -> Ints:
    """Return the rank of each path among the completion moments of its milestone, from 0 on: int64[m, `PATHS`].

    ``correlation[m, m]`` is that of a Gaussian copula (None: independent). The ranks of a milestone depend on its id
    and on the milestones before it only.
    """
    normal = np.array([_normal(name) for name in ids]).reshape(len(ids), PATHS)
    if correlation is not None and not np.array_equal(correlation, np.eye(len(ids))):
        normal = _root(correlation) @ normal
    ranks: Ints = np.empty(normal.shape, dtype=np.int64)
    np.put_along_axis(ranks, normal.argsort(axis=1), np.arange(PATHS), axis=1)
    return ranks


def _normal(name: str) -> Floats:
    return np.random.Generator(np.random.PCG64(seed(name) ^ 2)).standard_normal(PATHS)


def seed(container: str) -> int:
    """Return the first 8 bytes of BLAKE2b of a container's id as a number."""
    return int.from_bytes(blake2b(container.encode()).digest()[:8], "big")


def _root(correlation: Floats) -> Floats:
    """Return a lower triangular root of the nearest valid correlation matrix, by a clipped Cholesky factorisation.

    Correlations that are estimated pair by pair need not be positive definite. A row depends only on the rows above.
    """
    root = np.zeros_like(correlation)
    rest = np.ones(len(root))  # of each row's squared length 1
    for j in range(len(root)):
        if rest[j] > _ROUNDING:
            root[j, j] = edge = np.sqrt(rest[j])
            below = (correlation[j + 1 :, j] - root[j + 1 :, :j] @ root[j, :j]) / edge
            most = np.sqrt(rest[j + 1 :])
            root[j + 1 :, j] = np.clip(below, -most, most)
            rest[j + 1 :] = np.maximum(rest[j + 1 :] - root[j + 1 :, j] ** 2, 0.0)
    return root


class LastMoments:
    """Moments at which the last member of a joint milestone is done: ``last``, float64[paths], days since 1970 UTC.

    ``paths`` are the completion moments of each member, float64[paths]. The last member and the second to last are kept
    for each path: only a path on which both are left out needs a look at the other members.
    """

    def __init__(self, paths: Sequence[Floats]) -> None:
        self._paths, self._count = paths, len(paths)
        self.last: Floats = np.full(len(paths[0]), -np.inf)
        self._second = self.last
        self._last_member = self._second_member = np.full(len(self.last), -1, dtype=np.int32)
        for k, own in enumerate(paths):
            is_last, is_second = own > self.last, own > self._second
            self._second = np.where(is_last, self.last, np.maximum(self._second, own))
            self._second_member = np.where(is_last, self._last_member, np.where(is_second, k, self._second_member))
            self.last = np.maximum(self.last, own)
            self._last_member = np.where(is_last, k, self._last_member)

    def without(self, members: Collection[int]) -> Floats:
        """Return ``last`` without ``members`` (positions in ``paths``); minus infinity where no member is left."""
        is_left_out = np.zeros(self._count + 1, dtype=np.bool_)  # the last one: no member (-1)
        is_left_out[list(members)] = True
        is_without_last = is_left_out[self._last_member]
        last = np.where(is_without_last, self._second, self.last)
        places = np.flatnonzero(is_without_last & is_left_out[self._second_member])
        if len(places):
            others = [own[places] for k, own in enumerate(self._paths) if k not in members]
            last[places] = np.max(others, axis=0) if others else -np.inf
        return last


def share_done_by(paths: Floats, due: float) -> float:
    """Return the share of paths that are done by ``due`` (days since 1970 UTC)."""
    return float(np.count_nonzero(paths <= due + _TINY) / len(paths))


def quantile_moments(paths: Floats) -> tuple[float, ...]:
    """Return the moments by which the shares `LEVELS` of paths are done; infinite where they never are."""
    ordered = np.sort(paths)
    return tuple(float(ordered[int(np.ceil(level * len(ordered))) - 1]) for level in LEVELS)
