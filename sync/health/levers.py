"""Levers: computed ways back on track, each with the probability after it.

========  ============================================================================================================
cut       the fewest items to remove for P >= .80, at most 60% of the open items, with enough left for a forecast; none
          in the last days before the due moment, where an item that leaves counts as carried over
move      the first day with P >= .80, at most three planned durations after the start: a working day, on the weekday on
          which the stream is usually due
both      that day, and the fewest items to remove with it, where both together gain 5 points over each of them alone
freeze    no more items join; without a probability, as freezing leaves no trace in a tracker
pace      closures a week that would be enough, and in how many of the last weeks the stream reached that
assign    owners for open items without one (no probability: the forecast does not know owners)
========  ============================================================================================================

Where .80 is out of reach, cut, move and both are the smallest change that comes within 5 points of the best on offer. A
lever that changes P by less than 5 points is left out. Each probability is that of `ForecastBatch.probability` for the
changed scope and due date, as the next forecast has it after the change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import islice
from statistics import median

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import Assumptions, ForecastBatch
from sync.health.attention import Attention
from sync.history.carry_over import NEAR
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.health import Lever, LeverKind, Value

__all__ = ["LEAST_GAIN", "Candidates", "Offers", "ProbabilityAfter", "best_offer", "carry_over_days", "levers"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

Candidates = Callable[[int], Sequence[str]]
"""Function from the position k of a container in the batch to the uids of items to cut, best first."""

ProbabilityAfter = Callable[[Ints, Floats, Bools], Floats]
"""Function from the items to cut int64[t] and the due moments float64[t] to P after both changes: float64[t].

P is needed only where the third argument is True: bool[t].
"""

LEAST_GAIN = 0.05
"""Least change of P by a lever."""

_USUAL_SHARE = 0.5
_LONGEST_MOVE = 3.0
"""Latest date to move to, in planned durations after the start; behind it, history has nothing to compare with."""

_CARRY_OVER_SHARE = 0.25
_LAST_TENTH = 0.1
_WORKING_DAYS_TO_USUAL_DAY, _DAYS_TO_WORKING_DAY = 14, 366


class Offers(Struct, frozen=True):
    """The smallest change of each container that is enough: ``size`` int64[t] of it, and ``p`` float64[t] after it.

    ``is_offered`` bool[t]: it changes P by `LEAST_GAIN` or more.
    """

    size: Ints
    p: Floats
    is_offered: Bools


def levers(
    batch: ForecastBatch,
    published: Floats,
    mask: Bools,
    has_data: Bools,
    attentions: Sequence[Attention],
    candidates: Candidates,
    after: ProbabilityAfter | None = None,
) -> list[tuple[Lever, ...]]:
    """Compute the levers of each container of the batch where ``mask`` is True; none where P >= the target.

    ``published[t]`` is P now; NaN after the due moment. ``has_data[t]``: there is enough data for a forecast of another
    plan; otherwise there are only levers without a probability. ``after``: another P after changes than that of the
    batch, for milestones that wait for others.
    """
    mask = mask & batch.has_dates & (batch.open > 0) & ~(published >= batch.rules.target)
    rows = np.flatnonzero(mask)
    if after is None and 0 < len(rows) < len(mask):  # a search forecasts its batch some forty times
        of_rows = iter(
            levers(
                batch.part(rows),
                published[rows],
                mask[rows],
                has_data[rows],
                [attentions[k] for k in rows.tolist()],
                lambda k: candidates(int(rows[k])),
            )
        )
        return [next(of_rows) if is_searched else () for is_searched in mask.tolist()]
    if len(rows) == 0:
        return [()] * len(mask)
    base = np.where(np.isnan(published), batch.clip, published)
    search = _LeverSearch(batch, base, mask & has_data, after or _after(batch))
    cut, move = search.cut(), search.move()
    both = search.both(cut, move)
    frozen = batch.probability(assumed=Assumptions(frozen=True)) - batch.probability() >= LEAST_GAIN
    running = batch.at <= batch.due
    found: list[tuple[Lever, ...]] = [()] * len(mask)
    for k in rows.tolist():
        names, own = tuple(candidates(k)), []
        if cut.is_offered[k]:
            own.append(search.lever(LeverKind.CUT, cut, k, search.cut_values(cut, k), names[: cut.size[k]]))
        if move.is_offered[k]:
            own.append(search.lever(LeverKind.MOVE, move, k, search.move_values(move, k)))
        if both.is_offered[k]:
            values = search.cut_values(both, k) | search.move_values(move, k)
            own.append(search.lever(LeverKind.BOTH, both, k, values, names[: both.size[k]]))
        if running[k] and frozen[k]:
            own.append(Lever(kind=LeverKind.FREEZE, probability=None))
        if running[k]:
            own.append(_pace(batch, k))
        unassigned = attentions[k].unassigned
        if unassigned:
            count: dict[str, Value] = {"count": len(unassigned)}
            own.append(Lever(kind=LeverKind.ASSIGN, probability=None, values=count, items=unassigned))
        found[k] = tuple(own)
    return found


def best_offer(
    most: Ints, base: Floats, least: Floats, target: float | Floats, p_after: Callable[[Ints, Bools], Floats]
) -> Offers:
    """Find the smallest change from 1 to ``most[t]`` with P >= ``target``, by bisection.

    Where no change is enough: the smallest one within `LEAST_GAIN` of the best. It is offered where P is at least
    ``least[t]`` and, by `LEAST_GAIN`, above ``base[t]``. ``p_after`` must not fall with the size; P is needed only
    where its second argument is True.
    """
    most = np.maximum(most, 0)
    can_change = most > 0
    best = p_after(most, can_change)
    least = np.maximum(least, base + LEAST_GAIN)
    goal = np.where(best >= target, target, np.maximum(best - LEAST_GAIN, least))
    low, high, p = np.zeros_like(most), most, best
    while (moving := high - low > 1).any():
        middle = (low + high) // 2
        p_middle = p_after(middle, moving)
        enough = moving & (p_middle >= goal)
        low, high = np.where(moving & ~enough, middle, low), np.where(enough, middle, high)
        p = np.where(enough, p_middle, p)
    return Offers(high, p, can_change & (p >= least))


def carry_over_days(planned: Floats) -> Floats:
    """Return from how many days before the due moment an open item that leaves may be carried over.

    ``planned``: the planned time in days. In the last tenth it is, if it moves on to the next milestone of its stream.
    See `sync.history.carry_over`.
    """
    near: Floats = np.minimum(NEAR / timedelta(days=1), _CARRY_OVER_SHARE * planned)
    return np.maximum(near, _LAST_TENTH * planned)


def _after(batch: ForecastBatch) -> ProbabilityAfter:
    def after(cut: Ints, due: Floats, _: Bools) -> Floats:
        remaining = np.maximum(batch.open - cut, 0)
        return batch.probability(remaining, remaining + batch.done, assumed=Assumptions(due=due))

    return after


class _LeverSearch:
    """Searches over the changes of a batch. ``base[t]`` is P now. Days are ordinals of dates."""

    def __init__(self, batch: ForecastBatch, base: Floats, mask: Bools, after: ProbabilityAfter) -> None:
        self.batch, self.base, self.mask, self.after = batch, base, mask, after
        self.target = batch.rules.target
        spare = np.maximum(batch.open + batch.done - batch.rules.least_items, 0)  # with fewer there is no forecast
        most = np.minimum(np.floor(batch.rules.cut_share * batch.open), spare)
        self.most_items = np.where(mask, most, 0).astype(np.int64)
        self.nothing = np.zeros(len(mask), dtype=np.int64)
        latest = batch.start + _LONGEST_MOVE * (batch.clocks.plan_due - batch.start)
        old_enough = batch.start + (batch.at - batch.start) / batch.rules.least_share
        latest = np.where(batch.members.stream_finished == 0, np.minimum(latest, old_enough), latest)
        self.first_day, self.latest_day = self.nothing.copy(), self.nothing.copy()
        for k in np.flatnonzero(mask).tolist():
            self._set_days(k, float(latest[k]))

    def _set_days(self, k: int, latest: float) -> None:
        """Set the first day to move to, after the due day and today, and the latest one."""
        batch = self.batch
        known = batch.calendar.day_of(float(batch.due[k])), batch.calendar.first_day_of(float(batch.at[k]))
        end = batch.calendar.day_of(latest)
        ordinals = [day.toordinal() for day in known if day is not None]
        if end is not None and ordinals:
            self.first_day[k], self.latest_day[k] = max(ordinals) + 1, end.toordinal()

    def cut(self) -> Offers:
        """Find the items to cut with the present due date."""
        batch = self.batch
        counts = batch.due - batch.at > carry_over_days(batch.due - batch.start)
        most = np.where(counts, self.most_items, 0)
        return best_offer(most, self.base, self.base, self.target, self._after_cut(batch.due))

    def move(self) -> Offers:
        """Find the day to move to. The size of the offer is its ordinal; P is that of the day that is offered."""
        span = np.where(self.mask, self.latest_day - self.first_day + 1, 0)
        found = best_offer(
            span,
            self.base,
            self.base,
            self.target,
            lambda size, is_asked: self.after(self.nothing, self._moments(self.first_day + size - 1), is_asked),
        )
        days, weekdays = found.size + self.first_day - 1, _usual_weekdays(self.batch)
        for k in np.flatnonzero(found.is_offered).tolist():
            days[k] = self._offered_day(int(days[k]), weekdays[k])
        p = self.after(self.nothing, self._moments(np.where(found.is_offered, days, 0)), found.is_offered)
        return Offers(days, p, found.is_offered)

    def both(self, cut: Offers, move: Offers) -> Offers:
        """Find the items to cut with the day of ``move``, where both gain enough over each alone."""
        batch = self.batch
        due = self._moments(np.where(move.is_offered, move.size, 0))
        counts = move.is_offered & (due - batch.at > carry_over_days(due - batch.start))
        alone = np.maximum(np.where(cut.is_offered, cut.p, self.base), np.where(move.is_offered, move.p, self.base))
        most = np.where(counts, self.most_items, 0)
        least = alone + LEAST_GAIN
        found = best_offer(most, self.base, least, self.target, self._after_cut(due))
        same_cut = self.after(np.where(cut.is_offered, found.size, 0), batch.due, found.is_offered)
        return Offers(found.size, found.p, found.is_offered & (found.p - same_cut >= LEAST_GAIN))

    def _after_cut(self, due: Floats) -> Callable[[Ints, Bools], Floats]:
        return lambda items, is_asked: self.after(items, due, is_asked)

    def _moments(self, day: Ints) -> Floats:
        """Return the due moments of days; the present one for day 0."""
        zone, moments = self.batch.calendar.zone, self.batch.due.copy()
        for k in np.flatnonzero(day > 0).tolist():
            moments[k] = days(end_of_day(date.fromordinal(int(day[k])), zone))
        return moments

    def _offered_day(self, ordinal: int, weekday: int | None) -> int:
        """Return the first working day from ``ordinal`` on that has the usual weekday; or else any working day."""
        first = date.fromordinal(ordinal)
        ahead = (first + timedelta(days=n) for n in range(_DAYS_TO_WORKING_DAY))
        working = (day for day in ahead if self.batch.calendar.is_working_day(day))
        near = list(islice(working, _WORKING_DAYS_TO_USUAL_DAY))
        return next((day for day in near if day.weekday() == weekday), near[0] if near else first).toordinal()

    def cut_values(self, offers: Offers, k: int) -> dict[str, Value]:
        return {"count": int(offers.size[k]), "of": int(self.batch.open[k])}

    def move_values(self, offers: Offers, k: int) -> dict[str, Value]:
        """Return the day, and the time that it adds, as a share of the planned time."""
        batch, day = self.batch, date.fromordinal(int(offers.size[k]))
        due = days(end_of_day(day, batch.calendar.zone))
        longer = float((due - batch.due[k]) / (batch.due[k] - batch.start[k]))
        return {"to": day, "capacity": False, "longer": round(longer, 3)}

    def lever(
        self, kind: LeverKind, offers: Offers, k: int, values: dict[str, Value], items: tuple[str, ...] = ()
    ) -> Lever:
        p = float(offers.p[k])
        effect: dict[str, Value] = {"gain": round(p - float(self.base[k]), 4), "is_enough": p >= self.target}
        return Lever(kind=kind, probability=p, values=values | effect, items=items)


def _usual_weekdays(batch: ForecastBatch) -> list[int | None]:
    """Return for each container the weekday on which at least half of its stream's milestones were due, or None."""
    members = batch.members.index
    is_member = (members >= 0) & batch.members.from_stream[:, None]
    due, place = np.unique(batch.tables.ledger.due[np.maximum(members, 0)], return_inverse=True)
    days = [batch.calendar.day_of(moment) for moment in due.tolist()]
    weekday = np.array([-1 if day is None else day.weekday() for day in days])[place.reshape(members.shape)]
    counts = ((weekday[:, :, None] == np.arange(7)) & is_member[:, :, None]).sum(axis=1)
    most, total = counts.argmax(axis=1), counts.sum(axis=1)
    is_usual = (total > 0) & (counts.max(axis=1) >= _USUAL_SHARE * total)
    return [day if is_usual[k] else None for k, day in enumerate(most.tolist())]


def _pace(batch: ForecastBatch, k: int) -> Lever:
    """Compare the closures needed a week with this container's share of the stream's closures in the last weeks."""
    by_week = batch.closures_by_week[k] * float(batch.share_of_stream[k])
    needed = float(batch.expected_items[k]) / max(float(batch.days_to_due[k]) / 7.0, 1 / 7)
    values: dict[str, Value] = {
        "needed": round(needed, 1),
        "median": round(median(by_week.tolist()), 1),
        "reached": int(np.count_nonzero(by_week >= needed)),
        "weeks": len(by_week),
    }
    return Lever(kind=LeverKind.PACE, probability=None, values=values)
