"""Limits of a run: how many writes a plan may hold, and how rewriting is spread over runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection

from msgspec import Struct
from msgspec.structs import replace

from sync.model.policy import Limits
from sync.plan.desired import Plan, Skipped
from sync.tracker.actions import Action, LimitGroup, kind_of

__all__ = ["LATER", "LATER_TODAY", "Refusal", "over_limits", "spread_rewriting"]

LATER = "the way milesync computes it changed; a later run rewrites its comment, within the limits"
LATER_TODAY = "a later run rewrites its comment for the new day, within the limits"


class Refusal(Struct, frozen=True):
    """A limit that a plan exceeds."""

    what: str
    planned: int
    limit: int

    def __str__(self) -> str:
        return f"{self.planned} {self.what} planned, {self.limit} allowed"


def over_limits(plan: Plan, limits: Limits, milestones: int) -> list[Refusal]:
    """Return every limit that the plan exceeds. The share counts milestones with a write, not single writes."""
    groups: dict[LimitGroup, list[Action]] = {group: [] for group in LimitGroup}
    for action in plan.actions:
        groups[kind_of(action).limit_group(action)].append(action)
    refusals = []
    for group, actions in groups.items():
        limit = getattr(limits, group.value)
        if len(actions) > limit:
            refusals.append(Refusal(group.value, len(actions), limit))
        touched = len({action.milestone for action in actions})
        if milestones > limits.floor and touched > limits.share * milestones:
            refusals.append(Refusal(f"milestones with {group.value}", touched, int(limits.share * milestones)))
    return refusals


def spread_rewriting(
    plan: Plan, limits: Limits, milestones: int, *, free: Collection[str] = (), later: Collection[str] = ()
) -> tuple[Plan, frozenset[str]]:
    """Leave out the rewriting that exceeds the limits: for a new day, or after a change of the forecast's method.

    The other writes come first, then those for a new day. Return the plan, and the milestones (uid) that a later run
    rewrites: in the order of the plan, those that do not fit, and those of ``later``. ``milestones`` is the number of
    all milestones, for the share. Writes for the ``free`` milestones (uid) do not count: their policy forbids them.
    """
    counts: Counter[LimitGroup] = Counter()
    touched: dict[LimitGroup, set[str]] = defaultdict(set)
    by_milestone: dict[str, list[LimitGroup]] = {}
    for action in plan.actions:
        if action.milestone not in free:
            by_milestone.setdefault(action.milestone, []).append(kind_of(action).limit_group(action))
    why = {uid: LATER_TODAY for uid in plan.refreshed if uid in by_milestone}
    why |= {uid: LATER for uid in plan.recomputed if uid in by_milestone}
    others = [uid for uid in by_milestone if uid not in why]
    deferred: set[str] = set()
    for uid in (*others, *why):
        groups = Counter(by_milestone[uid])
        fits = uid not in later and all(
            _has_room(limits, group, counts[group] + more, len(touched[group] | {uid}), milestones)
            for group, more in groups.items()
        )
        if not fits and uid in why:
            deferred.add(uid)
            continue
        counts += groups
        for group in groups:
            touched[group].add(uid)
    kept = tuple(action for action in plan.actions if action.milestone not in deferred)
    skipped = tuple(Skipped(uid, reason) for uid, reason in why.items() if uid in deferred)
    return (
        replace(
            plan,
            actions=kept,
            recomputed=tuple(uid for uid in plan.recomputed if uid not in deferred),
            refreshed=tuple(uid for uid in plan.refreshed if uid not in deferred),
            skipped=(*plan.skipped, *skipped),
        ),
        frozenset(deferred),
    )


def _has_room(limits: Limits, group: LimitGroup, writes: int, touched: int, milestones: int) -> bool:
    is_within_share = milestones <= limits.floor or touched <= limits.share * milestones
    return writes <= getattr(limits, group.value) and is_within_share
