"""The seam to trackers: what a connector promises, what it may answer, and its errors sorted by what to do next.

A connector reads (`pull`, `observe`) and writes (`apply`); it never decides. Third parties add one with a single
entry-point line in the group ``milesync.connectors`` that names a factory ``connect(Setup) -> Connector``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct, field

from sync.action import (
    Action,
    Asked,
    Attach,
    Attached,
    Board,
    BoardUpdate,
    Claim,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Describe,
    Detach,
    Files,
    MarkItem,
    MoveLabel,
    Observed,
    OurComment,
    Receipt,
    RemoveLabel,
    SetHealth,
    StatusIssue,
    Target,
    TellBoard,
    UpdateComment,
)
from sync.commands import command_lines
from sync.fence import NotThereError, put
from sync.marker import find_marker, status_issue_of, with_marker
from sync.model import DueDate, Event, Issue, Markup, Milestone, Project

__all__ = [
    "Action",
    "Asked",
    "Attach",
    "Attached",
    "AuthError",
    "Board",
    "BoardUpdate",
    "Budget",
    "BusyError",
    "Capabilities",
    "Claim",
    "CloseIssue",
    "Connector",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "Describe",
    "Detach",
    "Examination",
    "Examiner",
    "Files",
    "ForgedError",
    "GoneError",
    "Heard",
    "LimitedError",
    "Listener",
    "MalformedError",
    "MarkItem",
    "Markup",
    "MoveLabel",
    "Need",
    "NotThereError",
    "Observed",
    "Obstacle",
    "OurComment",
    "Page",
    "Receipt",
    "RefusedError",
    "RemoveLabel",
    "Right",
    "SetHealth",
    "Setup",
    "StatusIssue",
    "Target",
    "TellBoard",
    "TrackerError",
    "Trigger",
    "UncertainError",
    "UnreachableError",
    "Unread",
    "UpdateComment",
    "command_lines",
    "find_marker",
    "put",
    "status_issue_of",
    "with_marker",
]


# --- errors, sorted by what to do next -------------------------------------------------------------------------


class TrackerError(Exception):
    """The tracker could not be used."""

    def __init__(self, connection: str, project: str = "", detail: str = "") -> None:
        self.connection = connection
        self.project = project
        self.detail = detail
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line for people: where, what happened, and the tracker's own words (never a secret or a body)."""
        where = f"{self.connection}: {self.project}" if self.project else self.connection
        said = f" ({self.detail})" if self.detail else ""
        return f"{where}: {(type(self).__doc__ or '').splitlines()[0]}{said}"


class UnreachableError(TrackerError):
    """The tracker did not answer; the next run tries again."""


class BusyError(UnreachableError):
    """The tracker answered with a passing fault; the next run tries again."""

    def __init__(self, connection: str, project: str = "", detail: str = "", until: datetime | None = None) -> None:
        self.until = until
        super().__init__(connection, project, detail)


class LimitedError(TrackerError):
    """The tracker's rate limit is spent; the next run after that time goes on from here."""

    def __init__(self, connection: str, project: str = "", detail: str = "", until: datetime | None = None) -> None:
        self.until = until
        super().__init__(connection, project, detail or (f"until {until:%Y-%m-%d %H:%M} UTC" if until else ""))


class AuthError(TrackerError):
    """The tracker refused the token: check that it is right, not expired, and has the rights named in the docs."""


class GoneError(TrackerError):
    """The project is not there, or this token may not see it."""


class RefusedError(TrackerError):
    """The tracker refused the request; a person has to look."""


class MalformedError(TrackerError):
    """The tracker's answer is not what its API describes; is the URL that of the API?"""


class UncertainError(TrackerError):
    """The answer to a write was lost; it is looked up before anything is sent again."""


# --- reading -----------------------------------------------------------------------------------------------------


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a connection can do; `body_limit` is in characters, with a margin below the tracker's own limit.

    `scoped` is the text between a status label's prefix and its value: ``health/on-track``, ``health::on-track``.
    `described` is how long (in UTF-8 bytes) a milestone's description may get; 0: it is not ours to write.
    `health`: issues have a health status of the tracker's own, at least under some licence.
    `boards`: there are project boards with status updates, on which an update of ours may stand.
    `files`: files can be attached to issues, and taken away again.
    `labels_are_made` is false where a label exists by being used (Jira); `labels_any_case` is true where two labels
    cannot differ in case alone (GitHub).
    """

    markup: Markup
    body_limit: int
    scoped: str = "/"
    history: bool = True
    described: int = 0
    health: bool = False
    boards: bool = False
    files: bool = False
    labels_are_made: bool = True
    labels_any_case: bool = False


class Setup(Struct, kw_only=True):
    """What a connector is made from. ``token`` and the like are secrets: never in a repr, a log or an error.

    ``clock`` gives the time in UTC, ``sleep`` waits (seconds); both are passed in so that tests need neither.
    ``options`` holds the settings that only this type of connector knows (``email`` for Jira Cloud, ``dialect``).
    """

    name: str
    url: str
    secrets: Mapping[str, str]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 6
    timeout: int = 20

    def __repr__(self) -> str:
        return f"Setup(name={self.name!r}, url={self.url!r})"


class Page(Struct, frozen=True, kw_only=True):
    """One batch of a pull: its rows and cursors are stored in one transaction.

    Each row names its project by native id. ``histories`` holds, for an issue id, all events its tracker tells; it
    replaces what was stored. ``due_dates`` likewise holds a milestone's earlier due dates where the tracker tells.
    ``cursors`` maps a project id to an opaque text from which the next pull goes on; ``complete`` names the projects
    that have been read to the end; ``all_milestones`` the projects whose milestones are all in this page, so that
    one which is missing is gone; ``gone`` are ids of issues that no longer exist there. ``all_issues`` holds, for a
    project id that has been swept, the ids of all issues that exist there: others are gone, and if there is one that
    is not known, or was gone, the project's cursor is forgotten, so that the next pull reads it whole.
    ``failed`` maps a project, as configured, to the error that ended its pull.
    """

    projects: tuple[Project, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    issues: tuple[Issue, ...] = ()
    histories: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    due_dates: Mapping[str, tuple[DueDate, ...]] = field(default_factory=dict)
    cursors: Mapping[str, str] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()
    all_milestones: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()
    all_issues: Mapping[str, frozenset[str]] = field(default_factory=dict)
    failed: Mapping[str, TrackerError] = field(default_factory=dict)


# --- looking before the first write ------------------------------------------------------------------------------


class Need(StrEnum):
    """The least policy under which something is needed; ``read`` is under every one."""

    READ = "read"
    UPDATE = "update"
    CREATE = "create"


class Right(Struct, frozen=True, kw_only=True):
    """A right in one project, in the tracker's own words (``Issues: write``). ``held`` None: it does not tell."""

    project: str
    name: str
    need: Need
    held: bool | None


class Obstacle(Struct, frozen=True, kw_only=True):
    """Something other than a missing right that would make our work fail in a project, and what helps."""

    project: str
    words: str
    need: Need
    remedy: str = ""


class Trigger(Struct, frozen=True, kw_only=True):
    """Something in a project that our writes would set off: ``the webhook to example.org (issues)``; never a secret."""

    project: str
    words: str


class Unread(Struct, frozen=True, kw_only=True):
    """What this token may not see of a project (empty: of itself), so that nothing can be said about it."""

    project: str
    what: str


class Budget(Struct, frozen=True, kw_only=True):
    """What is left of a rate limit, in requests or points; ``resets`` in UTC, None when it is not told."""

    name: str
    limit: int
    left: int
    resets: datetime | None = None


class Examination(Struct, frozen=True, kw_only=True):
    """What a tracker tells about this token and these projects without being changed.

    ``expires`` is in UTC; None with ``"expiry"`` in `unread`, or for a token that never does. ``scopes`` None: the kind
    of token has none. ``ahead`` is how far the tracker's clock is before ours, to the second. ``server`` and ``sdk``
    are names with versions. ``failed`` maps a project, as configured, to the error that ended its examination.
    """

    account: str = ""
    expires: datetime | None = None
    scopes: tuple[str, ...] | None = None
    ahead: timedelta | None = None
    server: str = ""
    sdk: str = ""
    budgets: tuple[Budget, ...] = ()
    rights: tuple[Right, ...] = ()
    obstacles: tuple[Obstacle, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    unread: tuple[Unread, ...] = ()
    failed: Mapping[str, TrackerError] = field(default_factory=dict)


# --- the protocol -----------------------------------------------------------------------------------------------


class Connector(Protocol):
    """One tracker through one set of credentials. Not shared between threads unless it says so."""

    name: str
    source: str

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Telling that may take one request, so this may raise a `TrackerError`."""
        ...

    @property
    def requests(self) -> int:
        """Requests sent so far."""
        ...

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Read what changed since ``cursors`` (project id -> cursor), everything for a project without one.

        A project's own failure comes in `Page.failed`; a failure of the whole connection is raised.
        """
        ...

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones afresh; find by marker those whose key is not known."""
        ...

    def apply(self, action: Action) -> Receipt:
        """Do one change. Raises `UncertainError` when the answer to a create was lost; never sends it twice."""
        ...

    def close(self) -> None:
        """Give back connections."""
        ...


@runtime_checkable
class Examiner(Protocol):
    """What a connector may also be able to do: tell what would fail, by reading only."""

    def examine(self, projects: Sequence[str]) -> Examination:
        """Examine the token and these projects, as configured. A failure of the whole connection is raised."""
        ...


# --- being told that something changed ---------------------------------------------------------------------------


class ForgedError(Exception):
    """A webhook's signature is not that of its secret, or too old."""


class Heard(Struct, frozen=True, kw_only=True):
    """What a webhook is believed: a project, as its tracker names it, may have changed; empty: any of the connection's.

    ``matters`` is whether such a change can change the health of a milestone, or ask something of us.
    """

    project: str
    matters: bool = True


@runtime_checkable
class Listener(Protocol):
    """What a connector may also be able to do: tell a webhook of its tracker from a forged one."""

    def heard(self, headers: Mapping[str, str], body: bytes, secret: str) -> Heard:
        """What a request says; names of headers are in lower case. Compares in constant time; asks nobody.

        Raises `ForgedError`.
        """
        ...
