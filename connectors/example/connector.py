"""Connector of Example: milestones and issues in, labels and comments out.

Adapt it in three places: the rows of the tracker's answers, their translation to milesync's model, and the paths of the
requests. The page `docs/how-to/write-a-connector.md` of milesync says which field goes where.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime

from msgspec import Struct

from connectors.shared.json_api import JsonApi
from connectors.shared.paths import path_of
from connectors.shared.thread import PROJECT_ERRORS, Post, observe, status_issue
from connectors.shared.update_cursor import UpdateCursor
from sync import tracker
from sync.model import tracker_data as model
from sync.tracker import GoneError, RefusedError, with_marker

# --- rows of the tracker's answers: only the fields that are used -----------------------------------------------------


class ProjectRow(Struct, frozen=True):
    id: str
    key: str
    name: str
    url: str


class MilestoneRow(Struct, frozen=True):
    id: str
    name: str
    url: str
    is_closed: bool
    created_at: datetime
    updated_at: datetime
    due: date | None = None


class IssueRow(Post, frozen=True, kw_only=True):
    """An issue. Its description is a post, as its comments are, and `Post` has the names of this tracker's fields."""

    key: str
    title: str
    url: str
    status: str
    labels: tuple[str, ...] = ()
    closed_at: datetime | None = None
    milestone: str | None = None
    assignee: model.Person | None = None


# --- from rows to the model -------------------------------------------------------------------------------------------

DONE, DOING = model.StatusCategory.DONE, model.StatusCategory.IN_PROGRESS
CATEGORIES = {"Doing": DOING, "Done": DONE, "Cancelled": DONE}


def project_of(row: ProjectRow) -> model.Project:
    return model.Project(id=row.id, key=row.key, name=row.name, url=row.url, visibility=model.Visibility.PROJECT)


def milestone_of(row: MilestoneRow, project: str) -> model.Milestone:
    return model.Milestone(
        id=row.id,
        project=project,
        kind=model.MilestoneKind.MILESTONE,
        key=row.name,
        written=f"/{row.name}",
        title=row.name,
        url=row.url,
        state=model.State.CLOSED if row.is_closed else model.State.OPEN,
        due=row.due,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def issue_of(row: IssueRow, project: str) -> model.Issue:
    return model.Issue(
        id=row.id,
        project=project,
        key=row.key,
        title=row.title,
        url=row.url,
        state=model.State.CLOSED if row.closed_at else model.State.OPEN,
        raw_state=row.status,
        category=CATEGORIES.get(row.status, model.StatusCategory.TODO),
        created_at=row.created_at,
        updated_at=row.updated_at,
        closed_at=row.closed_at,
        assignees=(row.assignee,) if row.assignee else (),
        labels=row.labels,
        milestones=(row.milestone,) if row.milestone else (),
    )


# --- requests ---------------------------------------------------------------------------------------------------------


class ExampleConnector:
    """One site. Implements `sync.tracker.Connector`. A project is written by its key."""

    capabilities = tracker.Capabilities(
        markup=model.Markup.GITHUB, body_limit=50_000, history=False, needs_label_creation=False
    )

    def __init__(self, setup: tracker.Setup) -> None:
        self._api = JsonApi(setup, {"Authorization": f"Bearer {setup.secrets['token']}"})
        self.name, self.base_url, self._account = setup.name, self._api.base_url, ""

    @property
    def requests(self) -> int:
        return self._api.caller.count

    def close(self) -> None:
        self._api.close()

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[tracker.Page]:
        for key in projects:
            try:
                project = self._api.get(path_of("/projects/{}", key), ProjectRow, key)
                yield from self._pull(project, UpdateCursor.decode(cursors.get(project.id, "")))
            except PROJECT_ERRORS as error:
                yield tracker.Page(failed={key: error})

    def _pull(self, project: ProjectRow, cursor: UpdateCursor) -> Iterator[tracker.Page]:
        pages = self._api.pages(path_of("/projects/{}/milestones", project.id), MilestoneRow, project.key)
        milestones = tuple(milestone_of(row, project.id) for page in pages for row in page)
        whole = frozenset({project.id})
        yield tracker.Page(projects=(project_of(project),), milestones=milestones, all_milestones=whole)
        since = {"updated_since": cursor.at.isoformat()} if cursor.at else {}
        for page in self._api.pages(path_of("/projects/{}/issues", project.id), IssueRow, project.key, **since):
            rows, cursor = cursor.advance(page, lambda row: (row.updated_at, row.id))
            issues = tuple(issue_of(row, project.id) for row in rows)
            yield tracker.Page(issues=issues, cursors={project.id: cursor.encode()})
        yield tracker.Page(complete=whole)

    def observe(self, targets: Sequence[tracker.Target]) -> tracker.Observed:
        self._account = self._account or self._api.get("/me", model.Person).id
        return observe(targets, self._account, self._descriptions, self._status_issue)

    def _descriptions(self, target: tracker.Target) -> dict[str, Post]:
        path = path_of("/projects/{}/issues", target.project)
        pages = self._api.pages(path, IssueRow, target.project_key, label="milestone-status")
        return {row.key: row for page in pages for row in page}

    def _status_issue(self, key: str, project: str) -> tracker.StatusIssue:
        row = self._api.get(path_of("/issues/{}", key), IssueRow, project)
        pages = self._api.pages(path_of("/issues/{}/comments", key), Post, project)
        thread = [post for page in pages for post in page]
        return status_issue(row.key, row.url, row, thread, self._account, closed=bool(row.closed_at), labels=row.labels)

    def apply(self, action: tracker.Action) -> tracker.Receipt:
        project = action.project_key
        match action:
            case tracker.CreateLabel(label=label):
                return tracker.Receipt(id=label)  # it exists as soon as an issue has it
            case tracker.MoveLabel(issue=key, add=label, remove=removed):
                return self._label(key, project, (label,), removed)
            case tracker.LabelItem(issue=key, add=added, remove=removed):
                return self._label(key, project, added, removed)
            case tracker.RemoveLabel(issue=key, labels=removed):
                return self._label(key, project, (), removed)
            case tracker.CreateStatusIssue(title=title, labels=labels):
                body = {"title": title, "text": with_marker(action.body, action.marker), "labels": labels}
                issue = self._api.create(path_of("/projects/{}/issues", action.project), IssueRow, project, body)
                return tracker.Receipt(id=issue.id, issue=issue.key)
            case tracker.CreateComment(issue=key):
                text = {"text": with_marker(action.body, action.marker)}
                comment = self._api.create(path_of("/issues/{}/comments", key), Post, project, text)
                return tracker.Receipt(id=comment.id, issue=key)
            case tracker.UpdateComment(issue=key, comment=number):
                text = {"text": with_marker(action.body, action.marker)}
                self._api.change("PATCH", path_of("/comments/{}", number), project, text)
                return tracker.Receipt(id=number, issue=key)
            case tracker.DeleteComment(issue=key, comment=number):
                with suppress(GoneError):
                    self._api.change("DELETE", path_of("/comments/{}", number), project)
                return tracker.Receipt(id=number, issue=key)
        raise RefusedError(self.name, project, f"cannot do {type(action).__name__}")

    def _label(self, key: str, project: str, added: Sequence[str], removed: Sequence[str]) -> tracker.Receipt:
        body = {"add_labels": added, "remove_labels": removed}
        self._api.change("PATCH", path_of("/issues/{}", key), project, body)
        return tracker.Receipt(issue=key)


def connect(setup: tracker.Setup) -> tracker.Connector:
    """Create the connector of a connection. This is the entry point; it sends nothing."""
    return ExampleConnector(setup)
