"""Votes: three estimates of the probability that a milestone is done by a time, from its members.

Each member j had ``open`` items of ``scope`` at the same phase, ``joining`` joined later, and ``gone`` of both were
gone by the time. With R open items of n in scope, and the arrivals of each member scaled to this size:

*Survival*: each of R and the arrivals is gone with the member's share, which is known as well as from 12 items: a
beta-binomial for the number left over. The vote is the members' weighted mean.

*Reference class*: how often members that needed about as many closures were done by then. Closeness is measured on the
logarithm of the closures needed, and the vote never rises with them.

*Closures*: whether as many items as the member closed would be enough here, with a normal error. Only representative
members vote.

What depends on the history alone is computed once, so that a question about other numbers of items is cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from functools import cache
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sync.forecast.members import MemberCounts, Members
from sync.forecast.parameters import Rules
from sync.forecast.stats import allowed_open, beta_binomial, log_gamma, normal_share

__all__ = ["Votes"]

Floats = NDArray[np.float64]

_NEEDS: Floats = np.exp(np.linspace(0.0, np.log(600.0), 17))
"""Closures needed at which the reference class is computed; between them it is linear in their logarithm."""

_LARGEST = 10_000
"""Closures needed above which a member counts as this far away."""

_KERNEL_WIDTH = 0.7
"""Standard deviation of the closeness of two needs, in their natural logarithm."""


@cache
def _kernel() -> Floats:
    """Return the weight of each whole need from 0 (none) to `_LARGEST` at each of `_NEEDS`."""
    with np.errstate(divide="ignore"):
        distance = np.log(np.arange(_LARGEST + 1.0))[:, None] - np.log(_NEEDS)
    kernel: Floats = np.exp(-0.5 * (distance / _KERNEL_WIDTH) ** 2)
    return kernel


class Votes:
    """Votes for a batch of containers (t) by their members (j), at each column (c) of ``counts``.

    ``phase[t, c]`` or ``phase[c]``: the share of the planned time gone at the column. ``hit_rate[t, c]``: the Laplace
    hit rate of all members.
    """

    _BY_CONTAINER = (
        *("hit_rate", "weight", "mean_share", "share", "need", "by_need", "without_need"),
        *("_close", "_gone", "_log_gone"),
    )

    def __init__(self, counts: MemberCounts, members: Members, phase: Floats, rules: Rules) -> None:
        self.counts, self.rules, self.phase = counts, rules, phase
        known = counts.is_known
        self.weight: Floats = members.weight[:, :, None] * known
        is_met = counts.is_met & known
        self.hit_rate: Floats = (is_met.sum(axis=1) + 1.0) / (known.sum(axis=1) + 2.0)
        self._close = known & members.is_representative[:, :, None]
        self._share(known)
        self._reference(members.weight_by_need[:, :, None] * known, is_met)

    def _share(self, known: NDArray[np.bool_]) -> None:
        """Compute each member's share of items gone, ``share[t, j, c]``, shrunk towards that of all members."""
        rules, counts = self.rules, self.counts
        exposed = counts.open + counts.joining
        prior = rules.prior_pseudo
        of_all = ((counts.gone * known).sum(axis=1) + prior) / ((exposed * known).sum(axis=1) + 2 * prior)
        mean = ((self.weight * counts.gone).sum(axis=1) + rules.prior_weight * of_all) / (
            (self.weight * exposed).sum(axis=1) + rules.prior_weight
        )
        pull = rules.member_weight
        self.mean_share: Floats = mean
        self.share: Floats = np.clip((counts.gone + pull * mean[:, None]) / (exposed + pull), 0.01, 0.99)
        self._gone: Floats = rules.survival_items * self.share
        self._log_gone = log_gamma(self._gone)

    def _reference(self, weight: Floats, is_met: NDArray[np.bool_]) -> None:
        """Compute the reference class at each of `_NEEDS`, ``[t, c, x]``, and for milestones that need no closure."""
        prior = self.rules.reference_prior
        self.need: Floats = self.counts.open - allowed_open(self.counts.scope, self.rules.tolerance)
        waiting = np.where(self.need > 0, weight, 0.0)
        met = waiting * is_met
        rate = (met.sum(axis=1) + prior * self.hit_rate) / (waiting.sum(axis=1) + prior)
        hits, all_ = self._near_needs(met, waiting)
        by_need = (hits + prior * rate[:, :, None]) / (all_ + prior)
        falling = np.minimum.accumulate(by_need, axis=2)
        from_right = np.maximum.accumulate(by_need[:, :, ::-1], axis=2)[:, :, ::-1]
        self.by_need: Floats = (falling + from_right) / 2
        first = self.by_need[:, :, 0]
        finished = np.where(self.need <= 0, weight, 0.0)
        expected = first + (1 - first) * self.phase
        without_need = ((finished * is_met).sum(axis=1) + prior * expected) / (finished.sum(axis=1) + prior)
        self.without_need: Floats = np.maximum(first, without_need)

    def part(self, rows: NDArray[np.int64]) -> Self:
        """Return the votes of the containers at ``rows``."""
        if np.array_equal(rows, np.arange(len(self.hit_rate))):
            return self
        other = copy(self)
        other.counts = self.counts.part(rows)
        for name in self._BY_CONTAINER:
            setattr(other, name, getattr(self, name)[rows])
        if self.phase.ndim > 1:
            other.phase = self.phase[rows]
        return other

    def _near_needs(self, *columns: Floats) -> Iterator[Floats]:
        """Yield for each of ``columns[t, j, c]`` the sums over members by closeness to `_NEEDS`: float64[t, c, x]."""
        kernel = _kernel()[np.clip(self.need, 0, _LARGEST).astype(np.int64)].swapaxes(1, 2)
        for column in columns:
            by_column = column.swapaxes(1, 2)
            yield by_column @ kernel[:, 0] if kernel.shape[1] == 1 else (by_column[:, :, None] @ kernel)[:, :, 0]

    def arrivals(self, remaining: Floats, total: Floats) -> Floats:
        """Return the items that would join later as they did in each member, scaled to this size: float64[t, j, c]."""
        counts = self.counts
        size = (remaining + 1)[:, None, None] / (counts.open + 1) * (total + 1)[:, None, None] / (counts.scope + 1)
        return counts.joining * np.minimum(np.sqrt(size), self.rules.growth_most)

    def survival(self, remaining: Floats, total: Floats, arrivals: Floats) -> Floats:
        """Return survival's vote: float64[t, c]. ``arrivals[t, j, c]`` join later."""
        items = np.rint(remaining[:, None, None] + arrivals)
        allowed = allowed_open(total[:, None, None] + items - remaining[:, None, None], self.rules.tolerance)
        p = beta_binomial(items, allowed, self._gone, self.rules.survival_items, self._log_gone)
        prior = self.rules.reference_prior
        vote: Floats = ((self.weight * p).sum(axis=1) + prior * self.hit_rate) / (self.weight.sum(axis=1) + prior)
        return vote

    def reference(self, remaining: Floats, total: Floats) -> Floats:
        """Return the reference class's vote: float64[t, c]."""
        need = remaining - allowed_open(total, self.rules.tolerance)
        place = np.clip(np.log(np.maximum(need, 1.0)) / np.log(_NEEDS[1]), 0.0, len(_NEEDS) - 1.0)
        low = np.minimum(place.astype(np.int64), len(_NEEDS) - 2)
        part, row = (place - low)[:, None], np.arange(len(need))
        vote = self.by_need[row, :, low] * (1 - part) + self.by_need[row, :, low + 1] * part
        return np.where((need <= 0)[:, None], self.without_need, vote)

    def closures(self, remaining: Floats, total: Floats, arrivals: Floats) -> Floats:
        """Return the vote of closures: float64[t, c]. ``arrivals[t, j, c]`` join later."""
        counts, still_open = self.counts, remaining[:, None, None]
        pace = np.clip(np.sqrt(still_open / np.maximum(counts.open, 1e-9)), 0.3, 3.0)
        left = still_open + arrivals - counts.gone * pace
        allowed = allowed_open(total[:, None, None] + arrivals, self.rules.tolerance)
        p = normal_share((allowed + 0.5 - left) / (0.35 * np.sqrt(still_open) + 0.3))
        vote: Floats = ((p * self._close).sum(axis=1) + self.hit_rate) / (self._close.sum(axis=1) + 1)
        return vote
