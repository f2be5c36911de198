"""What should stand in a milestone's own description, in a tracker's own health status and on a project board."""

from __future__ import annotations

from sync.assess.milestone import AssessedMilestone
from sync.markup import render
from sync.markup.terminal import terminal
from sync.model.health import Status
from sync.model.tracker_data import Markup, MilestoneKind
from sync.plan.desired import HEALTH, CurrentDescription
from sync.report import summary as report
from sync.report import view
from sync.tracker.managed_block import wrap_block
from sync.tracker.observed import StatusIssue

__all__ = ["board_for", "description_of", "health_for", "lines_for", "told_on"]

SHORT = 2_000
"""Characters for our lines."""


def lines_for(milestone: AssessedMilestone, told: view.View, instance: str) -> str | None:
    """The lines with their markers; empty where they are not asked for, None where they cannot be."""
    can = milestone.source.connector.capabilities
    if not can.described or milestone.milestone.kind not in (MilestoneKind.MILESTONE, MilestoneKind.VERSION):
        return None
    if not milestone.source.also_of(milestone.project.key).description:
        return ""
    plain = can.markup in (Markup.ADF, Markup.WIKI)
    said = report.description_lines(told)
    words = terminal(said, width=10_000) if plain else render(said, can.markup, SHORT)
    return wrap_block(words, milestone.uid, instance, plain=plain)


def description_of(milestone: AssessedMilestone, *, described: bool) -> CurrentDescription:
    """The description as it was pulled; ``described``: lines of ours stood in it once."""
    return CurrentDescription(
        native=milestone.milestone.id,
        key=milestone.milestone.key,
        url=milestone.milestone.url,
        text=milestone.milestone.description,
        before=described,
        room=milestone.source.connector.capabilities.described,
    )


def health_for(milestone: AssessedMilestone, status: Status) -> str | None:
    """The tracker's own health status; empty where it is not asked for, None where there is none."""
    if not milestone.source.connector.capabilities.health:
        return None
    return HEALTH.get(status, "") if milestone.source.also_of(milestone.project.key).health_status else ""


def board_for(milestone: AssessedMilestone) -> str | None:
    """The project board on which a status update should stand; empty for none, None where there are no boards."""
    can = milestone.source.connector.capabilities
    return milestone.source.also_of(milestone.project.key).project_status if can.boards else None


def told_on(milestone: AssessedMilestone, told: view.View, have: StatusIssue | None) -> str:
    """The body of that update: the verdict, the dates, the way to the status issue; empty where none is asked for."""
    if have is None or not board_for(milestone):
        return ""
    return render(report.board_update(told, have.url), milestone.source.connector.capabilities.markup, SHORT)
