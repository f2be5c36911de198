"""From Jira's words to the model: projects, versions, issues and the events of an issue. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from connectors.jira.api_types import History, Item, ProjectOf, StatusOf, User, Version
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

__all__ = ["blocked_by", "closing", "events_of", "issue_of", "milestone_of", "moment_of", "person_of", "project_of"]

_CATEGORIES = {"indeterminate": StatusCategory.IN_PROGRESS, "done": StatusCategory.DONE}


def project_of(wire: ProjectOf, site: str) -> Project:
    """A project. Whether anybody on the internet may read it is not told, so its visibility is its readers'."""
    address = f"{site}/projects/{wire.key}"
    return Project(id=wire.id, key=wire.key, name=wire.name, url=address, visibility=Visibility.PROJECT)


def milestone_of(wire: Version, project: ProjectOf, site: str) -> Milestone:
    """A version. It ended with its release date (the end of that day in UTC), if it is released."""
    return Milestone(
        id=wire.id,
        project=project.id,
        kind=MilestoneKind.VERSION,
        key=wire.name,
        written=f"/{wire.name}",
        title=wire.name,
        url=f"{site}/projects/{project.key}/versions/{wire.id}",
        state=State.CLOSED if wire.released or wire.archived else State.OPEN,
        description=wire.description or "",
        start=wire.startDate,
        due=wire.releaseDate,
        closed_at=_end_of(wire.releaseDate) if wire.released and wire.releaseDate else None,
    )


def _end_of(day: date) -> datetime:
    return datetime.combine(min(day, date(9999, 12, 30)) + timedelta(days=1), time(), UTC)


def moment_of(at: datetime | int) -> datetime:
    """A time in UTC; numbers are milliseconds or, when they are small, seconds since 1970."""
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    return datetime.fromtimestamp(at / 1000 if abs(at) > 100_000_000_000 else at, UTC)


# --- events ---------------------------------------------------------------------------------------------------------


def events_of(
    issue: str,
    created: datetime,
    resolved: datetime | None,
    histories: Sequence[History],
    categories: Mapping[str, str],
    places: MilestoneFields = MilestoneFields(),  # noqa: B008  # frozen
) -> list[Event]:
    """All that the changelog tells of an issue's memberships and closings, oldest first.

    An issue is closed while it has a resolution, and while its status is in the category done after a change brought
    it there. ``categories`` maps status ids to category keys; ``resolved`` is the resolution date.
    """
    events: list[Event] = []
    entries = sorted(((moment_of(entry.created), entry) for entry in histories), key=lambda pair: pair[0])
    done, has_resolution = False, _resolved_at_birth(entries)
    if has_resolution:
        events.append(Event(issue=issue, at=created, kind=EventKind.CLOSED))
    for at, entry in entries:
        was = done or has_resolution
        who = person_of(entry.author)
        for change in entry.items:
            name = change.fieldId or change.field
            events.extend(places.moves(issue, at, change, who))
            if name == "status":
                done = categories.get(change.to or "") == "done"
            elif name == "resolution":
                has_resolution = bool(change.to)
        if was != (done or has_resolution):
            kind = EventKind.REOPENED if was else EventKind.CLOSED
            events.append(Event(issue=issue, at=at, kind=kind, actor=who))
    if resolved is not None and not done and not has_resolution:
        # A workflow or an import may set the resolution without a word in the changelog.
        events.append(Event(issue=issue, at=resolved, kind=EventKind.CLOSED))
        events.sort(key=lambda event: event.at)
    return events


def _resolved_at_birth(entries: Sequence[tuple[datetime, History]]) -> bool:
    first = (c for _, entry in entries for c in entry.items if (c.fieldId or c.field) == "resolution")
    return next((bool(change.from_) for change in first), False)


def closing(resolved: datetime | None, done: bool, events: Sequence[Event]) -> datetime | None:
    """When an issue was closed, None while it is open.

    By its resolution date; without one, when its status is in the category done, by the change that brought it
    there. An issue that was born done and never resolved is open: nothing says when it ended.
    """
    if resolved is not None:
        return resolved
    if not done:
        return None
    last = next((e for e in reversed(events) if e.kind in (EventKind.CLOSED, EventKind.REOPENED)), None)
    return last.at if last is not None and last.kind is EventKind.CLOSED else None


# --- issues ---------------------------------------------------------------------------------------------------------


def issue_of(
    wire: Item,
    histories: Sequence[History] | None,
    categories: Mapping[str, str],
    site: str,
    *,
    points: int,
    blocked_link: str,
    places: MilestoneFields = MilestoneFields(),  # noqa: B008  # frozen
) -> tuple[Issue, tuple[Event, ...]]:
    """An issue and its events. ``points`` is how many story points fields there are; the first with a value counts.

    Without ``histories`` (None) the time of the last change of status category stands in for what they would tell.
    """
    fields: Any = wire.fields
    created, updated = moment_of(fields.created), moment_of(fields.updated)
    resolved = fields.resolutiondate and moment_of(fields.resolutiondate)
    done = fields.status.statusCategory.key == "done"
    events: list[Event] = []
    if histories is not None:
        events = events_of(wire.id, created, resolved, histories, categories, places)
        closed_at = closing(resolved, done, events)
    else:
        closed_at = resolved or (moment_of(fields.statuscategorychangedate or updated) if done else None)
    if histories is not None and closed_at is None and _ends_closed(events):
        # The workflow was changed under the issue: it is open now, since some unknown time before its last update.
        events.append(Event(issue=wire.id, at=max(updated, events[-1].at), kind=EventKind.REOPENED))
    issue = Issue(
        id=wire.id,
        project=fields.project.id,
        key=wire.key,
        title=fields.summary,
        url=f"{site}/browse/{wire.key}",
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
        milestones=places.now(fields, wire.id),
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


def _category(status: StatusOf) -> StatusCategory:
    return _CATEGORIES.get(status.statusCategory.key, StatusCategory.TODO)


def person_of(user: User | None) -> Person | None:
    """Who it was, if Jira tells."""
    return Person(user.id, user.displayName) if user is not None and user.id else None


def blocked_by(wire: Item, blocked_link: str) -> Iterator[str]:
    """The keys of the issues that an issue blocks."""
    fields: Any = wire.fields
    for link in fields.issuelinks or ():
        if link.outwardIssue is not None and link.type.inward.lower() == blocked_link.lower():
            yield link.outwardIssue.key


def _blockers(links: Sequence[Any], blocked_link: str) -> Iterator[str]:
    for link in links:
        other = link.inwardIssue
        if other is None or link.type.inward.lower() != blocked_link.lower():
            continue
        status = other.fields.status if other.fields else None
        if status is None or status.statusCategory.key != "done":
            yield other.key
