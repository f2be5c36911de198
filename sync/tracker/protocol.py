"""The protocol of a connector, and the values that it is made from and returns.

A connector reads (`pull`, `observe`) and writes (`apply`); it never decides. A third party adds a connector with one
entry point in the group ``milesync.connectors``, which names a factory ``connect(Setup) -> Connector``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from msgspec import Struct, field

from sync.model.counting import TrackerChanges
from sync.model.tracker_data import DueDate, Event, Issue, Markup, Milestone, Project, UnreadRow
from sync.model.work_time import WorkTime
from sync.tracker.actions import (
    Action,
    Receipt,
)
from sync.tracker.errors import TrackerError
from sync.tracker.observed import (
    Observed,
    Target,
)

__all__ = ["Capabilities", "ChangeTracker", "Connector", "IdentifiedTracker", "Page", "Setup", "TimedTracker"]


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
    ``issue_state``: status issues can be closed and reopened, and an observation says who did it last.
    ``texts_an_hour``: maximum number of issues and comments that the tracker lets an account create in an hour; 0 = no
    such limit.
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
    issue_state: bool = False
    texts_an_hour: int = 0


class Setup(Struct, kw_only=True):
    """The settings of a connection, from which a connector is made.

    ``secrets`` (``token`` and others) must never appear in a repr, a log or an error. ``clock`` returns the time in
    UTC, ``sleep`` waits (seconds); tests pass their own. ``options`` holds the settings of this type of connector only
    (``email`` for Jira Cloud, ``dialect``). ``concurrency`` is the number of parallel requests, ``timeout`` the maximum
    time of a request in seconds. ``offline``: the tracker will not be asked, so the connector need not import what
    sends requests.
    """

    name: str
    url: str
    secrets: Mapping[str, str]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    options: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 6
    timeout: int = 20
    offline: bool = False

    def __repr__(self) -> str:
        return f"Setup(name={self.name!r}, url={self.url!r})"


class Page(Struct, frozen=True, kw_only=True):
    """One batch of a pull: its rows and cursors are stored in one transaction.

    Each row names its project by native id.

    ``histories``: all events of an issue, by its id; they replace the stored events.
    ``due_dates``: the earlier due dates of a milestone, by its id, if the tracker has them.
    ``cursors``: an opaque text by project id, from which the next pull continues.
    ``complete``: projects that have been read to the end.
    ``all_milestones``: projects whose milestones are all in this page, so that a missing one has been deleted.
    ``gone``: ids of issues that have been deleted.
    ``all_issues``: the ids of all issues of a swept project, by its id. Other stored issues have been deleted. If an id
    is not stored, or is stored as deleted, the project's cursor is deleted, and the next pull reads the whole project.
    ``all_pull_requests``: likewise the ids of all pull requests that are in a milestone of a swept project. Another one
    that is stored in a milestone has left it or was deleted.
    ``members``: all present members of a listed milestone (`LISTED_ID_PREFIX`), by its id: issue id -> the time (UTC)
    of joining, None if the tracker does not know it. Issues that are not stored are ignored, so these pages come last.
    ``work_time``: the hours of a day and the days of a week that the tracker is configured with; None: it has none.
    ``all_listed``: projects whose listed milestones are all in this page, so that a missing one has been deleted.
    ``failed``: the error that ended the pull of a project, by its path in the configuration.
    ``unread``: the rows of this page that could not be read. The next pull asks for them again, so that a complete pull
    names all of them, also those of earlier pulls.
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
    all_pull_requests: Mapping[str, frozenset[str]] = field(default_factory=dict)
    members: Mapping[str, Mapping[str, datetime | None]] = field(default_factory=dict)
    all_listed: frozenset[str] = frozenset()
    work_time: WorkTime | None = None
    failed: Mapping[str, TrackerError] = field(default_factory=dict)
    unread: tuple[UnreadRow, ...] = ()


class Connector(Protocol):
    """One tracker through one set of credentials. Not thread-safe, unless a connector documents otherwise.

    ``name`` is the connection's name. ``base_url`` is the tracker's address without a slash at its end; it may change.
    """

    name: str
    base_url: str

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of the connection. May send one request, so it may raise a `TrackerError`."""
        ...

    @property
    def requests(self) -> int:
        """The number of requests sent so far."""
        ...

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield the changes since ``cursors`` (project id -> cursor); a project without a cursor is read completely.

        The failure of one project is reported in `Page.failed`; a failure of the whole connection is raised.
        """
        ...

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Read the status issues of these milestones; find those without a known key by their marker."""
        ...

    def apply(self, action: Action) -> Receipt:
        """Send one change. Raises `UncertainError` if the answer to a create was lost; never sends a create twice."""
        ...

    def close(self) -> None:
        """Close the network connections."""
        ...


@runtime_checkable
class IdentifiedTracker(Protocol):
    """A connector whose tracker has an id of its own that does not change with its address."""

    def tracker_id(self) -> str | None:
        """Return the id, in the form of an address; empty if this tracker has none. May send one request.

        None: the answer was no id, as that of a proxy; the next run asks again. The id becomes part of every stored
        identity. Raises a `TrackerError`.
        """
        ...


@runtime_checkable
class TimedTracker(Protocol):
    """A connector that compares clocks."""

    @property
    def clock_ahead(self) -> timedelta | None:
        """The lead of the tracker's clock over ours by its last answer, to the second; None before the first one."""
        ...


@runtime_checkable
class ChangeTracker(Protocol):
    """A connector whose tracker has changes (pull or merge requests) in its milestones."""

    @property
    def changes(self) -> TrackerChanges:
        """The tracker's word for a change, and how its own page counts. Never sends a request."""
        ...
