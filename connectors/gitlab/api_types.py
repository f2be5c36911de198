"""Fields that are read of GitLab's JSON. A field that an unlicensed or older instance leaves out has a default."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, field

from connectors.shared.responses import Number, Time

__all__ = [
    "Epic",
    "Issue",
    "Label",
    "Linked",
    "Links",
    "MergeRequest",
    "Milestone",
    "MilestoneDescription",
    "MilestoneEvent",
    "Note",
    "Project",
    "ProjectEvent",
    "Reviewer",
    "StateEvent",
    "User",
]


class User(Struct, frozen=True, gc=False):
    """Account. ``bot``: it is a program's; only some answers say it."""

    id: Number
    name: str = ""
    username: str = ""
    bot: bool | None = None


class Project(Struct):
    """Project. ``visibility`` is ``public``, ``internal`` or ``private``."""

    id: Number
    name: str
    path_with_namespace: str
    web_url: str
    visibility: str = ""
    issues_access_level: str = ""
    merge_requests_access_level: str = ""
    archived: bool = False


class Milestone(Struct):
    """Milestone of a project or, with ``group_id``, of a group. ``id`` is unique in the instance."""

    id: Number
    title: str
    state: str
    created_at: Time
    updated_at: Time
    web_url: str
    group_id: Number | None = None
    description: str | None = None
    start_date: date | None = None
    due_date: date | None = None


class _Ref(Struct, gc=False):
    id: Number


class TimeStats(Struct, gc=False):
    """Times in seconds; 0 also means that no time was entered."""

    time_estimate: Number = 0
    total_time_spent: Number = 0


class Links(Struct, gc=False):
    """Links of an issue to other issues."""

    closed_as_duplicate_of: str | None = None


class Epic(Struct, gc=False):
    """Epic (Premium). ``url`` is a path."""

    iid: Number
    url: str = ""
    group_id: Number | None = None


class References(Struct, gc=False):
    """Written forms of an issue's key: ``full`` is ``group/project#12``."""

    full: Annotated[str, Meta(pattern=r"#[0-9]{1,18}$")]


class Issue(Struct):
    """Issue. ``id`` is unique in the instance, ``iid`` in the project.

    ``blocking_issues_count`` is the number of issues that this issue blocks, None without a licence for blocking links.
    ``merge_requests_count`` is the number of merge requests that close it.
    """

    id: Number
    iid: Number
    project_id: Number
    title: str
    state: str
    created_at: Time
    updated_at: Time
    web_url: str
    references: References
    description: str | None = None
    closed_at: Time | None = None
    closed_by: User | None = None
    labels: list[str] = []
    milestone: _Ref | None = None
    assignees: list[User] = []
    author: User | None = None
    issue_type: str | None = None
    severity: str | None = None
    due_date: date | None = None
    confidential: bool | None = None
    weight: float | None = None
    time_stats: TimeStats = field(default_factory=TimeStats)
    epic: Epic | None = None
    iteration: _Ref | None = None
    moved_to_id: Number | None = None
    links: Links = field(default_factory=Links, name="_links")
    blocking_issues_count: Number | None = None
    merge_requests_count: Number = 0
    health_status: str | UnsetType | None = UNSET


class ChangeReferences(Struct, gc=False):
    """Written forms of a merge request's key: ``full`` is ``group/project!12``."""

    full: Annotated[str, Meta(pattern=r"![0-9]{1,18}$")]


class MergeRequest(Struct):
    """Merge request. ``id`` is unique among the merge requests of the instance, ``iid`` in the target project.

    ``state`` is ``opened``, ``closed``, ``merged``, or ``locked`` for a moment while it is merged.
    """

    id: Number
    iid: Number
    project_id: Number
    title: str
    state: str
    created_at: Time
    updated_at: Time
    web_url: str
    references: ChangeReferences
    merged_at: Time | None = None
    closed_at: Time | None = None
    labels: list[str] = []
    milestone: _Ref | None = None
    assignees: list[User] = []
    reviewers: list[User] = []
    draft: bool = False
    time_stats: TimeStats = field(default_factory=TimeStats)


class Reviewer(Struct):
    """Reviewer of a merge request, since ``created_at``.

    ``state`` is ``unreviewed``, ``review_started``, ``reviewed``, ``requested_changes``, ``approved`` or
    ``unapproved``.
    """

    user: User
    state: str
    created_at: Time


class ClosedIssue(Struct, gc=False):
    """Issue that a merge request closes. One of another tracker has a text as id."""

    id: Number | str


class Linked(Struct):
    """Issue at the other end of a link.

    ``link_type`` is ``relates_to``, ``blocks`` or ``is_blocked_by``, seen from this end.
    """

    iid: Number
    project_id: Number
    state: str
    link_type: str
    web_url: str = ""
    references: References | None = None

    @property
    def key(self) -> str:
        """The issue's key, or its address without one."""
        return self.references.full if self.references else self.web_url


class EventMilestone(Struct, gc=False):
    """Milestone of an event, with its present title."""

    id: Number
    title: str = ""


class MilestoneDescription(Struct):
    """Description of a milestone."""

    description: str | None = None


class MilestoneEvent(Struct):
    """Change of an issue's milestone. ``action`` is ``add`` or ``remove``; ``milestone`` is None after its deletion."""

    created_at: Time
    action: str
    milestone: EventMilestone | None = None
    user: User | None = None


class Label(Struct):
    """Label of a project or group, with its present name."""

    id: Number
    name: str


class LabelEvent(Struct):
    """Change of an issue's labels. ``action`` is ``add`` or ``remove``; ``label`` is None after its deletion."""

    created_at: Time
    action: str
    label: Label | None = None
    user: User | None = None


class ProjectEvent(Struct):
    """Event of a project; ``target_iid`` is the number of its issue, merge request or milestone."""

    target_iid: Number | None = None


class StateEvent(Struct):
    """Change of a state to ``closed``, ``reopened`` or, of a merge request, ``merged``."""

    created_at: Time
    state: str
    user: User | None = None


class Note(Struct):
    """Comment. ``system``: GitLab wrote it. ``id`` is None when the text held nothing but quick actions."""

    id: Number | None = None
    body: str = ""
    system: bool = False
    internal: bool = False
    confidential: bool = False
    author: User | None = None
    created_at: Time | None = None
    updated_at: Time | None = None
    commands_changes: dict[str, Any] = {}


class Member(Struct):
    """Member of a project. An ``access_level`` of 30 (Developer) or more may write."""

    access_level: Number = 0
    state: str = ""


class _Message(Struct):
    message: str = ""


class _UpdateIssue(Struct):
    errors: list[str] = []


class _HealthData(Struct):
    updateIssue: _UpdateIssue | None = None  # noqa: N815 - GitLab's name


class HealthReply(Struct):
    """Answer of GraphQL to a new health status."""

    data: _HealthData | None = None
    errors: list[_Message] | None = None
