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

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.dependencies import mean_delay
from sync.forecast.joint import PATHS, share_done_by
from sync.forecast.stats import logit
from sync.health.levers import LEAST_GAIN, Offers, best_offer
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.dates import end_of_day
from sync.model.health import Lever, LeverKind, Reason, ReasonKind, Value

__all__ = ["JointPlan", "MemberPlan", "joint_levers", "joint_probability", "joint_reasons"]

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

    ``after(k, cut, due)`` is P after ``cut`` items of member k are cut and the due moment is moved to ``due``.
    ``moved``: the written id of the member whose date is the joint milestone's; empty: it has its own date.
    """

    p: float
    target: float
    now: float
    start: float
    due: float
    moved: str
    members: Sequence[MemberPlan]
    after: Callable[[int, int, float], float]
    calendar: Calendar

    def p_of(self, last: Floats) -> float:
        """Return the probability that the paths ``last`` are done by the due moment."""
        return joint_probability(last, self.due)


def joint_probability(last: Floats, due: float) -> float:
    """Return the probability that the last member is done by ``due``, from its completion moments."""
    return float(np.clip(share_done_by(last, due), 1 / PATHS, 1 - 1 / PATHS))


def joint_reasons(members: Sequence[str], paths: Sequence[Floats], p_of: Callable[[Floats], float]) -> list[Reason]:
    """Return the members (written ids, each with its completion moments) that lower the probability, worst first."""
    last = np.max(paths, axis=0)
    p, reasons = p_of(last), []
    for k, member in enumerate(members):
        others = [path for n, path in enumerate(paths) if n != k]
        without = np.max(others, axis=0) if others else np.full(len(last), -np.inf)
        effect = float(logit(p) - logit(p_of(without)))
        if effect <= -_LEAST_EFFECT:
            delay = mean_delay(without, last)
            values: dict[str, Value] = {"count": 1, "days": round(delay, 1), "member": member}
            reasons.append(Reason(kind=ReasonKind.PREDECESSOR, effect=effect, values=values))
    return sorted(reasons, key=lambda reason: reason.effect)


def joint_levers(plan: JointPlan) -> tuple[Lever, ...]:
    """Return the levers of a joint milestone; none where P reaches the target."""
    if plan.p >= plan.target:
        return ()
    levers: list[Lever] = []
    cut = _best_cut(plan, plan.due, plan.p)
    if cut is not None:
        levers.append(_lever(LeverKind.CUT, plan, cut[1].p, _cut_values(plan, *cut), _items(plan, *cut)))
    day = _day(plan)
    if day is None:
        return tuple(levers)
    due = days(end_of_day(day, plan.calendar.zone))
    moved = plan.after(0, 0, due)
    levers.append(_lever(LeverKind.MOVE, plan, np.array([moved]), _move_values(plan, day), ()))
    alone = max(moved, float(cut[1].p[0]) if cut is not None else plan.p) + LEAST_GAIN
    both = None if plan.moved else _best_cut(plan, due, alone)
    if both is not None and float(both[1].p[0]) - plan.after(both[0], int(both[1].size[0]), plan.due) >= LEAST_GAIN:
        values = _cut_values(plan, *both) | _move_values(plan, day)
        levers.append(_lever(LeverKind.BOTH, plan, both[1].p, values, _items(plan, *both)))
    return tuple(levers)


def _best_cut(plan: JointPlan, due: float, least: float) -> tuple[int, Offers] | None:
    """Return the member to cut for the due moment, with the offer; None where no cut reaches ``least``."""
    found: list[tuple[int, Offers]] = []
    for k, member in enumerate(plan.members):

        def after(size: NDArray[np.int64], k: int = k) -> Floats:
            return np.array([plan.after(k, int(size[0]), due)])

        if member.most > 0:
            offers = best_offer(np.array([member.most]), np.array([plan.p]), np.array([least]), plan.target, after)
            found += [(k, offers)] if offers.is_offered[0] else []
    enough = [(int(offers.size[0]), k, offers) for k, offers in found if offers.p[0] >= plan.target]
    if enough:
        _, k, offers = min(enough, key=lambda offer: offer[:2])
        return k, offers
    return max(found, key=lambda offer: float(offer[1].p[0]), default=None)


def _day(plan: JointPlan) -> date | None:
    """Return the day to move to; None where no day is offered."""
    known = plan.calendar.day_of(plan.due), plan.calendar.first_day_of(plan.now)
    latest = plan.calendar.day_of(plan.start + _LONGEST_MOVE * (plan.due - plan.start))
    if latest is None or known[0] is None or known[1] is None:
        return None
    first = max(known[0], known[1]) + timedelta(days=1)

    def after(size: NDArray[np.int64]) -> Floats:
        day = first + timedelta(days=int(size[0]) - 1)
        return np.array([plan.after(0, 0, days(end_of_day(day, plan.calendar.zone)))])

    base, span = np.array([plan.p]), np.array([(latest - first).days + 1])
    offers = best_offer(span, base, base, plan.target, after)
    if not offers.is_offered[0]:
        return None
    day = first + timedelta(days=int(offers.size[0]) - 1)
    ahead = (day + timedelta(days=n) for n in range(_DAYS_TO_WORKING_DAY))
    return next((on for on in ahead if plan.calendar.is_working_day(on)), day)


def _cut_values(plan: JointPlan, k: int, offers: Offers) -> dict[str, Value]:
    member = plan.members[k]
    return {"count": int(offers.size[0]), "of": member.open, "member": member.written}


def _items(plan: JointPlan, k: int, offers: Offers) -> tuple[str, ...]:
    return tuple(plan.members[k].candidates[: int(offers.size[0])])


def _move_values(plan: JointPlan, day: date) -> dict[str, Value]:
    due = days(end_of_day(day, plan.calendar.zone))
    longer = round((due - plan.due) / (plan.due - plan.start), 3)
    values: dict[str, Value] = {"to": day, "capacity": False, "longer": longer}
    return values | {"member": plan.moved} if plan.moved else values


def _lever(kind: LeverKind, plan: JointPlan, p: Floats, values: dict[str, Value], items: tuple[str, ...]) -> Lever:
    probability = float(p[0])
    effect: dict[str, Value] = {"gain": round(probability - plan.p, 4), "is_enough": probability >= plan.target}
    return Lever(kind=kind, probability=probability, values=values | effect, items=items)
