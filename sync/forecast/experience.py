"""Experience: the most that a stream ever closed in as long a time as is left, as a bound for a probability.

Work far beyond all experience is not likely to be done, however well earlier milestones ended. X is the largest number
of items that the stream closed in any window of the days that are left, m the number of such windows in its record.
When more than X + 2 closures are needed, the probability falls with the excess, the more the longer the record is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.members import Members

__all__ = ["Experience"]

Floats = NDArray[np.float64]

_LEAST_DAYS = 1.0 / 24.0
_HALF_RECORD = 10.0
_SPARE = 2.0
"""Closures above the most ever made that are within experience."""
_STRETCH = 1.5
"""Multiple of the most closures ever made above which no milestone of the histories measured came."""
_FLOOR = 0.04
"""Probability below which experience lowers nothing."""


class Experience:
    """Closures known at the moment ``at[t]`` (days since 1970 UTC) of each container's stream.

    While a stream has no history of its own, the streams of all members count: the largest X, and the windows of all.
    """

    def __init__(self, tables: HistoryTables, members: Members, stream: NDArray[np.int64], at: Floats) -> None:
        self._tables, self._members, self._stream, self._at = tables, members, stream, at
        self._records: dict[int, list[tuple[Floats, float]]] = {}
        self._most: dict[tuple[int, float], tuple[int, int]] = {}

    def bound(self, p: Floats, need: Floats, days: Floats) -> Floats:
        """Return the probabilities ``p[t]`` of closing ``need[t]`` items within ``days[t]``, bounded by experience."""
        factor = self.factor(np.where(p > _FLOOR, need, 0.0), days)
        return np.maximum(p * factor, np.minimum(p, _FLOOR))

    def factor(self, need: Floats, days: Floats) -> Floats:
        """Return the factor of a probability of closing ``need[t]`` items within ``days[t]``: 1 within experience."""
        factor = np.ones(len(need))
        for k in np.flatnonzero(need > _SPARE).tolist():
            factor[k] = self._factor(k, float(need[k]), max(float(days[k]), _LEAST_DAYS))
        return factor

    def least_left(self, items: Floats, days: Floats, factor: Floats) -> Floats:
        """Return how many of ``items[t, j]`` are left over if hardly more are closed than ever in ``days[t]``.

        0 where ``factor[t, 0]`` is 1.
        """
        least = np.zeros_like(items)
        for k in np.flatnonzero(factor[:, 0] < 1.0).tolist():
            most, _ = self.most_closed(k, max(float(days[k]), _LEAST_DAYS))
            least[k] = np.maximum(items[k] - np.ceil(_STRETCH * most) - _SPARE, 0.0)
        return least

    def _factor(self, k: int, need: float, days: float) -> float:
        enough = int(np.ceil(need - _SPARE))
        if any(_is_reached(closed, enough, days) for closed, _ in self._record(k)):
            return 1.0
        most, windows = self.most_closed(k, days)
        return float(min((most + _SPARE) / need, 1.0) ** (2.0 * windows / (windows + _HALF_RECORD)))

    def most_closed(self, k: int, days: float) -> tuple[int, int]:
        """Return X and m of the k-th container: most items closed in any window of ``days``, and such windows."""
        if (k, days) not in self._most:
            record = self._record(k)
            most = max((_most(closed, days) for closed, _ in record), default=0)
            self._most[k, days] = most, sum(int(age / days) for _, age in record)
        return self._most[k, days]

    def _record(self, k: int) -> list[tuple[Floats, float]]:
        """Return the sorted moments of closures of each stream of the k-th container, and the record's age in days."""
        if k not in self._records:
            tables, at = self._tables, float(self._at[k])
            streams = {int(self._stream[k])}
            if not self._members.from_stream[k]:
                members = self._members.index[k]
                streams |= set(tables.ledger.stream[members[members >= 0]].tolist())
            self._records[k] = [self._known(stream, at) for stream in sorted(streams)]
        return self._records[k]

    def _known(self, stream: int, at: float) -> tuple[Floats, float]:
        closures = self._tables.closures
        closed = closures.time[closures.first[stream] : closures.first[stream + 1]]
        known = closed[: int(np.searchsorted(closed, at, side="right"))]
        return known, max(at - float(self._tables.stream_start[stream]), 0.0)


def _is_reached(closed: Floats, count: int, days: float) -> bool:
    """Return True if at least ``count`` >= 1 of the sorted moments lie within ``days`` of each other."""
    if len(closed) < count:
        return False
    return bool((closed[count - 1 :] - closed[: len(closed) - count + 1] <= days).any())


def _most(closed: Floats, days: float) -> int:
    """Return the largest number of the sorted moments that lie within ``days`` of each other."""
    ends = np.searchsorted(closed, closed + days, side="right")
    return int((ends - np.arange(len(closed))).max(initial=0))
