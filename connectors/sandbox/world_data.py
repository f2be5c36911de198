"""Data of the sandbox's world: accounts, projects, milestones, issues, boards and faults.

The state is neutral; `connectors.sandbox.world` changes it, and each tracker's web application renders it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

__all__ = [
    "Answer",
    "Board",
    "BoardItem",
    "Change",
    "Column",
    "Comment",
    "Epic",
    "Fault",
    "File",
    "Hook",
    "Issue",
    "Iteration",
    "Label",
    "MergeRequest",
    "Milestone",
    "Note",
    "Project",
    "Review",
    "User",
]


@dataclass(slots=True)
class User:
    """Account. ``bot`` owns milesync's token."""

    id: int
    login: str
    name: str
    bot: bool = False


@dataclass(slots=True)
class Label:
    """A label of a project (Jira's need none); ``colour`` is six hex digits."""

    id: int
    name: str
    colour: str = "ededed"
    description: str = ""


@dataclass(slots=True)
class Comment:
    """A comment; ``body`` is Markdown or wiki text, or an ADF document (dict) on Jira Cloud."""

    id: int
    author: User
    body: Any
    created: datetime
    updated: datetime
    properties: dict[str, Any] = field(default_factory=dict)
    internal: bool = False
    """Only some readers of the issue may read it (GitLab, Jira)."""
    minimised: bool = False
    """Hidden by a maintainer (GitHub)."""


@dataclass(slots=True)
class Change:
    """One line of an issue's history: ``field`` is milestone, state, label, assignee, title, status, points ...

    For ``milestone`` ``old`` and ``new`` are milestone ids (or None); ``title`` is the milestone's at that time.
    """

    id: int
    at: datetime
    actor: User
    field: str
    old: Any
    new: Any
    title: str = ""


@dataclass(slots=True)
class Milestone:
    """A milestone, group milestone or version. ``number`` counts within the project (GitHub number, GitLab iid)."""

    id: int
    number: int
    title: str
    created: datetime
    updated: datetime
    description: str = ""
    start: date | None = None
    due: date | None = None
    closed: datetime | None = None
    released: bool = False
    archived: bool = False
    driver: User | None = None
    """Who is responsible for a version (Jira Cloud)."""
    group: str = ""
    """The path of the group that it belongs to (GitLab); it then stands in each project of the group."""
    cadence: str = ""
    """The title of an iteration's cadence (GitLab); the iterations of an automatic cadence have no title."""


@dataclass(slots=True)
class Epic:
    """An epic of a GitLab group. ``number`` counts within the group; ``parent`` is the id of the epic above it."""

    id: int
    number: int
    group: str
    title: str
    created: datetime
    updated: datetime
    description: str = ""
    start: date | None = None
    due: date | None = None
    has_fixed_dates: bool = True
    closed: datetime | None = None
    parent: int | None = None
    confidential: bool = False
    assignees: list[User] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class File:
    """A file attached to an issue."""

    id: int
    name: str
    author: User
    created: datetime
    content: bytes


@dataclass(slots=True)
class Issue:
    """An issue or (``pull``) pull request. ``status`` is the raw state on Jira's board; ``closed`` None = open."""

    id: int
    number: int
    title: str
    author: User
    created: datetime
    updated: datetime
    body: Any = ""
    closed: datetime | None = None
    resolution: str = ""
    status: str = "To Do"
    type: str = "Task"
    priority: str = "Medium"
    assignees: list[User] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    milestones: list[int] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, date | float | str] = field(default_factory=dict)
    """GitHub: the values of its organisation's issue fields, by name."""
    blocked_by: list[int] = field(default_factory=list)
    sprints: list[int] = field(default_factory=list)
    """Jira: the sprints it is and was in, the last one last."""
    iteration: int | None = None
    epic: int | None = None
    """GitLab: the ids of its iteration and its epic."""
    estimate: int | None = None
    spent: int | None = None
    points: float | None = None
    pull: bool = False
    draft: bool = False
    """A pull or merge request that is not ready for review."""
    requested: list[User | str] = field(default_factory=list)
    """GitHub: the users and teams (``acme/core``) who are asked for a review and have not answered."""
    reviews: dict[str, str] = field(default_factory=dict)
    """GitHub: the last review of each login that approved or asked for changes."""
    closing: list[int] = field(default_factory=list)
    """Numbers of the issues that a merge closes."""
    confidential: bool = False
    health: str = ""
    key: str = ""
    parent: str = ""
    start: date | None = None
    due: date | None = None
    remaining: int | None = None
    files: list[File] = field(default_factory=list)
    unresolved: bool = False
    """Jira: it is closed, and its workflow set no resolution."""

    @property
    def jira_resolution(self) -> str:
        """The name of its resolution in Jira; empty while it has none."""
        return "" if self.closed is None or self.unresolved else self.resolution or "Done"


@dataclass(slots=True)
class Review:
    """A reviewer of a merge request since ``created``. ``state`` is GitLab's word: unreviewed, approved ..."""

    user: User
    created: datetime
    state: str = "unreviewed"


@dataclass(slots=True)
class MergeRequest(Issue):
    """A merge request (GitLab); ``number`` is its own sequence."""

    merged: bool = False
    reviewers: list[Review] = field(default_factory=list)

    @property
    def state(self) -> str:
        """GitLab's word for its state."""
        return "opened" if self.closed is None else "merged" if self.merged else "closed"


@dataclass(slots=True)
class Hook:
    """A webhook of a project; events in the tracker's own words."""

    url: str
    events: tuple[str, ...]
    active: bool = True


@dataclass(slots=True)
class Project:
    """A repository, GitLab project or Jira project. ``key`` is its path or key; ``issues`` is by number."""

    id: int
    key: str
    name: str
    created: datetime
    private: bool = False
    milestones: dict[int, Milestone] = field(default_factory=dict)
    sprints: dict[int, Milestone] = field(default_factory=dict)
    """Jira: those of its board."""
    issues: dict[int, Issue] = field(default_factory=dict)
    merge_requests: dict[int, MergeRequest] = field(default_factory=dict)
    """GitLab: by their own numbers."""
    labels: dict[str, Label] = field(default_factory=dict)
    updated: datetime | None = None
    internal: bool = False
    """Only users who have signed in may read it (GitLab)."""
    hidden: bool = False
    """The bot may not see it: 404."""
    read_only: bool = False
    """The bot may read it and not write: 403."""
    drops_labels: bool = False
    """The bot may open issues and comment, and not label: the labels of a new issue are dropped (GitHub)."""
    admin: bool = False
    """The bot may see how it is set up: webhooks, and what others may do."""
    hides_roles: bool = False
    """The bot may not see what others may do."""
    members: dict[str, str] = field(default_factory=dict)
    """What people may do, by login: read, triage, write, maintain or admin."""
    archived: bool = False
    lead: User | None = None
    """Jira: the project's lead."""
    boards: dict[int, str] = field(default_factory=dict)
    """Jira: further boards that show the project's sprints, id -> type."""
    issues_off: bool = False
    merge_requests_off: bool = False
    """GitLab: merge requests are switched off."""
    hooks: list[Hook] = field(default_factory=list)
    workflows: dict[str, str] = field(default_factory=dict)
    """GitHub Actions: name of the file -> its text."""
    denied: set[str] = field(default_factory=set)
    """Single rights that the bot lacks: GitHub's ``issues`` and ``pulls`` to read, Jira's ``ADD_COMMENTS`` ..."""
    required: dict[str, str] = field(default_factory=dict)
    """Jira: fields beyond the usual ones that a new issue must have, id -> name."""
    off_screen: set[str] = field(default_factory=set)
    """Jira: fields that are not on the screen for new issues."""


@dataclass(slots=True)
class Fault:
    """Fault for the next matching requests. ``kind`` is one of status, html, refuse (the connection breaks before the
    answer), reset (in its middle), drop (does the work, then drops the answer), late (does the work, then answers with
    the status), stale (reads the state of some seconds ago, see `connectors.sandbox.stale_lists`), truncate, slow,
    endless, empty, garbage, gather
    (no answer before all ``times`` requests have come); ``match`` is a part of "METHOD path"; ``times`` counts
    down after ``after`` requests.
    """

    kind: str
    match: str = ""
    times: int = 1
    status: int = 502
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    after: int = 0


@dataclass(slots=True)
class Note:
    """A status update on a project board; ``status`` is the tracker's own word (``ON_TRACK``)."""

    id: int
    creator: User
    status: str | None
    body: str
    created: datetime
    updated: datetime


@dataclass(slots=True)
class Iteration:
    """An iteration of a board; ``days`` is its length."""

    id: str
    title: str
    start: date
    days: int


@dataclass(slots=True)
class Column:
    """A column of a board: ``type`` is ITERATION, DATE or NUMBER, or ISSUE_FIELD for one that shows an issue field."""

    id: int
    name: str
    type: str
    iterations: list[Iteration] = field(default_factory=list)


@dataclass(slots=True)
class BoardItem:
    """An issue on a board, or a draft without one. ``values`` by column id: an iteration's id, or a date."""

    id: int
    project: Project | None
    issue: Issue | None
    created: datetime
    updated: datetime
    archived: bool = False
    values: dict[int, tuple[str | date, datetime]] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """A project board (GitHub Projects) with its status updates, oldest first."""

    id: int
    public: bool = False
    notes: list[Note] = field(default_factory=list)
    read_only: bool = False
    updated: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    columns: list[Column] = field(default_factory=list)
    items: list[BoardItem] = field(default_factory=list)
    hidden: bool = False

    def set_value(self, item: BoardItem, column: Column, value: str | date | None, at: datetime) -> None:
        """Set or (None) empty a value of an item. No history keeps it."""
        if value is None:
            item.values.pop(column.id, None)
        else:
            item.values[column.id] = (value, at)
        item.updated = self.updated = at

    def configure(self, column: Column, iterations: list[Iteration], at: datetime) -> None:
        """Replace the iterations of a column by the API: all get new ids, so all items lose their values."""
        column.iterations = iterations
        for item in self.items:
            item.values.pop(column.id, None)
        self.updated = at


class Answer(NamedTuple):
    """Answer of a tracker: status, headers (names in lower case), body."""

    status: int
    headers: dict[str, str]
    body: bytes
