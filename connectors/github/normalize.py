"""Convert GitHub's objects to the model. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Raw

from connectors.github import api_types
from connectors.github.reviews import review_since, reviewers
from connectors.shared.recorded_names import RecordedNames
from connectors.shared.rows import fields_of, word_at, words_at
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
    UnreadKind,
    UnreadRow,
    Visibility,
)

__all__ = [
    "history",
    "is_account",
    "issue",
    "item",
    "key_of",
    "label_history",
    "milestone",
    "parse_key",
    "person",
    "project",
    "pull_request",
    "unread_issue",
    "unread_milestone",
    "visibility",
]

_EVENTS = {
    "MilestonedEvent": EventKind.JOINED,
    "DemilestonedEvent": EventKind.LEFT,
    "ClosedEvent": EventKind.CLOSED,
    "ReopenedEvent": EventKind.REOPENED,
}


def key_of(number: int) -> str:
    """The key of an issue inside its repository: ``#12``."""
    return f"#{number}"


def is_account(actor: api_types.Account | None, viewer: api_types.Account) -> bool:
    """Return whether an actor is the token's own account: the same node, or the bot of the GitHub App."""
    if actor is None:
        return False
    return actor.id == viewer.id or (actor.kind == "Bot" and f"{actor.login}[bot]" == viewer.login)


def parse_key(key: str, repository: str) -> tuple[str, int]:
    """Parse ``#12``, ``12`` or ``owner/name#12`` to repository and number. Raises ValueError for any other text."""
    other_repository, _, number = key.rpartition("#")
    return other_repository or repository, int(number)


def project(row: api_types.Repository) -> Project:
    """Convert a repository."""
    return Project(
        id=row.id,
        key=row.name_with_owner,
        name=row.name,
        url=row.url,
        visibility=visibility(row),
    )


def visibility(row: api_types.Repository | api_types.RepositoryAccess) -> Visibility:
    """Convert a visibility: PUBLIC is public, PRIVATE and INTERNAL (to an enterprise) belong to the project."""
    is_public = row.visibility == "PUBLIC" or (not row.visibility and not row.is_private)
    return Visibility.PUBLIC if is_public else Visibility.PROJECT


def milestone(row: api_types.Milestone, project: str) -> Milestone:
    """Convert a milestone of the project with this id."""
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
        listed_open=row.open_issues,
        listed_closed=row.closed_issues,
    )


def issue(row: api_types.Issue, project: Project) -> Issue:
    """Convert an issue. GitHub has no workflow: an open issue is in the category TODO."""
    closed = row.state == "CLOSED"
    blockers = row.blocked_by.visible if row.blocked_by else ()
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
        assignees=tuple(person(actor) for actor in row.assignees.visible),
        labels=tuple(label.name for label in row.labels.visible) if row.labels else (),
        milestones=(row.milestone.id,) if row.milestone else (),
        blocked_by=tuple(
            _reference(reference, project, url=reference.url) for reference in blockers if reference.state != "CLOSED"
        ),
        parent=_reference(row.parent, project) if row.parent else "",
        visibility=project.visibility,
    )


def pull_request(row: api_types.PullRequest, project: Project) -> Issue:
    """Convert a pull request. One that is merged is done, one that was closed without a merge has left its scope."""
    is_open, is_merged = row.pull_state == "OPEN", row.pull_state == "MERGED"
    return Issue(
        id=row.id,
        project=project.id,
        key=key_of(row.number),
        title=row.title,
        url=row.url,
        state=State.OPEN if is_open else State.CLOSED,
        raw_state="draft" if is_open and row.is_draft else row.pull_state.lower(),
        category=StatusCategory.IN_PROGRESS if is_open else StatusCategory.DONE,
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        resolution="" if is_open else "merged" if is_merged else "not merged",
        assignees=tuple(person(actor) for actor in row.assignees.visible),
        labels=tuple(label.name for label in row.labels.visible) if row.labels else (),
        milestones=(row.milestone.id,) if row.milestone else (),
        is_pull_request=True,
        closes=tuple(node.id for node in row.closing_issues_references.visible)
        if row.closing_issues_references
        else (),
        reviewers=reviewers(row),
        review_since=review_since(row),
        visibility=project.visibility,
    )


def item(row: api_types.Issue | api_types.PullRequest, project: Project) -> Issue:
    """Convert an issue or a pull request."""
    return pull_request(row, project) if isinstance(row, api_types.PullRequest) else issue(row, project)


def history(issue: str, changes: Iterable[api_types.Change]) -> tuple[Event, ...]:
    """Convert the timeline events that change the milestone or state of an issue or pull request."""
    return tuple(
        Event(
            issue=issue,
            at=change.created_at,
            kind=_EVENTS[change.kind],
            milestone_title=change.milestone_title,
            actor=person(change.actor) if change.actor else None,
        )
        for change in changes
        if change.kind in _EVENTS
    )


def label_history(row: api_types.Item, recorded: RecordedNames) -> Iterator[Event]:
    """Yield the events of the labels that decide when an issue or pull request was finished."""
    for change in row.label_events.visible if row.label_events else ():
        actor = person(change.actor) if change.actor else None
        is_added = change.kind == "LabeledEvent"
        yield from recorded.label_change(row.id, change.created_at, change.label.name, added=is_added, actor=actor)


def unread_issue(row: Raw, reason: str, project: str = "", number: int | None = None) -> UnreadRow:
    """Describe an issue or pull request that cannot be read. ``number`` is its own if it is known without the row."""
    fields = fields_of(row)
    found = word_at(fields, "number") if number is None else str(number)
    return UnreadRow(
        project=project,
        kind=UnreadKind.PULL_REQUEST if fields.get("__typename") == "PullRequest" else UnreadKind.ISSUE,
        reason=reason,
        id=word_at(fields, "id"),
        key=f"#{found}" if found.isdecimal() else "",
        milestones=words_at(fields, "milestone", "id"),
    )


def unread_milestone(row: Raw, reason: str, project: str = "") -> UnreadRow:
    """Describe a milestone that cannot be read."""
    fields = fields_of(row)
    number = word_at(fields, "number")
    return UnreadRow(
        project=project,
        kind=UnreadKind.MILESTONE,
        reason=reason,
        id=word_at(fields, "node_id"),
        key=f"#{number}" if number.isdecimal() else "",
    )


def person(actor: api_types.Actor) -> Person:
    """Convert an account. The node id of a bot, such as an app or Copilot, begins with ``BOT_``."""
    return Person(actor.id or actor.login, actor.login, is_bot=actor.id.startswith("BOT_"))


def _reference(reference: api_types.Reference, project: Project, url: str = "") -> str:
    """The issue's key inside ``project``, else its ``url`` or ``owner/name#12``."""
    repository = reference.repository.name_with_owner
    if repository == project.key:
        return key_of(reference.number)
    return url or f"{repository}#{reference.number}"
