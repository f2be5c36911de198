"""Bringing the store up to date: every connection's tracker is asked, all at once.

This half of a run needs nothing of the forecast, so it can begin while that is loaded (`Puller.start_early`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Self

import structlog

from sync.model.tracker_data import alike
from sync.pull.parallel import side_by_side
from sync.pull.progress import Failure, Progress, silent
from sync.store.store import Store
from sync.telemetry.traces import span
from sync.tracker.connection import Connection
from sync.tracker.errors import TrackerError

__all__ = ["Puller", "Share", "selected_connections"]

log = structlog.get_logger("milesync")

HEAD_START = 0.05
"""Seconds; a tracker takes longer to answer."""


@dataclass(frozen=True)
class Share:
    """A share of a round that others do the rest of: the connections whose trackers are asked and written to.

    ``since`` is when the round began (UTC): what others have read after that stands. ``projects``, as configured, are
    those to read; None: all.
    """

    connections: Collection[str]
    since: datetime
    projects: tuple[str, ...] | None = None


def selected_connections(sources: Sequence[Connection], share: Share | None) -> list[Connection]:
    """The sources whose trackers are asked."""
    return [source for source in sources if share is None or source.name in share.connections]


@dataclass
class Puller:
    """Reads the trackers of some sources into one store. What it opened is closed at the end of ``with``."""

    sources: Sequence[Connection]
    store: Store
    clock: Callable[[], datetime]
    progress: Progress = silent
    failures: list[Failure] = field(default_factory=list)
    issue_count: int = 0
    """Issues."""
    has_read_project: bool = False
    """Whether at least one project was read to the end."""
    share: Share | None = None
    _begun: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back connections and the store."""
        if self._begun is not None:
            self._begun.exception()  # waits: what is being stored needs the store
        for source in self.sources:
            source.connector.close()
        self.store.close()

    @property
    def requests(self) -> dict[str, int]:
        """Requests sent so far, by connection."""
        return {source.name: source.connector.requests for source in self.sources}

    def start_early(self) -> None:
        """Let the next `run` begin now, in a thread of its own. Comes back when it has had time to ask the trackers:
        whoever works on at once would keep the processor from it.
        """
        pool = ThreadPoolExecutor(1)
        self._begun = pool.submit(copy_context().run, self._pull)
        pool.shutdown(wait=False)
        wait([self._begun], HEAD_START)

    @span("pull")
    def run(self, share: Share | None = None) -> None:
        """Bring the store up to date, or wait for that which has begun. What failed is in `failures`."""
        if self._begun is not None:
            self._begun.result()
            self._begun = None
            return
        self.share = share
        self._pull()

    def _pull(self) -> None:
        wanted = selected_connections(self.sources, self.share)
        side_by_side(self._pull_one, wanted, [source.name for source in wanted])

    def failed(self, source: Connection, project: str, error: Exception) -> None:
        """Note that something of a connection, or of one of its projects, went wrong."""
        words = str(error) if isinstance(error, TrackerError) else f"{source.name}: {type(error).__name__}: {error}"
        log.warning("failed", connection=source.name, project=project, error=words)
        self.failures.append(Failure(source.name, project, words, error))

    def _pull_one(self, source: Connection) -> None:
        """One connection. Rows and cursors of a page are stored together, so a broken pull goes on where it was."""
        connector, now = source.connector, self.clock()
        self.progress("pull", source.name)
        cursors = self.store.cursors(connector.base_url)
        keys = {project.id: project.key for project in self.store.projects(connector.base_url)}
        projects = source.projects if self.share is None or self.share.projects is None else self.share.projects
        seen, read = set[str](), set[str]()
        failed: dict[str, TrackerError] = {}
        try:
            for page in connector.pull(projects, cursors):
                self.store.save(connector.base_url, page, now)
                keys |= {project.id: project.key for project in page.projects}
                seen |= {project.id for project in page.projects} | page.cursors.keys() | page.complete
                self.issue_count += len(page.issues)
                self.progress("pull", f"{source.name}: {self.issue_count} issues")
                self.has_read_project |= bool(page.complete)
                for project in page.complete:
                    read.add(keys.get(project, project))
                    self.store.note_pull(connector.base_url, keys.get(project, project), now, None)
                for project, error in page.failed.items():
                    failed[project] = error
                    self.failed(source, project, error)
                    self.store.note_pull(connector.base_url, project, now, str(error))
            self.store.watch(source.name, connector.base_url, seen, only=not failed and self.share is None)
            # A pattern is no project, so no page ever calls it complete: it is well when nothing is said against it.
            for word in {w for at, w in self.store.stale() if at == connector.base_url}.intersection(projects):
                if word not in failed:
                    self.store.note_pull(connector.base_url, word, now, None)
            known = {keys[id_] for id_ in self.store.watched(source.name, connector.base_url) & keys.keys()}
            for word, problem in failed.items():
                unread = known - read - failed.keys() - self._read_since(source) if word not in known else set()
                for project in _led_to(word, unread, source.projects):
                    self.store.note_pull(connector.base_url, project, now, str(problem))
        except Exception as error:
            if not isinstance(error, TrackerError):
                log.exception("the connector failed", connection=source.name)
            self.failed(source, "", error)
            self.store.watch(source.name, connector.base_url, seen, only=False)
            watched = self.store.watched(source.name, connector.base_url)
            for project in {*projects, *(keys[id_] for id_ in watched & keys.keys())} - self._read_since(source):
                self.store.note_pull(connector.base_url, project, now, str(error))

    def _read_since(self, source: Connection) -> set[str]:
        """Keys of the projects of a source that others have read to the end in this round."""
        if self.share is None:
            return set()
        origin, since = source.connector.base_url, self.share.since
        return {key for (url, key), at in self.store.pulled().items() if url == origin and at >= since}


def _led_to(word: str, unread: Collection[str], words: Sequence[str]) -> set[str]:
    """Those of the projects (by key) that could not be read because a configured word led nowhere: what it stands for,
    and what none says plainly, as a number, a query or a former name may have led there.
    """

    def plain(key: str, word: str) -> bool:
        return alike(key, word) or key.startswith(f"{word}/")

    return {key for key in unread if plain(key, word) or not any(plain(key, one) for one in words)}
