"""Reasons and levers of a joint milestone: which member makes it late, which one to cut, and where to move its date.

=======  =============================================================================================================
reason   a member that is likely to be the last: the change in logit P against the joint milestone without this member
cut      the fewest items of one member for P >= the target; of all members the one that needs the fewest, or else the
         one that gains most
move     the first working day with P >= the target: of the joint milestone's own date, or, where it has none, of the
         member that is due last
both     that day of the joint milestone, with items of one member
=======  =============================================================================================================

The rules of `sync.health.levers` hold: the smallest change within 5 points of the best on offer, none below 5 points.
A lever of a member names it in the value ``member``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.dependencies import mean_delay
from sync.forecast.joint import PATHS, LastMoments, share_done_by
from sync.forecast.stats import logit
from sync.health.levers import LEAST_GAIN, Offers, best_offer
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.health import Lever, LeverKind, Reason, ReasonKind, Value

__all__ = [
    "JointChange",
    "JointPlan",
    "MemberPlan",
    "ProbabilitiesAfter",
    "joint_levers",
    "joint_probability",
    "joint_reasons",
]

Floats = NDArray[np.float64]

_LEAST_EFFECT = 0.05
_LONGEST_MOVE = 3.0
_DAYS_TO_WORKING_DAY = 366


class MemberPlan(Struct, frozen=True):
    """A member of a joint milestone: its id as people write it, its ``open`` items, and the candidates to cut (uids).

    ``most`` of them may be cut; 0: none.
    """

    written: str
    open: int
    most: int
    candidates: Sequence[str]


class JointPlan(Struct, frozen=True):
    """Plan of a joint milestone, in days since 1970 UTC, with its probability ``p`` and its members.

    ``moved``: the written id of the member whose date is the joint milestone's; empty: it has its own date.
    """

    p: float
    target: float
    now: float
    start: float
    due: float
    moved: str
    members: Sequence[MemberPlan]
    calendar: Calendar

    def p_of(self, last: Floats) -> float:
        """Return the probability that the paths ``last`` are done by the due moment."""
        return joint_probability(last, self.due)


class JointChange(Struct, frozen=True):
    """Change of a joint milestone (by position): ``cut`` items of a member, and the due moment is moved to ``due``."""

    joint: int
    member: int
    cut: int
    due: float


ProbabilitiesAfter = Callable[[Sequence[JointChange]], Sequence[float]]
"""Function from changes to the probability of each changed joint milestone after it."""


def joint_probability(last: Floats, due: float) -> float:
    """Return the probability that the last member is done by ``due``, from its completion moments."""
    return float(np.clip(share_done_by(last, due), 1 / PATHS, 1 - 1 / PATHS))


def joint_reasons(members: Sequence[str], paths: Sequence[Floats], p_of: Callable[[Floats], float]) -> list[Reason]:
    """Return the members (written ids, each with its completion moments) that lower the probability, worst first."""
    moments = LastMoments(paths)
    p, reasons = p_of(moments.last), []
    for k, member in enumerate(members):
        without = moments.without({k})
        effect = float(logit(p) - logit(p_of(without)))
        if effect <= -_LEAST_EFFECT:
            delay = mean_delay(without, moments.last)
            values: dict[str, Value] = {"count": 1, "days": round(delay, 1), "member": member}
            reasons.append(Reason(kind=ReasonKind.PREDECESSOR, effect=effect, values=values))
    return sorted(reasons, key=lambda reason: reason.effect)


def joint_levers(plans: Sequence[JointPlan], after: ProbabilitiesAfter) -> list[tuple[Lever, ...]]:
    """Return the levers of each joint milestone; none where P reaches the target.

    All are searched at once, so that ``after`` gets as many changes as possible in one call.
    """
    search = _JointLeverSearch(plans, after)
    below = [j for j, plan in enumerate(plans) if plan.p < plan.target]
    cuts = search.cuts({j: (plans[j].due, plans[j].p) for j in below})
    days_of = search.move_days(below)
    dues = {j: days(end_of_day(day, plans[j].calendar.zone)) for j, day in days_of.items()}
    moved = dict(zip(dues, after([JointChange(j, 0, 0, due) for j, due in dues.items()]), strict=True))
    alone = {j: max(moved[j], cuts[j].p if j in cuts else plans[j].p) + LEAST_GAIN for j in dues}
    both = search.cuts({j: (due, alone[j]) for j, due in dues.items() if not plans[j].moved})
    same_cut = after([JointChange(j, cut.member, cut.count, plans[j].due) for j, cut in both.items()])
    both = {j: cut for (j, cut), p in zip(both.items(), same_cut, strict=True) if cut.p - p >= LEAST_GAIN}
    levers: list[list[Lever]] = [[] for _ in plans]
    for j, cut in cuts.items():
        levers[j].append(_lever(LeverKind.CUT, plans[j], cut.p, _cut_values(plans[j], cut), _items(plans[j], cut)))
    for j, day in days_of.items():
        levers[j].append(_lever(LeverKind.MOVE, plans[j], moved[j], _move_values(plans[j], day), ()))
    for j, cut in both.items():
        values = _cut_values(plans[j], cut) | _move_values(plans[j], days_of[j])
        levers[j].append(_lever(LeverKind.BOTH, plans[j], cut.p, values, _items(plans[j], cut)))
    return [tuple(own) for own in levers]


class _Cut(Struct, frozen=True):
    """Cut of ``count`` items of a member, and P after it."""

    member: int
    count: int
    p: float


class _JointLeverSearch:
    """Searches over the changes of several joint milestones (by position in ``plans``)."""

    def __init__(self, plans: Sequence[JointPlan], after: ProbabilitiesAfter) -> None:
        self.plans, self.after = plans, after

    def cuts(self, wanted: Mapping[int, tuple[float, float]]) -> dict[int, _Cut]:
        """Return the cut of each joint milestone; none where no cut reaches the least P.

        ``wanted``: joint milestone -> its due moment after the change, and the least P to offer.
        """
        rows = [(j, k) for j in wanted for k, member in enumerate(self.plans[j].members) if member.most > 0]
        offers = self._best_offer(
            [j for j, _ in rows],
            [self.plans[j].members[k].most for j, k in rows],
            [wanted[j][1] for j, _ in rows],
            lambda row, size: JointChange(*rows[row], size, wanted[rows[row][0]][0]),
        )
        found: dict[int, list[_Cut]] = {}
        for row in np.flatnonzero(offers.is_offered).tolist():
            j, k = rows[row]
            found.setdefault(j, []).append(_Cut(k, int(offers.size[row]), float(offers.p[row])))
        return {j: self._best_cut(j, cuts) for j, cuts in found.items()}

    def _best_cut(self, j: int, cuts: Sequence[_Cut]) -> _Cut:
        enough = [cut for cut in cuts if cut.p >= self.plans[j].target]
        if enough:
            return min(enough, key=lambda cut: (cut.count, cut.member))
        return max(cuts, key=lambda cut: cut.p)

    def move_days(self, joints: Sequence[int]) -> dict[int, date]:
        """Return the day to move each joint milestone to; none where no day is offered."""
        spans = {j: span for j in joints if (span := _span(self.plans[j])) is not None}
        first = [day for day, _ in spans.values()]
        own = list(spans)

        def change(row: int, size: int) -> JointChange:
            day = first[row] + timedelta(days=size - 1)
            return JointChange(own[row], 0, 0, days(end_of_day(day, self.plans[own[row]].calendar.zone)))

        offers = self._best_offer(
            own, [(latest - day).days + 1 for day, latest in spans.values()], [self.plans[j].p for j in own], change
        )
        return {
            own[row]: _working_day(self.plans[own[row]], first[row] + timedelta(days=int(offers.size[row]) - 1))
            for row in np.flatnonzero(offers.is_offered).tolist()
        }

    def _best_offer(
        self,
        joints: Sequence[int],
        most: Sequence[int],
        least: Sequence[float],
        change: Callable[[int, int], JointChange],
    ) -> Offers:
        """Return the best offer of each row, a change of one of the ``joints``: ``change`` of the row and a size."""
        base = np.array([self.plans[j].p for j in joints], dtype=np.float64)
        target = np.array([self.plans[j].target for j in joints], dtype=np.float64)

        def p_after(size: NDArray[np.int64], is_asked: NDArray[np.bool_]) -> Floats:
            rows, p = np.flatnonzero(is_asked).tolist(), base.copy()
            p[rows] = self.after([change(row, int(size[row])) for row in rows])
            return p

        return best_offer(np.array(most, dtype=np.int64), base, np.array(least, dtype=np.float64), target, p_after)


def _span(plan: JointPlan) -> tuple[date, date] | None:
    """Return the first and the latest day to move to; None where dates make no sense."""
    known = plan.calendar.day_of(plan.due), plan.calendar.first_day_of(plan.now)
    latest = plan.calendar.day_of(plan.start + _LONGEST_MOVE * (plan.due - plan.start))
    if latest is None or known[0] is None or known[1] is None:
        return None
    return max(known[0], known[1]) + timedelta(days=1), latest


def _working_day(plan: JointPlan, day: date) -> date:
    ahead = (day + timedelta(days=n) for n in range(_DAYS_TO_WORKING_DAY))
    return next((on for on in ahead if plan.calendar.is_working_day(on)), day)


def _cut_values(plan: JointPlan, cut: _Cut) -> dict[str, Value]:
    member = plan.members[cut.member]
    return {"count": cut.count, "of": member.open, "member": member.written}


def _items(plan: JointPlan, cut: _Cut) -> tuple[str, ...]:
    return tuple(plan.members[cut.member].candidates[: cut.count])


def _move_values(plan: JointPlan, day: date) -> dict[str, Value]:
    due = days(end_of_day(day, plan.calendar.zone))
    longer = round((due - plan.due) / (plan.due - plan.start), 3)
    values: dict[str, Value] = {"to": day, "capacity": False, "longer": longer}
    return values | {"member": plan.moved} if plan.moved else values


def _lever(kind: LeverKind, plan: JointPlan, p: float, values: dict[str, Value], items: tuple[str, ...]) -> Lever:
    effect: dict[str, Value] = {"gain": round(p - plan.p, 4), "is_enough": p >= plan.target}
    return Lever(kind=kind, probability=p, values=values | effect, items=items)
