"""From GitHub's words to the model's."""

from __future__ import annotations

from collections.abc import Iterable

from connectors.github import api_types
from sync.model.tracker_data import (
    Event,
    EventKind,
    Issue,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)

__all__ = ["history", "issue", "key_of", "milestone", "place_of", "project", "visibility"]

_EVENTS = {
    "MilestonedEvent": EventKind.JOINED,
    "DemilestonedEvent": EventKind.LEFT,
    "ClosedEvent": EventKind.CLOSED,
    "ReopenedEvent": EventKind.REOPENED,
}


def key_of(number: int) -> str:
    """How people write an issue inside its repository."""
    return f"#{number}"


def place_of(key: str, repository: str) -> tuple[str, int]:
    """The repository and number that ``#12``, ``12`` or ``owner/name#12`` mean. Raises ValueError for others."""
    elsewhere, _, number = key.rpartition("#")
    return elsewhere or repository, int(number)


def project(row: api_types.Repository) -> Project:
    """A repository."""
    return Project(
        id=row.id,
        key=row.name_with_owner,
        name=row.name,
        url=row.url,
        visibility=visibility(row.visibility),
    )


def visibility(word: str) -> Visibility:
    """PUBLIC is for everybody; PRIVATE, and INTERNAL to an enterprise, for the project."""
    return Visibility.PUBLIC if word == "PUBLIC" else Visibility.PROJECT


def milestone(row: api_types.Milestone, project: str) -> Milestone:
    """A milestone of the project with that id."""
    return Milestone(
        id=row.node_id,
        project=project,
        kind=MilestoneKind.MILESTONE,
        key=str(row.number),
        written=f"#{row.number}",
        title=row.title,
        url=row.html_url,
        state=State.CLOSED if row.state == "closed" else State.OPEN,
        description=row.description or "",
        due=row.due_on.date() if row.due_on else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
    )


def issue(row: api_types.Item, project: Project) -> Issue:
    """An issue. GitHub has no board of its own: what is open is to be done."""
    closed = row.state == "CLOSED"
    blockers = row.blocked_by.seen if row.blocked_by else ()
    return Issue(
        id=row.id,
        project=project.id,
        key=key_of(row.number),
        title=row.title,
        url=row.url,
        state=State.CLOSED if closed else State.OPEN,
        raw_state=row.state.lower(),
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        resolution=(row.state_reason or "").lower() if closed else "",
        type=row.issue_type.name if row.issue_type else "",
        assignees=tuple(_person(actor) for actor in row.assignees.seen),
        labels=tuple(label.name for label in row.labels.seen) if row.labels else (),
        milestones=(row.milestone.id,) if row.milestone else (),
        blocked_by=tuple(
            _reference(reference, project, far=reference.url) for reference in blockers if reference.state != "CLOSED"
        ),
        parent=_reference(row.parent, project) if row.parent else "",
        visibility=project.visibility,
    )


def history(issue: str, changes: Iterable[api_types.Change]) -> tuple[Event, ...]:
    """The events of an issue's timeline that say when it was in which milestone, and open or closed."""
    return tuple(
        Event(
            issue=issue,
            at=change.created_at,
            kind=_EVENTS[change.kind],
            milestone_title=change.milestone_title,
            actor=_person(change.actor) if change.actor else None,
        )
        for change in changes
        if change.kind in _EVENTS
    )


def _person(actor: api_types.Actor) -> Person:
    return Person(actor.id or actor.login, actor.login)


def _reference(reference: api_types.Reference, project: Project, far: str = "") -> str:
    where = reference.repository.name_with_owner
    return key_of(reference.number) if where == project.key else far or f"{where}#{reference.number}"
