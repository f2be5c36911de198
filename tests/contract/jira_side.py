"""Both Jiras of the sandbox with something in them, and connectors to them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connectors.jira import connect
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, Project
from sync.model.tracker_data import Event, Markup, Milestone
from sync.model.tracker_data import Issue as Row
from sync.tracker.protocol import Connector, Page, Setup

DIALECTS = ("jira", "jira-cloud")
START = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOSTILE = (
    "[~admin] {code}rm -rf{code} !image.png! *bold*",
    'quotes " and \\ and \u202eright to left',
    "<script>alert(1)</script> @everyone #1 /close",
    "emoji \U0001f600 and \u0000-free but with a tab\tinside",
)


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: datetime = START

    def __call__(self) -> datetime:
        """The time it shows."""
        return self.now

    def on(self, **span: float) -> datetime:
        """Move it on."""
        self.now += timedelta(**span)
        return self.now


@dataclass
class Stand:
    """One Jira of the sandbox, served."""

    tracker: Tracker
    clock: Clock
    made: list[Connector] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def connector(self, *, token: str = "sandbox", concurrency: int = 6, **options: Any) -> Connector:
        """A connector to it; nothing ever sleeps."""
        secrets = {"token": token}
        if self.tracker.kind == "jira-cloud":
            secrets["email"] = "bot@example.org"
        setup = Setup(
            name="jj",
            url=self.tracker.url + "/",
            secrets=secrets,
            clock=self.clock,
            sleep=self.slept.append,
            options=options,
            concurrency=concurrency,
            timeout=60,
        )
        self.made.append(connect(setup))
        return self.made[-1]

    def body(self, text: str) -> str:
        """A text in this Jira's markup."""
        if self.made[-1].capabilities.markup is Markup.WIKI:
            return text
        paragraph = {"type": "paragraph", "content": [{"type": "text", "text": text}]}
        document = {"type": "doc", "version": 1, "content": [paragraph]}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

    def fill(self, key: str, count: int) -> Project:
        """A project with a version and that many issues in it, a minute apart."""
        project = self.tracker.project(key, f"Project {key}", created=START)
        version = self.tracker.milestone(project, f"{key} 1.0", due=date(2026, 4, 1))
        ada = self.tracker.user("ada")
        for n in range(count):
            at = START + timedelta(minutes=n)
            self.tracker.issue(project, f"Item {n}", ada, at=at, milestones=[version.id])
        self.clock.now = max(self.clock.now, START + timedelta(minutes=count + 1))
        return project


@contextmanager
def stand(kind: str, *, time_zone: str = "UTC") -> Iterator[Stand]:
    """A Jira of that kind, empty."""
    clock = Clock()
    world = World(clock)
    tracker = world.jira if kind == "jira" else world.cloud
    tracker.time_zone = time_zone
    with Sandbox(world, only=(kind,)):
        made = Stand(tracker, clock)
        try:
            yield made
        finally:
            for connector in made.made:
                connector.close()


@dataclass
class Pulled:
    """Rows of the pages of several pulls."""

    issues: dict[str, Row] = field(default_factory=dict)
    events: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    failed: dict[str, Exception] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)

    def take(self, page: Page) -> None:
        """Add one page, as a store would."""
        self.issues.update((issue.id, issue) for issue in page.issues)
        swept = page.all_issues
        self.issues = {k: i for k, i in self.issues.items() if k in swept.get(i.project, (k,))}
        self.events.update(page.histories)
        self.milestones.update((milestone.id, milestone) for milestone in page.milestones)
        self.cursors.update(page.cursors)
        self.complete |= page.complete
        self.failed.update(page.failed)
        self.pages.append(page)

    def by_key(self) -> dict[str, Row]:
        """The issues by key."""
        return {issue.key: issue for issue in self.issues.values()}


def pulled(connector: Connector, projects: Sequence[str], so_far: Pulled | None = None) -> Pulled:
    """All pages of a pull, on top of what was pulled before."""
    state = so_far or Pulled()
    state.pages = []
    for page in connector.pull(projects, dict(state.cursors)):
        state.take(page)
    return state


def native(issue: Issue) -> str:
    """The id under which the connector knows it."""
    return str(issue.id)
