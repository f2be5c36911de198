"""Convert Jira's objects to the model: projects, versions, issues and the events of an issue. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from connectors.jira import api_types
from connectors.jira.issue_milestones import MilestoneFields
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

__all__ = ["blocked_keys", "closed_time", "events_of", "issue_of", "milestone_of", "person_of", "project_of", "to_utc"]

_CATEGORIES = {"indeterminate": StatusCategory.IN_PROGRESS, "done": StatusCategory.DONE}


def project_of(row: api_types.Project, site: str) -> Project:
    """Convert a project. Jira does not say whether it is public, so its visibility is PROJECT."""
    address = f"{site}/projects/{row.key}"
    return Project(id=row.id, key=row.key, name=row.name, url=address, visibility=Visibility.PROJECT)


def milestone_of(row: api_types.Version, project: api_types.Project, site: str) -> Milestone:
    """Convert a version. A released version closed at the end of its release date in UTC."""
    return Milestone(
        id=row.id,
        project=project.id,
        kind=MilestoneKind.VERSION,
        key=row.name,
        written=f"/{row.name}",
        title=row.name,
        url=f"{site}/projects/{project.key}/versions/{row.id}",
        state=State.CLOSED if row.released or row.archived else State.OPEN,
        description=row.description or "",
        start=row.startDate,
        due=row.releaseDate,
        closed_at=_end_of(row.releaseDate) if row.released and row.releaseDate else None,
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(min(day, date(9999, 12, 30)) + timedelta(days=1), time(), UTC)


def to_utc(at: datetime | int) -> datetime:
    """Convert a time to UTC. A number is milliseconds since 1970, or seconds if it is small."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime.fromtimestamp(at / 1000 if abs(at) > 100_000_000_000 else at, UTC)


# --- events ---------------------------------------------------------------------------------------------------------


def events_of(
    issue: str,
    created: datetime,
    resolved: datetime | None,
    histories: Sequence[api_types.History],
    categories: Mapping[str, str],
    milestone_fields: MilestoneFields = MilestoneFields(),  # noqa: B008  # frozen
) -> list[Event]:
    """Convert a changelog to the events of an issue's memberships and closings, oldest first.

    An issue is closed while it has a resolution, and while its status is in the category ``done`` after a change to
    that status. ``categories`` maps status ids to category keys; ``resolved`` is the resolution date.
    """
    events: list[Event] = []
    entries = sorted(((to_utc(entry.created), entry) for entry in histories), key=lambda pair: pair[0])
    is_done, has_resolution = False, _was_created_resolved(entries)
    if has_resolution:
        events.append(Event(issue=issue, at=created, kind=EventKind.CLOSED))
    for at, entry in entries:
        was_closed = is_done or has_resolution
        actor = person_of(entry.author)
        for change in entry.items:
            name = change.fieldId or change.field
            events.extend(milestone_fields.moves(issue, at, change, actor))
            if name == "status":
                is_done = categories.get(change.to or "") == "done"
            elif name == "resolution":
                has_resolution = bool(change.to)
        if was_closed != (is_done or has_resolution):
            kind = EventKind.REOPENED if was_closed else EventKind.CLOSED
            events.append(Event(issue=issue, at=at, kind=kind, actor=actor))
    if resolved is not None and not is_done and not has_resolution:
        # A workflow or an import may set the resolution without a changelog entry.
        events.append(Event(issue=issue, at=resolved, kind=EventKind.CLOSED))
        events.sort(key=lambda event: event.at)
    return events


def _was_created_resolved(entries: Sequence[tuple[datetime, api_types.History]]) -> bool:
    """Return whether the issue had a resolution from its creation on: the first change replaces one."""
    changes = (c for _, entry in entries for c in entry.items if (c.fieldId or c.field) == "resolution")
    return next((bool(change.from_) for change in changes), False)


def closed_time(resolved: datetime | None, is_done: bool, events: Sequence[Event]) -> datetime | None:
    """The time (UTC) when an issue was closed; None while it is open.

    It is the resolution date. Without one it is the change to a status of the category ``done``, if the status is in it
    now. An issue that was created in such a status and never resolved is open: Jira does not say when it ended.
    """
    if resolved is not None:
        return resolved
    if not is_done:
        return None
    last = next((e for e in reversed(events) if e.kind in (EventKind.CLOSED, EventKind.REOPENED)), None)
    return last.at if last is not None and last.kind is EventKind.CLOSED else None


# --- issues ---------------------------------------------------------------------------------------------------------


def issue_of(
    row: api_types.Issue,
    histories: Sequence[api_types.History] | None,
    categories: Mapping[str, str],
    site: str,
    *,
    points: int,
    blocked_link: str,
    milestone_fields: MilestoneFields = MilestoneFields(),  # noqa: B008  # frozen
) -> tuple[Issue, tuple[Event, ...]]:
    """Convert an issue and its events.

    ``points`` is the number of story points fields; the first field with a value counts. ``blocked_link`` is the text
    of the link type on the blocked side. Without ``histories`` (None), the last change of status category is the time
    of closing.
    """
    fields: Any = row.fields
    created, updated = to_utc(fields.created), to_utc(fields.updated)
    resolved = fields.resolutiondate and to_utc(fields.resolutiondate)
    is_done = fields.status.statusCategory.key == "done"
    events: list[Event] = []
    if histories is not None:
        events = events_of(row.id, created, resolved, histories, categories, milestone_fields)
        closed_at = closed_time(resolved, is_done, events)
    else:
        closed_at = resolved or (to_utc(fields.statuscategorychangedate or updated) if is_done else None)
    if histories is not None and closed_at is None and _ends_closed(events):
        # The workflow was changed, and the issue is open now, since an unknown time before its last update.
        events.append(Event(issue=row.id, at=max(updated, events[-1].at), kind=EventKind.REOPENED))
    issue = Issue(
        id=row.id,
        project=fields.project.id,
        key=row.key,
        title=fields.summary,
        url=f"{site}/browse/{row.key}",
        state=State.OPEN if closed_at is None else State.CLOSED,
        raw_state=fields.status.name,
        category=_category(fields.status),
        created_at=created,
        updated_at=updated,
        closed_at=closed_at,
        resolution=fields.resolution.name if fields.resolution else "",
        type=fields.issuetype.name if fields.issuetype else "",
        priority=fields.priority.name if fields.priority else "",
        assignees=(Person(fields.assignee.id, fields.assignee.displayName),) if fields.assignee else (),
        labels=tuple(fields.labels or ()),
        milestones=milestone_fields.now(fields, row.id),
        estimate=fields.timeoriginalestimate,
        remaining=fields.timeestimate,
        spent=fields.timespent,
        points=next((p for n in range(points) if (p := getattr(fields, f"points_{n}")) is not None), None),
        blocked_by=tuple(_blockers(fields.issuelinks or (), blocked_link)),
        parent=fields.parent.key if fields.parent else fields.epic or "",
        due=fields.duedate,
        visibility=Visibility.CONFIDENTIAL if fields.security else Visibility.PROJECT,
    )
    return issue, tuple(events)


def _ends_closed(events: Sequence[Event]) -> bool:
    last = next((e.kind for e in reversed(events) if e.kind in (EventKind.CLOSED, EventKind.REOPENED)), None)
    return last is EventKind.CLOSED


def _category(status: api_types.Status) -> StatusCategory:
    return _CATEGORIES.get(status.statusCategory.key, StatusCategory.TODO)


def person_of(user: api_types.User | None) -> Person | None:
    """Convert an account; None if Jira does not name it."""
    return Person(user.id, user.displayName) if user is not None and user.id else None


def blocked_keys(row: api_types.Issue, blocked_link: str) -> Iterator[str]:
    """Yield the keys of the issues that an issue blocks."""
    fields: Any = row.fields
    for link in fields.issuelinks or ():
        if link.outwardIssue is not None and link.type.inward.lower() == blocked_link.lower():
            yield link.outwardIssue.key


def _blockers(links: Sequence[Any], blocked_link: str) -> Iterator[str]:
    """Yield the keys of the open issues that block an issue."""
    for link in links:
        other = link.inwardIssue
        if other is None or link.type.inward.lower() != blocked_link.lower():
            continue
        status = other.fields.status if other.fields else None
        if status is None or status.statusCategory.key != "done":
            yield other.key
