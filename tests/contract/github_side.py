"""Fixtures of the GitHub tests: a world with a clock set by hand, a connector to it, and the rows that it pulled."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors.github import connect
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue as Ticket
from connectors.sandbox.world_data import Milestone as Goal
from connectors.sandbox.world_data import Project as Place
from sync.model.tracker_data import DueDate, Event, Issue, Milestone, Project, uid
from sync.tracker.errors import TrackerError
from sync.tracker.observed import Target
from sync.tracker.protocol import Connector, Page, Setup

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Clock:
    """A clock that moves only when a test moves it."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def pass_(self, **length: float) -> datetime:
        """Let time pass; returns the time then."""
        self.now += timedelta(**length)
        return self.now


def connected(tracker: Tracker, clock: Clock, **more: Any) -> Connector:
    """A connector to the sandbox that never really waits."""
    slept: list[float] = more.pop("slept", [])
    values: dict[str, Any] = {
        "name": "gh",
        "url": tracker.url,
        "secrets": {"token": tracker.token},
        "clock": clock,
        "sleep": slept.append,
        "timeout": 60,  # on a busy machine, too: a timeout is a fault, and its retry one more request
        **more,
    }
    return connect(Setup(**values))


def app_credentials() -> dict[str, Any]:
    """Secrets and options of a GitHub App."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return {"secrets": {"private_key": text}, "options": {"app_id": "7", "installation_id": "70"}}


@dataclass
class Taken:
    """Everything that came of a pull, the newest row of each id."""

    pages: list[Page] = field(default_factory=list)
    projects: dict[str, Project] = field(default_factory=dict)
    milestones: dict[str, Milestone] = field(default_factory=dict)
    issues: dict[str, Issue] = field(default_factory=dict)
    histories: dict[str, tuple[Event, ...]] = field(default_factory=dict)
    due_dates: dict[str, tuple[DueDate, ...]] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    failed: dict[str, TrackerError] = field(default_factory=dict)

    def take(self, pages: Iterator[Page]) -> Taken:
        """Take pages in, as a store would."""
        for page in pages:
            self.pages.append(page)
            self.projects |= {row.id: row for row in page.projects}
            if page.all_milestones:
                self.milestones = {k: m for k, m in self.milestones.items() if m.project not in page.all_milestones}
            self.milestones |= {row.id: row for row in page.milestones}
            self.issues |= {row.id: row for row in page.issues}
            self.issues = {k: i for k, i in self.issues.items() if k in self.swept(page, i)}
            self.histories |= page.histories
            self.cursors |= page.cursors
            self.complete |= page.complete
            self.failed |= page.failed
        return self

    @staticmethod
    def swept(page: Page, issue: Issue) -> Collection[str]:
        """The ids of what exists of its kind by this page, at least that of the issue where the page does not say."""
        lists = page.all_pull_requests if issue.is_pull_request else page.all_issues
        is_listed = bool(issue.milestones) or not issue.is_pull_request
        return lists.get(issue.project, (issue.id,)) if is_listed else (issue.id,)

    def issue(self, number: int) -> Issue:
        """The issue with that number."""
        return next(issue for issue in self.issues.values() if issue.key == f"#{number}")

    def events(self, number: int) -> list[tuple[str, str]]:
        """Kind and milestone title of its events."""
        return [(str(e.kind), e.milestone_title) for e in self.histories[self.issue(number).id]]


def pulled(
    connector: Connector, projects: Sequence[str] = ("acme/app",), cursors: Mapping[str, str] | None = None
) -> Taken:
    """One pull."""
    return Taken().take(connector.pull(list(projects), cursors or {}))


@dataclass
class Small:
    """A repository with two milestones, a few issues and a history."""

    tracker: Tracker
    place: Place
    one: Goal
    two: Goal
    moved: Ticket
    done: Ticket
    plain: Ticket
    pull: Ticket


def emptied_github(world: World, clock: Clock) -> Tracker:
    """The tracker as it was in the beginning, so that one server is enough for many tests."""
    hub, clock.now = world.github, START
    for filled in (hub.projects, hub.faults, hub.log, hub.moved):
        filled.clear()
    hub.users = {hub.bot.id: hub.bot}
    hub.used, hub.limit = 0, 5000
    hub.boards, hub.scopes = {}, ("repo",)
    return hub


def small(world: World, clock: Clock) -> Small:
    """Make it, over three days from `START`."""
    hub = emptied_github(world, clock)
    ada, ben = hub.user("ada"), hub.user("ben")
    place = hub.project("acme/app", "App")
    milestone = hub.milestone(place, "v1", due=date(2026, 4, 1), description="first")
    two = hub.milestone(place, "v2")
    moved = hub.issue(place, "moves", ada, assignees=[ben], milestones=[milestone.id])
    done = hub.issue(place, "closes", ben)
    plain = hub.issue(place, "nothing happens", ada)
    pull = hub.issue(place, "a pull request", ada, pull=True)
    clock.pass_(days=1)
    hub.move(place, moved, [two.id], ada)
    hub.move(place, done, [milestone.id], ben)
    clock.pass_(days=1)
    hub.close(done, ben, resolution="not_planned")
    moved.blocked_by = [plain.number, done.number]
    hub.close_milestone(place, two)
    clock.pass_(days=1)
    return Small(hub, place, milestone, two, moved, done, plain, pull)


def target(connector: Connector, small: Small, goal: Goal, issue: str = "") -> Target:
    """Return the target of a milestone, as the engine observes it."""
    name = uid(connector.base_url, "milestone", f"MI_kw{goal.id}")
    return Target(milestone=name, project=f"R_kw{small.place.id}", project_key=small.place.key, issue=issue)


def marker(milestone: str, kind: str, **more: Any) -> str:
    """A marker as the planner makes it."""
    return json.dumps({"v": 1, "instance": "test", "kind": kind, "milestone": milestone, **more})
