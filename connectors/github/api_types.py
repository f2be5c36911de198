"""Fields that are read of GitHub's answers; all other fields are skipped. Times are in UTC, as GitHub sends them."""

from __future__ import annotations

from typing import Annotated, Generic, TypeVar

from msgspec import Meta, Raw, Struct, field

from connectors.shared.responses import Number, Time

__all__ = [
    "Account",
    "Actor",
    "Author",
    "BoardAnswer",
    "BoardOwner",
    "Candidate",
    "Change",
    "Changed",
    "ChangedPullRequests",
    "Comment",
    "Created",
    "Failure",
    "FieldName",
    "Issue",
    "IssueBody",
    "IssueFieldValue",
    "IssueId",
    "Item",
    "Label",
    "Later",
    "MarkerMilestone",
    "Milestone",
    "MilestoneDescription",
    "MilestonePullRequests",
    "Named",
    "Newest",
    "NewestChange",
    "Node",
    "Nodes",
    "Numbered",
    "Opened",
    "Opening",
    "Owned",
    "PageInfo",
    "Pages",
    "Permission",
    "Posted",
    "ProjectBoard",
    "PullRequest",
    "Reference",
    "Reply",
    "Repository",
    "RepositoryAccess",
    "RepositoryRef",
    "Review",
    "ReviewEvent",
    "ReviewRequest",
    "Reviewer",
    "StateEvent",
    "StatusIssueRepository",
    "StatusUpdate",
    "Thread",
    "Wire",
]

T = TypeVar("T")

Count = Annotated[int, Meta(ge=0, lt=1 << 31)]


class Wire(Struct, frozen=True, rename="camel"):
    """GraphQL object: field names in camelCase, unknown fields are skipped."""


# --- GraphQL -----------------------------------------------------------------------------------------------------


class Failure(Struct, frozen=True):
    """GraphQL error. ``path`` leads to the part of the data that is null because of this error."""

    message: str | None = None
    type: str | None = None
    path: tuple[str | int, ...] | None = None


class Reply(Struct, Generic[T], frozen=True):
    """GraphQL answer. Read both fields: either may be partial."""

    data: T | None = None
    errors: tuple[Failure, ...] = ()


class PageInfo(Wire, frozen=True):
    """Position of a page: whether another page follows, and the cursor to ask for it."""

    has_next_page: bool
    end_cursor: str | None = None


class Nodes(Wire, Generic[T], frozen=True):
    """GraphQL connection of which the first page is enough. A node that the token may not see is None in ``nodes``."""

    nodes: tuple[T | None, ...]

    @property
    def visible(self) -> tuple[T, ...]:
        """The nodes that the token may see."""
        return tuple(node for node in self.nodes if node is not None)


class Pages(Wire, Generic[T], frozen=True):
    """Page of a GraphQL connection that is read to its end."""

    page_info: PageInfo
    nodes: tuple[T, ...]


class Named(Wire, frozen=True):
    """Reference by name."""

    name: str


class Node(Wire, frozen=True):
    """Reference by node id."""

    id: str


class Actor(Wire, frozen=True):
    """Account; a deleted account has no actor at all."""

    login: str
    id: str = ""


class RepositoryRef(Wire, frozen=True):
    """Reference to a repository by ``owner/name``."""

    name_with_owner: str


class Reference(Wire, frozen=True):
    """Reference to another issue, perhaps of another repository."""

    number: Number
    url: str
    repository: RepositoryRef
    state: str = ""


class Change(Wire, frozen=True):
    """Timeline event: milestoned, demilestoned (with the milestone's title only), closed or reopened."""

    kind: str = field(name="__typename")
    created_at: Time
    actor: Actor | None = None
    milestone_title: str = ""


class LabelChange(Wire, frozen=True):
    """Timeline event of a label that was added to or removed from an issue."""

    kind: str = field(name="__typename")
    created_at: Time
    label: Named
    actor: Actor | None = None


class FieldName(Wire, frozen=True):
    """Issue field of an organisation; the name is empty for a type that is not read."""

    name: str = ""


class IssueFieldValue(Wire, frozen=True):
    """Value of an issue field: a date or a number; neither for other types."""

    field: FieldName | None = None
    date: str | None = None
    number: float | None = None


class Item(Wire, frozen=True, kw_only=True):
    """Issue or pull request with its history."""

    id: str
    number: Number
    title: str
    url: str
    created_at: Time
    updated_at: Time
    assignees: Nodes[Actor]
    timeline_items: Pages[Change]
    closed_at: Time | None = None
    milestone: Node | None = None
    labels: Nodes[Named] | None = None
    label_events: Nodes[LabelChange] | None = None


class Issue(Item, frozen=True, kw_only=True, tag_field="__typename", tag="Issue"):
    """Issue. Only some servers have the last five fields and ``state_reason``."""

    state: str
    state_reason: str | None = None
    parent: Reference | None = None
    issue_type: Named | None = None
    blocked_by: Nodes[Reference] | None = None
    blocking: Nodes[Reference] | None = None
    item_fields: Nodes[IssueFieldValue] | None = None


class Reviewer(Wire, frozen=True):
    """User or team that is asked for a review. Other accounts, such as bots, have neither name."""

    kind: str = field(default="", name="__typename")
    id: str = ""
    login: str = ""
    combined_slug: str = ""


class ReviewRequest(Wire, frozen=True):
    """Request for a review that is not answered. The reviewer is None for a team that the token may not see."""

    requested_reviewer: Reviewer | None = None


class Review(Wire, frozen=True):
    """State of a person's last review that approved or asked for changes."""

    state: str


class ReviewEvent(Wire, frozen=True):
    """Timeline event: review requested, ready for review, or a review; a draft of a review has no time."""

    kind: str = field(name="__typename")
    created_at: Time | None = None
    requested_reviewer: Reviewer | None = None
    submitted_at: Time | None = None
    state: str = ""


class PullRequest(Item, frozen=True, kw_only=True, tag_field="__typename", tag="PullRequest"):
    """Pull request: it shares the numbers of issues. ``review_events`` are its last ones, oldest first.

    ``review_decision`` is None where the branch requires no review. A request to a code owner stays in
    ``review_requests`` after another one approved.
    """

    pull_state: str
    is_draft: bool
    review_events: Nodes[ReviewEvent]
    review_decision: str | None = None
    closing_issues_references: Nodes[Node] | None = None
    review_requests: Nodes[ReviewRequest] | None = None
    latest_opinionated_reviews: Nodes[Review] | None = None


class Repository(Wire, frozen=True, kw_only=True):
    """Repository as a project. A server without ``visibility`` is asked for ``is_private``."""

    id: str
    name: str
    name_with_owner: str
    url: str
    visibility: str = ""
    is_private: bool = True


class Newest(Wire, frozen=True):
    """Number of issues or pull requests, and the newest of them."""

    total_count: Number
    nodes: tuple[Numbered, ...]


class Numbered(Wire, frozen=True):
    """Number of an issue or pull request."""

    number: Number


class IssueId(Wire, frozen=True):
    """Id and number of an existing issue or pull request."""

    id: str
    number: Number


class Opened(Repository, frozen=True, kw_only=True):
    """Repository with its numbers of issues and pull requests."""

    newest: Newest
    newest_pull_request: Newest


class Changed(Repository, frozen=True, kw_only=True):
    """Repository with a page of changed issues, each undecoded."""

    issues: Pages[Raw]


class ChangedPullRequests(Wire, frozen=True):
    """Page of pull requests of a repository, latest change first, each undecoded."""

    pull_requests: Pages[Raw]


class MilestonePullRequests(Wire, frozen=True):
    """Milestone with the first page of its pull requests."""

    id: str
    pull_requests: Pages[IssueId]


class Opening(Struct, frozen=True):
    """Answer to the query that begins a first pull."""

    repository: Opened | None = None


class Later(Wire, frozen=True):
    """More timeline events of an issue."""

    timeline_items: Pages[Change]


class Owned(Wire, frozen=True):
    """Repository in the list of its owner."""

    name_with_owner: str
    has_issues_enabled: bool
    is_archived: bool


class Author(Struct, frozen=True):
    """Author of an issue or a comment."""

    login: str


class Comment(Wire, frozen=True):
    """Comment. ``viewer_did_author``: our account wrote it. ``author`` is None for a deleted account."""

    id: str
    body: str
    created_at: Time
    updated_at: Time
    viewer_did_author: bool
    is_minimized: bool = False
    author_association: str = "NONE"
    author: Author | None = None


class RepositoryAccess(Wire, frozen=True):
    """Visibility of an issue's repository, and our permission in it; None for an App."""

    visibility: str = ""
    is_private: bool = True
    viewer_permission: str | None = None


class Account(Struct, frozen=True):
    """Account. ``kind`` is the name of its type, ``Bot`` for a GitHub App's account."""

    id: str
    login: str
    kind: str = field(default="", name="__typename")


class StateEvent(Wire, frozen=True):
    """Closing or reopening of an issue. ``actor`` is None for a deleted account."""

    created_at: Time
    actor: Account | None = None


class Thread(Wire, frozen=True):
    """Status issue with its comments."""

    id: str
    number: Number
    url: str
    closed: bool
    body: str
    viewer_did_author: bool
    repository: RepositoryAccess
    comments: Pages[Comment]
    labels: Nodes[Label] | None = None
    timeline_items: Nodes[StateEvent] | None = None


class StatusIssueRepository(Struct, frozen=True):
    """Repository with one of its issues; ``issue`` is None if that does not exist."""

    issue: Thread | None = None


class Candidate(Wire, frozen=True):
    """Issue that may carry our marker."""

    number: Number
    body: str
    viewer_did_author: bool
    author: Author | None = None


class Label(Wire, frozen=True):
    """Label with its node id."""

    id: str
    name: str


# --- REST --------------------------------------------------------------------------------------------------------


class NewestChange(Struct, frozen=True):
    """Issue or pull request in the list of the newest changes; only a pull request has ``pull_request``."""

    updated_at: Time
    pull_request: object = None


class Milestone(Struct, frozen=True):
    """Milestone. ``due_on`` is midnight in California: its date in UTC is the due day.

    ``open_issues`` and ``closed_issues`` count pull requests, too.
    """

    node_id: str
    number: Number
    title: str
    html_url: str
    state: str
    created_at: Time
    updated_at: Time
    description: str | None = None
    due_on: Time | None = None
    closed_at: Time | None = None
    open_issues: Count | None = None
    closed_issues: Count | None = None


class Permission(Struct, frozen=True):
    """Permission of an account in a repository: admin, write, read or none."""

    permission: str


class IssueBody(Struct, frozen=True):
    """Text of an issue."""

    body: str | None = None


class MilestoneDescription(Struct, frozen=True):
    """Description of a milestone."""

    description: str | None = None


class Created(Struct, frozen=True):
    """Answer to a creation; only an issue has a ``number`` and ``labels``."""

    node_id: str
    number: Number = 0
    labels: tuple[Named | str, ...] = ()


# --- boards ------------------------------------------------------------------------------------------------------


class StatusUpdate(Wire, frozen=True):
    """Status update on a board."""

    id: str
    created_at: Time
    body: str | None = None
    status: str | None = None
    creator: Account | None = None


class ProjectBoard(Wire, frozen=True):
    """Board (Projects v2) with a page of its status updates."""

    id: str
    public: bool
    status_updates: Pages[StatusUpdate]


class BoardOwner(Wire, frozen=True):
    """Owner of boards: a user or an organisation."""

    project_v2: ProjectBoard | None = field(default=None, name="projectV2")


class BoardAnswer(Wire, frozen=True):
    """Board, and the token's own account (``viewer``)."""

    viewer: Account
    repository_owner: BoardOwner | None = None


class Posted(Wire, frozen=True):
    """Answer to a new status update."""

    status_update: Node | None = None


class MarkerMilestone(Struct, frozen=True):
    """Milestone (uid) of a marker."""

    milestone: str = ""
