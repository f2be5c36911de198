"""Batches of containers as of a moment, with their probability, completion curve and what-if answers.

A `ForecastBatch` computes counts, history estimates, sample and simulated paths of all its containers once. Each
question then costs a few array operations for the whole batch. `sync.forecast.pooled` documents what is pooled, and the
envelope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import DUE, LONGEST, PHASES, TIMES, HistoryTables
from sync.forecast.simulation import Sample, SimulatedPaths, sample, simulate
from sync.forecast.stats import allowed_open, expit, logit
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

__all__ = ["Assumptions", "ForecastBatch", "forecast_batches"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BATCH_SIZE = 256
"""Containers whose paths are in memory at once."""


class Assumptions(Struct, frozen=True):
    """Inputs of a what-if question that replace the present ones; None: the present one.

    ``due[t]``: another due moment (days since 1970 UTC). ``days_to_due[t]``: other days of usual work until then.
    ``hit_rate``: another hit rate of the reference class. ``frozen``: no further scope. ``elapsed``: days that have
    passed in which nothing happened.
    """

    due: Floats | None = None
    days_to_due: Floats | None = None
    hit_rate: float | None = None
    frozen: bool = False
    elapsed: float = 0.0


PRESENT = Assumptions()


def forecast_batches(
    tables: HistoryTables, indices: Sequence[int], at: Sequence[datetime], calendar: Calendar, size: int = BATCH_SIZE
) -> Iterator[ForecastBatch]:
    """Yield the containers at positions ``indices``, each as of its ``at`` (UTC), in batches of ``size``.

    The simulated paths of a batch take most of the memory, and are freed with it.
    """
    index = np.array(indices, dtype=np.int64)
    moments = np.array([days(moment) for moment in at], dtype=np.float64)
    for low in range(0, len(index), size):
        yield ForecastBatch(tables, index[low : low + size], moments[low : low + size], calendar)


class ForecastBatch:
    """Containers (t) at positions ``index`` of a ledger, each as of its moment ``at`` (days since 1970 UTC).

    ``open``, ``done``: int64[t] items now. ``added``, ``added_week``: of the items in scope now, those that joined
    after the start, and in the last 7 days. ``has_dates``: start and due date make sense. ``phase``: share of the
    planned time gone, may be above 1. ``days_to_due``: days of usual work until the due date. ``is_running``: has
    dates, not closed, and with open items; only these are simulated. ``closures_by_week``: the stream's closures per
    week, newest first.
    """

    def __init__(self, tables: HistoryTables, index: Ints, at: Floats, calendar: Calendar) -> None:
        ledger = tables.ledger
        self.tables, self.rules, self.index, self.at, self.calendar = tables, tables.rules, index, at, calendar
        self.clip = tables.rules.clip
        self.start, self.due = tables.start[index], ledger.due[index]
        self.has_dates: Bools = tables.has_dates[index] & (np.abs(self.due - at) <= LONGEST)
        self.length: Floats = np.where(self.has_dates, tables.length[index], 1.0)
        self.phase: Floats = np.where(self.has_dates, (at - self.start) / self.length, 0.5)
        self._count()
        self.estimates: PhaseEstimates = phase_estimates(tables, index, at)
        self.after_due: AfterDueEstimates = after_due_estimates(tables, index, at, self.phase, self.estimates)
        self.days_to_due: Floats = self.days_ahead(self.due)
        self.closures_by_week: Ints = closures_by_week(tables, ledger.stream[index], at)
        self.is_running: Bools = self.has_dates & (self.open > 0) & (ledger.ended[index] > at)
        self.samples: list[Sample] = sample(tables, index, at, calendar, self.is_running)
        self.reach: Floats = self._reach()
        self.paths: SimulatedPaths = self._simulate()

    def _count(self) -> None:
        ledger, tables = self.tables.ledger, self.tables
        counts = np.zeros((len(self.index), 4), dtype=np.int64)
        for k, i in enumerate(self.index):
            rows, at = ledger.rows(int(i)), self.at[k]
            in_scope = ledger.in_scope(at, rows)
            added, added_week = (tables.newcomers(rows, in_scope, since) for since in (self.start[k], at - 7.0))
            counts[k] = (
                np.count_nonzero(ledger.is_open(at, rows)),
                np.count_nonzero(ledger.is_done(at, rows)),
                np.count_nonzero(added),
                np.count_nonzero(added & added_week),
            )
        self.open, self.done, self.added, self.added_week = counts.T

    def _reach(self) -> Floats:
        """Return how far ahead reasons ask, in days: to the due date, the first due date, and with no day off."""
        to_baseline = self.days_ahead(self.tables.ledger.first_due[self.index])
        all_days = np.where(self.has_dates, np.clip(self.due - self.at, 0, None), 0.0)
        return np.maximum(np.maximum(self.days_to_due, to_baseline), all_days)

    def _simulate(self) -> SimulatedPaths:
        containers = self.tables.ledger.containers
        times = np.where(self.has_dates[:, None], self.start[:, None] + self.length[:, None] * TIMES, np.nan)
        ahead = np.stack([self.days_ahead(times[:, x]) for x in range(len(TIMES))], axis=1)
        ids = [containers[int(i)].id for i in self.index]
        return simulate(ids, self.samples, self.days_to_due, ahead, self.reach, self.rules)

    def days_ahead(self, due: Floats, now: Floats | None = None) -> Floats:
        """Return the days of usual work from ``now`` (None: ``at``) until ``due[t]``; 0 where it is past or NaN."""
        now = self.at if now is None else now
        return self.calendar.work_between(now, np.where(np.isnan(due), now, np.maximum(due, now)))

    # --- probability ------------------------------------------------------------------------------------------------

    def probability(
        self,
        remaining: Floats | Ints | None = None,
        total: Floats | Ints | None = None,
        *,
        assumed: Assumptions = PRESENT,
        envelope: bool = True,
        decided: bool = True,
    ) -> Floats:
        """Return P(done by due) of each container: float64[t], NaN where dates make no sense.

        ``remaining[t]`` open items and ``total[t]`` of scope replace those of now, ``assumed`` the other inputs.
        ``envelope=False`` gives the pool before its monotone envelope. After the due moment a milestone is met or
        missed; ``decided=False`` gives what could be expected just before it.
        """
        now_open, total = self._scope(remaining, total)
        now, due = self.at + assumed.elapsed, self.due if assumed.due is None else assumed.due
        with np.errstate(divide="ignore", invalid="ignore"):
            phase = np.where(due > self.start, (now - self.start) / (due - self.start), 1.0)
        until = self.days_ahead(due, now) if assumed.days_to_due is None else assumed.days_to_due
        hit_rate = self.estimates.hit_rate if assumed.hit_rate is None else np.array(assumed.hit_rate)
        history = self.weights[0][:, None] * logit(self.survival(now_open, total, frozen=assumed.frozen))
        history += self.weights[1][:, None] * logit(self._clip(hit_rate))
        if envelope:
            low = np.minimum.accumulate(history, axis=1)
            high = np.maximum.accumulate(history[:, ::-1], axis=1)[:, ::-1]
            history = (low + high) / 2
        simulated = self.simulation(now_open, total, until, frozen=assumed.frozen, envelope=envelope)
        pooled = expit(self.at_phase(history, phase) + self.weights[2] * logit(simulated))
        if decided:
            is_met = now_open <= allowed_open(total, self.rules.tolerance)
            pooled = np.where(now > due, np.where(is_met, 1 - self.clip, self.clip), pooled)
        return np.where(self.has_dates, pooled, np.nan)

    def _scope(self, remaining: Floats | Ints | None, total: Floats | Ints | None) -> tuple[Floats, Floats]:
        now_open = np.asarray(self.open if remaining is None else remaining, dtype=np.float64)
        return now_open, np.asarray(now_open + self.done if total is None else total, dtype=np.float64)

    @property
    def weights(self) -> tuple[Floats, Floats, Floats]:
        """Return the weights of survival, reference class and simulation: float64[t] each."""
        rules, is_sampled = self.rules, self.paths.is_sampled
        return (
            np.where(is_sampled, rules.weight_survival, rules.weight_survival_alone),
            np.where(is_sampled, rules.weight_reference, rules.weight_reference_alone),
            np.where(is_sampled, rules.weight_simulation, 0.0),
        )

    def survival(self, remaining: Floats, total: Floats, *, frozen: bool = False) -> Floats:
        """Return item survival's clipped P(done by due) at every phase: float64[t, g]."""
        growth = np.zeros_like(self.estimates.growth) if frozen else self.estimates.growth
        size, left_over = self._with_growth(remaining[:, None], total[:, None], growth)
        return self._clip(beta_binomial(size, left_over, self.estimates.q, self.estimates.rho))

    def simulation(
        self, remaining: Floats, total: Floats, ahead: Floats, *, frozen: bool = False, envelope: bool = True
    ) -> Floats:
        """Return the simulation's clipped P(done within ``ahead[t]`` days of usual work); .5 without a sample."""
        need = remaining - self.rules.tolerance * total
        if np.any(ahead > self.reach):  # the same paths, longer
            self.reach = np.maximum(self.reach, ahead)
            self.paths = self._simulate()
        p = self._clip(self.paths.probability(need, ahead, arrivals=not frozen, envelope=envelope))
        return np.where(self.paths.is_sampled, p, 0.5)

    def _with_growth(self, remaining: Floats, total: Floats, growth: Floats) -> tuple[Floats, Floats]:
        """Return the open items with those expected to join, and how many of them may be left over."""
        size = np.rint(remaining * (1 + growth))
        return size, allowed_open(total + size - remaining, self.rules.tolerance)

    def with_clip(self, clip: float) -> ForecastBatch:
        """Return the same batch with its components clipped to [clip, 1 - clip], as reasons need it."""
        other = copy(self)
        other.clip = clip
        return other

    def allowed_open(self, total: int) -> int:
        """Return how many of ``total`` items may be open when a container counts as done."""
        return int(allowed_open(total, self.rules.tolerance))

    def _clip(self, p: Floats) -> Floats:
        clipped: Floats = np.clip(p, self.clip, 1 - self.clip)
        return clipped

    def at_phase(self, values: Floats, phase: Floats | None = None) -> Floats:
        """Return ``values[t, g]`` at each container's phase (or at ``phase[t]``), linear between the grid's phases."""
        phase = self.phase if phase is None else phase
        phase = np.clip(phase, self.rules.phase_clip, 1 - self.rules.phase_clip)
        upper = np.clip(np.searchsorted(PHASES, phase), 1, DUE - 1)
        part = np.clip((phase - PHASES[upper - 1]) / (PHASES[upper] - PHASES[upper - 1]), 0.0, 1.0)
        row = np.arange(len(phase))
        at_phase: Floats = values[row, upper - 1] * (1 - part) + values[row, upper] * part
        return at_phase

    def components(self) -> tuple[Floats, Floats, Floats]:
        """Return survival, reference class and simulation as they are pooled, before any envelope: float64[t] each."""
        now_open, total = self._scope(None, None)
        survival = expit(self.at_phase(logit(self.survival(now_open, total))))
        reference = expit(self.at_phase(logit(self._clip(self.estimates.hit_rate))))
        simulated = self.simulation(now_open, total, self.days_to_due, envelope=False)
        return survival, reference, np.where(self.paths.is_sampled, simulated, np.nan)

    # --- dates ------------------------------------------------------------------------------------------------------

    def completion(self, remaining: Floats | Ints | None = None, total: Floats | Ints | None = None) -> Floats:
        """Return the completion curve, the pooled P(done by each of `TIMES`): float64[t, x], not falling in x.

        Its value at the due date is the published probability. Times that have passed have 0; containers without
        sensible dates have NaN.
        """
        now_open, total = self._scope(remaining, total)
        size, left_over = self._with_growth(now_open, total, self.after_due.growth)
        survival = beta_binomial(size[:, None], left_over[:, None], self.after_due.q, self.after_due.rho[:, None])
        simulated = self.paths.curve(now_open - self.rules.tolerance * total)
        weights = [weight[:, None] for weight in self.weights]
        pooled = expit(
            weights[0] * logit(self._clip(survival))
            + weights[1] * logit(self._clip(self.after_due.hit_rate))
            + weights[2] * logit(self._clip(simulated))
        )
        pooled[:, 0] = self.probability(now_open, total)
        # before the due date has passed, no later time may be below the published probability
        curve = np.where(self.phase[:, None] < TIMES, np.maximum.accumulate(pooled, axis=1), 0.0)
        curve = np.maximum.accumulate(curve, axis=1)
        return np.where(self.has_dates[:, None], curve, np.nan)

    def moment_of(self, curve: Floats, level: float) -> Floats:
        """Return the moment (days since 1970 UTC) at which each curve reaches ``level``; infinite if it does not."""
        row = np.arange(len(curve))
        x = np.argmax(curve >= level, axis=1)
        is_reached = self.has_dates & (curve[row, x] >= level)
        time_before = np.where(x > 0, TIMES[x - 1], -np.inf)
        from_time = np.maximum(time_before, self.phase)
        from_p = np.where(time_before > self.phase, curve[row, x - 1], 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (level - from_p) / (curve[row, x] - from_p)
            moment: Floats = self.start + self.length * (from_time + part * (TIMES[x] - from_time))
        return np.where(is_reached, moment, np.inf)

    def probability_at(self, curve: Floats, k: int, moment: float) -> float:
        """Return the k-th container's curve at ``moment`` (days since 1970 UTC), linear between `TIMES`."""
        relative = (moment - self.start[k]) / self.length[k]
        ahead = self.phase[k] < TIMES
        times = np.concatenate([[self.phase[k]], TIMES[ahead]])
        return float(np.interp(relative, times, np.concatenate([[0.0], curve[k][ahead]])))

    def expected_items(self, remaining: Floats | Ints) -> Floats:
        """Return ``remaining[t]`` open items with those expected to join until the due date."""
        growth = np.where(self.has_dates, self.after_due.growth, 0.0)
        items: Floats = np.rint(remaining * (1 + growth))
        return items

    def capacity(self) -> Floats:
        """Return the capacity moments for the open items and those expected to join: float64[t, 3], days since 1970.

        See `sync.forecast.throughput.capacity_moments`.
        """
        items, stream = self.expected_items(self.open), self.tables.ledger.stream[self.index]
        return capacity_moments(self.tables, stream, items, self.at, self.calendar)

    def silence(self) -> tuple[Floats, Floats]:
        """Return the days of usual work since each container's last closure (or start), and its usual gap: float64[t].

        The usual gap is the one between days on which the stream closes items, divided by the container's share;
        infinite where the stream closes nothing.
        """
        last = np.array([self._last_closure(k) for k in range(len(self.index))])
        usual = np.full(len(last), np.inf)
        for k, sampled in enumerate(self.samples):
            if sampled.out_per_day is not None and sampled.out_per_day.any():
                usual[k] = len(sampled.out_per_day) / np.count_nonzero(sampled.out_per_day) / sampled.share
        return self.calendar.work_between(last, self.at), usual

    def _last_closure(self, k: int) -> float:
        closed = self.tables.ledger.closed[self.tables.ledger.rows(int(self.index[k]))]
        known = closed[closed <= self.at[k]]
        start = self.start[k] if np.isfinite(self.start[k]) else self.at[k]
        return float(min(max(start, known.max(initial=start)), self.at[k]))

    @property
    def horizon(self) -> Floats:
        """Return the last moment for which dates are given: float64[t], days since 1970 UTC.

        Three planned durations after the start, or one from now if that is later.
        """
        planned = np.maximum(self.start + 3 * self.length, self.at + self.length)
        return np.where(self.has_dates, planned, self.at + 3 * 7.0 * self.rules.capacity_weeks)
