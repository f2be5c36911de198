"""Pull the trackers into the store, all connections at once.

This step needs nothing of the forecast, so it can start while the forecast is imported (`Puller.start_early`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Self

from msgspec import Struct, field

from sync.model.tracker_data import UnreadRow, matches_pattern
from sync.pull.early_pages import EarlyPages
from sync.pull.identify import identify, recall_identities
from sync.pull.page_batches import joined_pages
from sync.pull.parallel import side_by_side
from sync.pull.progress import Failure, Progress, silent
from sync.store.database import StoreError
from sync.store.sources import KnownSources
from sync.store.store import Store
from sync.telemetry.log import events as log
from sync.telemetry.traces import span
from sync.tracker.connection import Connection
from sync.tracker.errors import SharedTrackerError, SwitchedOffError, TrackerError, UnreadError, failure_words
from sync.tracker.protocol import Page

__all__ = ["Puller", "RoundShare", "selected_connections"]

UNREAD_SHOWN = 5
"""Maximum number of unreadable rows that an error names; the others are counted."""

HEAD_START = 0.05
"""Seconds in which the first requests are sent; a tracker takes longer to answer."""


class RoundShare(Struct, frozen=True):
    """The part of a round that one process does: the connections whose trackers it asks and writes to.

    ``since`` is the start of the round (UTC): a project that another process has read after it counts as read.
    ``projects`` are the configured projects to read; None: all.
    """

    connections: Collection[str]
    since: datetime
    projects: tuple[str, ...] | None = None


def selected_connections(connections: Sequence[Connection], share: RoundShare | None) -> list[Connection]:
    """Return the connections of the share; without a share, all."""
    return [connection for connection in connections if share is None or connection.name in share.connections]


class Puller(Struct, eq=False):
    """Pull the trackers of connections into one store. Used in ``with``, it closes the connectors and the store.

    ``early_pages`` are pages of connections, by name, that are read already because the database is new.
    """

    connections: Sequence[Connection]
    store: Store
    clock: Callable[[], datetime]
    progress: Progress = silent
    failures: list[Failure] = field(default_factory=list)
    issue_count: int = 0
    """Number of issues pulled so far."""
    has_read_project: bool = False
    """At least one project was read to the end."""
    share: RoundShare | None = None
    early_pages: dict[str, EarlyPages] = field(default_factory=dict)
    _early_pull: Future[None] | None = None

    def __post_init__(self) -> None:
        recall_identities(self.connections, self.store)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Wait for an early pull, then close the connectors and the store."""
        if self._early_pull is not None:
            self._early_pull.exception()  # waits: it writes to the store
        for pages in self.early_pages.values():
            pages.close()
        for connection in self.connections:
            connection.connector.close()
        self.store.close()

    @property
    def requests(self) -> dict[str, int]:
        """Requests sent so far, by connection."""
        return {connection.name: connection.connector.requests for connection in self.connections}

    def start_early(self) -> None:
        """Start the pull of the next `run` now, in a thread, and return once it has had time to ask the trackers.

        Without that wait the caller's imports would keep the processor from it.
        """
        pool = ThreadPoolExecutor(1)
        self._early_pull = pool.submit(copy_context().run, self._pull)
        pool.shutdown(wait=False)
        wait([self._early_pull], HEAD_START)

    @span("pull")
    def run(self, share: RoundShare | None = None) -> None:
        """Bring the store up to date, or wait for the early pull. Failures are added to `failures`."""
        if self._early_pull is not None:
            self._early_pull.result()
            self._early_pull = None
            return
        self.share = share
        self._pull()

    def _pull(self) -> None:
        wanted = selected_connections(self.connections, self.share)
        pull = partial(self._pull_connection, sources=self.store.known_sources())
        side_by_side(pull, wanted, [connection.name for connection in wanted])

    def record_failure(self, connection: Connection, project: str, error: Exception) -> None:
        """Add a failure of a connection, or of one of its projects, to `failures`, and log it; each once."""
        message = failure_words(connection.name, error)
        failure = Failure(connection.name, project, message, error)
        if failure in self.failures:
            return
        log.warning("failed", connection=connection.name, project=project, error=message)
        self.failures.append(failure)

    def _pull_connection(self, connection: Connection, sources: KnownSources) -> None:
        """Pull one connection. ``sources`` are those that the store knew before the round.

        Rows and cursors of a page are stored together, so that an interrupted pull continues where it stopped.
        """
        now = self.clock()
        self.progress("pull", connection.name)
        projects = connection.projects if self.share is None or self.share.projects is None else self.share.projects
        state = _PullState()
        early = self.early_pages.pop(connection.name, None)
        try:
            if early is not None and connection.identity.problem is None:
                early.wait()  # both ask the tracker what it is
            identify(connection, self.store, now, sources)
            origin = connection.source
            state.keys |= {project.id: project.key for project in self.store.projects(origin)}
            cursors = self.store.cursors(origin)
            pages: Iterable[Page]
            if early is not None and early.projects == projects and not cursors:
                pages = early
            else:
                pages = connection.connector.pull(projects, cursors)
            self._save_pages(connection, pages, state, now)
            is_complete = not state.failed and self.share is None
            self.store.watch(connection.name, origin, state.seen, only=is_complete)
            self._note_patterns(connection, projects, state, now)
            self._record_unread(connection, state)
        except StoreError:
            raise  # the database is lost: no connection can go on
        except Exception as error:
            if not isinstance(error, TrackerError):
                log.exception("the connector failed", connection=connection.name)
            self.record_failure(connection, "", error)
            if isinstance(error, SharedTrackerError):
                return  # no tracker of its own: nothing is stored for it
            origin = connection.source
            state.keys |= {project.id: project.key for project in self.store.projects(origin)}
            self.store.watch(connection.name, origin, state.seen, only=False)
            failed = {*projects, *self._watched_keys(connection, state)} - self._read_by_others(connection)
            self.store.note_pulls(origin, failed, now, failure_words(connection.name, error))
        finally:
            if early is not None:
                early.close()

    def _save_pages(self, connection: Connection, pages: Iterable[Page], state: _PullState, now: datetime) -> None:
        """Store the pages of a connection, with the outcome of each project.

        A project is recorded as watched before its outcome: one that was read and is not watched counts as removed.
        """
        origin = connection.source
        watched = self.store.watched_projects(connection.name, origin)
        for page in joined_pages(self._counted(connection, pages)):
            self.store.save(origin, page, now)
            state.keys |= {project.id: project.key for project in page.projects}
            state.seen |= {project.id for project in page.projects} | page.cursors.keys() | page.complete
            self.has_read_project |= bool(page.complete)
            complete = {state.keys.get(project, project) for project in page.complete}
            state.read |= complete
            if new := page.complete - watched:
                self.store.watch(connection.name, origin, new, only=False)
            self.store.note_pulls(origin, complete, now, None)
            for row in page.unread:
                state.unread.setdefault(row.project, {})[row.name] = row
            for project, error in page.failed.items():
                state.failed[project] = error
                if not self._is_known_state(origin, project, error):
                    self.record_failure(connection, project, error)
                self.store.note_pull(origin, project, now, failure_words(connection.name, error))

    def _counted(self, connection: Connection, pages: Iterable[Page]) -> Iterator[Page]:
        """Yield the pages, and count and show their issues as they arrive."""
        for page in pages:
            self.issue_count += len(page.issues)
            self.progress("pull", f"{connection.name}: {self.issue_count} issues")
            yield page

    def _is_known_state(self, origin: str, project: str, error: TrackerError) -> bool:
        """Return whether a project is still switched off as in the last run, which reported it as a failure.

        From then on `status` and `doctor` show it, and no run fails because of it.
        """
        last = self.store.failed_pulls().get((origin, project)) if isinstance(error, SwitchedOffError) else None
        return last is not None and last.error == str(error)

    def _record_unread(self, connection: Connection, state: _PullState) -> None:
        """Add a failure for each project with rows that could not be read."""
        for project, rows in state.unread.items():
            key = state.keys.get(project, project)
            self.record_failure(
                connection, key, UnreadError(connection.name, key, describe_unread(list(rows.values())))
            )

    def _note_patterns(self, connection: Connection, projects: Sequence[str], state: _PullState, now: datetime) -> None:
        """Store the outcome of configured patterns, which are no projects, and of the projects behind failed ones.

        No page calls a pattern complete: it is good when it did not fail.
        """
        origin = connection.source
        stale = self.store.stale_keys(origin)
        self.store.note_pulls(origin, stale.intersection(projects) - state.failed.keys(), now, None)
        known = self._watched_keys(connection, state)
        for entry, error in state.failed.items():
            if entry not in known:
                unread = known - state.read - state.failed.keys() - self._read_by_others(connection)
                behind = _projects_behind(entry, unread, connection.projects)
                self.store.note_pulls(origin, behind, now, failure_words(connection.name, error))

    def _watched_keys(self, connection: Connection, state: _PullState) -> set[str]:
        """Return the keys of the projects that the connection is known to have."""
        watched = self.store.watched_projects(connection.name, connection.source)
        return {state.keys[project] for project in watched & state.keys.keys()}

    def _read_by_others(self, connection: Connection) -> set[str]:
        """Return the keys of the connection's projects that other processes have read to the end in this round."""
        if self.share is None:
            return set()
        origin, since = connection.source, self.share.since
        return {key for (url, key), at in self.store.last_pulls().items() if url == origin and at >= since}


class _PullState(Struct):
    """The outcome of one connection's pull so far. ``keys`` has the key of each known project by its id."""

    keys: dict[str, str] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """Ids of the projects that the tracker returned."""
    read: set[str] = field(default_factory=set)
    """Keys of the projects that were read to the end."""
    failed: dict[str, TrackerError] = field(default_factory=dict)
    """Failed entries of the configuration, or keys of projects."""
    unread: dict[str, dict[str, UnreadRow]] = field(default_factory=dict)
    """Rows that could not be read, by project id and name."""


def describe_unread(rows: Sequence[UnreadRow]) -> str:
    """Return the number of rows, and the names and faults of the first of them."""
    named = [f"{row.name}: {row.reason}" for row in rows[:UNREAD_SHOWN]]
    more = f"; and {len(rows) - UNREAD_SHOWN} more" if len(rows) > UNREAD_SHOWN else ""
    return f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}: {'; '.join(named)}{more}"


def _projects_behind(entry: str, unread: Collection[str], entries: Sequence[str]) -> set[str]:
    """Return the unread projects (by key) that a failed entry of the configuration may refer to.

    These are the projects that match the entry, and those that no entry matches: a number, a query or a former name
    may refer to them.
    """

    def matches(key: str, entry: str) -> bool:
        return matches_pattern(key, entry) or key.startswith(f"{entry}/")

    return {key for key in unread if matches(key, entry) or not any(matches(key, other) for other in entries)}
