"""The seam to trackers: what a connector promises, what it may answer, and its errors sorted by what to do next.

A connector reads (`pull`, `observe`) and writes (`apply`); it never decides. Third parties add one with a single
entry-point line in the group ``milesync.connectors`` that names a factory ``connect(Setup) -> Connector``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct, field

from sync.model.tracker_data import DueDate, Event, Issue, Markup, Milestone, Project
from sync.tracker.actions import (
    Action,
    Attach,
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    LabelItem,
    MoveLabel,
    PostBoardUpdate,
    Receipt,
    RemoveLabel,
    SetNativeHealth,
    UpdateComment,
    UpdateDescription,
)
from sync.tracker.errors import TrackerError
from sync.tracker.managed_block import NotThereError, replace_block
from sync.tracker.marker import find_marker, status_issue_of, with_marker
from sync.tracker.observed import (
    Attached,
    Board,
    BoardUpdate,
    Claim,
    CommandComment,
    Files,
    Observed,
    OurComment,
    StatusIssue,
    Target,
)
from sync.tracker.slash_commands import command_lines

__all__ = [
    "Action",
    "Attach",
    "Attached",
    "Board",
    "BoardUpdate",
    "Capabilities",
    "Claim",
    "CloseIssue",
    "CommandComment",
    "Connector",
    "CreateComment",
    "CreateLabel",
    "CreateStatusIssue",
    "DeleteComment",
    "Detach",
    "Files",
    "LabelItem",
    "Markup",
    "MoveLabel",
    "NotThereError",
    "Observed",
    "OurComment",
    "Page",
    "PostBoardUpdate",
    "Receipt",
    "RemoveLabel",
    "SetNativeHealth",
    "Setup",
    "StatusIssue",
    "Target",
    "UpdateComment",
    "UpdateDescription",
    "command_lines",
    "find_marker",
    "replace_block",
    "status_issue_of",
    "with_marker",
]


# --- errors, sorted by what to do next -------------------------------------------------------------------------


# --- reading -----------------------------------------------------------------------------------------------------


class Capabilities(Struct, frozen=True, kw_only=True):
    """The abilities and limits of a connection.

    ``body_limit``: maximum length of a comment in characters, with a margin below the tracker's own limit.
    ``label_separator``: the text between a status label's prefix and its value (``health/on-track``,
    ``health::on-track``).
    ``history``: the tracker has a history of its issues.
    ``description_limit``: maximum length of a milestone's description in UTF-8 bytes; 0 = the connector does not write
    descriptions.
    ``health``: issues have a health status of the tracker's own, at least under some licence.
    ``boards``: there are project boards with status updates.
    ``files``: files can be attached to issues and deleted.
    ``needs_label_creation``: a label must be created before it is used; False in Jira.
    ``labels_any_case``: two labels cannot differ in case alone (GitHub).
    """

    markup: Markup
    body_limit: int
    label_separator: str = "/"
    history: bool = True
    description_limit: int = 0
    health: bool = False
    boards: bool = False
    files: bool = False
    needs_label_creation: bool = True
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


# --- the protocol -----------------------------------------------------------------------------------------------


class Connector(Protocol):
    """One tracker through one set of credentials. Not shared between threads unless it says so."""

    name: str
    base_url: str

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


# --- being told that something changed ---------------------------------------------------------------------------
