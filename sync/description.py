"""What should stand in a milestone's own description, in a tracker's own health status and on a project board."""

from __future__ import annotations

from sync import report
from sync.action import StatusIssue
from sync.assessment import Assessed
from sync.desired import HEALTH, Described
from sync.fence import fenced
from sync.markup import render
from sync.markup.terminal import terminal
from sync.model import Markup, MilestoneKind, Status

__all__ = ["board_for", "description_of", "health_for", "lines_for", "told_on"]

SHORT = 2_000
"""Characters for our lines."""


def lines_for(one: Assessed, told: report.View, instance: str) -> str | None:
    """The lines with their markers; empty where they are not asked for, None where they cannot be."""
    can = one.source.connector.capabilities
    if not can.described or one.milestone.kind not in (MilestoneKind.MILESTONE, MilestoneKind.VERSION):
        return None
    if not one.source.also_of(one.project.key).description:
        return ""
    plain = can.markup in (Markup.ADF, Markup.WIKI)
    said = report.lines(told)
    words = terminal(said, width=10_000) if plain else render(said, can.markup, SHORT)
    return fenced(words, one.uid, instance, plain=plain)


def description_of(one: Assessed, *, described: bool) -> Described:
    """The description as it was pulled; ``described``: lines of ours stood in it once."""
    return Described(
        native=one.milestone.id,
        key=one.milestone.key,
        url=one.milestone.url,
        text=one.milestone.description,
        before=described,
        room=one.source.connector.capabilities.described,
    )


def health_for(one: Assessed, status: Status) -> str | None:
    """The tracker's own health status; empty where it is not asked for, None where there is none."""
    if not one.source.connector.capabilities.health:
        return None
    return HEALTH.get(status, "") if one.source.also_of(one.project.key).health_status else ""


def board_for(one: Assessed) -> str | None:
    """The project board on which a status update should stand; empty for none, None where there are no boards."""
    can = one.source.connector.capabilities
    return one.source.also_of(one.project.key).project_status if can.boards else None


def told_on(one: Assessed, told: report.View, have: StatusIssue | None) -> str:
    """The body of that update: the verdict, the dates, the way to the status issue; empty where none is asked for."""
    if have is None or not board_for(one):
        return ""
    return render(report.brief(told, have.url), one.source.connector.capabilities.markup, SHORT)
