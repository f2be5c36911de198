"""Convert Jira's objects to the model: projects, issues and the events of an issue. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from msgspec import Raw

from connectors.jira import api_types
from connectors.shared.containers import Containers
from connectors.shared.recorded_names import RecordedNames
from connectors.shared.rows import fields_of, word_at
from sync.model.tracker_data import (
    Event,
    EventKind,
    Issue,
    Person,
    Project,
    State,
    StatusCategory,
    UnreadKind,
    UnreadRow,
    Visibility,
)

__all__ = [
    "blocked_keys",
    "done_at",
    "events_of",
    "is_done",
    "issue_of",
    "last_state_change",
    "named_changes",
    "person_of",
    "project_of",
    "to_utc",
    "unread_issue",
    "unread_milestone",
]

NO_CONTAINERS: Containers[api_types.Project, api_types.Issue, api_types.History] = Containers()

_STATE_FIELDS = frozenset({"status", "resolution"})
_KNOWN_CATEGORIES = frozenset({"new", "indeterminate", "done"})


def project_of(row: api_types.Project, site: str) -> Project:
    """Convert a project. Jira does not say whether it is public, so its visibility is PROJECT."""
    address = f"{site}/projects/{row.key}"
    return Project(id=row.id, key=row.key, name=row.name, url=address, visibility=Visibility.PROJECT)


def to_utc(at: datetime | int) -> datetime:
    """Convert a time to UTC. A number is milliseconds since 1970, or seconds if it is small."""
    if isinstance(at, datetime):
        return at if at.tzinfo is UTC else at.astimezone(UTC)
    return datetime.fromtimestamp(at / 1000 if abs(at) > 100_000_000_000 else at, UTC)


# --- events ---------------------------------------------------------------------------------------------------------


def events_of(
    row: api_types.Issue,
    histories: Sequence[api_types.History],
    categories: Mapping[str, str],
    containers: Containers[api_types.Project, api_types.Issue, api_types.History] = NO_CONTAINERS,
) -> tuple[list[Event], datetime | None]:
    """Convert a changelog to the events of an issue, oldest first. Also return when it was closed (UTC), None if open.

    ``categories`` maps status ids to category keys. The present status decides whether the issue is closed:

    ==============  =====================================  =========================================================
    present status  changelog                              closed
    ==============  =====================================  =========================================================
    done            ends in ``done``                       since the last change into the category ``done``
    done            has no change of category              since the resolution date or (Cloud) the date of the
                                                           category, the earlier one; else since the creation
    done            ends in another category               since one of these dates if it is later than the log, else
                                                           since the last update
    not done        ends in ``done``                       until the date of the category, else until the last update
    not done        any other                              not
    ==============  =====================================  =========================================================
    """
    fields: Any = row.fields
    entries = _in_order(histories)
    events = list(containers.events(row, [entry for _, entry in entries]))
    closings = list(_closings(fields, entries, categories))
    is_closed = is_done(fields)
    if closings and closings[-1][1] is not is_closed:
        last, updated, dates = closings[-1][0], to_utc(fields.updated), _closing_dates(fields)
        if not is_closed:
            dates = [to_utc(fields.statuscategorychangedate)] if fields.statuscategorychangedate else []
        closings.append((next((at for at in dates if at > last), max(updated, last)), is_closed, None))
    elif is_closed and not closings:
        closings.append((next(iter(_closing_dates(fields)), to_utc(fields.created)), True, None))
    for at, closed, actor in closings:
        events.append(Event(issue=row.id, at=at, kind=EventKind.CLOSED if closed else EventKind.REOPENED, actor=actor))
    events.sort(key=lambda event: event.at)
    return events, closings[-1][0] if is_closed else None


def _in_order(histories: Iterable[api_types.History]) -> list[tuple[datetime, api_types.History]]:
    """Return the entries of a changelog with their times (UTC), oldest first."""
    return sorted([(to_utc(entry.created), entry) for entry in histories], key=itemgetter(0))


def _closing_dates(fields: Any) -> list[datetime]:
    """Return the dates (UTC) of an issue at which it may have been closed, the earliest first."""
    return sorted(to_utc(at) for at in (fields.resolutiondate, fields.statuscategorychangedate) if at is not None)


def named_changes(
    row: api_types.Issue, histories: Iterable[api_types.History], recorded: RecordedNames, names: Mapping[str, str]
) -> Iterator[Event]:
    """Yield the changes of an issue's labels and states that ``recorded`` names, also the state that it began in.

    ``names`` maps status ids to their present names: a changelog has the name that a status had at the time.
    """
    initial: str | None = None
    for entry in sorted(histories, key=lambda entry: to_utc(entry.created)):
        at, actor = to_utc(entry.created), person_of(entry.author)
        for change in entry.items:
            old, new = change.fromString or "", change.to_string or ""
            if _field(change) == "labels":
                yield from recorded.label_changes(row.id, at, old.split(), new.split(), actor)
            elif _field(change) == "status":
                old, new = names.get(change.from_ or "", old), names.get(change.to or "", new)
                initial = old if initial is None else initial
                yield from recorded.state_change(row.id, at, old, new, actor)
    if initial is not None:
        yield from recorded.state_change(row.id, to_utc(row.fields.created), initial, initial)


def last_state_change(
    fields: Any, histories: Sequence[api_types.History], categories: Mapping[str, str]
) -> tuple[datetime, Person | None] | None:
    """Return the time (UTC) of the last closing or reopening in a changelog and who did it; None without one.

    No account is given if the changelog does not lead to the present state.
    """
    closings = list(_closings(fields, _in_order(histories), categories))
    if not closings:
        return None
    at, closed, actor = closings[-1]
    return at, actor if closed is is_done(fields) else None


def _closings(
    fields: Any, entries: Sequence[tuple[datetime, api_types.History]], categories: Mapping[str, str]
) -> Iterator[tuple[datetime, bool, Person | None]]:
    """Yield the changes between open and closed in a changelog: time, whether the issue is closed then, who did it."""
    relevant = [
        (at, entry, changes)
        for at, entry in entries
        if (changes := [(name, change) for change in entry.items if (name := _field(change)) in _STATE_FIELDS])
    ]
    if not relevant:
        return
    values = {"status": fields.status.id, "resolution": fields.resolution and fields.resolution.name}
    for _, _, changes in reversed(relevant):
        values |= {name: change.from_ for name, change in reversed(changes)}

    def is_closed() -> bool:
        return _is_done(categories.get(values["status"] or "", ""), has_resolution=bool(values["resolution"]))

    was_closed = is_closed()
    for at, entry, changes in relevant:
        values |= {name: change.to for name, change in changes}
        if is_closed() is not was_closed:
            was_closed = not was_closed
            yield at, was_closed, person_of(entry.author)


def _field(change: api_types.Change) -> str:
    return change.fieldId or change.field


def _is_done(category: str, *, has_resolution: bool) -> bool:
    """Return whether a status of this category (key) is done; the resolution decides where Jira knows no category."""
    return category == "done" if category in _KNOWN_CATEGORIES else has_resolution


def is_done(fields: Any) -> bool:
    """Return whether an issue with these fields is closed: its status decides, not its resolution."""
    return _is_done(fields.status.statusCategory.key, has_resolution=fields.resolutiondate is not None)


def done_at(fields: Any) -> datetime | None:
    """Return when an issue with these fields was closed (UTC), without its changelog; None if it is open.

    It is the last change of its category (Cloud), else its resolution, else its last update. A resolution may be older
    than the status: people reopen an issue and leave it in place.
    """
    if not is_done(fields):
        return None
    return to_utc(fields.statuscategorychangedate or fields.resolutiondate or fields.updated)


# --- issues ---------------------------------------------------------------------------------------------------------


def issue_of(
    row: api_types.Issue,
    histories: Sequence[api_types.History] | None,
    categories: Mapping[str, str],
    site: str,
    *,
    points: int,
    blocked_link: str,
    containers: Containers[api_types.Project, api_types.Issue, api_types.History] = NO_CONTAINERS,
) -> tuple[Issue, tuple[Event, ...]]:
    """Convert an issue and its events.

    ``points`` is the number of story points fields; the first field with a value counts. ``blocked_link`` is the text
    of the link type on the blocked side. Without ``histories`` (None), `done_at` says when an issue was closed.
    """
    fields: Any = row.fields
    created, updated = to_utc(fields.created), to_utc(fields.updated)
    events: list[Event] = []
    if histories is not None:
        events, closed_at = events_of(row, histories, categories, containers)
    else:
        closed_at = done_at(fields)
    is_closed = closed_at is not None
    issue = Issue(
        id=row.id,
        project=fields.project.id,
        key=row.key,
        title=fields.summary,
        url=f"{site}/browse/{row.key}",
        state=State.CLOSED if is_closed else State.OPEN,
        raw_state=fields.status.name,
        category=StatusCategory.DONE if is_closed else _open_category(fields.status),
        created_at=created,
        updated_at=updated,
        closed_at=closed_at,
        resolution=fields.resolution.name if fields.resolution else "",
        type=fields.issuetype.name if fields.issuetype else "",
        priority=fields.priority.name if fields.priority else "",
        assignees=(_person(fields.assignee),) if fields.assignee else (),
        labels=tuple(fields.labels or ()),
        milestones=containers.now(row),
        estimate=fields.timeoriginalestimate,
        remaining=fields.timeestimate,
        spent=fields.timespent,
        points=next((p for n in range(points) if (p := getattr(fields, f"points_{n}")) is not None), None),
        blocked_by=tuple(_blockers(fields.issuelinks, blocked_link)) if fields.issuelinks else (),
        parent=fields.parent.key if fields.parent else fields.epic or "",
        due=fields.duedate,
        visibility=Visibility.CONFIDENTIAL if fields.security else Visibility.PROJECT,
    )
    return issue, tuple(events)


def _open_category(status: api_types.Status) -> StatusCategory:
    return StatusCategory.IN_PROGRESS if status.statusCategory.key == "indeterminate" else StatusCategory.TODO


def person_of(user: api_types.User | None) -> Person | None:
    """Convert an account; None if Jira does not name it."""
    return _person(user) if user is not None and user.id else None


def _person(user: api_types.User) -> Person:
    return Person(user.id, user.displayName, is_bot=user.accountType == "app")


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


# --- rows that cannot be read ----------------------------------------------------------------------------------------


def unread_issue(row: Raw, reason: str) -> UnreadRow:
    """Describe an issue that cannot be read. Its project (native id) is empty if that cannot be read either."""
    fields = fields_of(row)
    content = fields.get("fields")
    versions = content.get("fixVersions") if isinstance(content, Mapping) else None
    found = (word_at(version, "id") for version in (versions if isinstance(versions, list) else ()))
    return UnreadRow(
        project=word_at(content, "project", "id"),
        kind=UnreadKind.ISSUE,
        reason=reason,
        id=word_at(fields, "id"),
        key=word_at(fields, "key"),
        milestones=tuple(filter(None, found)),
    )


def unread_milestone(row: Raw, reason: str, project: str, prefix: str = "") -> UnreadRow:
    """Describe a version, or a sprint with the ``prefix`` of its id, that cannot be read."""
    number = word_at(fields_of(row), "id")
    return UnreadRow(
        project=project, kind=UnreadKind.MILESTONE, reason=reason, id=number and f"{prefix}{number}", key=number
    )
