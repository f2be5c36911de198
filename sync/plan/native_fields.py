"""Fields of the tracker itself that milesync may write: description, health status, project board."""

from __future__ import annotations

from sync.assess.milestone import AssessedMilestone
from sync.model.health import Status
from sync.plan.desired import HEALTH, CurrentDescription

__all__ = ["board_for", "current_description", "health_for"]


def current_description(milestone: AssessedMilestone) -> CurrentDescription:
    """Return the milestone's description as it was pulled."""
    return CurrentDescription(
        native=milestone.milestone.id,
        key=milestone.milestone.key,
        url=milestone.milestone.url,
        text=milestone.milestone.description,
        limit=milestone.source.connector.capabilities.description_limit,
    )


def health_for(milestone: AssessedMilestone, status: Status) -> str | None:
    """Return the tracker's own health status; empty when not asked for, None when the tracker has none."""
    if not milestone.source.connector.capabilities.health:
        return None
    return HEALTH.get(status, "") if milestone.source.optional_outputs_of(milestone.project.key).health_status else ""


def board_for(milestone: AssessedMilestone) -> str | None:
    """Return the name of the project board for a status update; empty for none, None when the tracker has no boards."""
    can = milestone.source.connector.capabilities
    return milestone.source.optional_outputs_of(milestone.project.key).project_status if can.boards else None
