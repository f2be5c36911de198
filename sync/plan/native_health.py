"""Plan the tracker's own health status of the status issue, if the configuration asks for it. Pure.

A value that a person set or removed after us stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from sync.model.health import Status
from sync.plan.desired import Plan
from sync.plan.inputs import PlannerInput, RetirementInput
from sync.tracker.actions import SetNativeHealth

if TYPE_CHECKING:
    from sync.assess.milestone import AssessedMilestone

__all__ = ["health_for", "plan_native_health", "retire_native_health"]

NATIVE_HEALTH: Mapping[Status, str] = {
    Status.ON_TRACK: "on_track",
    Status.AT_RISK: "needs_attention",
    Status.OFF_TRACK: "at_risk",
    Status.OVERDUE: "at_risk",
}
"""GitLab's own health status for each status; the other statuses have none."""

NO_LICENCE = "its tracker's licence knows no health status"


def health_for(milestone: AssessedMilestone, status: Status) -> str | None:
    """Return the tracker's own health status; empty when not asked for, None when the tracker has none."""
    if not milestone.connection.connector.capabilities.health:
        return None
    return (
        NATIVE_HEALTH.get(status, "")
        if milestone.connection.optional_outputs_of(milestone.project.key).health_status
        else ""
    )


def plan_native_health(state: PlannerInput) -> tuple[tuple[SetNativeHealth, ...], str]:
    """Return the write, and the reason if the tracker's licence has no health status."""
    want, issue = state.desired, state.issue
    current = issue.health if issue else "" if state.is_new else None
    reason = NO_LICENCE if want.health and issue is not None and issue.health is None else ""
    last_set = want.previous.health or ""
    if want.health is None or current is None or current != last_set or current == want.health:
        return (), reason
    return (SetNativeHealth(**state.address, issue=issue.issue if issue else "", value=want.health),), reason


def retire_native_health(retirement: RetirementInput) -> Iterator[Plan]:
    """Yield the plan that removes every health status that still has the value that we set."""
    yield Plan(
        actions=tuple(
            SetNativeHealth(**address, issue=issue.issue, value="")
            for milestone, issue, address in retirement.status_issues()
            if issue.health and issue.health == retirement.native_health.get(milestone.uid)
        )
    )
