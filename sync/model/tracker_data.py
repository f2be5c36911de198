"""Normalised data of every tracker. Frozen types only, without I/O.

Conventions
-----------
* Times are timezone-aware ``datetime`` in UTC. Dates are ``date`` with the tracker's own meaning (below).
* ``id`` is the tracker's native id as a string, which a rename does not change; ``key`` is what people write.
* ``source`` is the base URL of a tracker; ``(source, id)`` identifies an object permanently. A connection's name and a
  milestone's title never do.
* Durations from trackers are seconds; slips and horizons are days.

Due dates
---------
GitHub stores midnight Pacific and means the calendar day; its UTC date is that day. GitLab and Jira store a date
without a zone. In all three a milestone that is due today is not overdue: the due moment is the end of that day in
the project's time zone (`sync.model.dates.end_of_day`).
"""

from __future__ import annotations

import re
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.model.dates import day_ended, day_of

__all__ = [
    "ENDING_ON_DAY",
    "ENDING_WITHOUT_CLOSING",
    "LISTED_ID_PREFIX",
    "RULE_ID_PREFIX",
    "DueDate",
    "Event",
    "EventKind",
    "Issue",
    "Markup",
    "Milestone",
    "MilestoneKind",
    "Person",
    "Project",
    "State",
    "StatusCategory",
    "UnreadKind",
    "UnreadRow",
    "Visibility",
    "matches_pattern",
    "uid",
]


def uid(source: str, kind: str, native: str) -> str:
    """Return the identity of an object in the store and in markers: base URL of its tracker, kind, native id."""
    return f"{source}/{kind}/{native}"


RULE_ID_PREFIX = "rule-"
"""Prefix of the ids of milestones by rule. Trackers have no history of these."""

LISTED_ID_PREFIX = "list-"
"""Prefix of the ids of milestones whose members a connector lists (`Page.members`), such as a board's iterations.

No issue's own row names such a milestone, and trackers have no history of its members.
"""


def matches_pattern(written: str, pattern: str) -> bool:
    """Return whether an id as people write it matches a pattern; ``*`` matches any text."""
    return pattern == "*" or re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), written, re.DOTALL) is not None


class State(StrEnum):
    """State of an issue or a milestone."""

    OPEN = "open"
    CLOSED = "closed"


class StatusCategory(StrEnum):
    """Progress of an issue on any board. Jira: ``statusCategory.key`` new, indeterminate, done."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"


class Visibility(StrEnum):
    """Readers of an item or project, from all to few. UNKNOWN counts as private."""

    PUBLIC = "public"
    PROJECT = "project"
    CONFIDENTIAL = "confidential"
    UNKNOWN = "unknown"


class MilestoneKind(StrEnum):
    """Kind of a milestone in its tracker. History is not mixed across kinds, as each has its own habits.

    RULE is no object of a tracker: the issues that have a label, or that a query finds. TARGET_DATE: the issues with
    one target date. PARENT: the descendants of an issue that is no epic, such as a Jira initiative or a GitHub issue
    with sub-issues.
    """

    MILESTONE = "milestone"
    VERSION = "version"
    SPRINT = "sprint"
    EPIC = "epic"
    ITERATION = "iteration"
    TARGET_DATE = "target_date"
    PARENT = "parent"
    JOINT = "joint"
    RULE = "rule"


ENDING_ON_DAY = frozenset((MilestoneKind.VERSION, MilestoneKind.ITERATION))
"""Kinds that end at the end of their due day: a Jira version on its release date, a GitLab iteration by its dates.

``closed_at`` is the end of that day in UTC.
"""

ENDING_WITHOUT_CLOSING = frozenset(
    (MilestoneKind.ITERATION, MilestoneKind.TARGET_DATE, MilestoneKind.RULE, MilestoneKind.JOINT)
)
"""Kinds that no person closes: their dates, or their members, end them."""


class EventKind(StrEnum):
    """Change of an issue by an event. LABELED, UNLABELED and STATUS have the label or state in ``Event.value``."""

    JOINED = "joined"
    LEFT = "left"
    CLOSED = "closed"
    REOPENED = "reopened"
    ESTIMATED = "estimated"
    STATUS = "status"
    LABELED = "labeled"
    UNLABELED = "unlabeled"


class Markup(StrEnum):
    """Markup of a tracker's comments."""

    GITHUB = "github"
    GITLAB = "gitlab"
    ADF = "adf"
    WIKI = "wiki"


class Person(Struct, frozen=True, order=True, omit_defaults=True):
    """A user of a tracker: native id (GitHub node id, GitLab id, Jira accountId or key) and display name.

    ``login`` is the word after the @ of a mention; empty if it is the name. ``is_bot``: the tracker says that the
    account is a program's; `sync.model.robots` also knows programs of which no tracker says so.
    """

    id: str
    name: str
    login: str = ""
    is_bot: bool = False


class Project(Struct, frozen=True, kw_only=True):
    """A repository, a GitLab project or group, or a Jira project.

    ``key`` is ``owner/name``, ``group/project`` or ``KEY``; it can change, ``id`` cannot.
    ``visibility`` is PUBLIC only where anybody on the internet may read it.
    """

    id: str
    key: str
    name: str
    url: str
    visibility: Visibility = Visibility.UNKNOWN

    @property
    def is_public(self) -> bool:
        """True if anybody on the internet may read it."""
        return self.visibility is Visibility.PUBLIC


class Milestone(Struct, frozen=True, kw_only=True):
    """A milestone of a tracker: a container with a date.

    ============  =======================  ==========================  =========================
    field         GitHub                   GitLab                      Jira
    ============  =======================  ==========================  =========================
    id            node_id                  id (global)                 version id
    key           number                   title                       version name
    start         none                     start_date                  startDate
    due           due_on (its UTC date)    due_date                    releaseDate
    created_at    created_at               created_at                  none
    closed_at     closed_at                updated_at when closed      releaseDate when released
    state         state                    state (active = open)       released or archived = closed
    ============  =======================  ==========================  =========================

    ``written`` is the sign and key after the project in an id that people write: ``#12``, ``%2.0``, ``/2.0``. With a
    GitLab group's path before the sign, ``acme%2.0``, no project comes first (`sync.model.milestone_ids`).
    ``owners`` are the people whom the tracker names as responsible: lead, driver, or assignee of an epic or parent.
    ``is_due_inherited``: the tracker computes the due date from the milestone's children.
    ``listed_open`` and ``listed_closed`` are the tracker's own numbers of issues and pull requests in it. The store
    subtracts the stored rows: ``open_pull_requests``, ``closed_pull_requests`` (`sync.store.pull_requests`), negative
    where more rows are stored. None: the tracker has no such number without another request (GitLab, Jira), or the
    project was not read in full since.
    """

    id: str
    project: str
    kind: MilestoneKind
    key: str
    written: str
    title: str
    url: str
    state: State
    description: str = ""
    start: date | None = None
    due: date | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    closed_at: datetime | None = None
    listed_open: int | None = None
    listed_closed: int | None = None
    owners: tuple[Person, ...] = ()
    is_due_inherited: bool = False
    open_pull_requests: int | None = None
    closed_pull_requests: int | None = None

    def closed_on(self, zone: ZoneInfo) -> date | None:
        """Return the day of its closing in ``zone``, of a kind that ends on a day its last day; None if not known."""
        if self.closed_at is None:
            return None
        return day_ended(self.closed_at) if self.kind in ENDING_ON_DAY else day_of(self.closed_at, zone)


class Issue(Struct, frozen=True, kw_only=True):
    """One item of work.

    ``raw_state`` is the tracker's word (``opened``, ``In Review``), ``state`` and ``category`` are its meaning.
    ``resolution`` is how it was closed: GitHub ``state_reason``, Jira ``resolution.name``, GitLab ``moved``,
    ``duplicate`` or empty. It is empty while the issue is open, except for one that was not cleared (Jira).
    `sync.model.item_state` has the names that mean removed from scope.
    ``closed_at`` may be None for a closed issue whose time of closing the tracker does not know.
    ``milestones`` are native ids, one or more of each kind of container; those of listed ones (`LISTED_ID_PREFIX`) are
    set by the store only.
    ``estimate``, ``remaining``, ``spent`` are seconds (GitLab ``time_stats``, Jira ``timeoriginalestimate``,
    ``timeestimate``, ``timespent``; GitHub has none). ``points`` are Jira story points or the GitLab weight.
    ``blocked_by`` are ``key``s or URLs of open issues that block it. ``is_pull_request`` is true for a pull or merge
    request. Such a row has ``closes``, the native ids of the issues that it closes, ``reviewers``, the people who were
    asked for a review and have not answered, and ``review_since``, the time (UTC) since when it waits for them; None:
    it does not wait, or the time is not known.
    """

    id: str
    project: str
    key: str
    title: str
    url: str
    state: State
    raw_state: str
    category: StatusCategory
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    resolution: str = ""
    type: str = ""
    priority: str = ""
    assignees: tuple[Person, ...] = ()
    labels: tuple[str, ...] = ()
    milestones: tuple[str, ...] = ()
    estimate: int | None = None
    remaining: int | None = None
    spent: int | None = None
    points: float | None = None
    blocked_by: tuple[str, ...] = ()
    parent: str = ""
    due: date | None = None
    is_pull_request: bool = False
    closes: tuple[str, ...] = ()
    reviewers: tuple[Person, ...] = ()
    review_since: datetime | None = None
    visibility: Visibility = Visibility.PROJECT

    @property
    def needs_owner(self) -> bool:
        """True if it has no assignee. A pull or merge request belongs to its author."""
        return not self.assignees and not self.is_pull_request


class Event(Struct, frozen=True, kw_only=True):
    """One change of one issue, from the tracker, or from the difference of two pulls.

    ``milestone`` is a native id, for JOINED and LEFT. GitHub has the title only, so ``milestone_title`` is stored, too,
    and matched with every title that a milestone has had. ``value`` is the label of LABELED and UNLABELED, and the
    tracker's word for the new state of STATUS.
    """

    issue: str
    at: datetime
    kind: EventKind
    milestone: str = ""
    milestone_title: str = ""
    actor: Person | None = None
    value: str = ""


class DueDate(Struct, frozen=True, omit_defaults=True):
    """A due date, ``seen`` at a time (UTC) by us or recorded by the tracker. The first one is the baseline.

    ``by`` is who changed it, if the tracker records changes. If not, it was changed between ``after``, when the one
    before was last seen, and ``seen``.
    """

    seen: datetime
    due: date | None
    by: Person | None = None
    after: datetime | None = None


class UnreadKind(StrEnum):
    """Kind of a row that could not be read. LIST: the list of the ids of all issues. BOARD: a whole project board."""

    ISSUE = "issue"
    PULL_REQUEST = "pull request"
    MERGE_REQUEST = "merge request"
    MILESTONE = "milestone"
    LIST = "list"
    BOARD = "board"

    @property
    def is_item(self) -> bool:
        """True for an issue, a pull request or a merge request."""
        return self in (UnreadKind.ISSUE, UnreadKind.PULL_REQUEST, UnreadKind.MERGE_REQUEST)


class UnreadRow(Struct, frozen=True, kw_only=True):
    """A row of a tracker's answer that could not be read.

    ``project``: native id. ``id`` and ``key``: of the item or milestone; empty if they could not be read. ``reason``:
    the field and its fault, never a value. ``milestones``: the milestones (native ids) that the row itself names.
    """

    project: str
    kind: UnreadKind
    reason: str
    id: str = ""
    key: str = ""
    milestones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The row as people can find it: ``pull request #12``, ``milestone 7``, ``an issue without a readable key``."""
        if self.kind is UnreadKind.LIST:
            return "the list of all issues"
        written = self.key or self.id
        article = "an" if self.kind is UnreadKind.ISSUE else "a"
        return f"{self.kind} {written}" if written else f"{article} {self.kind} without a readable key"
