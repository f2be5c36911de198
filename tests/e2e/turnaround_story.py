"""A made-up project behind schedule and over budget, and what its team does about it, week by week.

Six releases of a checkout came before it, some of them late. Everything happens at fixed times in the GitLab of the
sandbox; milesync runs on Monday mornings through its command line.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import urllib3.util.connection

from connectors.sandbox.demo_story import ADDED, PLANNED
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Issue, Milestone, Project
from sync.cli import wiring
from tests.e2e.in_process import Done, milesync

START = datetime(2026, 2, 2, 9, tzinfo=UTC)
PLANNING = START - timedelta(days=4)
DUE = date(2026, 3, 27)
MONDAY = datetime(2026, 3, 2, 7, tzinfo=UTC)
HOUR = 3600
ADDRESS = "http://127.0.0.1:8802"
"""As the configuration names it: forecasts are drawn by what a milestone is called, so the port must not change."""

PAST = (
    ("Checkout 1.0", 35, 10, 0.8),
    ("Checkout 1.1", 35, 12, 1.2),
    ("Checkout 1.2", 35, 12, 1.3),
    ("Checkout 1.3", 35, 11, 1.1),
    ("Checkout 1.4", 35, 13, 1.15),
    ("Checkout 1.5", 35, 12, 0.8),
    ("Checkout 1.6", 35, 12, 0.95),
)
"""Earlier releases: title, planned days, issues, and how long it took against the plan."""


class Turnaround:
    """The project and its levers. ``now`` is the time in the trackers and for milesync alike."""

    def __init__(self) -> None:
        self.now = START
        self.world = World(clock=self.clock)
        self.gitlab = self.world.gitlab
        self.people = [self.gitlab.user(*who) for who in (("ada", "Ada Fox"), ("lin", "Lin Wu"), ("noor", "Noor Aziz"))]
        self.project: Project = self.gitlab.project("acme/shop", "Shop", created=START - timedelta(days=400))
        for n, past in enumerate(PAST):
            self._past(n, *past)
        self.milestone: Milestone = self.gitlab.milestone(
            self.project,
            "Checkout 2.0",
            at=PLANNING,
            start=START.date(),
            due=DUE,
            description="- [x] prices are the old ones\n- [ ] a security review\n- [ ] the shop owners have seen it",
        )
        self.issues: dict[str, Issue] = {}
        for n, title in enumerate(PLANNED):
            self.add(title, PLANNING, hours=8 + 4 * (n % 3), who=n % 3 if n < 11 else None)
        for n, title in enumerate(PLANNED[:3]):
            self.close(title, START + timedelta(days=4 + 6 * n), over=1.7)
        for n, title in enumerate(ADDED):
            self.add(title, START + timedelta(days=9 + 2 * n), hours=8, who=None)
        self.issues["Accept vouchers"].blocked_by = [self.issues["Rotate the signing keys"].number]

    def _past(self, n: int, title: str, days: int, size: int, took: float) -> None:
        ada = self.people[0]
        begin = START - timedelta(days=40 * (len(PAST) - n))
        made = self.gitlab.milestone(
            self.project, title, at=begin, start=begin.date(), due=(begin + timedelta(days=days)).date()
        )
        for k in range(size):
            joined = begin + timedelta(days=-4 if k < size - 2 else 6)
            issue = self.gitlab.issue(self.project, f"Part {k + 1} of {title}", ada, at=joined)
            self.gitlab.move(self.project, issue, [made.id], ada, joined)
            end = begin + timedelta(days=days * took * (k + 1) / size)
            if end < MONDAY:
                self.gitlab.close(issue, ada, end)
        self.gitlab.close_milestone(self.project, made, begin + timedelta(days=days * max(1.0, took)))

    def clock(self) -> datetime:
        """Now."""
        return self.now

    # --- what people do -----------------------------------------------------------------------------------------------

    @property
    def later(self) -> datetime:
        """After the morning's run."""
        return self.now + timedelta(hours=3)

    def add(self, title: str, at: datetime, *, hours: int, who: int | None) -> None:
        """A new issue in the milestone."""
        issue = self.gitlab.issue(self.project, title, self.people[0], at=at, estimate=hours * HOUR)
        issue.assignees = [] if who is None else [self.people[who]]
        self.gitlab.move(self.project, issue, [self.milestone.id], self.people[0], at)
        self.issues[title] = issue

    def close(self, title: str, at: datetime, *, over: float = 1.0) -> None:
        """Finish an issue, having spent ``over`` times its estimate."""
        issue = self.issues[title]
        issue.spent = round((issue.estimate or 0) * over)
        self.gitlab.close(issue, issue.assignees[0] if issue.assignees else self.people[0], at)

    def drop(self, *titles: str) -> None:
        """Take issues out of the milestone."""
        for title in titles:
            self.gitlab.move(self.project, self.issues[title], [], self.people[0], self.later)

    def assign(self) -> None:
        """Assign the unassigned issues to owners, in turn."""
        free = [issue for issue in self.issues.values() if issue.closed is None and not issue.assignees]
        for n, issue in enumerate(free):
            issue.assignees = [self.people[n % 3]]
            self.gitlab.change(issue, "assignee", None, self.people[n % 3].id, self.people[0], self.later, "")

    def move_due(self, due: date) -> None:
        """Promise another day."""
        self.milestone.due, self.milestone.updated = due, self.later
        self.project.updated = self.later

    def end(self) -> None:
        """Close the milestone in the tracker."""
        self.gitlab.close_milestone(self.project, self.milestone, self.now - timedelta(hours=12))

    def work(self, count: int, *, over: float = 1.0) -> None:
        """Finish this many issues, evenly over the coming week, and move the clock to its end."""
        ready = [t for t, i in self.issues.items() if i.closed is None and i.milestones and i.assignees]
        for n, title in enumerate(ready[:count]):
            self.close(title, self.now + timedelta(days=6 * (n + 1) / (count + 1)), over=over)
        self.now += timedelta(days=7)

    # --- comments in the tracker --------------------------------------------------------------------------------------

    def comments(self) -> list[str]:
        """Our comments as people see them, oldest first, without their hidden marks."""
        found = [c for i in self.project.issues.values() for c in i.comments if c.author is self.gitlab.bot]
        return [c.body.partition("\n\n<!-- milesync")[0] for c in sorted(found, key=lambda c: c.id)]


@contextmanager
def told(folder: Path, story: Turnaround) -> Iterator[Path]:
    """The story's tracker on loopback, under one address for ever; yields the configuration."""
    port = 0
    connect = urllib3.util.connection.create_connection

    def lead(address: tuple[str, int], *rest: object, **more: object) -> socket.socket:
        return connect((address[0], port) if address[1] == 8802 else address, *rest, **more)  # type: ignore[arg-type]

    config = folder / "milesync.toml"
    config.write_text((Path(__file__).parent / "turnaround" / "milesync.toml").read_text("utf-8"), "utf-8")
    with (
        Sandbox(story.world, only=("gitlab",)),
        mock.patch.object(urllib3.util.connection, "create_connection", lead),
        mock.patch.object(wiring, "clock", story.clock),
    ):
        port = int(story.gitlab.url.rpartition(":")[2])
        story.gitlab.url = ADDRESS
        yield config


def run(config: Path, *words: str) -> Done:
    """The command line."""
    done = milesync(*words, "--config", str(config))
    assert done.code == 0, done.err
    return done
