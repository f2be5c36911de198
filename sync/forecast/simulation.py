"""Monte Carlo simulation of a container's open items: a block bootstrap of its stream's throughput, with arrivals.

Seven-day blocks of (items out, items in) are drawn from the stream's last 90 days, thinned to the container's own
share. Blocks keep weekends, bursts and the correlation of neighbouring weeks, which single days would lose. Each path
has its own pace (log-normal, mean 1), because a stream's throughput drifts away from that of the days sampled.

Random numbers are seeded with the container's id, never with the day, and drawn in the order of the days ahead. So two
assessments of a container, or of two due dates, see the same paths, and noise does not change a label.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import TIMES, HistoryTables, SortedEvents
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar

__all__ = ["STEPS", "Sample", "SimulatedPaths", "sample", "seed", "simulate"]

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

_WEEKS = np.array([2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 52, 64, 80, 104])
STEPS: Floats = np.array([*range(14), *(7 * _WEEKS)], dtype=np.float64)
"""Days of usual work ahead at which paths are read. Probabilities between are interpolated; beyond, the last holds."""

_RANKS = 16
_MARGIN = 1e-3  # for comparing float32 paths with numbers of items


class Sample(Struct, frozen=True):
    """The stream's items out and in per day, the oldest day first, without holidays, and one container's share of it.

    ``share``: the part of the stream's closures that were this container's. ``active``: the stream's containers that
    run. ``days``: days sampled. ``out_per_day`` and ``in_per_day`` are None when the stream is too young, or the sample
    is not needed.
    """

    out_per_day: Ints | None
    in_per_day: Ints | None
    share: float
    active: int
    days: int


class SimulatedPaths(Struct, frozen=True):
    """Items out by a time on each path, for a batch of containers (t).

    ``is_sampled[t]``: the stream could be sampled; only these containers (n) have paths. ``by_step[n, s, path]``: by
    each of `STEPS`, less the arrivals. ``by_step_frozen``: without arrivals. ``by_time[n, x, path]``: by each of
    `TIMES`, with arrivals until the due date. A path is done when open - tolerance * scope <= its value.
    """

    by_step: Singles
    by_step_frozen: Singles
    by_time: Singles
    is_sampled: NDArray[np.bool_]

    def probability(self, need: Floats, ahead: Floats, *, arrivals: bool = True, envelope: bool = True) -> Floats:
        """Return P(done within ``ahead[t]`` days of usual work); 0 without paths.

        ``need[t]`` = open - tolerance * scope items must go. With the envelope, more days never lower the result;
        without it, arrivals can make the share of done paths fall.
        """
        paths = self.by_step if arrivals else self.by_step_frozen
        steps = paths.shape[1]
        share = _share(paths, need[self.is_sampled])
        if envelope:
            share = np.maximum.accumulate(share, axis=1)
        ahead = np.clip(ahead[self.is_sampled], 0.0, STEPS[steps - 1])
        upper = np.clip(np.searchsorted(STEPS[:steps], ahead), 1, steps - 1)
        row = np.arange(len(share))
        part = (ahead - STEPS[upper - 1]) / (STEPS[upper] - STEPS[upper - 1])
        result = np.zeros(len(need))
        result[self.is_sampled] = share[row, upper - 1] * (1 - part) + share[row, upper] * part
        return result

    def curve(self, need: Floats) -> Floats:
        """Return P(done by each of `TIMES`): float64[t, x], 0 without paths. ``need`` as in `probability`."""
        result = np.zeros((len(need), self.by_time.shape[1]))
        result[self.is_sampled] = _share(self.by_time, need[self.is_sampled])
        return result


def _share(paths: Singles, need: Floats) -> Floats:
    """Return the share of ``paths[t, s, :]`` that are at ``need[t]`` or above: float64[t, s]."""
    done = paths >= (need - _MARGIN).astype(np.float32)[:, None, None]
    counts = done.view(np.int8).sum(axis=2, dtype=np.int16 if paths.shape[2] < 2**15 else np.int64)
    share: Floats = counts / paths.shape[2]
    return share


def seed(container: str) -> int:
    """Return the first 8 bytes of BLAKE2b of a container's id as a number."""
    return int.from_bytes(blake2b(container.encode()).digest()[:8], "big")


def sample(
    tables: HistoryTables, index: Ints, at: Floats, calendar: Calendar, wanted: NDArray[np.bool_] | None = None
) -> list[Sample]:
    """Return the sample of each container at positions ``index``, as of ``at`` (days since 1970 UTC).

    Containers that are not ``wanted[t]`` (None: all are) get an empty one.
    """
    rules, ledger = tables.rules, tables.ledger
    stream = ledger.stream[index]
    start = np.where(np.isnan(tables.start[index]), at, tables.start[index])
    age = np.clip(np.floor(at - tables.stream_start[stream]), 0, rules.window_days)
    active = tables.starts.before(stream, at, inclusive=True) - tables.stops.before(stream, at)
    active = np.maximum(active, 1)
    closures = np.maximum(tables.closures.count(stream, start, at), 0)  # 0 before the start
    windows = [_window(events, stream, at, age) for events in (tables.outflow, tables.arrivals)]
    samples = []
    for k, i in enumerate(index.tolist()):
        if wanted is not None and not wanted[k]:
            samples.append(Sample(None, None, 0.0, int(active[k]), 0))
            continue
        rows = ledger.rows(i)
        closed = ledger.closed[rows]
        own = np.count_nonzero((closed > start[k]) & (closed <= at[k]) & (ledger.joined[rows] <= at[k]))
        share = min((own + rules.share_weight / active[k]) / (closures[k] + rules.share_weight), 1.0)
        days = int(age[k])
        is_usual = calendar.usual_days(float(at[k]), days)
        out, arriving = (_per_day(times[first[k] : end[k]], at[k], days)[is_usual] for times, first, end in windows)
        is_enough = len(out) >= rules.window_least
        per_day = (out, arriving) if is_enough else (None, None)
        samples.append(Sample(per_day[0], per_day[1], float(share), int(active[k]), len(out)))
    return samples


def _window(events: SortedEvents, stream: Ints, at: Floats, age: Floats) -> tuple[Floats, Ints, Ints]:
    """Return the moments of all streams, and where those of the last ``age[t]`` days before ``at[t]`` begin and end."""
    end = events.before(stream, at, inclusive=True)
    return events.time, events.before(stream, at - age, inclusive=True), end


def _per_day(times: Floats, at: float, days: int) -> Ints:
    """Return the number of events in each of the last ``days`` days before ``at``, the oldest first."""
    ago = np.minimum((at - times).astype(np.int64), max(days - 1, 0))
    return np.bincount(ago, minlength=days)[::-1] if days else np.zeros(0, dtype=np.int64)


def simulate(
    containers: list[str], samples: list[Sample], ahead: Floats, later: Floats, reach: Floats, rules: Rules
) -> SimulatedPaths:
    """Draw the paths of a batch of containers (ids).

    ``ahead[t]``: days of usual work until due. ``later[t, x]``: until each of `TIMES`. ``reach[t]``: days ahead up to
    which ``by_step`` and ``by_step_frozen`` must be readable.
    """
    steps = np.clip(np.searchsorted(STEPS, reach) + 1, 2, len(STEPS))
    is_sampled = np.array([each.out_per_day is not None for each in samples], dtype=bool)
    sampled = np.flatnonzero(is_sampled)
    shape = (len(sampled), int(steps[is_sampled].max(initial=2)), rules.paths)
    by_step, by_step_frozen = np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.float32)
    by_time = np.zeros((len(sampled), len(TIMES), rules.paths), dtype=np.float32)
    for n, k in enumerate(sampled.tolist()):
        end = int(steps[k])
        paths = _Paths(by_step[n, :end], by_step_frozen[n, :end], by_time[n])
        _fill(paths, containers[k], samples[k], float(ahead[k]), later[k], rules)
    return SimulatedPaths(by_step, by_step_frozen, by_time, is_sampled)


class _Paths(Struct, frozen=True):
    """The paths of one container, to be filled: views of the arrays of `SimulatedPaths`."""

    by_step: Singles
    by_step_frozen: Singles
    by_time: Singles


def _fill(paths: _Paths, container: str, sampled: Sample, ahead: float, later: Floats, rules: Rules) -> None:
    """Draw one container's paths, ``ahead`` days of usual work until due and ``later[x]`` until each of `TIMES`."""
    assert sampled.out_per_day is not None
    assert sampled.in_per_day is not None
    first = seed(container)  # the thinning has its own generator: another share must not change the blocks
    thinning, drawing = (np.random.Generator(np.random.PCG64(s)) for s in (first, first ^ 1))
    block, starts = rules.block_days, len(sampled.out_per_day) - rules.block_days + 1
    out = _thinned(thinning, sampled.out_per_day, sampled.share, rules.thinnings)
    net = out
    if sampled.in_per_day.any():
        arriving = _thinned(thinning, sampled.in_per_day, sampled.share, rules.thinnings)
        net = out - np.float32(1 - rules.tolerance) * arriving
    steps = STEPS[: len(paths.by_step)]
    furthest = max(float(later[-1]), float(steps[-1]))
    weeks = int(np.clip(np.ceil(furthest / block), 1, STEPS[-1] // block))
    drift = rules.rate_drift * drawing.standard_normal(rules.paths, dtype=np.float32)
    pace = np.exp(drift - np.float32(rules.rate_drift**2 / 2))
    drawn = (drawing.random((weeks, rules.paths), dtype=np.float32) * (rules.thinnings * starts)).astype(np.intp)
    near = int(np.ceil(max(steps[-1], ahead) / block))
    week_out = _weekly(out, drawn, block)
    week_net = week_out if net is out else _weekly(net, drawn[: max(near, 1)], block)
    week = (steps // block).astype(np.intp)
    paths.by_step[:], paths.by_step_frozen[:] = week_net[week], week_out[week]
    for rest in range(1, min(block, len(steps))):  # the first days of the first two blocks: step s is day s
        first_out = _spans(out, rest, starts)[drawn[:2]]
        first_net = first_out if net is out else _spans(net, rest, starts)[drawn[:2]]
        days = slice(rest, 2 * block, block)
        paths.by_step_frozen[days] += first_out[: len(paths.by_step_frozen[days])]
        paths.by_step[days] += first_net[: len(paths.by_step[days])]
    arrived = 0.0 if net is out else _reading(week_net, ahead / block) - _reading(week_out, ahead / block)
    for x, days_ahead in enumerate(later.tolist()):
        if days_ahead > 0:
            paths.by_time[x] = _reading(week_out, days_ahead / block) + arrived
    for values in (paths.by_step, paths.by_step_frozen, paths.by_time):
        values *= pace


def _thinned(rng: np.random.Generator, counts: Ints, share: float, times: int) -> Singles:
    """Return ``times`` thinnings of daily counts, as running sums with a leading zero: float32[times, days + 1].

    Each event is kept with probability ``share``. The k-th event of a day has its own random number, so that another
    event, or a larger share, drops no event kept before. Only days with more than `_RANKS` events are thinned in bulk.
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
    """Return the sums over ``length`` days from each possible start of a block, for all thinnings end to end."""
    return (sums[:, length : length + starts] - sums[:, :starts]).ravel()


def _weekly(sums: Singles, drawn: NDArray[np.intp], block: int) -> Singles:
    """Return running sums over the drawn blocks: float32[weeks + 1, paths]."""
    total = np.zeros((len(drawn) + 1, drawn.shape[1]), dtype=np.float32)
    spans = _spans(sums, block, sums.shape[1] - block)
    for week, blocks in enumerate(drawn):  # numpy's cumsum over the first axis is four times slower
        np.add(total[week], spans[blocks], out=total[week + 1])
    return total


def _reading(weekly: Singles, weeks: float) -> Singles:
    """Return each path's value after ``weeks`` blocks, linear within a block."""
    weeks = min(max(weeks, 0.0), len(weekly) - 1.0)
    whole = min(int(weeks), len(weekly) - 2)
    reading: Singles = weekly[whole] + np.float32(weeks - whole) * (weekly[whole + 1] - weekly[whole])
    return reading
