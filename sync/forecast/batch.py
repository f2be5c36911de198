"""Batches of containers as of a moment, with their probability, completion curve and what-if answers.

A `ForecastBatch` counts, and compares all its containers with their members, once. Each question then costs a few array
operations for the whole batch. `sync.forecast.pooled` documents what is pooled, and the envelope.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from datetime import datetime
from functools import cached_property

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.forecast.clock import PlanClocks, clocked_logit
from sync.forecast.experience import Experience
from sync.forecast.history_tables import DUE, LONGEST, NODES, TIMES, HistoryTables
from sync.forecast.leftover import LeftoverMixture, UsualShares, usual_shares_left
from sync.forecast.members import Members, column_of, members_of
from sync.forecast.pace import share_of_stream, usual_gap
from sync.forecast.scope_votes import CommonVotes, ScopeVotes, votes_for_times, votes_from
from sync.forecast.stats import allowed_open, expit, logit
from sync.forecast.throughput import closures_by_week
from sync.forecast.votes import Votes
from sync.history.calendar import Calendar
from sync.history.ledger import days, moment
from sync.model.dates import week_until

__all__ = ["AT_DUE", "Assumptions", "ForecastBatch", "daily_batches", "forecast_batches"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BATCH_SIZE = 256
"""Containers whose members are in memory at once."""

END_RUSH = 4.0
"""Before the due date, the probability of being done by a time grows with this power of the share of the way to it."""

TENTHS: Floats = np.arange(1, 11) / 10.0

AT_DUE = 2 * len(TENTHS) - 1
"""Column of the due date in a completion curve."""

_ROUNDING = 1e-9


class Assumptions(Struct, frozen=True):
    """Inputs of a what-if question that replace the present ones; None: the present one.

    ``due[t]``: another due moment (days since 1970 UTC). ``days_to_due[t]``: other days of usual work until then.
    ``hit_rate``: another vote of the reference class. ``frozen``: no further scope. ``elapsed``: days that have passed
    in which nothing happened.
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
    """Yield the containers at positions ``indices``, each as of its ``at`` (UTC), in batches of ``size``."""
    index = np.array(indices, dtype=np.int64)
    moments = np.array([days(moment) for moment in at], dtype=np.float64)
    for low in range(0, len(index), size):
        yield ForecastBatch(tables, index[low : low + size], moments[low : low + size], calendar)


def daily_batches(
    tables: HistoryTables, indices: Sequence[int], at: datetime, calendar: Calendar
) -> Iterator[ForecastBatch]:
    """Yield the containers at positions ``indices`` as they are ``at`` a moment (UTC), by the clock of its day.

    Items are counted at the moment; time has gone until the beginning of its day. So a forecast changes with the facts
    and with the day, never with the hour.
    """
    now = days(at)
    for low in range(0, len(indices), BATCH_SIZE):
        index = np.array(indices[low : low + BATCH_SIZE], dtype=np.int64)
        clock, counted_at = (np.full(len(index), moment) for moment in (calendar.clock_of_day(now), now))
        yield ForecastBatch(tables, index, clock, calendar, counted_at=counted_at)


class _Answers:
    """Last answers of a batch, each with its question: the curves of plans, and a part of the batch."""

    plan: tuple[tuple[bytes, bytes, bytes, Assumptions], Floats] | None = None
    part: tuple[Ints, ForecastBatch] | None = None


class ForecastBatch:
    """Containers (t) at positions ``index`` of a ledger, each as of its moment ``at`` (days since 1970 UTC).

    ``counted_at``: the moments at which items are counted, on the day of ``at``; None: those of ``at``.
    ``open``, ``done``: int64[t] items now. ``added``, ``added_week``: of the items in scope now, those that joined
    after the agreed scope (`sync.model.membership.Container.agreed_at`), and of these in the last 7 days
    (`sync.model.dates.week_until`).
    ``has_dates``: start and due date make sense. ``phase``: share of the planned time gone, may be above 1.
    ``days_to_due``: days of usual work until the due date. ``members``: the earlier milestones that each is compared
    with. ``closures_by_week``: the stream's closures per week, newest first. ``carried``: of the open items, those that
    were carried over.
    ``moved_to[t]``: due moments to which the due dates are moved at ``at``; None: they stay.
    ``common``: votes that it shares with its parts and copies, in which its containers are at ``place[t]``.
    """

    _COLUMNS = (
        *("counted_at", "index", "at", "start", "due", "has_dates", "length", "phase", "days_to_due", "_phase_now"),
        *("open", "done", "added", "added_week", "carried", "closures_by_week", "place"),
    )

    def __init__(
        self,
        tables: HistoryTables,
        index: Ints,
        at: Floats,
        calendar: Calendar,
        moved_to: Floats | None = None,
        counted_at: Floats | None = None,
    ) -> None:
        ledger = tables.ledger
        self.counted_at: Floats = at if counted_at is None else counted_at
        self.tables, self.rules, self.index, self.at, self.calendar = tables, tables.rules, index, at, calendar
        self.clip, self.moved_to = tables.rules.clip, moved_to
        self.start = tables.start[index]
        clocks = PlanClocks.of(ledger, index, at)
        if moved_to is None:
            self._set_due(ledger.due[index], clocks)
        else:
            self._set_due(moved_to, clocks.moved(moved_to, at))
        self._count()
        self.members: Members = members_of(tables, index, at)
        self.closures_by_week: Ints = closures_by_week(tables, ledger.stream[index], at)
        self.common, self.place = CommonVotes(tables, self.members, at), np.arange(len(index))

    def _set_due(self, due: Floats, clocks: PlanClocks) -> None:
        """Set the due moments and what follows from them."""
        length = due - self.start
        self.due, self.clocks, self.answers = due, clocks, _Answers()
        self.has_dates: Bools = (length > 0) & (length <= LONGEST) & (np.abs(due - self.at) <= LONGEST)
        self.length: Floats = np.where(self.has_dates, length, 1.0)
        self.phase: Floats = np.where(self.has_dates, (self.at - self.start) / self.length, 0.5)
        self.days_to_due: Floats = self.days_ahead(due)
        self._phase_now: Floats = self.phase_of(self.at, self.days_to_due)

    def moved(self, due: Floats) -> ForecastBatch:
        """Return the same containers after their due moments were moved now, to ``due[t]`` (days since 1970 UTC)."""
        other = self._copy("experience", "votes", "usual_shares", "share_of_stream")
        other.moved_to, other.clip = due, self.rules.clip
        clocks = PlanClocks.of(self.tables.ledger, self.index, self.at).moved(due, self.at)
        ForecastBatch._set_due(other, due, clocks)
        return other

    def part(self, rows: Ints) -> ForecastBatch:
        """Return the containers at ``rows``, each of which may occur many times, as a batch. The last one is kept."""
        if np.array_equal(rows, np.arange(len(self.index))):
            return self
        if self.answers.part is None or not np.array_equal(self.answers.part[0], rows):
            other = self._copy()
            for name in self._COLUMNS:
                setattr(other, name, getattr(self, name)[rows])
            other.moved_to = None if self.moved_to is None else self.moved_to[rows]
            other.clocks, other.members = self.clocks.part(rows), self.members.part(rows)
            self.answers.part = rows, other
        return self.answers.part[1]

    def _copy(self, *kept: str) -> ForecastBatch:
        """Return a copy without what was computed lazily, ``kept`` excepted, and without predecessors."""
        other = ForecastBatch.__new__(ForecastBatch)
        left_out = _LAZY - set(kept)
        vars(other).update((name, value) for name, value in vars(self).items() if name not in left_out)
        other.answers = _Answers()
        return other

    def _count(self) -> None:
        ledger, tables, size = self.tables.ledger, self.tables, len(self.index)
        rows, owner = ledger.rows_of(self.index)
        at = self.counted_at[owner]
        in_scope, is_open, is_done = ledger.in_scope(at, rows), ledger.is_open(at, rows), ledger.is_done(at, rows)
        added = tables.newcomers(rows, in_scope, tables.agreed_at[self.index][owner])
        moments, place = np.unique(self.counted_at, return_inverse=True)
        weeks = np.array([days(week_until(moment(at), self.calendar.zone)) for at in moments.tolist()])
        added_week = tables.newcomers(rows, added, weeks[place][owner])
        masks = (is_open, is_done, added, added_week, ledger.is_carried(at, rows))
        self.open, self.done, self.added, self.added_week, self.carried = (
            np.bincount(owner[mask], minlength=size) for mask in masks
        )

    @cached_property
    def votes(self) -> Votes:
        """The votes of the members at each of `NODES`, for the due date."""
        return self.common.at_nodes.part(self.place)

    @cached_property
    def experience(self) -> Experience:
        """The most that the streams ever closed."""
        return Experience(self.tables, self.members, self.tables.ledger.stream[self.index], self.at)

    def days_ahead(self, due: Floats, now: Floats | None = None) -> Floats:
        """Return the days of usual work from ``now`` (None: ``at``) until ``due[t]``; 0 where it is past or NaN."""
        now = self.at if now is None else now
        return self.calendar.work_between(now, np.where(np.isnan(due), now, np.maximum(due, now)))

    def phase_of(self, now: Floats, days_to_due: Floats) -> Floats:
        """Return the phase to compare at: the share of its days that have passed ``now``, up to 1.

        Of the days ahead only those of usual work count, so that holidays before the due date make it later.
        """
        passed = np.maximum(np.where(self.has_dates, now - self.start, 0.0), 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            phase: Floats = np.where(days_to_due > 0, passed / (passed + days_to_due), 1.0)
        return phase

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
        ``envelope=False`` gives the pool before its monotone envelope and the bound by experience. After the due moment
        a milestone is met or missed; ``decided=False`` gives what could be expected just before it.
        """
        now_open, total = self._scope(remaining, total)
        now, due = self.at + assumed.elapsed, self.due if assumed.due is None else assumed.due
        logits = self._own_logit(now_open, total, due, assumed, envelope=envelope)
        need = now_open - allowed_open(total, self.rules.tolerance)
        if envelope:
            logits = self._clocked(logits, now_open, total, due, assumed)
        pooled = expit(logits)
        if envelope:
            pooled = self.experience.bound(pooled, need, np.where(self.has_dates, due - now, 0.0))
        if decided:
            pooled = np.where(now > due, np.where(need <= 0, 1 - self.clip, self.clip), pooled)
        return np.where(self.has_dates, pooled, np.nan)

    def _own_logit(
        self, remaining: Floats, total: Floats, due: Floats, assumed: Assumptions, *, envelope: bool = True
    ) -> Floats:
        """Return the pool's logit P of a milestone that was always due at ``due[t]``: float64[t]."""
        now = self.at + assumed.elapsed
        until = self.days_ahead(due, now) if assumed.days_to_due is None else assumed.days_to_due
        phase = self.phase_of(now, until)
        nodes = self._pool(remaining, total, assumed)
        if not envelope:
            return self.at_phase(nodes, phase)
        allowed = allowed_open(total, self.rules.tolerance)
        is_over_allowed = remaining > allowed
        logits = self.at_phase(np.where(is_over_allowed[:, None], _envelope(nodes), nodes), phase)
        if is_over_allowed.all():
            return logits
        # what has no more to close may rise with time, and is never less likely than with one more item open
        with_one = self.at_phase(_envelope(self._pool(np.maximum(remaining, allowed + 1), total, assumed)), phase)
        return np.where(is_over_allowed, logits, np.maximum(logits, with_one))

    def _clocked(self, own: Floats, remaining: Floats, total: Floats, due: Floats, assumed: Assumptions) -> Floats:
        """Return the log-odds ``own`` of a milestone that was always due then, by the clock of the plan that moved."""
        rows = np.flatnonzero(self.has_dates & (due > self.clocks.plan_due))
        if len(rows) == 0:
            return own
        moved = self.part(rows)
        plan = moved.plan_logit(moved.clocks.plan_due, due[rows], remaining[rows], total[rows], assumed)
        clocked = own.copy()
        clocked[rows] = clocked_logit(own[rows], plan, moved.clocks, due[rows], moved.at + assumed.elapsed)
        return clocked

    def _pool(self, remaining: Floats, total: Floats, assumed: Assumptions = PRESENT) -> Floats:
        """Return the pooled log-odds at each of `NODES`: float64[t, g]."""
        rules = self.rules
        survival, reference, closures = self._votes(remaining, total, assumed)
        pool: Floats = (
            rules.weight_survival * logit(survival)
            + rules.weight_reference * logit(reference)
            + rules.weight_closures * logit(closures)
        )
        return pool

    def _votes(self, remaining: Floats, total: Floats, assumed: Assumptions = PRESENT) -> tuple[Floats, Floats, Floats]:
        """Return the clipped votes of survival, reference class and closures at each of `NODES`: float64[t, g] each."""
        votes = self._clip(self.common.for_due.at(self.place, remaining, total, frozen=assumed.frozen))
        survival, reference, closures = votes.swapaxes(0, 1)
        if assumed.hit_rate is not None:
            reference = np.full_like(reference, assumed.hit_rate)
        return survival, reference, closures

    def _scope(self, remaining: Floats | Ints | None, total: Floats | Ints | None) -> tuple[Floats, Floats]:
        now_open = np.asarray(self.open if remaining is None else remaining, dtype=np.float64)
        return now_open, np.asarray(now_open + self.done if total is None else total, dtype=np.float64)

    def with_clip(self, clip: float) -> ForecastBatch:
        """Return the same batch with its components clipped to [clip, 1 - clip], as reasons need it."""
        other = copy(self)
        other.clip = clip
        other.answers = _Answers()
        return other

    def allowed_open(self, total: int) -> int:
        """Return how many of ``total`` items may be open when a container counts as done."""
        return int(allowed_open(total, self.rules.tolerance))

    def _clip(self, p: Floats) -> Floats:
        clipped: Floats = np.clip(p, self.clip, 1 - self.clip)
        return clipped

    def at_phase(self, values: Floats, phase: Floats | None = None) -> Floats:
        """Return ``values[t, g, ...]`` at each container's phase (or at ``phase[t]``), linear between `NODES`."""
        low, part = self._between_nodes(self._phase_now if phase is None else phase)
        row = np.arange(len(low))
        part = part.reshape(-1, *[1] * (values.ndim - 2))
        at_phase: Floats = values[row, low] * (1 - part) + values[row, low + 1] * part
        return at_phase

    def _between_nodes(self, phase: Floats) -> tuple[Ints, Floats]:
        """Return the node before each phase, and the part of the way from it to the next one."""
        phase = np.clip(phase, self.rules.phase_clip, 1 - self.rules.phase_clip)
        low = np.clip(np.searchsorted(NODES, phase), 1, DUE - 1) - 1
        return low, np.clip((phase - NODES[low]) / (NODES[low + 1] - NODES[low]), 0.0, 1.0)

    def components(self) -> tuple[Floats, Floats, Floats]:
        """Return the votes of survival, reference class and closures at the phase, before any envelope: float64[t]."""
        survival, reference, closures = (
            expit(self.at_phase(logit(vote))) for vote in self._votes(*self._scope(None, None))
        )
        return survival, reference, closures

    # --- left over --------------------------------------------------------------------------------------------------

    def leftover(self, remaining: Floats | Ints | None = None, total: Floats | Ints | None = None) -> LeftoverMixture:
        """Return the distribution of the number of items left over at the due date."""
        now_open, total = self._scope(remaining, total)
        share, arrivals = (
            self.at_phase(column.swapaxes(1, 2)) for column in (self.votes.share, self.votes.arrivals(now_open, total))
        )
        items, until = np.rint(now_open[:, None] + arrivals), np.where(self.has_dates, self.due - self.at, 0.0)
        factor, weight = self.experience.factor(now_open, until)[:, None], self.members.weight
        certain = np.zeros_like(items)
        if (factor < 1.0).any():  # each member twice: as it was, and with hardly more closures than ever
            certain = np.concatenate([certain, self.experience.least_left(items, until, factor)], axis=1)
            items, share = (np.concatenate([column, column], axis=1) for column in (items, share))
            weight = np.concatenate([factor * weight, (1.0 - factor) * weight], axis=1)
        relief = self._clock_relief(now_open, total)[:, None]
        if (relief < 1.0).any():  # the plan's clock makes it likelier that nothing is left over
            nothing = np.zeros_like(items)
            items, certain = (np.concatenate([column, nothing], axis=1) for column in (items, certain))
            share = np.concatenate([share, share], axis=1)
            weight = np.concatenate([relief * weight, (1.0 - relief) * weight], axis=1)
        return LeftoverMixture(items, certain, share, weight, self.rules.leftover_items)

    def _clock_relief(self, remaining: Floats, total: Floats) -> Floats:
        """Return the share of the probability of not being done that a moved plan leaves: float64[t], 1 for all.

        So that the number left over agrees with the probability.
        """
        is_moved = self.has_dates & (self.due > self.clocks.plan_due)
        if not is_moved.any():
            return np.ones(len(self.index))
        own = self._own_logit(remaining, total, self.due, PRESENT)
        clocked = self._clocked(own, remaining, total, self.due, PRESENT)
        return np.where(is_moved, np.minimum((1.0 - expit(clocked)) / (1.0 - expit(own)), 1.0), 1.0)

    @cached_property
    def usual_shares(self) -> UsualShares:
        """Shares that the representative members usually left over."""
        return usual_shares_left(self.tables, self.members)

    def usual_probability(self) -> Floats:
        """Return P(no more items are left over than usual in the series): float64[t], NaN without members."""
        mixture, share = self.leftover(), self.usual_shares.share[:, None]
        left = np.floor(share * (self.done[:, None] + mixture.items) + _ROUNDING)
        return np.where(np.isnan(self.usual_shares.share), np.nan, mixture.probability(np.nan_to_num(left)))

    # --- dates ------------------------------------------------------------------------------------------------------

    def completion(self, remaining: Floats | Ints | None = None, total: Floats | Ints | None = None) -> Floats:
        """Return the completion curve: P(done by each of `curve_moments`), float64[t, x], not falling in x.

        Its value at the due date (`AT_DUE`) is the published probability; before it the curve grows with a power of the
        share of the time (`END_RUSH`). Times that have passed have 0; containers without sensible dates have NaN. A due
        date that moved to a later day moves no other date: the curve is then the probability of each day as a due date,
        so that a date and a lever that moves to it say the same.
        """
        now_open, total = self._scope(remaining, total)
        logits = self._curve_logit(self._votes_around.at(np.arange(len(self.index)), now_open, total))
        before, after = logits.swapaxes(0, 1)
        part = self._between_nodes(self._phase_now)[1][:, None]
        at_due = self.probability(now_open, total)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            share = (self.curve_moments[:, :AT_DUE] - self.at[:, None]) / (self.due - self.at)[:, None]
        rush = at_due * np.clip(np.nan_to_num(share), 0.0, 1.0) ** END_RUSH
        curve = np.concatenate([rush, expit(before * (1 - part) + after * part)], axis=1)
        need = now_open - allowed_open(total, self.rules.tolerance)
        for x in range(AT_DUE + 1, curve.shape[1]):
            until = np.where(self.has_dates, self.curve_moments[:, x] - self.at, 0.0)
            curve[:, x] = self.experience.bound(curve[:, x], need, until)
        curve = self._curve_of_moved(curve, now_open, total)
        curve[:, AT_DUE] = at_due[:, 0]  # no later time is below it, also after the due date
        is_ahead = self.curve_moments > self.at[:, None]
        curve[:, AT_DUE + 1 :] *= is_ahead[:, AT_DUE + 1 :]
        curve = np.maximum.accumulate(curve, axis=1)
        return np.where(self.has_dates[:, None], np.where(is_ahead, curve, 0.0), np.nan)

    @cached_property
    def curve_moments(self) -> Floats:
        """Moments of the completion curve in days since 1970 UTC: float64[t, x], not falling in x.

        Tenths of the time from now to the plan's due date, and from there to the due date; then `TIMES`, of which the
        first is the due date.
        """
        now, due = self.at[:, None], np.maximum(self.due, self.at)[:, None]
        planned = np.clip(np.fmin(self.clocks.plan_due[:, None], due), now, due)
        times = self.start[:, None] + self.length[:, None] * TIMES
        return np.concatenate([now + (planned - now) * TENTHS, planned + (due - planned) * TENTHS[:-1], times], axis=1)

    def _curve_of_moved(self, curve: Floats, remaining: Floats, total: Floats) -> Floats:
        """Return the curve with the probabilities of other due dates, where the due date moved to a later day."""
        rows = np.flatnonzero(self.has_dates & (self.due > self.clocks.plan_due))
        if len(rows) == 0:
            return curve
        part, curve = self.part(rows), curve.copy()
        open_items, scope, planned = remaining[rows], total[rows], part.clocks.plan_due
        at_plan = part.probability(open_items, scope, assumed=Assumptions(due=planned), decided=False)
        for x in range(curve.shape[1]):
            due = self.curve_moments[rows, x]
            p = part.probability(open_items, scope, assumed=Assumptions(due=np.maximum(due, planned)))
            with np.errstate(divide="ignore", invalid="ignore"):
                rush = at_plan * ((due - part.at) / (planned - part.at)) ** END_RUSH
            curve[rows, x] = np.where(due < planned, rush, p)
        return curve

    @cached_property
    def _votes_around(self) -> ScopeVotes:
        """Votes for `TIMES` from the nodes before and after the phase; after the due date from the last time passed."""
        low, _ = self._between_nodes(self._phase_now)
        late = column_of(self.phase)
        columns = (np.where(self.phase < 1.0, low, late), np.where(self.phase < 1.0, low + 1, late))
        votes = [votes_from(self.tables, self.members, column, self.at) for column in columns]
        return ScopeVotes(votes, votes_for_times)

    def _curve_logit(self, votes: Floats) -> Floats:
        """Return the log-odds of completion curves from the votes of `votes_for_times`: float64[t, v, x]."""
        survival, reference = logit(self._clip(votes)).transpose(2, 0, 1, 3)
        pool: Floats = self.rules.weight_survival_dates * survival
        pool += self.rules.weight_reference_dates * reference
        return pool

    def plan_logit(
        self, plan_due: Floats, due: Floats, remaining: Floats, total: Floats, assumed: Assumptions = PRESENT
    ) -> Floats:
        """Return logit P(done by ``due[t]``) on the completion curve of the plan that was due at ``plan_due[t]``.

        The plan's phase is that of the moment, at most .98, with the monotone envelope over phases: time without
        closures never raises it. Beyond three planned durations the curve is flat. NaN where the plan had no sensible
        dates. Before any bound by experience.
        """
        length = plan_due - self.start
        p = self._plan_curve(plan_due, remaining, total, replace(assumed, due=None, days_to_due=None))
        with np.errstate(divide="ignore", invalid="ignore"):
            time = np.clip((due - self.start) / length, TIMES[0], TIMES[-1])
        place = np.clip(np.searchsorted(TIMES, np.nan_to_num(time, nan=1.0)), 1, len(TIMES) - 1)
        part, row = (time - TIMES[place - 1]) / (TIMES[place] - TIMES[place - 1]), np.arange(len(time))
        return np.where(length > 0, logit(p[row, place - 1] * (1 - part) + p[row, place] * part), np.nan)

    def _plan_curve(self, plan_due: Floats, remaining: Floats, total: Floats, assumed: Assumptions) -> Floats:
        """Return the completion curve of `plan_logit`: P by each of `TIMES`, float64[t, x]. The last one is kept."""
        key = (plan_due.tobytes(), remaining.tobytes(), total.tobytes(), assumed)
        if self.answers.plan is None or self.answers.plan[0] != key:
            now = self.at + assumed.elapsed
            phase = self.phase_of(now, self.days_ahead(plan_due, now))
            curve = self.at_phase(_envelope(self._plan_nodes(remaining, total)), phase)
            curve[:, 0] = self._own_logit(remaining, total, plan_due, assumed)
            self.answers.plan = key, expit(np.maximum.accumulate(curve, axis=1))
        return self.answers.plan[1]

    def _plan_nodes(self, remaining: Floats, total: Floats) -> Floats:
        """Return the curve's log-odds from each of `NODES`: float64[t, g, x]."""
        votes, place = self.common.for_times(self.place)
        return self._curve_logit(votes.at(place, remaining, total))

    def moment_of(self, curve: Floats, level: float) -> Floats:
        """Return the moment (days since 1970 UTC) at which each curve reaches ``level``; infinite if it does not.

        Until the plan's due date it is read with the power of `END_RUSH`, after it linearly.
        """
        row = np.arange(len(curve))
        x = np.argmax(curve >= level, axis=1)
        is_reached = self.has_dates & (curve[row, x] >= level)
        moments = np.maximum(self.curve_moments, self.at[:, None])
        from_moment = np.where(x > 0, moments[row, x - 1], self.at)
        from_p = np.where(x > 0, curve[row, x - 1], 0.0)
        is_rush = (self.phase < 1.0) & (moments[row, x] <= np.minimum(self.due, self.clocks.plan_due))
        root = np.where(is_rush, 1 / END_RUSH, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            part = (level**root - from_p**root) / (curve[row, x] ** root - from_p**root)
            moment: Floats = from_moment + part * (moments[row, x] - from_moment)
        return np.where(is_reached, moment, np.inf)

    def moments_of(self, curve: Floats, levels: Sequence[float]) -> Floats:
        """Return the moments at which each curve reaches ``levels``, as they are published: float64[t, l].

        A due date that was moved to an earlier day gives no earlier moment: where people only promise more, the work
        is not done sooner. The moment is at least that of the plan's due date. One by the due date stays so, because
        the probability of the due date says as much; it is at least the due date, where the plan's moment is later.
        Infinite after the end of the curve.
        """
        moments = np.stack([self.moment_of(curve, level) for level in levels], axis=1)
        rows = np.flatnonzero(self.has_dates & (self.due < self.clocks.plan_due))
        if len(rows):
            part = self.part(rows)
            plan = part.moved(part.clocks.plan_due)
            planned = np.stack([plan.moment_of(plan.completion(), level) for level in levels], axis=1)
            planned[~plan.has_dates] = -np.inf
            own, due = moments[rows], part.due[:, None]
            least = np.where(own <= due + _ROUNDING, np.minimum(planned, due), planned)
            later = np.maximum(own, least)
            moments[rows] = np.where(later <= part.horizon[:, None] + _ROUNDING, later, np.inf)
        return moments

    def points(self, curve: Floats, k: int) -> tuple[Floats, Floats]:
        """Return the k-th container's curve from now on as moments (days since 1970 UTC) and probabilities.

        Linear between these points it is what `moment_of` reads, to a thousandth.
        """
        ahead = self.curve_moments[k] > self.at[k]
        moments, p = self.curve_moments[k, ahead], curve[k, ahead]
        if self.phase[k] < 1.0 and self.due[k] <= self.clocks.plan_due[k]:
            shares = np.linspace(0.0, 1.0, 81)[1:-1]
            moments = np.concatenate([self.at[k] + shares * (self.due[k] - self.at[k]), self.curve_moments[k, AT_DUE:]])
            p = np.concatenate([curve[k, AT_DUE] * shares**END_RUSH, curve[k, AT_DUE:]])
        return np.concatenate([[self.at[k]], moments]), np.concatenate([[0.0], p])

    @cached_property
    def expected_items(self) -> Floats:
        """Open items with those expected to join until the due date: float64[t], whole numbers."""
        now_open, total = self._scope(None, None)
        arrivals = self.at_phase(self.votes.arrivals(now_open, total).swapaxes(1, 2))
        weight = self.members.weight * (self.phase < 1.0)[:, None]
        joining = (weight * arrivals).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
        items: Floats = np.rint(now_open + np.where(self.has_dates, joining, 0.0))
        return items

    def representative_sums(self, table: Ints) -> Floats:
        """Return a table's sums over the representative members, at each of `NODES`: float64[t, g]."""
        member = np.maximum(self.members.index, 0)
        sums: Floats = (table[member, :DUE] * self.members.is_representative[:, :, None]).sum(axis=1).astype(np.float64)
        return sums

    @cached_property
    def share_of_stream(self) -> Floats:
        """Part of the stream's closures since the start that were the container's: float64[t]."""
        return share_of_stream(self.tables, self.index, self.at)

    def silence(self) -> tuple[Floats, Floats]:
        """Return the days of usual work since each container's last closure (or start), and its usual gap: float64[t].

        The usual gap is the one between days on which the stream closes items, divided by the container's share;
        infinite where the stream closes nothing.
        """
        ledger = self.tables.ledger
        rows, owner = ledger.rows_of(self.index)
        closed, last = ledger.closed[rows], np.where(np.isfinite(self.start), self.start, self.at)
        is_known = closed <= self.counted_at[owner]
        np.maximum.at(last, owner[is_known], closed[is_known])
        gap = usual_gap(self.tables, self.index, self.at) / self.share_of_stream
        return self.calendar.work_between(np.minimum(last, self.at), self.at), gap

    @property
    def horizon(self) -> Floats:
        """Return the end of each completion curve: float64[t], days since 1970 UTC; NaN where dates make no sense."""
        return np.where(self.has_dates, self.start + TIMES[-1] * self.length, np.nan)


def _envelope(logits: Floats) -> Floats:
    """Return log-odds that never rise with the phase (axis 1): the mean of the nearest below and above."""
    low = np.minimum.accumulate(logits, axis=1)
    high = np.maximum.accumulate(logits[:, ::-1], axis=1)[:, ::-1]
    envelope: Floats = (low + high) / 2
    return envelope


_LAZY = frozenset(name for name, value in vars(ForecastBatch).items() if isinstance(value, cached_property))
