"""Simulation of the first pool: a block bootstrap of a stream's throughput, with arrivals.

Seven-day blocks of (items out, items in) are drawn from the stream's last 90 days, thinned to the container's own
share. Each path has its own pace (log-normal, mean 1). Random numbers are seeded with the container's id and drawn in
the order of the days ahead, so the same question gives the same digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables, SortedEvents
from sync.history.calendar import Calendar

__all__ = ["THROUGHPUT_DRIFT", "StreamEvents", "simulated_probability"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

THROUGHPUT_DRIFT = 0.45
"""Sigma of the log-normal pace of a path."""
WINDOW_DAYS, WINDOW_LEAST = 90, 14
BLOCK_DAYS = 7
PATHS = 1000
THINNINGS = 8
SHARE_WEIGHT = 3.0

_WEEKS = np.array([2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 52, 64, 80, 104])
STEPS: Floats = np.array([*range(14), *(BLOCK_DAYS * _WEEKS)], dtype=np.float64)
"""Days of usual work ahead at which paths are read. Probabilities between are interpolated; beyond, the last holds."""
_RANKS = 16
_MARGIN = 1e-3  # for comparing float32 paths with numbers of items


@dataclass(frozen=True)
class StreamEvents:
    """Events of the streams of a history: items out and in, and the starts and stops of containers.

    ``outflow``: closed items, and open ones that left a container before its due date. ``arrivals``: items that joined
    after the start. ``stream_start`` float64[streams]: days since 1970 UTC.
    """

    tables: HistoryTables
    outflow: SortedEvents
    arrivals: SortedEvents
    starts: SortedEvents
    stops: SortedEvents
    stream_start: Floats

    @classmethod
    def of(cls, tables: HistoryTables) -> StreamEvents:
        """Sort the events of the history of ``tables``."""
        ledger, closures, container = tables.ledger, tables.closures, tables.row_container
        streams, stream = len(ledger.streams), ledger.stream[container]
        was_open = ledger.open_until > ledger.joined
        cut = np.flatnonzero(was_open & (ledger.left < ledger.closed) & (ledger.left <= ledger.due[container]))
        closed_in = np.repeat(np.arange(streams), np.diff(closures.first))
        late = np.flatnonzero((ledger.joined > tables.start[container]) & was_open)
        start = np.where(np.isnan(tables.start), np.inf, tables.start)
        stream_start = np.full(streams, np.inf)
        np.minimum.at(stream_start, ledger.stream, start)
        return cls(
            tables,
            outflow=SortedEvents(
                np.concatenate([closed_in, stream[cut]]), np.concatenate([closures.time, ledger.left[cut]]), streams
            ),
            arrivals=SortedEvents(stream[late], ledger.joined[late], streams),
            starts=SortedEvents(ledger.stream, start, streams),
            stops=SortedEvents(ledger.stream, np.fmax(np.fmin(ledger.ended, ledger.due), start), streams),
            stream_start=stream_start,
        )


def simulated_probability(
    events: StreamEvents,
    index: Ints,
    at: Floats,
    calendar: Calendar,
    need: Floats,
    *,
    tolerance: float,
    drift: float,
) -> tuple[Floats, Floats]:
    """Return P(done by due) of the containers ``index`` as of ``at``, with and without an envelope over the days ahead.

    ``need[m]``: items that must go; of the arrivals, the share ``tolerance`` may stay. NaN where the stream is too
    young to be sampled.
    """
    due = events.tables.ledger.due[index]
    ahead = calendar.work_between(at, np.maximum(due, at))
    by_envelope, plain = np.full(len(index), np.nan), np.full(len(index), np.nan)
    for k, sampled in enumerate(_samples(events, index, at, calendar)):
        if sampled is not None:
            paths = _paths(sampled, float(ahead[k]), tolerance, drift)
            reached = (paths >= np.float32(need[k] - _MARGIN)).mean(axis=1)
            by_envelope[k] = _between_steps(np.maximum.accumulate(reached), float(ahead[k]))
            plain[k] = _between_steps(reached, float(ahead[k]))
    return by_envelope, plain


@dataclass(frozen=True)
class _Sample:
    """Items out and in per day of a stream, the oldest day first, without holidays, and one container's share of it."""

    container: str
    out_per_day: Ints
    in_per_day: Ints
    share: float


def _samples(events: StreamEvents, index: Ints, at: Floats, calendar: Calendar) -> list[_Sample | None]:
    """Return the sample of each container as of ``at``; None where the stream is too young."""
    tables, ledger = events.tables, events.tables.ledger
    stream = ledger.stream[index]
    start = np.where(np.isnan(tables.start[index]), at, tables.start[index])
    age = np.clip(np.floor(at - events.stream_start[stream]), 0, WINDOW_DAYS)
    active = np.maximum(events.starts.before(stream, at, inclusive=True) - events.stops.before(stream, at), 1)
    closures = np.maximum(tables.closures.count(stream, start, at), 0)  # 0 before the start
    samples: list[_Sample | None] = []
    for k, i in enumerate(index.tolist()):
        rows, days = ledger.rows(i), int(age[k])
        closed = ledger.closed[rows]
        own = np.count_nonzero((closed > start[k]) & (closed <= at[k]) & (ledger.joined[rows] <= at[k]))
        share = min((own + SHARE_WEIGHT / active[k]) / (closures[k] + SHARE_WEIGHT), 1.0)
        is_usual = calendar.usual_days(float(at[k]), days)
        out, arriving = (
            _per_day(flow, int(stream[k]), float(at[k]), days)[is_usual] for flow in (events.outflow, events.arrivals)
        )
        is_enough = len(out) >= WINDOW_LEAST
        samples.append(_Sample(ledger.containers[i].id, out, arriving, float(share)) if is_enough else None)
    return samples


def _per_day(flow: SortedEvents, stream: int, at: float, days: int) -> Ints:
    """Return the number of a stream's events in each of the last ``days`` days before ``at``, the oldest first."""
    if not days:
        return np.zeros(0, dtype=np.int64)
    begin, end = flow.before(np.full(2, stream), np.array([at - days, at]), inclusive=True)
    ago = np.minimum((at - flow.time[begin:end]).astype(np.int64), days - 1)
    return np.bincount(ago, minlength=days)[::-1]


def _paths(sampled: _Sample, ahead: float, tolerance: float, drift: float) -> Singles:
    """Return the items out less the arrivals on each path, by each step up to ``ahead`` days: float32[s, path]."""
    first = int.from_bytes(blake2b(sampled.container.encode()).digest()[:8], "big")
    # the thinning has its own generator: another share must not change the blocks
    thinning, drawing = (np.random.Generator(np.random.PCG64(s)) for s in (first, first ^ 1))
    starts = len(sampled.out_per_day) - BLOCK_DAYS + 1
    net = _thinned(thinning, sampled.out_per_day, sampled.share)
    if sampled.in_per_day.any():
        net = net - np.float32(1 - tolerance) * _thinned(thinning, sampled.in_per_day, sampled.share)
    steps = STEPS[: int(np.clip(np.searchsorted(STEPS, ahead) + 1, 2, len(STEPS)))]
    weeks = int(np.ceil(steps[-1] / BLOCK_DAYS))
    pace = np.exp(drift * drawing.standard_normal(PATHS, dtype=np.float32) - np.float32(drift**2 / 2))
    drawn = (drawing.random((weeks, PATHS), dtype=np.float32) * (THINNINGS * starts)).astype(np.intp)
    paths: Singles = _weekly(net, drawn)[(steps // BLOCK_DAYS).astype(np.intp)]
    for rest in range(1, min(BLOCK_DAYS, len(steps))):  # the first days of the first two blocks: step s is day s
        days = slice(rest, 2 * BLOCK_DAYS, BLOCK_DAYS)
        paths[days] += _spans(net, rest, starts)[drawn[:2]][: len(paths[days])]
    paths *= pace
    return paths


def _thinned(rng: np.random.Generator, counts: Ints, share: float) -> Singles:
    """Return thinnings of daily counts, as running sums with a leading zero: float32[thinning, days + 1].

    Each event is kept with probability ``share``. Days with more than `_RANKS` events are thinned in bulk.
    """
    ranks = min(int(counts.max(initial=0)), _RANKS)
    chosen = rng.random((ranks, THINNINGS, len(counts)), dtype=np.float32) < share
    chosen &= (counts > np.arange(ranks)[:, None])[:, None, :]
    kept = np.zeros((THINNINGS, len(counts) + 1), dtype=np.float32)
    kept[:, 1:] = chosen.view(np.int8).sum(axis=0, dtype=np.int8)
    many = np.flatnonzero(counts > _RANKS)
    if len(many):
        kept[:, many + 1] += rng.binomial(counts[many] - _RANKS, share, size=(THINNINGS, len(many)))
    thinned: Singles = np.cumsum(kept, axis=1)
    return thinned


def _spans(sums: Singles, length: int, starts: int) -> Singles:
    """Return the sums over ``length`` days from each possible start of a block, for all thinnings end to end."""
    return (sums[:, length : length + starts] - sums[:, :starts]).ravel()


def _weekly(sums: Singles, drawn: NDArray[np.intp]) -> Singles:
    """Return running sums over the drawn blocks: float32[weeks + 1, path]."""
    total = np.zeros((len(drawn) + 1, drawn.shape[1]), dtype=np.float32)
    spans = _spans(sums, BLOCK_DAYS, sums.shape[1] - BLOCK_DAYS)
    for week, blocks in enumerate(drawn):
        np.add(total[week], spans[blocks], out=total[week + 1])
    return total


def _between_steps(share: Floats, ahead: float) -> float:
    """Return ``share[s]`` at ``ahead`` days, linear between `STEPS`."""
    steps = STEPS[: len(share)]
    ahead = min(max(ahead, 0.0), float(steps[-1]))
    upper = int(np.clip(np.searchsorted(steps, ahead), 1, len(steps) - 1))
    part = (ahead - steps[upper - 1]) / (steps[upper] - steps[upper - 1])
    return float(share[upper - 1] * (1 - part) + share[upper] * part)
