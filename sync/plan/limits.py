"""limits."""

from __future__ import annotations

from msgspec import Struct

from sync.model.policy import Limits
from sync.plan.desired import Plan
from sync.tracker.actions import (
    Action,
    Attach,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    PostBoardUpdate,
)


class Refusal(Struct, frozen=True):
    """A limit that a plan exceeds."""

    what: str
    planned: int
    limit: int

    def __str__(self) -> str:
        return f"{self.planned} {self.what} planned, {self.limit} allowed"


def over_limits(plan: Plan, limits: Limits, milestones: int) -> list[Refusal]:
    """Every limit that the plan exceeds. A share counts milestones touched, not single writes."""
    sorts: dict[str, list[Action]] = {"creates": [], "updates": [], "deletes": []}
    for action in plan.actions:
        sorts[_sort(action)].append(action)
    found = []
    for what, most in (("creates", limits.creates), ("updates", limits.updates), ("deletes", limits.deletes)):
        if len(sorts[what]) > most:
            found.append(Refusal(what, len(sorts[what]), most))
        touched = len({action.milestone for action in sorts[what]})
        if milestones > limits.floor and touched > limits.share * milestones:
            found.append(Refusal(f"milestones with {what}", touched, int(limits.share * milestones)))
    return found


def _sort(action: Action) -> str:
    if isinstance(action, DeleteComment | Detach):
        return "updates" if action.superseded else "deletes"
    if isinstance(action, Attach):
        return "updates" if action.again else "creates"
    if isinstance(action, PostBoardUpdate):
        return "deletes" if not action.body else "updates" if action.update else "creates"
    return "creates" if isinstance(action, CreateStatusIssue | CreateComment | CreateLabel) else "updates"
