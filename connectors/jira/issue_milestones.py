"""Milestones that are issues themselves: epics, and what is above them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from connectors.jira import api_types
from connectors.jira.comment_text import text_of
from connectors.jira.normalize import done_at, person_of, to_utc
from connectors.jira.people import owners_of
from sync.model.tracker_data import DueDate, Milestone, MilestoneKind, State

__all__ = ["due_dates", "milestone_of"]


def milestone_of(issue: api_types.Issue, kind: MilestoneKind, prefix: str, site: str) -> Milestone:
    """Convert an issue to a milestone of this ``kind``, with this ``prefix`` of its id. It closed when it was done."""
    fields: Any = issue.fields
    ended = done_at(fields)
    starts = (_date(getattr(fields, name)) for name in fields.__struct_fields__ if name.startswith("start_"))
    return Milestone(
        id=f"{prefix}{issue.id}",
        project=fields.project.id,
        kind=kind,
        key=issue.key,
        written=f"/{kind.value}:{issue.key}",
        title=fields.summary,
        url=f"{site}/browse/{issue.key}",
        state=State.CLOSED if ended else State.OPEN,
        description=text_of(fields.description),
        start=next(filter(None, starts), None),
        due=fields.duedate,
        created_at=to_utc(fields.created),
        updated_at=to_utc(fields.updated),
        closed_at=ended,
        owners=owners_of(fields.assignee),
    )


def due_dates(row: api_types.Issue, history: Sequence[api_types.History]) -> tuple[DueDate, ...]:
    """The due dates of an issue over time and who set them; the first since its creation."""
    created, due = to_utc(row.fields.created), row.fields.duedate
    changes = sorted(
        (
            (to_utc(entry.created), _date(change.from_), _date(change.to), person_of(entry.author))
            for entry in history
            for change in entry.items
            if (change.fieldId or change.field) == "duedate"
        ),
        key=lambda change: change[0],
    )
    dates = [DueDate(created, changes[0][1] if changes else due)]
    dates += (DueDate(at, to, by) for at, _, to, by in changes)
    return tuple(
        due_date for before, due_date in pairwise([DueDate(created, None), *dates]) if due_date.due != before.due
    )


def _date(text: Any) -> date | None:
    try:
        return date.fromisoformat(text[:10])
    except (TypeError, ValueError):
        return None
