"""Fixtures of the GitLab tests: a clock, a served world, a connector, and the rows that it pulled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.gitlab import GitLabConnector
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Project
from sync.model.tracker_data import Event, Issue, Milestone
from sync.model.tracker_data import Project as ProjectRow
from sync.tracker.errors import TrackerError
from sync.tracker.protocol import Page, Setup

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> datetime:
        self.now += timedelta(**by)
        return self.now


@dataclass
class Side:
    """A served GitLab, and connectors to it."""

    world: World
    clock: Clock
    made: list[GitLabConnector] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    @property
    def tracker(self) -> Tracker:
        return self.world.gitlab

    def connect(self, *, token: str = "sandbox", concurrency: int = 3, **options: Any) -> GitLabConnector:
        setup = Setup(
            name="gl",
            url=self.tracker.url + "/",
            secrets={"token": token},
            clock=self.clock,
            sleep=self._sleep,
            options=options,
            concurrency=concurrency,
            timeout=60,
        )
        self.made.append(GitLabConnector(setup))
        return self.made[-1]

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.forward(seconds=seconds)

    def filled(self, key: str, count: int, **fields: Any) -> Project:
        """A project with that many issues, one a minute."""
        project, ada = self.tracker.project(key), self.tracker.user("ada", "Ada Fox")
        for n in range(count):
            self.tracker.issue(project, f"Issue {n + 1}", ada, at=self.clock.forward(minutes=1), **fields)
        return project


@contextmanager
def served() -> Iterator[Side]:
    """A new world's GitLab on loopback."""
    clock = Clock()
    side = Side(World(clock), clock)
    with Sandbox(side.world, only=("gitlab",)):
        try:
            yield side
        finally:
            for connector in side.made:
                connector.close()


@dataclass
class Mirror:
    """Rows that a store would hold after these pages."""

    projects: dict[str, ProjectRow] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    issues: dict[str, Issue] = field(default_factory=dict)
    histories: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    failed: dict[str, TrackerError] = field(default_factory=dict)
    pages: int = 0

    def take(self, page: Page) -> None:
        self.pages += 1
        self.projects |= {row.id: row for row in page.projects}
        self.milestones = {
            key: row for key, row in self.milestones.items() if row.project not in page.all_milestones
        } | {row.id: row for row in page.milestones}
        self.issues |= {row.id: row for row in page.issues}
        self.histories |= page.histories
        swept = [issue for issue in self.issues.values() if issue.milestones or not issue.is_pull_request]
        lists = {False: page.all_issues, True: page.all_pull_requests}
        missing = [i.id for i in swept if i.id not in lists[i.is_pull_request].get(i.project, (i.id,))]
        for key in {*page.gone, *missing}:
            self.issues.pop(key, None)
            self.histories.pop(key, None)
        self.cursors |= page.cursors
        self.complete |= page.complete
        self.failed |= page.failed

    def pull(self, connector: GitLabConnector, *keys: str, cursors: Mapping[str, str] | None = None) -> Mirror:
        self.complete, self.failed, self.pages = set(), {}, 0
        for page in connector.pull(keys, self.cursors if cursors is None else cursors):
            self.take(page)
        return self


def requests_of(connector: GitLabConnector, mirror: Mirror, *keys: str) -> int:
    """Pull once and return the number of requests."""
    before = connector.requests
    mirror.pull(connector, *keys)
    return connector.requests - before


def kinds(events: Sequence[Event]) -> list[tuple[str, str]]:
    """Events as (kind, milestone title)."""
    return [(event.kind.value, event.milestone_title) for event in events]


def failing(match: str, status: int, *, times: int = 1000, body: str = '{"message": "no"}', **headers: str) -> Fault:
    """A fault that answers requests of this path with a status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("status", match, times=times, status=status, body=body, headers=named)
