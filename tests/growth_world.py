"""Installations of any size in memory, and what their runs cost: for the benchmark and the test of growth.

* first: the first run, which opens a status issue with a comment for every milestone
* quiet: a run when nothing changed
* sweep: a run a day later, which observes every status issue again
* fresh: the plan of ``plan --out`` and of ``apply``, which observes them all
"""

from __future__ import annotations

import gc
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray
from sqlalchemy import event

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.forecast.joint import Curve
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, Policy
from sync.model.settings import ReminderRules
from sync.model.tracker_data import (
    Issue,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker
from sync.tracker.observed import CommandComment, Observed, Target
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

Floats = NDArray[np.float64]

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Size:
    """An installation. ``milestones`` are the running ones of each project, ``past`` the finished ones before them, and
    ``issues`` those of each milestone.

    ``joints`` have ``members`` each. ``dependencies`` are between two milestones each. ``comments`` are people's
    commands on each status issue, ``days`` those of the stored health. ``is_uneven``: finished milestones had different
    paces. ``team``: people who share all work of a project, whose load is reported; 0: each has eight issues.
    """

    connections: int = 1
    projects: int = 1
    milestones: int = 4
    issues: int = 4
    past: int = 0
    joints: int = 0
    members: int = 4
    dependencies: int = 0
    comments: int = 0
    days: int = 0
    is_uneven: bool = False
    team: int = 0


def _page(project: str, key: str, size: Size) -> Page:
    born = NOW - timedelta(days=20)
    milestones, issues = [], []
    for m in range(size.past + size.milestones):
        past = max(size.past - m, 0)
        start = born - timedelta(days=30 * past)
        pace = (1, 4, 8)[crc32(f"{project} {m}".encode()) % 3] if past and size.is_uneven else 1
        milestone = Milestone(
            id=f"{project}-m{m}",
            project=project,
            kind=MilestoneKind.MILESTONE,
            key=str(m),
            written=f"#{m}",
            title=f"Version {m}",
            url=f"memory:{project}/m{m}",
            state=State.CLOSED if past else State.OPEN,
            due=(start + timedelta(days=36)).date(),
            created_at=start,
            updated_at=start,
            closed_at=start + timedelta(days=29) if past else None,
        )
        milestones.append(milestone)
        for i in range(size.issues):
            number, closed = m * size.issues + i, bool(past) or i % 2 == 0
            person = number // 2 % size.team if size.team else number // 8
            changed = start + timedelta(days=min(i % 19 * pace, 28))
            issues.append(
                Issue(
                    id=f"{project}-i{number}",
                    project=project,
                    key=f"#{number}",
                    title=f"Task {number}",
                    url=f"memory:{project}/i{number}",
                    state=State.CLOSED if closed else State.OPEN,
                    raw_state="closed" if closed else "open",
                    category=StatusCategory.DONE if closed else StatusCategory.TODO,
                    created_at=start,
                    updated_at=changed,
                    closed_at=changed if closed else None,
                    assignees=(Person(f"{project}-u{person}", f"User {person}"),),
                    milestones=(milestone.id,),
                )
            )
    return Page(
        projects=(Project(id=project, key=key, name=key, url=f"memory:{key}", visibility=Visibility.PROJECT),),
        milestones=tuple(milestones),
        issues=tuple(issues),
        cursors={project: "1"},
        complete=frozenset({project}),
        all_milestones=frozenset({project}),
    )


class _Connector(MemoryConnector):
    """Finds a status issue by its marker's milestone at once, and returns each page only once."""

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Return the pages, or that nothing changed."""
        self.requests += 1
        if not cursors:
            yield from self.tracker.pages
        yield Page(complete=frozenset(cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Observe the status issues."""
        self.requests += 1
        by_milestone = {}
        for issue in self.tracker.issues.values():
            marker = Marker.decode(issue.marker)
            if marker is not None:
                by_milestone[marker.milestone] = issue
        found = {t.milestone: by_milestone[t.milestone] for t in targets if t.milestone in by_milestone}
        return Observed(issues=found, labels={t.project: frozenset(self.tracker.labels) for t in targets})


@dataclass(frozen=True)
class Cost:
    """Cost of a step: CPU seconds, and what is equal in every run: statements, tens of steps of SQLite's machine,
    requests to trackers, drawn completion moments, and calls of functions (0 where they are not counted).
    """

    cpu: float
    statements: int
    database: int
    requests: int
    draws: int
    calls: int


@dataclass
class World:
    """An installation of a size, and its cost by step. ``counts_calls`` takes several times as long."""

    size: Size
    folder: Path
    counts_calls: bool = False
    now: datetime = NOW
    runs: int = 0
    costs: dict[str, Cost] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: self.now
        self.connections = [self._connection(n) for n in range(self.size.connections)]
        self.rules = self._rules()
        self.store = Store.open(f"sqlite:///{self.folder / 'growth.db'}", create=True, clock=self.clock)
        event.listen(self.store._engine, "before_cursor_execute", self._count("statements"))
        event.listen(self.store._engine, "checkout", self._count_steps)

    def _rules(self) -> AssessmentRules:
        """Return the relations between running milestones. Dependencies form short chains, as plans do."""
        rng = random.Random(7)
        written = [
            f"c{n}:acme{n}/p{p}#{m}"
            for n in range(self.size.connections)
            for p in range(self.size.projects)
            for m in range(self.size.past, self.size.past + self.size.milestones)
        ]
        first, members = [2 * n for n in range(self.size.dependencies)], min(self.size.members, len(written))
        return AssessmentRules(
            joints=tuple(
                JointMilestone(name=f"Joint {n}", members=tuple(rng.sample(written, members)))
                for n in range(self.size.joints)
            ),
            dependencies=tuple((written[n], written[n + 1]) for n in first),
            reminder_rules=ReminderRules(over_committed=self.size.team > 0),
        )

    def _count(self, what: str) -> Callable[..., None]:
        def count(*_: object) -> None:
            self.counts[what] += 1

        return count

    def _count_steps(self, connection: Any, *_: object) -> None:
        connection.set_progress_handler(self._count("database"), 10)

    def _connection(self, n: int) -> Connection:
        tracker = MemoryTracker(self.clock)
        tracker.pages = [_page(f"{n}-{p}", f"acme{n}/p{p}", self.size) for p in range(self.size.projects)]
        return Connection(
            name=f"c{n}",
            connector=_Connector(tracker, f"c{n}", f"memory://tracker{n}"),
            projects=(f"acme{n}/*",),
            policy_of=lambda _: Policy.CREATE,
        )

    def engine(self) -> Engine:
        """Return the engine of the next run."""
        self.runs += 1
        return Engine(
            connections=self.connections,
            store=self.store,
            instance="acme",
            clock=self.clock,
            rules=self.rules,
            limits=Limits(creates=10**9, updates=10**9, deletes=10**9),
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure a step."""
        gc.collect()
        self.counts.clear()
        requests, began = self._requests(), time.process_time()
        with self._counted_draws(), self._counted_calls():
            yield
        cpu, own = time.process_time() - began, self.counts
        requests = self._requests() - requests
        self.costs[name] = Cost(cpu, own["statements"], own["database"], requests, own["draws"], own["calls"])

    def _requests(self) -> int:
        return sum(connection.connector.requests for connection in self.connections)

    @contextmanager
    def _counted_draws(self) -> Iterator[None]:
        def draw(curve: Curve, ranks: NDArray[np.int64]) -> Floats:
            self.counts["draws"] += 1
            return original(curve, ranks)

        original = Curve.draw
        with patch.object(Curve, "draw", draw):
            yield

    @contextmanager
    def _counted_calls(self) -> Iterator[None]:
        if not self.counts_calls:
            yield
            return

        calls = 0

        def profile(_: object, what: str, __: object) -> None:
            nonlocal calls
            if what in {"call", "c_call"}:
                calls += 1

        before = sys.getprofile()
        threading.setprofile(profile)
        sys.setprofile(profile)
        try:
            yield
        finally:
            sys.setprofile(before)
            threading.setprofile(None)
            self.counts["calls"] = calls

    def measure(self) -> dict[str, Cost]:
        """Run every step and return its cost."""
        with self.step("first"), self.engine() as engine:
            result = engine.run()
        assert not result.failures, result.failures[:3]
        assert not result.refused, result.refused
        for connection in self.connections:
            self._comment(connection.connector.tracker)  # type: ignore[attr-defined]
        healths = [milestone.health for milestone in result.assessed]
        for day in range(1, self.size.days + 1):
            at = NOW - timedelta(days=day)
            earlier = [msgspec.structs.replace(health, at=at) for health in healths]
            self.store.save_health(f"day {day}", earlier, {m.uid: m.stream for m in result.assessed})
        self.now += timedelta(hours=25)
        with self.engine() as engine:
            engine.run()
        self.now += timedelta(minutes=30)
        with self.step("quiet"), self.engine() as engine:
            engine.run()
        self.now += timedelta(hours=25)
        with self.step("sweep"), self.engine() as engine:
            engine.run()
        with self.engine() as engine:
            engine.pull()
            assessed = engine.assess()
            with self.step("fresh"):
                engine.plan(assessed, fresh=True)
        self.store.close()
        return self.costs

    def _comment(self, tracker: MemoryTracker) -> None:
        asked = tuple(
            CommandComment(
                id=f"c{n}",
                author="ann",
                name="Ann",
                may_write=True,
                at=NOW + timedelta(seconds=n),
                text="/milesync help",
            )
            for n in range(self.size.comments)
        )
        for key, issue in tracker.issues.items():
            tracker.issues[key] = msgspec.structs.replace(issue, asked=asked)
