"""Limits of a run: how many writes a plan may hold."""

from __future__ import annotations

from msgspec import Struct

from sync.model.policy import Limits
from sync.plan.desired import Plan
from sync.tracker.actions import Action, LimitGroup, kind_of

__all__ = ["Refusal", "over_limits"]


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
