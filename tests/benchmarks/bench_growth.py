"""Measure how the cost of runs grows when one dimension of an installation doubles: CPU time and SQL statements.

Run it: ``python -m tests.benchmarks.bench_growth [dimension ...] [--times N]``. Each dimension is doubled alone, the
others stay small. The tracker is in memory, so that only our own work counts. An exponent of 1 is proportional, of 2 a
square; nothing is asserted.

* first: the first run, which opens a status issue with a comment for every milestone
* quiet: a run when nothing changed
* sweep: a run a day later, which observes every status issue again
* fresh: the plan of ``plan --out`` and of ``apply``, which observes them all
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog
from sqlalchemy import event

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, Policy
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

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Size:
    """An installation. Milestones are those of each project, and all are running; issues are those of each milestone.

    ``comments`` are people's commands on each status issue, ``days`` those of the stored health.
    """

    connections: int = 1
    projects: int = 1
    milestones: int = 20
    issues: int = 4
    joints: int = 0
    dependencies: int = 0
    comments: int = 0
    days: int = 0


SIZES: Mapping[str, Size] = {
    "milestones": Size(milestones=250),
    "projects": Size(projects=100, milestones=2),
    "connections": Size(connections=20, milestones=5),
    "issues": Size(milestones=10, issues=500),
    "joints": Size(milestones=100, joints=50),
    "dependencies": Size(milestones=200, dependencies=50),
    "comments": Size(milestones=50, comments=50),
    "days": Size(milestones=50, days=50),
}


def _page(project: str, key: str, size: Size) -> Page:
    born = NOW - timedelta(days=20)
    milestones, issues = [], []
    for m in range(size.milestones):
        milestone = Milestone(
            id=f"{project}-m{m}",
            project=project,
            kind=MilestoneKind.MILESTONE,
            key=str(m),
            written=f"#{m}",
            title=f"Version {m}",
            url=f"memory:{project}/m{m}",
            state=State.OPEN,
            due=(NOW + timedelta(days=16)).date(),
            created_at=born,
            updated_at=born,
        )
        milestones.append(milestone)
        for i in range(size.issues):
            number, closed = m * size.issues + i, i % 2 == 0
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
                    created_at=born,
                    updated_at=born + timedelta(days=i % 19),
                    closed_at=born + timedelta(days=i % 19) if closed else None,
                    assignees=(Person(f"{project}-u{number // 8}", f"User {number // 8}"),),
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
        if not cursors:
            yield from self.tracker.pages
        yield Page(complete=frozenset(cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Observe the status issues."""
        by_milestone = {}
        for issue in self.tracker.issues.values():
            marker = Marker.decode(issue.marker)
            if marker is not None:
                by_milestone[marker.milestone] = issue
        found = {t.milestone: by_milestone[t.milestone] for t in targets if t.milestone in by_milestone}
        return Observed(issues=found, labels={t.project: frozenset(self.tracker.labels) for t in targets})


@dataclass
class World:
    """An installation of a size, and its cost: CPU seconds and SQL statements by step."""

    size: Size
    folder: Path
    now: datetime = NOW
    runs: int = 0
    costs: dict[str, tuple[float, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.clock: Callable[[], datetime] = lambda: self.now
        self.connections = [self._connection(n) for n in range(self.size.connections)]
        rng, written = (
            random.Random(7),
            [
                f"c{n}:acme{n}/p{p}#{m}"
                for n in range(self.size.connections)
                for p in range(self.size.projects)
                for m in range(self.size.milestones)
            ],
        )
        pairs = {
            (min(pair), max(pair))
            for pair in (rng.sample(range(len(written)), 2) for _ in range(self.size.dependencies))
        }
        self.rules = AssessmentRules(
            joints=tuple(
                JointMilestone(name=f"Joint {n}", members=tuple(rng.sample(written, 4)))
                for n in range(self.size.joints)
            ),
            dependencies=tuple((written[before], written[after]) for before, after in sorted(pairs)),
        )
        self.store = Store.open(f"sqlite:///{self.folder / 'growth.db'}", create=True, clock=self.clock)
        self.statements = 0
        event.listen(self.store._engine, "before_cursor_execute", self._count)

    def _count(self, *_: object) -> None:
        self.statements += 1

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
        statements, began = self.statements, time.process_time()
        yield
        self.costs[name] = (time.process_time() - began, self.statements - statements)

    def measure(self) -> dict[str, tuple[float, int]]:
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
        self.now += timedelta(minutes=30)
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


def costs(size: Size) -> dict[str, tuple[float, int]]:
    """Return the cost of every step for a size."""
    with tempfile.TemporaryDirectory() as folder:
        return World(size, Path(folder)).measure()


def growth(dimension: str, times: int) -> None:
    """Print the costs of a dimension when it doubles, and the exponents of each doubling."""
    size, before = SIZES[dimension], None
    for _ in range(times):
        own = costs(size)
        for step, (cpu, statements) in own.items():
            line = f"{dimension:13}{getattr(size, dimension):7} {step:6}{cpu:8.2f}{statements:8}"
            if before is not None:
                line += f"{math.log2(cpu / before[step][0]):8.2f}{math.log2(statements / before[step][1]):8.2f}"
            print(line, flush=True)
        size, before = replace(size, **{dimension: 2 * getattr(size, dimension)}), own


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("dimensions", nargs="*", default=[])
    parser.add_argument("--times", type=int, default=2)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    costs(Size())  # imports, and what is computed once
    print(f"{'dimension':13}{'size':>7} {'step':6}{'CPU s':>8}{'SQL':>8}{'exponents':>16}")
    for dimension in given.dimensions or SIZES:
        growth(dimension, given.times)


if __name__ == "__main__":
    main()
