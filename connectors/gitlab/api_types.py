"""What is read of GitLab's JSON. Fields that an unlicensed or older instance leaves out have defaults."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "Epic",
    "Issue",
    "Label",
    "Linked",
    "Links",
    "Milestone",
    "MilestoneEvent",
    "Note",
    "Project",
    "StateEvent",
    "User",
]


class User(Struct, gc=False):
    """An account."""

    id: int
    name: str = ""
    username: str = ""


class Project(Struct):
    """A project. `visibility` is ``public``, ``internal`` or ``private``."""

    id: int
    name: str
    path_with_namespace: str
    web_url: str
    visibility: str = ""
    issues_access_level: str = ""


class Milestone(Struct):
    """A milestone of a project or, with ``group_id``, of a group. ``id`` is unique in the whole instance."""

    id: int
    title: str
    state: str
    created_at: datetime
    updated_at: datetime
    web_url: str
    group_id: int | None = None
    description: str | None = None
    start_date: date | None = None
    due_date: date | None = None


class _Ref(Struct, gc=False):
    id: int


class TimeStats(Struct, gc=False):
    """Seconds; 0 is also what nobody has entered."""

    time_estimate: int = 0
    total_time_spent: int = 0


class Links(Struct, gc=False):
    """Where else to look."""

    closed_as_duplicate_of: str | None = None


class Epic(Struct, gc=False):
    """An epic (Premium); ``url`` is a path."""

    iid: int
    url: str = ""


class References(Struct, gc=False):
    """How people write an issue: ``group/project#12``."""

    full: str


class Issue(Struct):
    """An issue. ``id`` is unique in the instance, ``iid`` in the project. ``blocking_issues_count`` (how many it
    blocks) is absent where the licence has no blocking links.
    """

    id: int
    iid: int
    project_id: int
    title: str
    state: str
    created_at: datetime
    updated_at: datetime
    web_url: str
    references: References
    description: str | None = None
    closed_at: datetime | None = None
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
    moved_to_id: int | None = None
    links: Links = field(default_factory=Links, name="_links")
    blocking_issues_count: int | None = None
    health_status: str | UnsetType | None = UNSET


class Linked(Struct):
    """The issue at the other end of a link. ``link_type`` is ``relates_to``, ``blocks`` or ``is_blocked_by``, said from
    this end.
    """

    iid: int
    project_id: int
    state: str
    link_type: str
    web_url: str = ""
    references: References | None = None

    @property
    def key(self) -> str:
        """How people write it."""
        return self.references.full if self.references else self.web_url


class EventMilestone(Struct, gc=False):
    """The milestone of an event, with its present title."""

    id: int
    title: str = ""


class Described(Struct):
    """A milestone, as far as its text goes."""

    description: str | None = None


class MilestoneEvent(Struct):
    """``action`` is ``add`` or ``remove``; the milestone is null once it has been deleted."""

    created_at: datetime
    action: str
    milestone: EventMilestone | None = None
    user: User | None = None


class StateEvent(Struct):
    """``state`` is ``closed`` or ``reopened``."""

    created_at: datetime
    state: str
    user: User | None = None


class Note(Struct):
    """A comment; ``system`` ones are GitLab's own. ``id`` is absent when a text was nothing but commands."""

    id: int | None = None
    body: str = ""
    system: bool = False
    internal: bool = False
    confidential: bool = False
    author: User | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    commands_changes: dict[str, Any] = {}


class Member(Struct):
    """A member of a project; roles from 30 on (Developer) may write."""

    access_level: int = 0
    state: str = ""


class Label(Struct):
    """A label."""

    id: int
    name: str


class _Words(Struct):
    message: str = ""


class _Updated(Struct):
    errors: list[str] = []


class _Health(Struct):
    updateIssue: _Updated | None = None  # noqa: N815 - GitLab's name


class HealthReply(Struct):
    """What GraphQL answers to a new health status."""

    data: _Health | None = None
    errors: list[_Words] | None = None
