"""From GitLab's words to the model's: pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.gitlab import api_types
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

__all__ = ["events_of", "issue_of", "milestone_of", "project_of", "visibility_of"]


def _utc(at: datetime) -> datetime:
    """GitLab may write any offset."""
    return at.astimezone(UTC)


def _person(user: api_types.User | None) -> Person | None:
    return None if user is None else Person(str(user.id), user.name or user.username)


def project_of(read: api_types.Project) -> Project:
    """A project is public only if its issues are: they may be for members although the code is for all."""
    if read.visibility == "public" and read.issues_access_level in ("enabled", "public"):
        visibility = Visibility.PUBLIC
    elif read.visibility in ("public", "internal", "private"):
        visibility = Visibility.PROJECT
    else:
        visibility = Visibility.UNKNOWN
    return Project(
        id=str(read.id), key=read.path_with_namespace, name=read.name, url=read.web_url, visibility=visibility
    )


def milestone_of(read: api_types.Milestone, project: str) -> Milestone:
    """A milestone; GitLab does not say when it was closed, so its last update stands for that."""
    closed = read.state == "closed"
    return Milestone(
        id=str(read.id),
        project=project,
        kind=MilestoneKind.MILESTONE,
        key=read.title,
        written=f"%{read.title}",
        title=read.title,
        url=read.web_url,
        state=State.CLOSED if closed else State.OPEN,
        description=read.description or "",
        start=read.start_date,
        due=read.due_date,
        created_at=_utc(read.created_at),
        updated_at=_utc(read.updated_at),
        closed_at=_utc(read.updated_at) if closed else None,
    )


def visibility_of(read: api_types.Issue, project: Visibility) -> Visibility:
    """Who may read the issue; one that does not say whether it is confidential counts as private."""
    if read.confidential is None:
        return Visibility.UNKNOWN
    return Visibility.CONFIDENTIAL if read.confidential else project


def issue_of(read: api_types.Issue, project: Project, source: str) -> Issue:
    """An issue. GitLab has no board state, so an open one is to do; a zero of time means that nobody entered any. What
    blocks it stands elsewhere: see `connectors.gitlab.history_rest`.
    """
    closed = read.state == "closed"
    times = read.time_stats
    estimate, spent = times.time_estimate or None, times.total_time_spent or None
    return Issue(
        id=str(read.id),
        project=project.id,
        key=read.references.full,
        title=read.title,
        url=read.web_url,
        state=State.CLOSED if closed else State.OPEN,
        raw_state=read.state,
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        created_at=_utc(read.created_at),
        updated_at=_utc(read.updated_at),
        closed_at=_utc(read.closed_at) if closed and read.closed_at else None,
        resolution=_resolution(read) if closed else "",
        type=(read.issue_type or "").lower(),
        priority="" if read.severity in (None, "UNKNOWN") else str(read.severity).lower(),
        assignees=tuple(Person(str(user.id), user.name or user.username, user.username) for user in read.assignees),
        labels=tuple(read.labels),
        milestones=(str(read.milestone.id),) if read.milestone else (),
        estimate=estimate,
        remaining=None if estimate is None else max(0, estimate - (spent or 0)),
        spent=spent,
        points=read.weight,
        parent=f"{source}{read.epic.url}" if read.epic else "",
        due=read.due_date,
        visibility=visibility_of(read, project.visibility),
    )


def _resolution(read: api_types.Issue) -> str:
    """GitLab closes what was moved or marked as a duplicate: neither is finished work."""
    if read.moved_to_id is not None:
        return "moved"
    return "duplicate" if read.links.closed_as_duplicate_of else ""


def events_of(
    of: Issue, moves: Sequence[api_types.MilestoneEvent], states: Sequence[api_types.StateEvent]
) -> tuple[Event, ...]:
    """An issue's history, oldest first.

    Going from one milestone to another is a single ``add`` in GitLab, so the leaving is added here. Times are cut to
    seconds, as GitLab's GraphQL does, so that a history is the same whichever way it came; none is before the issue's.
    """
    issue = of.id

    def _utc(at: datetime) -> datetime:
        return max(at.astimezone(UTC).replace(microsecond=0), of.created_at)

    found: list[Event] = []
    inside: api_types.EventMilestone | None = None
    for move in sorted(moves, key=lambda e: e.created_at):
        at, actor, target = _utc(move.created_at), _person(move.user), move.milestone
        if move.action == "remove":
            left = target or inside
            if left is not None:
                found.append(_moved(issue, at, EventKind.LEFT, left, actor))
            if target is None or inside is None or target.id == inside.id:
                inside = None
            continue
        if inside is not None and (target is None or target.id != inside.id):
            found.append(_moved(issue, at, EventKind.LEFT, inside, actor))
        if target is not None:
            found.append(_moved(issue, at, EventKind.JOINED, target, actor))
        inside = target
    found += [
        Event(
            issue=issue,
            at=_utc(state.created_at),
            kind=EventKind.CLOSED if state.state == "closed" else EventKind.REOPENED,
            actor=_person(state.user),
        )
        for state in states
        if state.state in ("closed", "reopened")
    ]
    return tuple(sorted(found, key=lambda event: event.at))


def _moved(
    issue: str, at: datetime, kind: EventKind, milestone: api_types.EventMilestone, actor: Person | None
) -> Event:
    return Event(
        issue=issue, at=at, kind=kind, milestone=str(milestone.id), milestone_title=milestone.title, actor=actor
    )
