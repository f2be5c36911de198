"""Containers as of a moment, ready to be forecast and asked what would be if.

An `ForecastBatch` holds a batch of containers with their counts, history, sample and paths, so that each question
costs a
few array operations for the whole batch. `sync.forecast.pooled` tells what is pooled here, and why the envelope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, LONGEST, PHASES, TIMES, HistoryTables
from sync.forecast.simulation import Sample, SimulatedPaths, sample, simulate
from sync.forecast.stats import expit, logit
from sync.forecast.survival import (
    AfterDueEstimates,
    PhaseEstimates,
    after_due_estimates,
    beta_binomial,
    phase_estimates,
)
from sync.forecast.throughput import capacity_moments, closures_by_week
from sync.history.calendar import Calendar
from sync.history.ledger import days

__all__ = ["ForecastBatch", "forecast_batches"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_EPS = 1e-9
_BATCH = 256


def forecast_batches(
    past: HistoryTables, indices: Sequence[int], at: Sequence[datetime], calendar: Calendar, batch: int = _BATCH
) -> Iterator[ForecastBatch]:
    """The containers in batches, each ready to answer what-if questions; a batch's paths are freed with it."""
    index = np.array(indices, dtype=np.int64)
    moments = np.array([days(m) for m in at], dtype=np.float64)
    for low in range(0, len(index), batch):
        yield ForecastBatch(past, index[low : low + batch], moments[low : low + batch], calendar)


class ForecastBatch:
    """A batch of containers (t) as of their moments, with history, sample and paths at hand.

    ``open``, ``done``: items now. ``added``, ``added_week``: of the members now, those that joined after the start, and
    in the last 7 days. ``dated``: start and due make sense. ``phase``: share of planned time gone. ``ahead``: days of
    usual work until the due date. ``running``: dated, not closed, and with open items; only these are simulated.
    ``by_week``: the stream's closures per week, newest first.
    """

    def __init__(self, past: HistoryTables, index: Ints, at: Floats, calendar: Calendar) -> None:
        ledger = past.ledger
        self.past, self.rules, self.index, self.at, self.calendar = past, past.rules, index, at, calendar
        self.clip = past.rules.clip
        self.start, self.due = past.start[index], ledger.due[index]
        self.dated: NDArray[np.bool_] = past.dated[index] & (np.abs(self.due - at) <= LONGEST)
        self.length: Floats = np.where(self.dated, past.length[index], 1.0)
        self.phase: Floats = np.where(self.dated, (at - self.start) / self.length, 0.5)
        self._count()
        self.habits: PhaseEstimates = phase_estimates(past, index, at)
        self.later: AfterDueEstimates = after_due_estimates(past, index, at, self.phase, self.habits)
        self.ahead: Floats = self.days_ahead(self.due)
        self.by_week: Ints = closures_by_week(past, ledger.stream[index], at)
        self.running: NDArray[np.bool_] = self.dated & (self.open > 0) & (ledger.ended[index] > at)
        self.samples: list[Sample] = sample(past, index, at, calendar, self.running)
        self.reach: Floats = self._reach()
        self.fates: SimulatedPaths = self._simulate()

    def _count(self) -> None:
        ledger, past = self.past.ledger, self.past
        counts = np.zeros((len(self.index), 4), dtype=np.int64)
        for k, i in enumerate(self.index):
            rows, at = ledger.rows(int(i)), self.at[k]
            in_scope = ledger.in_scope(at, rows)
            new, newest = (past.newcomers(rows, in_scope, since) for since in (self.start[k], at - 7.0))
            counts[k] = (
                np.count_nonzero(ledger.is_open(at, rows)),
                np.count_nonzero(ledger.is_done(at, rows)),
                np.count_nonzero(new),
                np.count_nonzero(new & newest),
            )
        self.open, self.done, self.added, self.added_week = counts.T

    def _reach(self) -> Floats:
        """How far ahead reasons ask: to the due date, to the first one, and with every day a usual one."""
        baseline = self.days_ahead(self.past.ledger.first_due[self.index])
        plain = np.where(self.dated, np.clip(self.due - self.at, 0, None), 0.0)
        return np.maximum(np.maximum(self.ahead, baseline), plain)

    def _simulate(self) -> SimulatedPaths:
        containers = self.past.ledger.containers
        times = np.where(self.dated[:, None], self.start[:, None] + self.length[:, None] * TIMES, np.nan)
        ahead = np.stack([self.days_ahead(times[:, x]) for x in range(len(TIMES))], axis=1)
        ids = [containers[int(i)].id for i in self.index]
        return simulate(ids, self.samples, self.ahead, ahead, self.reach, self.rules)

    def days_ahead(self, due: Floats, now: Floats | None = None) -> Floats:
        """Days of usual work from now until ``due[t]``; 0 where it is past or unknown."""
        now = self.at if now is None else now
        return self.calendar.work_between(now, np.where(np.isnan(due), now, np.maximum(due, now)))

    # --- probability ------------------------------------------------------------------------------------------------

    def probability(
        self,
        remaining: Floats | Ints | None = None,
        total: Floats | Ints | None = None,
        *,
        due: Floats | None = None,
        ahead: Floats | None = None,
        hit: float | None = None,
        frozen: bool = False,
        elapsed: float = 0.0,
        envelope: bool = True,
        decided: bool = True,
    ) -> Floats:
        """P(done by due) of each container, or what it would be with other inputs; NaN where dates make no sense.

        ``remaining[t]`` open items and ``total[t]`` of scope; ``due[t]`` another due moment (days since 1970);
        ``ahead[t]`` other days of usual work until then; ``hit`` another hit rate for the reference class;
        ``frozen`` no further scope; ``elapsed`` days gone in which nothing happens. ``envelope=False`` gives the raw
        pool. ``decided=False`` asks even after the due moment what could be expected just before it; otherwise it is
        met or missed by then.
        """
        now_open, total = self._scope(remaining, total)
        now, due = self.at + elapsed, self.due if due is None else due
        with np.errstate(divide="ignore", invalid="ignore"):
            phase = np.where(due > self.start, (now - self.start) / (due - self.start), 1.0)
        until = self.days_ahead(due, now) if ahead is None else ahead
        history = self.weights[0][:, None] * logit(self.survival(now_open, total, frozen=frozen))
        history += self.weights[1][:, None] * logit(self._clip(self.habits.hit if hit is None else np.array(hit)))
        if envelope:
            low = np.minimum.accumulate(history, axis=1)
            high = np.maximum.accumulate(history[:, ::-1], axis=1)[:, ::-1]
            history = (low + high) / 2
        drawn = self.simulation(now_open, total, until, frozen=frozen, envelope=envelope)
        pooled = expit(self.at_phase(history, phase) + self.weights[2] * logit(drawn))
        if decided:
            met = now_open <= np.floor(self.rules.tolerance * total + _EPS)
            pooled = np.where(now > due, np.where(met, 1 - self.clip, self.clip), pooled)
        return np.where(self.dated, pooled, np.nan)

    def _scope(self, remaining: Floats | Ints | None, total: Floats | Ints | None) -> tuple[Floats, Floats]:
        now_open = np.asarray(self.open if remaining is None else remaining, dtype=np.float64)
        return now_open, np.asarray(now_open + self.done if total is None else total, dtype=np.float64)

    @property
    def weights(self) -> tuple[Floats, Floats, Floats]:
        """Each container's weights of survival, reference and simulation."""
        rules, there = self.rules, self.fates.there
        return (
            np.where(there, rules.weight_survival, rules.weight_survival_alone),
            np.where(there, rules.weight_reference, rules.weight_reference_alone),
            np.where(there, rules.weight_simulation, 0.0),
        )

    def survival(self, remaining: Floats, total: Floats, *, frozen: bool = False) -> Floats:
        """Item survival's clipped P(done by due) at every phase: float64[t, g]."""
        growth = np.zeros_like(self.habits.growth) if frozen else self.habits.growth
        size, left = self._grown(remaining[:, None], total[:, None], growth)
        return self._clip(beta_binomial(size, left, self.habits.q, self.habits.rho))

    def simulation(
        self, remaining: Floats, total: Floats, ahead: Floats, *, frozen: bool = False, envelope: bool = True
    ) -> Floats:
        """The simulation's clipped P(done within ``ahead[t]`` days of usual work); .5 where there is no sample."""
        need = remaining - self.rules.tolerance * total
        if np.any(ahead > self.reach):  # further than anybody asked before: the same paths, longer
            self.reach = np.maximum(self.reach, ahead)
            self.fates = self._simulate()
        drawn = self._clip(self.fates.chance(need, ahead, arrivals=not frozen, envelope=envelope))
        return np.where(self.fates.there, drawn, 0.5)

    def _grown(self, remaining: Floats, total: Floats, growth: Floats) -> tuple[Floats, Floats]:
        """Open items with those expected to join, and how many may be left over."""
        size = np.rint(remaining * (1 + growth))
        left = np.floor(self.rules.tolerance * (total + size - remaining) + _EPS)
        return size, left

    def clipped(self, clip: float) -> ForecastBatch:
        """The same with its components clipped to [clip, 1 - clip]: closer to 0 and 1 than is published."""
        other = copy(self)
        other.clip = clip
        return other

    def allowed(self, total: int) -> int:
        """How many of ``total`` items may be open when a container counts as done."""
        return int(np.floor(self.rules.tolerance * total + _EPS))

    def _clip(self, p: Floats) -> Floats:
        clipped: Floats = np.clip(p, self.clip, 1 - self.clip)
        return clipped

    def at_phase(self, values: Floats, phase: Floats | None = None) -> Floats:
        """``values[t, g]`` at each container's phase, linear between the phases of the grid."""
        phase = self.phase if phase is None else phase
        phase = np.clip(phase, self.rules.phase_clip, 1 - self.rules.phase_clip)
        upper = np.clip(np.searchsorted(PHASES, phase), 1, DUE - 1)
        part = np.clip((phase - PHASES[upper - 1]) / (PHASES[upper] - PHASES[upper - 1]), 0.0, 1.0)
        row = np.arange(len(phase))
        at_phase: Floats = values[row, upper - 1] * (1 - part) + values[row, upper] * part
        return at_phase

    def components(self) -> tuple[Floats, Floats, Floats]:
        """Survival, reference and simulation as they are pooled, before any envelope: float64[t] each."""
        now_open, total = self._scope(None, None)
        survival = expit(self.at_phase(logit(self.survival(now_open, total))))
        reference = expit(self.at_phase(logit(self._clip(self.habits.hit))))
        simulated = self.simulation(now_open, total, self.ahead, envelope=False)
        return survival, reference, np.where(self.fates.there, simulated, np.nan)

    # --- dates ------------------------------------------------------------------------------------------------------

    def completion(self, remaining: Floats | Ints | None = None, total: Floats | Ints | None = None) -> Floats:
        """The pooled P(done by each of TIMES): float64[t, x], not falling, its due date the published probability.

        Times that have passed have 0; containers without sensible dates are NaN.
        """
        now_open, whole = self._scope(remaining, total)
        size, left = self._grown(now_open, whole, self.later.growth)
        survival = beta_binomial(size[:, None], left[:, None], self.later.q, self.later.rho[:, None])
        simulated = self.fates.curve(now_open - self.rules.tolerance * whole)
        weights = [w[:, None] for w in self.weights]
        pooled = expit(
            weights[0] * logit(self._clip(survival))
            + weights[1] * logit(self._clip(self.later.hit))
            + weights[2] * logit(self._clip(simulated))
        )
        pooled[:, 0] = self.probability(now_open, whole)
        curve = np.where(self.phase[:, None] < TIMES, np.maximum.accumulate(pooled, axis=1), 0.0)
        # a published probability above what follows it must not fall afterwards; one that has passed does not count
        curve = np.maximum.accumulate(curve, axis=1)
        return np.where(self.dated[:, None], curve, np.nan)

    def reached(self, curve: Floats, level: float) -> Floats:
        """The moment (days since 1970) at which each curve reaches ``level``; infinite when it does not."""
        row = np.arange(len(curve))
        x = np.argmax(curve >= level, axis=1)
        there = self.dated & (curve[row, x] >= level)
        passed = np.where(x > 0, TIMES[x - 1], -np.inf)
        before_time = np.maximum(passed, self.phase)
        before = np.where(passed > self.phase, curve[row, x - 1], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (level - before) / (curve[row, x] - before)
            found: Floats = self.start + self.length * (before_time + part * (TIMES[x] - before_time))
        return np.where(there, found, np.inf)

    def at_time(self, curve: Floats, k: int, when: float) -> float:
        """The k-th container's curve at a moment (days since 1970), linear between its times."""
        relative = (when - self.start[k]) / self.length[k]
        ahead = self.phase[k] < TIMES
        times = np.concatenate([[self.phase[k]], TIMES[ahead]])
        return float(np.interp(relative, times, np.concatenate([[0.0], curve[k][ahead]])))

    def grown_later(self, remaining: Floats | Ints) -> Floats:
        """``remaining[t]`` open items with those expected to join until the due date."""
        growth = np.where(self.dated, self.later.growth, 0.0)
        grown: Floats = np.rint(remaining * (1 + growth))
        return grown

    def capacity(self) -> Floats:
        """When the stream's throughput has the open items and those expected to join finished: float64[t, 3]."""
        items, stream = self.grown_later(self.open), self.past.ledger.stream[self.index]
        return capacity_moments(self.past, stream, items, self.at, self.calendar)

    def silence(self) -> tuple[Floats, Floats]:
        """Days of usual work since each container's last closure (or start), and its usual gap; float64[t] each.

        The usual gap is that between days on which the stream closes something, over the container's share of it;
        infinite where the stream closes nothing.
        """
        last = np.array([self._last_closure(k) for k in range(len(self.index))])
        usual = np.full(len(last), np.inf)
        for k, given in enumerate(self.samples):
            if given.out is not None and given.out.any():
                usual[k] = len(given.out) / np.count_nonzero(given.out) / given.share
        return self.calendar.work_between(last, self.at), usual

    def _last_closure(self, k: int) -> float:
        closed = self.past.ledger.closed[self.past.ledger.rows(int(self.index[k]))]
        known = closed[closed <= self.at[k]]
        start = self.start[k] if np.isfinite(self.start[k]) else self.at[k]
        return float(min(max(start, known.max(initial=start)), self.at[k]))

    @property
    def horizon(self) -> Floats:
        """Up to when dates are given: three planned durations after the start, or one from now if that is later."""
        planned = np.maximum(self.start + 3 * self.length, self.at + self.length)
        return np.where(self.dated, planned, self.at + 3 * 7.0 * self.rules.capacity_weeks)
