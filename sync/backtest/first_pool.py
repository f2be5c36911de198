"""First pool: the forecast of an earlier release, kept as a baseline; a pool of three estimates.

* *Item survival*: of ``N`` items of an earlier milestone that were open at the same phase or joined later, ``K`` were
  gone by the due date. The share ``q`` and its spread ``rho`` make a beta-binomial for the items that are left over.
* *Reference class*: the share of the earlier milestones not done at the phase that were done by the due date.
* *Simulation* of the stream's recent throughput, see `sync.backtest.first_simulation`.

They are pooled in log-odds with fixed weights. The estimates from history are made non-increasing in the phase, by the
mean of their running minimum and of the running maximum of the later phases. The parameters are fixed here, so that the
baseline stays the same when those of the forecast change.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sync.backtest.first_simulation import THROUGHPUT_DRIFT, StreamEvents, simulated_probability
from sync.forecast.history_tables import HistoryTables, SortedEvents
from sync.forecast.stats import allowed_open, expit, log_gamma, logit
from sync.history.calendar import Calendar

__all__ = ["FirstPool", "FirstPoolAnswers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PHASES: Floats = np.array([0.02, *(round(0.05 * k, 2) for k in range(1, 20)), 0.98])
"""Shares of the planned time at which history is compared."""
CLIP = 0.02
PHASE_CLIP = 0.02
SETTLE_DAYS = 1.0
STREAM_WINDOW, STREAM_LEAST = 20, 4
KIND_WINDOW, PRIOR_WINDOW = 25, 40
PRIOR_WEIGHT, PRIOR_PSEUDO = 6.0, 2.0
RHO_LOW, RHO_HIGH, RHO_PRIOR, RHO_WEIGHT = 0.01, 0.6, 0.2, 6.0
GROWTH_JOINED, GROWTH_OPEN = 0.5, 5.0
REFERENCE_WEIGHT = 3.0
WEIGHTS, WEIGHTS_ALONE = (0.45, 0.30, 0.25), (0.60, 0.40, 0.0)
"""Weights of survival, reference class and simulation; without a simulation, where the stream is too young."""


@dataclass(frozen=True)
class FirstPoolAnswers:
    """Probabilities of done by due, float64[m] each: the pool, and its three clipped components.

    NaN where dates make no sense; ``simulation`` also where the stream is too young to be sampled.
    """

    p: Floats
    survival: Floats
    reference: Floats
    simulation: Floats


class _Sum(IntEnum):
    """Columns of the running sums over earlier milestones, at each phase.

    The items that are open at a phase or join until the due date are exposed.
    """

    EXPOSED = 0
    GONE = 1
    GONE_SQUARED = 2
    CROSS = 3
    EXPOSED_SQUARED = 4
    JOINING = 5
    OPEN = 6
    COUNT = 7
    UNFINISHED = 8
    HITS = 9


class FirstPool:
    """The first pool on the history of ``tables``, for the tolerance of their rules."""

    def __init__(self, tables: HistoryTables) -> None:
        self.tables, self.tolerance = tables, tables.rules.tolerance
        ledger = tables.ledger
        joined, gone, done = _counts(tables)
        total = joined[:, -1] - gone[:, -1] + done[:, -1]
        open_items = joined[:, :-1] - gone[:, :-1]
        in_scope = open_items + done[:, :-1]
        is_unfinished = (open_items > allowed_open(in_scope, self.tolerance)) | (in_scope <= 0)
        is_hit = joined[:, -1] - gone[:, -1] <= allowed_open(total, self.tolerance)
        usable = np.flatnonzero(tables.has_dates & (total > 0))
        self.by_stream = SortedEvents(ledger.stream[usable], ledger.due[usable], len(ledger.streams))
        self.by_kind = SortedEvents(ledger.kind[usable], ledger.due[usable], len(ledger.kinds))
        of_stream, of_kind = usable[self.by_stream.order], usable[self.by_kind.order]
        self.kind_hits: Floats = np.concatenate([[0.0], np.cumsum(is_hit[of_kind], dtype=np.float64)])
        columns = _columns(joined, gone, is_unfinished, is_hit)
        self.stream_sums, self.kind_sums = (_running_sums(columns[members]) for members in (of_stream, of_kind))
        self.events = StreamEvents.of(tables)

    def answers(
        self,
        index: Ints,
        at: Floats,
        calendar: Calendar,
        *,
        drift: float = THROUGHPUT_DRIFT,
        is_simulated: bool = True,
    ) -> FirstPoolAnswers:
        """Answer for the containers ``index`` int64[m], each as of its ``at`` float64[m] (days since 1970 UTC).

        ``drift``: sigma of the log-normal pace of the simulated paths. ``is_simulated`` False: as if each stream were
        too young to be sampled. Each container has open items at its time.
        """
        tables, ledger = self.tables, self.tables.ledger
        counts = np.array(
            [
                (ledger.is_open(t, rows).sum(), ledger.is_done(t, rows).sum())
                for t, rows in zip(at.tolist(), map(ledger.rows, index.tolist()), strict=True)
            ],
            dtype=np.float64,
        ).reshape(len(index), 2)
        remaining, total = counts[:, 0], counts.sum(axis=1)
        sums, prior, b0 = self._history(index, at)
        q = _share_gone(sums, prior)
        growth = (sums[:, :, _Sum.JOINING] + GROWTH_JOINED) / (sums[:, :, _Sum.OPEN] + GROWTH_OPEN)
        size = np.rint(remaining[:, None] * (1 + growth))
        left_over = allowed_open(total[:, None] + size - remaining[:, None], self.tolerance)
        survival = logit(_clip(_beta_binomial(size, left_over, q, _dispersion(q, sums))))
        hit_rate = (sums[:, :, _Sum.HITS] + REFERENCE_WEIGHT * b0) / (sums[:, :, _Sum.UNFINISHED] + REFERENCE_WEIGHT)
        reference = logit(_clip(hit_rate))
        need = remaining - self.tolerance * total
        by_envelope = simulated = np.full(len(index), np.nan)
        if is_simulated:
            by_envelope, simulated = simulated_probability(
                self.events, index, at, calendar, need, tolerance=self.tolerance, drift=drift
            )
        weights = np.where(np.isfinite(simulated)[:, None], WEIGHTS, WEIGHTS_ALONE)
        history = _envelope(weights[:, :1] * survival + weights[:, 1:2] * reference)
        phase = (at - tables.start[index]) / tables.length[index]
        log_odds = _at_phase(history, phase)
        log_odds += weights[:, 2] * logit(np.where(np.isfinite(by_envelope), _clip(by_envelope), 0.5))
        has_dates = tables.has_dates[index]
        components = expit(log_odds), expit(_at_phase(survival, phase)), expit(_at_phase(reference, phase))
        return FirstPoolAnswers(*(np.where(has_dates, p, np.nan) for p in (*components, _clip(simulated))))

    def _history(self, index: Ints, at: Floats) -> tuple[Floats, Floats, Floats]:
        """Return sums float64[m, g, column] of the earlier milestones, of the kind's, and its hit rate [m, 1]."""
        ledger = self.tables.ledger
        stream, kind = ledger.stream[index], ledger.kind[index]
        known = np.fmin(at - SETTLE_DAYS, ledger.due[index])  # excludes its own result
        stream_end, kind_end = self.by_stream.before(stream, known), self.by_kind.before(kind, known)
        stream_first, kind_first = self.by_stream.first[stream], self.by_kind.first[kind]

        def sums_of(running: Floats, first: Ints, end: Ints, window: int) -> Floats:
            sums: Floats = running[end] - running[np.maximum(end - window, first)]
            return sums

        sums = np.where(
            (stream_end - stream_first >= STREAM_LEAST)[:, None, None],
            sums_of(self.stream_sums, stream_first, stream_end, STREAM_WINDOW),
            sums_of(self.kind_sums, kind_first, kind_end, KIND_WINDOW),
        )
        prior = sums_of(self.kind_sums, kind_first, kind_end, PRIOR_WINDOW)
        hit_rate = (self.kind_hits[kind_end] - self.kind_hits[kind_first] + 1) / (kind_end - kind_first + 2)
        return sums, prior, hit_rate[:, None]


def _counts(tables: HistoryTables) -> tuple[Ints, Ints, Ints]:
    """Return counts of each container at the phases and the due moment: int64[n, g] each.

    Open times begun by then; those begun by the due moment that ended by then; items done by then and in scope.
    """
    ledger = tables.ledger
    row = np.flatnonzero(tables.has_dates[tables.row_container])
    container = tables.row_container[row]

    def table(mask: NDArray[np.bool_], time: Floats) -> Ints:
        grid = np.append(PHASES, 1.0)
        n, columns = len(ledger.containers), len(grid) + 1
        relative = (time[row] - tables.start[container]) / tables.length[container]
        cell = container[mask] * columns + np.searchsorted(grid, relative[mask])
        counts: Ints = np.bincount(cell, minlength=n * columns).reshape(n, columns)[:, :-1].cumsum(axis=1)
        return counts

    was_open = ledger.open_until[row] > ledger.joined[row]
    was_planned = was_open & ((ledger.joined[row] - tables.start[container]) / tables.length[container] <= 1.0)
    finished = np.maximum(ledger.closed, ledger.joined)
    was_done = np.isfinite(finished[row]) & (finished[row] < ledger.left[row])
    done = table(was_done, finished) - table(was_done, ledger.left)
    return table(was_open, ledger.joined), table(was_planned, ledger.open_until), done


def _columns(joined: Ints, gone: Ints, is_unfinished: NDArray[np.bool_], is_hit: NDArray[np.bool_]) -> Floats:
    """Return each container's terms of the sums: float64[n, g, column]."""
    exposed = (joined[:, -1:] - gone[:, :-1]).astype(np.float64)
    gone_later = (gone[:, -1:] - gone[:, :-1]).astype(np.float64)
    columns = np.zeros((*exposed.shape, len(_Sum)))
    columns[:, :, _Sum.EXPOSED] = exposed
    columns[:, :, _Sum.GONE] = gone_later
    columns[:, :, _Sum.GONE_SQUARED] = gone_later * gone_later
    columns[:, :, _Sum.CROSS] = gone_later * exposed
    columns[:, :, _Sum.EXPOSED_SQUARED] = exposed * exposed
    columns[:, :, _Sum.JOINING] = joined[:, -1:] - joined[:, :-1]
    columns[:, :, _Sum.OPEN] = joined[:, :-1] - gone[:, :-1]
    columns[:, :, _Sum.COUNT] = exposed > 0
    columns[:, :, _Sum.UNFINISHED] = is_unfinished
    columns[:, :, _Sum.HITS] = is_unfinished & is_hit[:, None]
    return columns


def _running_sums(columns: Floats) -> Floats:
    return np.concatenate([np.zeros((1, *columns.shape[1:])), np.cumsum(columns, axis=0)])


def _share_gone(sums: Floats, prior: Floats) -> Floats:
    q0 = (prior[:, :, _Sum.GONE] + PRIOR_PSEUDO) / (prior[:, :, _Sum.EXPOSED] + 2 * PRIOR_PSEUDO)
    share: Floats = (sums[:, :, _Sum.GONE] + PRIOR_WEIGHT * q0) / (sums[:, :, _Sum.EXPOSED] + PRIOR_WEIGHT)
    return share


def _dispersion(q: Floats, sums: Floats) -> Floats:
    """Return the moment estimate of rho, clipped, and shrunk towards the prior by the number of milestones."""
    exposed, squared = sums[:, :, _Sum.EXPOSED], sums[:, :, _Sum.EXPOSED_SQUARED]
    spread = sums[:, :, _Sum.GONE_SQUARED] - 2 * q * sums[:, :, _Sum.CROSS] + q * q * squared - exposed * q * (1 - q)
    scale = q * (1 - q) * (squared - exposed)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.clip(np.where(scale > 0, spread / scale, RHO_PRIOR), RHO_LOW, RHO_HIGH)
    weight = sums[:, :, _Sum.COUNT] / (sums[:, :, _Sum.COUNT] + RHO_WEIGHT)
    estimate: Floats = weight * rho + (1 - weight) * RHO_PRIOR
    return estimate


def _envelope(history: Floats) -> Floats:
    low = np.minimum.accumulate(history, axis=1)
    high = np.maximum.accumulate(history[:, ::-1], axis=1)[:, ::-1]
    envelope: Floats = (low + high) / 2
    return envelope


def _at_phase(values: Floats, phase: Floats) -> Floats:
    """Return ``values[m, g]`` at each phase, linear between `PHASES`."""
    phase = np.clip(phase, PHASE_CLIP, 1 - PHASE_CLIP)
    upper = np.clip(np.searchsorted(PHASES, phase), 1, len(PHASES) - 1)
    part = np.clip((phase - PHASES[upper - 1]) / (PHASES[upper] - PHASES[upper - 1]), 0.0, 1.0)
    row = np.arange(len(phase))
    at_phase: Floats = values[row, upper - 1] * (1 - part) + values[row, upper] * part
    return at_phase


def _clip(p: Floats) -> Floats:
    clipped: Floats = np.clip(p, CLIP, 1 - CLIP)
    return clipped


def _beta_binomial(size: Floats, left_over: Floats, q: Floats, rho: Floats) -> Floats:
    """Return P(at most ``left_over`` of ``size`` items are not gone), with mean share gone ``q`` and spread ``rho``.

    All arguments broadcast; ``size`` and ``left_over`` are whole numbers >= 0.
    """
    size, left_over, q, rho = np.broadcast_arrays(size, left_over, q, rho)
    pull = 1.0 / rho - 1.0
    a, b = q * pull, (1 - q) * pull  # items gone, items left over
    term = log_gamma(a + size) + log_gamma(a + b) - log_gamma(a + b + size) - log_gamma(a)
    total = term.copy()
    for k in range(int(left_over.max(initial=0))):
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.log((size - k) / (k + 1)) + np.log((k + b) / (size - k - 1 + a))
        term = np.where(k < np.minimum(left_over, size), term + step, -np.inf)
        total = np.logaddexp(total, term)
    return np.where(left_over >= size, 1.0, np.minimum(np.exp(total), 1.0))
