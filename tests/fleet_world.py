"""A served tracker with many projects in one connection, and runs over it whose requests are counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Project
from sync.assess.milestone import AssessmentRules
from sync.cli.wiring import connect
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.history.calendar import Calendar
from sync.model.policy import Limits, Policy
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup
from tests.contract.team_rounds import MONDAY, Clock

UNLIMITED = 10**9

DAILY_FACTS = 5
"""Requests for what is read of a Jira once a day; Cloud's drivers of versions are one more for each project."""


@dataclass(frozen=True)
class Wanted:
    """The requests that are wanted: ``quiet`` for a number of projects, ``sweep`` for projects and status issues."""

    quiet: Callable[[int], int]
    sweep: Callable[[int, int], int]


WANTED: Mapping[str, Wanted] = {
    "github": Wanted(
        quiet=lambda projects: 2 * projects if projects <= 3 else ceil(projects / 50),
        sweep=lambda projects, issues: WANTED["github"].quiet(projects) + ceil(issues / 10) + ceil(projects / 50),
    ),
    "gitlab": Wanted(
        quiet=lambda projects: 4 if projects == 1 else ceil(projects / 50),
        sweep=lambda projects, issues: WANTED["gitlab"].quiet(projects) + ceil(projects / 50) + ceil(issues / 20) + 1,
    ),
    "jira": Wanted(
        quiet=lambda projects: projects // 50 + 4,
        sweep=lambda projects, issues: WANTED["jira"].quiet(projects) + DAILY_FACTS + ceil(issues / 100),
    ),
    "jira-cloud": Wanted(
        quiet=lambda projects: projects + 4,
        sweep=lambda projects, issues: 2 * projects + 4 + DAILY_FACTS + ceil(issues / 20) + 2,
    ),
}
"""By tracker. A dialect without a row is measured, too."""


@dataclass(frozen=True)
class Cost:
    """Cost of a run: its requests, those of them that write, and the seconds that passed on the simulated clock.

    ``failures`` are the errors of the run.
    """

    requests: int
    writes: int
    seconds: float
    failures: Sequence[Exception | None] = ()


@dataclass
class Fleet:
    """The projects of one connection, each with running milestones, and one connector a run, as in a new process.

    A wait takes no time but moves the clock. ``patterns`` are the projects as the configuration names them.
    """

    tracker: Tracker
    clock: Clock
    store: Store
    patterns: Sequence[str]
    options: dict[str, Any] = field(default_factory=dict)
    runs: int = 0

    @property
    def projects(self) -> list[Project]:
        """The projects in the order of their creation."""
        return list(self.tracker.projects.values())

    def run(self, policy: Policy = Policy.PLAN, *, fails: type[Exception] | None = None) -> Cost:
        """Run once. Raises AssertionError when something fails, unless by the error ``fails``."""
        return self._cost(policy, Engine.run, fails)

    def look(self, policy: Policy) -> Cost:
        """Pull, assess and plan as a run does, and write nothing."""
        return self._cost(policy, _planned)

    def _cost(self, policy: Policy, work: Callable[[Engine], Result], fails: type[Exception] | None = None) -> Cost:
        self.runs += 1
        began, before, writes = self.clock.now, len(self.tracker.log), len(self.tracker.writes)
        engine = self._engine(policy)
        result = work(engine)
        engine.connections[0].connector.close()
        failures = [failure.cause for failure in result.failures]
        assert all(fails and isinstance(error, fails) for error in failures), failures[:3]
        assert not result.refused, result.refused
        seconds = (self.clock.now - began).total_seconds()
        requests = len(self.tracker.log) - before
        return Cost(requests, len(self.tracker.writes) - writes, seconds, failures)

    def _engine(self, policy: Policy) -> Engine:
        kind = self.tracker.kind
        secrets = {"token": self.tracker.token} | ({"email": "bot@example.org"} if kind == "jira-cloud" else {})
        setup = Setup(
            name="x",
            url=self.tracker.url,
            secrets=secrets,
            clock=self.clock,
            sleep=lambda seconds: setattr(self.clock, "now", self.clock.now + timedelta(seconds=seconds)),
            options=self.options,
            timeout=60,
        )
        connector = connect(kind.partition("-")[0], setup)
        connection = Connection(
            name="x", connector=connector, projects=tuple(self.patterns), policy_of=lambda project: policy
        )
        return Engine(
            connections=[connection],
            store=self.store,
            instance="fleet",
            clock=self.clock,
            rules=AssessmentRules(calendar=Calendar(quiet_weeks=())),
            limits=Limits(creates=UNLIMITED, updates=UNLIMITED, deletes=UNLIMITED),
            run_id=f"run {self.runs}",
            holder="test",
        )


def _planned(engine: Engine) -> Result:
    engine.pull()
    assessed = engine.assess()
    return Result(assessed=assessed, plan=engine.plan(assessed), failures=engine.failures)


def project_key(kind: str, number: int) -> str:
    """Return the key of a project of the fleet."""
    return f"P{number}" if kind.startswith("jira") else f"acme/r{number}"


@contextmanager
def fleet(
    kind: str, projects: int, *, milestones: int = 1, issues: int = 2, patterns: Sequence[str] = (), **options: Any
) -> Iterator[Fleet]:
    """Serve a fleet, last changed an hour ago. ``patterns`` name its projects; without them, each by its key."""
    clock = Clock(MONDAY - timedelta(hours=1))
    world = World(clock)
    with Sandbox(world, only=(kind,)):
        tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
        tracker.limit = UNLIMITED
        keys = [project_key(kind, number) for number in range(projects)]
        for key in keys:
            _fill(tracker, key, milestones, issues, clock.now)
        clock.now = MONDAY
        made = Fleet(tracker, clock, Store.memory(clock), patterns or keys, options)
        try:
            yield made
        finally:
            made.store.close()


def _fill(tracker: Tracker, key: str, milestones: int, issues: int, now: datetime) -> None:
    """Make a project with running milestones, each with some closed and some open issues."""
    ada, born = tracker.user("ada", "Ada Fox"), now - timedelta(days=20)
    project = tracker.project(key, key, created=born)
    project.admin = True
    for m in range(milestones):
        milestone = tracker.milestone(project, f"v{m}", at=born, due=(now + timedelta(days=16)).date())
        for i in range(issues):
            issue = tracker.issue(project, f"Task {m}.{i}", ada, at=born)
            tracker.move(project, issue, [milestone.id], ada, born)
            if i % 2:
                tracker.close(issue, ada, now - timedelta(days=3), resolution="completed")
