"""What is read of GitHub's answers: the fields named here, nothing else. Times are UTC, as GitHub sends them."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, TypeVar

from msgspec import Struct, field

__all__ = [
    "About",
    "Actor",
    "Argument",
    "Author",
    "BoardAnswer",
    "BoardOwner",
    "Candidate",
    "Change",
    "Changed",
    "Comment",
    "Created",
    "Creator",
    "Failure",
    "Field",
    "Holder",
    "Home",
    "Item",
    "Label",
    "Later",
    "Milestone",
    "Named",
    "Newest",
    "Node",
    "Nodes",
    "Numbered",
    "Opened",
    "Opening",
    "Owned",
    "PageInfo",
    "Pages",
    "Permission",
    "Place",
    "Posted",
    "Probe",
    "ProjectBoard",
    "Pull",
    "Reference",
    "Reply",
    "Repository",
    "Self",
    "StatusUpdate",
    "There",
    "Thread",
    "Wire",
]

T = TypeVar("T")


class Wire(Struct, frozen=True, rename="camel"):
    """A GraphQL object: names in camelCase, unknown fields skipped."""


# --- GraphQL -----------------------------------------------------------------------------------------------------


class Failure(Struct, frozen=True):
    """One of GraphQL's errors; ``path`` leads to the part of the data that is null because of it."""

    message: str = ""
    type: str = ""
    path: tuple[str | int, ...] = ()


class Reply(Struct, Generic[T], frozen=True):
    """A GraphQL answer: both halves are to be read, as either may be partial."""

    data: T | None = None
    errors: tuple[Failure, ...] = ()


class PageInfo(Wire, frozen=True):
    """Whether a connection goes on, and from where."""

    has_next_page: bool
    end_cursor: str | None = None


class Nodes(Wire, Generic[T], frozen=True):
    """A connection whose first page is all that is wanted. What the token may not see is null in ``nodes``."""

    nodes: tuple[T | None, ...]

    @property
    def seen(self) -> tuple[T, ...]:
        """What the token may see."""
        return tuple(node for node in self.nodes if node is not None)


class Pages(Wire, Generic[T], frozen=True):
    """A connection that is read to its end."""

    page_info: PageInfo
    nodes: tuple[T, ...]


class Named(Wire, frozen=True):
    """Something known by its name."""

    name: str


class Node(Wire, frozen=True):
    """Something known by its id."""

    id: str


class Actor(Wire, frozen=True):
    """Somebody; a deleted account has no actor at all."""

    login: str
    id: str = ""


class Place(Wire, frozen=True):
    """Which repository an issue is in."""

    name_with_owner: str


class Reference(Wire, frozen=True):
    """Another issue, perhaps of another repository."""

    number: int
    url: str
    repository: Place
    state: str = ""


class Change(Wire, frozen=True):
    """An event of the timeline: milestoned, demilestoned (title only), closed or reopened."""

    kind: str = field(name="__typename")
    created_at: datetime
    actor: Actor | None = None
    milestone_title: str = ""


class Item(Wire, frozen=True, tag_field="__typename", tag="Issue"):
    """An issue with its history. The last four fields are there where the server knows them."""

    id: str
    number: int
    title: str
    url: str
    state: str
    created_at: datetime
    updated_at: datetime
    assignees: Nodes[Actor]
    timeline_items: Pages[Change]
    state_reason: str | None = None
    closed_at: datetime | None = None
    milestone: Node | None = None
    labels: Nodes[Named] | None = None
    parent: Reference | None = None
    issue_type: Named | None = None
    blocked_by: Nodes[Reference] | None = None
    blocking: Nodes[Reference] | None = None


class Pull(Wire, frozen=True, tag_field="__typename", tag="PullRequest"):
    """A pull request shares the numbers of issues and is not an item of work."""


class Repository(Wire, frozen=True):
    """A repository as a project."""

    id: str
    name: str
    name_with_owner: str
    url: str
    visibility: str


class Newest(Wire, frozen=True):
    """How many issues there are, and the highest number."""

    total_count: int
    nodes: tuple[Numbered, ...]


class Numbered(Wire, frozen=True):
    """A number."""

    number: int


class There(Wire, frozen=True):
    """That there is an issue."""

    id: str
    number: int


class Opened(Repository, frozen=True):
    """A repository, and how much there is to read."""

    newest: Newest


class Changed(Repository, frozen=True):
    """A repository, and a page of what changed."""

    issues: Pages[Item]


class Self(Struct, frozen=True):
    """How a server describes one of its types."""

    fields: tuple[Field, ...] = ()


class Argument(Struct, frozen=True):
    """An argument of a field."""

    name: str


class Field(Struct, frozen=True):
    """A field of a type."""

    name: str
    args: tuple[Argument, ...] = ()


class Opening(Struct, frozen=True):
    """The answer that begins a first reading."""

    repository: Opened | None = None
    issue: Self | None = None


class Later(Wire, frozen=True):
    """More events of an issue."""

    timeline_items: Pages[Change]


class Owned(Wire, frozen=True):
    """A repository in its owner's list."""

    name_with_owner: str
    has_issues_enabled: bool
    is_archived: bool


class Author(Struct, frozen=True):
    """Who wrote something."""

    login: str


class Comment(Wire, frozen=True):
    """A comment; ``viewer_did_author`` is true for ours. The ``author`` may be gone."""

    id: str
    body: str
    created_at: datetime
    updated_at: datetime
    viewer_did_author: bool
    is_minimized: bool = False
    author_association: str = "NONE"
    author: Author | None = None


class Home(Wire, frozen=True):
    """The repository of an issue, and who may read it."""

    visibility: str


class Thread(Wire, frozen=True):
    """An issue as one that carries a milestone's status."""

    id: str
    number: int
    url: str
    closed: bool
    body: str
    viewer_did_author: bool
    repository: Home
    comments: Pages[Comment]
    labels: Nodes[Label] | None = None


class Holder(Struct, frozen=True):
    """An issue in a repository, if it is there."""

    issue: Thread | None = None


class Candidate(Wire, frozen=True):
    """An issue that may carry our marker."""

    number: int
    body: str
    viewer_did_author: bool
    author: Author | None = None


class Label(Wire, frozen=True):
    """A label, by its node id."""

    id: str
    name: str


# --- REST --------------------------------------------------------------------------------------------------------


class Probe(Struct, frozen=True):
    """The issue or pull request that changed last."""

    updated_at: datetime


class Milestone(Struct, frozen=True):
    """A milestone. ``due_on`` is midnight in California: its UTC date is the day that is meant."""

    node_id: str
    number: int
    title: str
    html_url: str
    state: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    due_on: datetime | None = None
    closed_at: datetime | None = None


class Permission(Struct, frozen=True):
    """What somebody may do in a repository: admin, write, read or none."""

    permission: str


class Described(Struct, frozen=True):
    """A milestone, as far as its text goes."""

    description: str | None = None


class Created(Struct, frozen=True):
    """What a creation answers: an issue has a ``number``."""

    node_id: str
    number: int = 0


# --- boards ------------------------------------------------------------------------------------------------------


class Creator(Struct, frozen=True):
    """An account; ``kind`` is the name of its type, ``Bot`` for a GitHub App's."""

    id: str
    login: str
    kind: str = field(default="", name="__typename")


class StatusUpdate(Wire, frozen=True):
    """A status update on a board."""

    id: str
    created_at: datetime
    body: str | None = None
    status: str | None = None
    creator: Creator | None = None


class ProjectBoard(Wire, frozen=True):
    """A board (Projects v2) and a page of its status updates."""

    id: str
    public: bool
    status_updates: Pages[StatusUpdate]


class BoardOwner(Wire, frozen=True):
    """Whose boards they are."""

    project_v2: ProjectBoard | None = field(default=None, name="projectV2")


class BoardAnswer(Wire, frozen=True):
    """A board, and who asks."""

    viewer: Creator
    repository_owner: BoardOwner | None = None


class Posted(Wire, frozen=True):
    """What a new status update is told as."""

    status_update: Node | None = None


class About(Struct, frozen=True):
    """As much of a marker as tells whose it is."""

    milestone: str = ""
