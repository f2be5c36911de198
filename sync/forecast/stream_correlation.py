"""Estimate how far the milestones of different streams run late together, for all pairs of streams at once.

Pairs are earlier milestones of two streams (or of one) whose planned times overlap. Each milestone of the stream with
fewer milestones is paired with the one of the other stream that was due nearest. Correlated are the normal scores of
their lateness within their own stream. The estimate from n pairs is multiplied by n / (n + `PAIRS_WEIGHT`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from sync.forecast.history_tables import DUE, HistoryTables
from sync.forecast.stats import allowed_open, normal_score

__all__ = ["StreamCorrelation"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PAIRS_LEAST, PAIRS_WEIGHT, STRONGEST = 5, 10.0, 0.9
"""Fewest pairs of earlier milestones, pairs that give half of the estimate, and largest absolute correlation."""

_BLOCK = 1 << 16
"""Pairs of streams that are estimated in one pass: their arrays fit into the processor's cache."""


class StreamCorrelation:
    """Correlations between the milestones of streams as of ``at`` (days since 1970 UTC)."""

    def __init__(self, tables: HistoryTables, at: float) -> None:
        self._tables, self._at = tables, at
        self._codes = {name: code for code, name in enumerate(tables.ledger.streams)}
        self._lateness: dict[str, _Lateness | None] = {}

    def matrix(self, streams: Sequence[str]) -> Floats:
        """Return the correlations between milestones of these streams: float64[m, m], 0 without history.

        That of two milestones depends on their two streams only.
        """
        numbers = Counter(streams)
        known = {stream: late for stream in numbers if (late := self._lateness_of(stream)) is not None}
        names = sorted(known, key=lambda stream: (len(known[stream].containers), stream))
        size = len(names) + 1  # the last row and column: a stream without history
        correlations: Floats = np.zeros((size, size))
        if names:
            between = _between(_Columns.of([known[stream] for stream in names]))
            correlations[:-1, :-1] = between + between.T
            within = [_within(known[stream]) if numbers[stream] > 1 else 0.0 for stream in names]
            np.fill_diagonal(correlations[:-1, :-1], within)
        place = {stream: k for k, stream in enumerate(names)}
        places = [place.get(stream, -1) for stream in streams]
        matrix: Floats = correlations[np.ix_(places, places)]
        np.fill_diagonal(matrix, 1.0)
        return matrix

    def _lateness_of(self, stream: str) -> _Lateness | None:
        """Return the lateness of a stream; None if it has too few finished milestones for any pair."""
        if stream not in self._lateness:
            late = _lateness(self._tables, self._codes[stream], self._at) if stream in self._codes else None
            self._lateness[stream] = late if late is not None and len(late.containers) >= PAIRS_LEAST else None
        return self._lateness[stream]


class _Lateness(Struct, frozen=True):
    """Finished containers of a stream: their positions, planned times and the normal scores of their lateness."""

    containers: Ints
    start: Floats
    due: Floats
    scores: Floats


def _lateness(tables: HistoryTables, code: int, at: float) -> _Lateness:
    end = tables.by_stream.before(np.array([code]), np.array([at - tables.rules.settle_days]))[0]
    own = np.sort(tables.stream_members[tables.by_stream.first[code] : end])
    allowed = allowed_open(tables.scope_at[own, :DUE], tables.rules.tolerance)
    late = (tables.open_at[own, :DUE] > allowed).sum(axis=1) + (~tables.finished_by[own]).sum(axis=1)
    order = np.sort(late)
    place = np.searchsorted(order, late, side="left") + np.searchsorted(order, late, side="right")
    return _Lateness(own, tables.start[own], tables.ledger.due[own], normal_score(place / (2 * max(1, len(own)))))


class _Columns(Struct, frozen=True):
    """The finished containers of streams in columns, float64[slot, stream], NaN where a stream has fewer.

    The streams are sorted by their number of containers: those from ``first[slot]`` on have one in this slot.
    """

    start: Floats
    due: Floats
    scores: Floats
    sizes: Ints
    first: Ints

    @classmethod
    def of(cls, lateness: Sequence[_Lateness]) -> _Columns:
        sizes = np.array([len(own.containers) for own in lateness])
        start, due, scores = np.full((3, sizes[-1], len(sizes)), np.nan)
        for k, own in enumerate(lateness):
            start[: sizes[k], k], due[: sizes[k], k], scores[: sizes[k], k] = own.start, own.due, own.scores
        return cls(start, due, scores, sizes, np.searchsorted(sizes, np.arange(sizes[-1]), side="right"))


def _between(columns: _Columns) -> Floats:
    """Return the correlation of each pair of different streams, above the diagonal: float64[s, s]."""
    streams = len(columns.sizes)
    correlations = np.zeros((streams, streams))
    height = max(1, _BLOCK // streams)
    for low in range(0, streams, height):
        rows = slice(low, min(low + height, streams))
        count, product, own_square, other_square = np.zeros((4, rows.stop - low, streams - low))
        for slot in range(columns.sizes[rows.stop - 1]):
            own = columns.scores[slot, rows, None]
            other = _scores_of_nearest(columns, slot, rows)
            is_pair = ~np.isnan(other)
            other[~is_pair] = 0.0
            count += is_pair
            product += np.where(is_pair, own, 0.0) * other
            own_square += np.where(is_pair, own, 0.0) ** 2
            other_square += other**2
        correlations[rows, low:] = _shrunk(count, product, own_square * other_square)
    return np.triu(correlations, 1)


def _scores_of_nearest(columns: _Columns, slot: int, rows: slice) -> Floats:
    """Return the scores of the containers that are due nearest to those in a slot of the streams ``rows``.

    float64[r, s]: in each stream from the first of ``rows`` on; NaN where the planned times of none overlap.
    """
    start, due = columns.start[slot, rows, None], columns.due[slot, rows, None]
    shape = (rows.stop - rows.start, len(columns.sizes) - rows.start)
    nearest, scores = np.full(shape, np.inf), np.full(shape, np.nan)
    for other, first in enumerate(np.maximum(columns.first, rows.start).tolist()):
        other_due, place = columns.due[other, first:], slice(first - rows.start, None)
        distance = np.abs(other_due - due)
        overlaps = (columns.start[other, first:] < due) & (start < other_due)
        is_nearer = overlaps & (distance < nearest[:, place])
        np.copyto(nearest[:, place], distance, where=is_nearer)
        np.copyto(scores[:, place], columns.scores[other, first:], where=is_nearer)
    return scores


def _within(own: _Lateness) -> float:
    """Return the correlation between two milestones of one stream; a pair counts once."""
    start, due = own.start, own.due
    overlaps = (start < due[:, None]) & (start[:, None] < due) & ~np.eye(len(due), dtype=bool)
    nearest = np.where(overlaps, np.abs(due - due[:, None]), np.inf).argmin(axis=1)
    places = np.flatnonzero(overlaps.any(axis=1))
    pairs = np.sort(np.stack([places, nearest[places]], axis=1), axis=1)
    places = places[np.sort(np.unique(pairs, axis=0, return_index=True)[1])]
    a, b = own.scores[places], own.scores[nearest[places]]
    return float(_shrunk(len(places), a @ b, (a @ a) * (b @ b)))


def _shrunk(count: ArrayLike, product: ArrayLike, squares: ArrayLike) -> Floats:
    """Return shrunk correlations from sums over ``count`` pairs of scores; 0 with fewer than `PAIRS_LEAST` pairs.

    ``product`` is the sum of products, ``squares`` the product of the two sums of squares.
    """
    count, spread = np.asarray(count), np.sqrt(squares)
    raw = np.divide(product, spread, out=np.zeros_like(spread), where=(spread > 0) & (count >= PAIRS_LEAST))
    shrunk: Floats = np.clip(raw * count / (count + PAIRS_WEIGHT), -STRONGEST, STRONGEST)
    return shrunk
