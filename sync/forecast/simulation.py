"""What a stream's recent throughput makes of a container's open items: a block bootstrap with arrivals.

Seven-day blocks of (items finished, items arriving) are drawn from the stream's last 90 days, thinned to the
container's own share. Blocks keep what iid days lose: weekends, bursts, and weeks that resemble their neighbours. Each
path has its own pace (log-normal, mean 1), for no stream goes on as fast as in the days that happened to be sampled.

Random numbers come from the container's id, never from the day, and are drawn in the order of the days ahead. So two
assessments of one container, or of two due dates, see the same fates, and noise does not move a label.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import TIMES, HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar

__all__ = ["STEPS", "Sample", "SimulatedPaths", "sample", "seed", "simulate"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

_WEEKS = np.array([2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 52, 64, 80, 104])
STEPS: Floats = np.array([*range(14), *(7 * _WEEKS)], dtype=np.float64)
"""Days ahead (of usual work) at which paths are read; probabilities between are interpolated, beyond are those of
two years."""

_RANKS = 16
_MARGIN = 1e-3  # float32 paths against whole numbers of items


class Sample(Struct, frozen=True):
    """One container's share of its stream's last days: items out and in per day, oldest first, holidays taken out.

    ``share`` is the part of the stream's closures that were this container's. None for ``out`` says that the stream
    is too young to be sampled, or that nobody wants to know.
    """

    out: Ints | None
    arriving: Ints | None
    share: float
    active: int
    days: int


class SimulatedPaths(Struct, frozen=True):
    """Paths of a batch of containers. A path is done when open - tolerance * scope <= its value.

    ``there[t]``: False where the stream could not be sampled; only the others (n) have paths. ``due[n, s, path]``: by
    each of `STEPS`, arrivals included. ``still``: without arrivals. ``later[n, x, path]``: by each of `TIMES`, arrivals
    ending at the due date.
    """

    due: Singles
    still: Singles
    later: Singles
    there: NDArray[np.bool_]

    def chance(self, need: Floats, ahead: Floats, *, arrivals: bool = True, envelope: bool = True) -> Floats:
        """P(done within ``ahead[t]`` days of usual work) where ``need[t]`` = open - tolerance * scope items must go.

        With the envelope, more days never lower it: arrivals can make the paths' own share fall. 0 without paths.
        """
        paths = self.due if arrivals else self.still
        steps = paths.shape[1]
        share = _share(paths, need[self.there])
        if envelope:
            share = np.maximum.accumulate(share, axis=1)
        ahead = np.clip(ahead[self.there], 0.0, STEPS[steps - 1])
        upper = np.clip(np.searchsorted(STEPS[:steps], ahead), 1, steps - 1)
        row = np.arange(len(share))
        part = (ahead - STEPS[upper - 1]) / (STEPS[upper] - STEPS[upper - 1])
        result = np.zeros(len(need))
        result[self.there] = share[row, upper - 1] * (1 - part) + share[row, upper] * part
        return result

    def curve(self, need: Floats) -> Floats:
        """P(done by each of TIMES): float64[t, x]. 0 without paths."""
        result = np.zeros((len(need), self.later.shape[1]))
        result[self.there] = _share(self.later, need[self.there])
        return result


def _share(paths: Singles, need: Floats) -> Floats:
    """The share of ``paths[t, s, :]`` that are at ``need[t]`` or above."""
    done = paths >= (need - _MARGIN).astype(np.float32)[:, None, None]
    counts = done.view(np.int8).sum(axis=2, dtype=np.int16 if paths.shape[2] < 2**15 else np.int64)
    share: Floats = counts / paths.shape[2]
    return share


def seed(container: str) -> int:
    """The first 8 bytes of BLAKE2b of the container's id, as a number."""
    return int.from_bytes(blake2b(container.encode()).digest()[:8], "big")


def sample(
    past: HistoryTables, index: Ints, at: Floats, calendar: Calendar, wanted: NDArray[np.bool_] | None = None
) -> list[Sample]:
    """What each container can expect of its stream's last days, as of ``at``; nothing where it is not ``wanted``."""
    rules, ledger = past.rules, past.ledger
    stream = ledger.stream[index]
    start = np.where(np.isnan(past.start[index]), at, past.start[index])
    age = np.clip(np.floor(at - past.stream_start[stream]), 0, rules.window_days)
    active = past.starts.before(stream, at, inclusive=True) - past.stops.before(stream, at)
    active = np.maximum(active, 1)
    closures = np.maximum(past.closures.count(stream, start, at), 0)  # it may not have begun
    out_end, in_end = past.outflow.before(stream, at, inclusive=True), past.arrivals.before(stream, at, inclusive=True)
    out_first = past.outflow.before(stream, at - age, inclusive=True)
    in_first = past.arrivals.before(stream, at - age, inclusive=True)
    found = []
    for k, i in enumerate(index.tolist()):
        if wanted is not None and not wanted[k]:
            found.append(Sample(None, None, 0.0, int(active[k]), 0))
            continue
        rows = ledger.rows(i)
        closed = ledger.closed[rows]
        own = np.count_nonzero((closed > start[k]) & (closed <= at[k]) & (ledger.joined[rows] <= at[k]))
        share = min((own + rules.share_weight / active[k]) / (closures[k] + rules.share_weight), 1.0)
        days = int(age[k])
        usual = calendar.usual_days(float(at[k]), days)
        out = _per_day(past.outflow.time[out_first[k] : out_end[k]], at[k], days)[usual]
        arriving = _per_day(past.arrivals.time[in_first[k] : in_end[k]], at[k], days)[usual]
        enough = len(out) >= rules.window_least
        found.append(
            Sample(out if enough else None, arriving if enough else None, float(share), int(active[k]), len(out))
        )
    return found


def _per_day(times: Floats, at: float, days: int) -> Ints:
    """Events in each of the last ``days`` days before ``at``, oldest first."""
    ago = np.minimum((at - times).astype(np.int64), max(days - 1, 0))
    return np.bincount(ago, minlength=days)[::-1] if days else np.zeros(0, dtype=np.int64)


def simulate(
    containers: list[str], samples: list[Sample], ahead: Floats, later: Floats, reach: Floats, rules: Rules
) -> SimulatedPaths:
    """Draw paths for a batch: ``ahead[t]`` days of usual work until due, ``later[t, x]`` until each of TIMES.

    ``reach[t]``: how far ahead ``due`` and ``still`` must be readable.
    """
    steps = np.clip(np.searchsorted(STEPS, reach) + 1, 2, len(STEPS))
    there = np.array([s.out is not None for s in samples], dtype=bool)
    sampled = np.flatnonzero(there)
    shape = (len(sampled), int(steps[there].max(initial=2)), rules.paths)
    due, still = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    after = np.zeros((len(sampled), len(TIMES), rules.paths), dtype=np.float32)
    for n, k in enumerate(sampled.tolist()):
        read = int(steps[k])
        _paths(containers[k], samples[k], float(ahead[k]), later[k], rules, due[n, :read], still[n, :read], after[n])
    return SimulatedPaths(due, still, after, there)


def _paths(
    container: str,
    given: Sample,
    ahead: float,
    later: Floats,
    rules: Rules,
    due: Singles,
    still: Singles,
    after: Singles,
) -> None:
    """Fill one container's paths: ``due[s, path]``, ``still[s, path]``, ``after[x, path]``."""
    assert given.out is not None
    assert given.arriving is not None
    first = seed(container)  # the thinning has its own stream: a change of share must not change the blocks
    thinning, drawing = (np.random.Generator(np.random.PCG64(s)) for s in (first, first ^ 1))
    block, starts = rules.block_days, len(given.out) - rules.block_days + 1
    out = _thinned(thinning, given.out, given.share, rules.thinnings)
    net = out
    if given.arriving.any():
        arriving = _thinned(thinning, given.arriving, given.share, rules.thinnings)
        net = out - np.float32(1 - rules.tolerance) * arriving
    furthest = max(float(later[-1]), float(STEPS[len(due) - 1]))
    weeks = int(np.clip(np.ceil(furthest / block), 1, STEPS[-1] // block))
    drift = rules.rate_drift * drawing.standard_normal(rules.paths, dtype=np.float32)
    pace = np.exp(drift - np.float32(rules.rate_drift**2 / 2))
    drawn = (drawing.random((weeks, rules.paths), dtype=np.float32) * (rules.thinnings * starts)).astype(np.intp)
    near = int(np.ceil(max(STEPS[len(due) - 1], ahead) / block))
    week_out = _weekly(out, drawn, block)
    week_net = week_out if net is out else _weekly(net, drawn[: max(near, 1)], block)
    week = (STEPS[: len(due)] // block).astype(np.intp)
    due[:], still[:] = week_net[week], week_out[week]
    for rest in range(1, min(block, len(due))):  # the first days of the first two blocks: step s is day s
        begun = _spans(out, rest, starts)[drawn[:2]]
        growth = begun if net is out else _spans(net, rest, starts)[drawn[:2]]
        days = slice(rest, 2 * block, block)
        still[days] += begun[: len(still[days])]
        due[days] += growth[: len(due[days])]
    arrived = 0.0 if net is out else _reading(week_net, ahead / block) - _reading(week_out, ahead / block)
    for x, days_ahead in enumerate(later.tolist()):
        if days_ahead > 0:
            after[x] = _reading(week_out, days_ahead / block) + arrived
    for paths in (due, still, after):
        paths *= pace


def _thinned(rng: np.random.Generator, counts: Ints, share: float, times: int) -> Singles:
    """``times`` thinnings of the daily counts, as running sums with a leading zero: float32[times, days + 1].

    Each event is kept with probability ``share``. The k-th event of a day has its own random number, so that one event
    more, or a larger share, keeps what was kept before; only days with more than `_RANKS` events are thinned in bulk.
    """
    ranks = min(int(counts.max(initial=0)), _RANKS)
    chosen = rng.random((ranks, times, len(counts)), dtype=np.float32) < share
    chosen &= (counts > np.arange(ranks)[:, None])[:, None, :]
    kept = np.zeros((times, len(counts) + 1), dtype=np.float32)
    kept[:, 1:] = chosen.view(np.int8).sum(axis=0, dtype=np.int8)
    many = np.flatnonzero(counts > _RANKS)
    if len(many):
        kept[:, many + 1] += rng.binomial(counts[many] - _RANKS, share, size=(times, len(many)))
    thinned: Singles = np.cumsum(kept, axis=1)
    return thinned


def _spans(sums: Singles, length: int, starts: int) -> Singles:
    """The sums over ``length`` days from each possible start of a block, thinning by thinning, end to end."""
    return (sums[:, length : length + starts] - sums[:, :starts]).ravel()


def _weekly(sums: Singles, drawn: NDArray[np.intp], block: int) -> Singles:
    """Running sums over the drawn blocks: float32[weeks + 1, paths]."""
    total = np.zeros((len(drawn) + 1, drawn.shape[1]), dtype=np.float32)
    spans = _spans(sums, block, sums.shape[1] - block)
    for week, blocks in enumerate(drawn):  # numpy's cumsum over the first axis takes four times as long
        np.add(total[week], spans[blocks], out=total[week + 1])
    return total


def _reading(weekly: Singles, weeks: float) -> Singles:
    """Each path's value after ``weeks`` blocks, linear within a block."""
    weeks = min(max(weeks, 0.0), len(weekly) - 1.0)
    whole = min(int(weeks), len(weekly) - 2)
    reading: Singles = weekly[whole] + np.float32(weeks - whole) * (weekly[whole + 1] - weekly[whole])
    return reading
