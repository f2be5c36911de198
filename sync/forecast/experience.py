"""Experience: the most that a stream ever closed in as long a time as is left, as a bound for a probability.

Work far beyond all experience is not likely to be done, however well earlier milestones ended. X is the largest number
of items that the stream closed in any window of the days that are left, m the number of such windows in its record.
When more than X + 2 closures are needed, the probability falls with the excess, the more the longer the record is.
"""

from __future__ import annotations

import math

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
    What is found about a stream at a moment is kept: many containers and questions share it.
    """

    def __init__(self, tables: HistoryTables, members: Members, stream: NDArray[np.int64], at: Floats) -> None:
        self._tables, self._at = tables, at.tolist()
        self._streams = [_streams(tables, members, k, own) for k, own in enumerate(stream.tolist())]
        self._known: dict[tuple[int, float], Floats] = {}
        self._shortest: dict[tuple[int, float, int], float] = {}
        self._least: dict[tuple[int, int], float] = {}
        self._most: dict[tuple[int, float, float], int] = {}
        self._last: tuple[bytes, Floats] | None = None

    def bound(self, p: Floats, need: Floats, days: Floats) -> Floats:
        """Return the probabilities ``p[t]`` of closing ``need[t]`` items within ``days[t]``, bounded by experience."""
        factor = self._factor(need, days, p > _FLOOR)
        return np.maximum(p * factor, np.minimum(p, _FLOOR))

    def factor(self, need: Floats, days: Floats) -> Floats:
        """Return the factor of a probability of closing ``need[t]`` items within ``days[t]``: 1 within experience."""
        return self._factor(need, days, np.ones(len(need), dtype=np.bool_))

    def _factor(self, need: Floats, days: Floats, among: NDArray[np.bool_]) -> Floats:
        factor, days = np.ones(len(need)), np.maximum(days, _LEAST_DAYS)
        for k in np.flatnonzero(among & (self._least_for(need) > days)).tolist():
            most, windows = self.most_closed(k, float(days[k]))
            factor[k] = min((most + _SPARE) / float(need[k]), 1.0) ** (2.0 * windows / (windows + _HALF_RECORD))
        return factor

    def _least_for(self, need: Floats) -> Floats:
        """Return the least days in which each container's streams closed what is needed; 0 for a spare number of items.

        The last ones are kept: a what-if table asks for the same items with a hundred due dates.
        """
        asked = need.tobytes()
        if self._last is None or self._last[0] != asked:
            least = np.zeros(len(need))
            for k in np.flatnonzero(need > _SPARE).tolist():
                least[k] = self._least_days(k, math.ceil(float(need[k]) - _SPARE))
            self._last = asked, least
        return self._last[1]

    def least_left(self, items: Floats, days: Floats, factor: Floats) -> Floats:
        """Return how many of ``items[t, j]`` are left over if hardly more are closed than ever in ``days[t]``.

        0 where ``factor[t, 0]`` is 1.
        """
        least = np.zeros_like(items)
        for k in np.flatnonzero(factor[:, 0] < 1.0).tolist():
            most, _ = self.most_closed(k, max(float(days[k]), _LEAST_DAYS))
            least[k] = np.maximum(items[k] - np.ceil(_STRETCH * most) - _SPARE, 0.0)
        return least

    def most_closed(self, k: int, days: float) -> tuple[int, int]:
        """Return X and m of the k-th container: most items closed in any window of ``days``, and such windows."""
        at, streams = self._at[k], self._streams[k]
        ages = (max(at - float(self._tables.stream_start[stream]), 0.0) for stream in streams)
        return max(self._most_in(stream, at, days) for stream in streams), sum(int(age / days) for age in ages)

    def _most_in(self, stream: int, at: float, days: float) -> int:
        key = stream, at, days
        if key not in self._most:
            closed = self._closed(stream, at)
            ends = np.searchsorted(closed, closed + days, side="right")
            self._most[key] = int((ends - np.arange(len(closed))).max(initial=0))
        return self._most[key]

    def _least_days(self, k: int, count: int) -> float:
        """Return the least days in which a stream of the k-th container closed ``count`` >= 1 items; see below."""
        key = k, count
        if key not in self._least:
            self._least[key] = min(self._shortest_window(stream, self._at[k], count) for stream in self._streams[k])
        return self._least[key]

    def _shortest_window(self, stream: int, at: float, count: int) -> float:
        """Return the least days in which the stream closed ``count`` >= 1 items; infinite if it never did."""
        key = stream, at, count
        if key not in self._shortest:
            closed = self._closed(stream, at)
            windows = closed[count - 1 :] - closed[: max(len(closed) - count + 1, 0)]
            self._shortest[key] = float(windows.min(initial=np.inf))
        return self._shortest[key]

    def _closed(self, stream: int, at: float) -> Floats:
        """Return the sorted moments of the stream's closures until ``at``."""
        if (stream, at) not in self._known:
            closures = self._tables.closures
            closed = closures.time[closures.first[stream] : closures.first[stream + 1]]
            self._known[stream, at] = closed[: int(np.searchsorted(closed, at, side="right"))]
        return self._known[stream, at]


def _streams(tables: HistoryTables, members: Members, k: int, own: int) -> tuple[int, ...]:
    """Return the streams whose closures are the experience of the k-th container, which is of the stream ``own``."""
    if members.from_stream[k]:
        return (own,)
    index = members.index[k]
    return tuple(sorted({own, *tables.ledger.stream[index[index >= 0]].tolist()}))
