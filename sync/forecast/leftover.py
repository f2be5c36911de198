"""Leftover: how many items will be open at the due date, and whether that is no more than is usual in the series.

The number left over is a mixture of the members' beta-binomials, with their weights. It says something also where a
series never finishes in full, so that the probability of being done is always low. Work beyond all experience is bound
as in the probability: with the part that experience takes from it, hardly more can be closed than was ever closed.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, HistoryTables
from sync.forecast.members import Members
from sync.forecast.stats import beta_binomial, log_gamma

__all__ = ["LEVELS", "LeftoverMixture", "UsualShares", "usual_shares_left"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEVELS = (0.15, 0.50, 0.85)
"""Levels of the range's low end, of what is usual, and of the range's high end."""

_LARGEST = 2000
"""Items above which the number left over is computed on a coarser scale."""

_RECENT = 10


class UsualShares(Struct, frozen=True):
    """Shares of their items that the last representative members left over at their due date.

    ``share[t]``: the median; NaN without members. ``milestones[t]``: how many they are. ``in_full[t]``: how many of all
    representative members left nothing over, of ``of[t]``; ``in_tolerance[t]``: no more than the tolerance allows.
    """

    share: Floats
    milestones: Ints
    in_full: Ints
    in_tolerance: Ints
    of: Ints


def usual_shares_left(tables: HistoryTables, members: Members) -> UsualShares:
    """Return what the representative members usually left over at their due date."""
    member = np.maximum(members.index, 0)
    left = tables.open_at[member, DUE].astype(np.float64)
    is_recent = members.is_representative & (np.cumsum(members.is_representative, axis=1) <= _RECENT)
    shares = np.where(is_recent, left / np.maximum(tables.due_total[member], 1), np.nan)
    count = is_recent.sum(axis=1)
    ordered = np.sort(shares, axis=1)  # NaN last
    row, middle = np.arange(len(count)), np.maximum(count - 1, 0)
    median = (ordered[row, middle // 2] + ordered[row, (middle + 1) // 2]) / 2
    return UsualShares(
        share=np.where(count > 0, median, np.nan),
        milestones=count.astype(np.int64),
        in_full=(members.is_representative & (left == 0)).sum(axis=1).astype(np.int64),
        in_tolerance=(members.is_representative & tables.finished_by[member, 0]).sum(axis=1).astype(np.int64),
        of=members.is_representative.sum(axis=1).astype(np.int64),
    )


class LeftoverMixture:
    """Distribution of the number of items left over at the due date, for a batch of containers (t) by members (j).

    ``items[t, j]``: open items with those that will join, of which ``certain[t, j]`` are surely left over.
    ``share[t, j]``: the member's share of items gone, as known from ``scale`` items. ``weight[t, j]``: 0 where there is
    no member. Containers without members have no distribution.
    """

    def __init__(self, items: Floats, certain: Floats, share: Floats, weight: Floats, scale: float) -> None:
        self.items, self.certain, self.scale = items, certain, scale
        self._open, self._gone = items - certain, scale * share
        total = weight.sum(axis=1)
        self.weight: Floats = weight
        self.has_members: NDArray[np.bool_] = total > 0
        with np.errstate(divide="ignore", invalid="ignore"):
            self._part: Floats = np.where(self.has_members[:, None], weight / total[:, None], 0.0)

    def probability(self, left: Floats) -> Floats:
        """Return P(at most ``left[t, j]`` are left over), the weighted mean with one hit and one miss added."""
        more = left - self.certain
        p = beta_binomial(self._open, np.clip(more, 0.0, self._open), self._gone, self.scale) * (more >= 0)
        vote: Floats = (_total(self.weight * p) + 1.0) / (_total(self.weight) + 2.0)
        return vote

    def quantiles(self) -> Floats:
        """Return the numbers left over at `LEVELS`: float64[t, 3], NaN without members."""
        unit = np.maximum(np.ceil(self.items.max(axis=1, initial=0.0) / _LARGEST), 1.0)
        size, certain = np.rint(self._open / unit[:, None]), np.rint(self.certain / unit[:, None])
        result = np.full((len(size), len(LEVELS)), np.nan)
        active = np.flatnonzero(self.has_members)
        step, reached = self._none_left(size), np.zeros(len(size))
        k = 0
        while len(active):
            more, gone = k - certain[active], self._gone[active]
            reached[active] += (self._part[active] * step[active] * (more >= 0)).sum(axis=1)
            for place, level in enumerate(LEVELS):
                newly = active[(reached[active] >= level - 1e-9) & np.isnan(result[active, place])]
                result[newly, place] = k * unit[newly]
            step[active] = self._next(step[active], size[active], gone, more)
            active = active[np.isnan(result[active, -1])]
            k += 1
        return result

    def cumulative(self, t: int) -> Floats:
        """Return P(at most k are left over) of container ``t`` for each k from 0 to all its items: float64[k]."""
        own = slice(t, t + 1)
        step = self._none_left(self._open)[own]
        shares = []
        for k in range(int(self.items[own].max(initial=0.0)) + 1):
            more = k - self.certain[own]
            shares.append(float((self._part[own] * step * (more >= 0)).sum()))
            step = self._next(step, self._open[own], self._gone[own], more)
        cumulative: Floats = np.minimum(np.cumsum(shares), 1.0)
        return cumulative

    def _none_left(self, size: Floats) -> Floats:
        gone, scale = self._gone, self.scale
        none: Floats = np.exp(log_gamma(gone + size) - log_gamma(gone) + log_gamma(scale) - log_gamma(scale + size))
        return none

    def _next(self, step: Floats, size: Floats, gone: Floats, k: Floats) -> Floats:
        """Return P(k + 1 left over) from ``step`` = P(k left over); before k = 0 the step stays."""
        rest = np.maximum(size - k, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            following = step * rest / (k + 1) * (k + self.scale - gone) / (rest - 1 + gone)
        return np.where(k < 0, step, np.where(rest > 0, following, 0.0))


def _total(values: Floats) -> Floats:
    """Return the sums over the members: float64[t]. Members of weight 0 at the end change no digit."""
    total: Floats = np.cumsum(values, axis=1)[:, -1]
    return total
