"""Measure 1,000 milestones in one project against the targets: runs, the report, `status` and `explain`.

Run it: ``python -m tests.benchmarks.bench_thousand``. Nothing is asserted. The tracker is in memory, so that only our
own work counts; the commands read the database that it filled, each in a process of its own. Each milestone has 10 to
20 issues with their histories. In the first installation all milestones are running; in the second one 700 have ended
in the last three years, and 300 are running.

* first, quiet, sweep: as in `bench_growth`; first plans and writes 1,000 status issues with their comments
* report: the first one into a new folder; the next one, before which an issue of ten milestones was closed on the same
  day; and one before which it was closed on another day, so that the project's pace and all pages change
* after its start: without the CPU time of `status` with an empty database
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import structlog

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.model.policy import Limits, Policy
from sync.model.tracker_data import (
    Event,
    EventKind,
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
from sync.tracker.observed import Observed, Target
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

MILESTONES, TEAMS = 1_000, 20
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SOURCE, KEY = "https://api.github.com", "acme/app"
ADDRESS = f"https://github.com/{KEY}"

TARGETS: Mapping[str, float] = {
    "first": 10.0,
    "quiet": 3.0,
    "sweep": 10.0,
    "report": 40.0,
    "report again": 3.0,
    "report, nothing changed": 3.0,
    "status": 1.0,
    "explain": 1.0,
}


def history(now: datetime, running: int, seed: int = 7) -> Page:
    """Return a project of teams whose milestones of four weeks follow each other; the last ``running`` are running."""
    rng = random.Random(seed)
    milestones: list[Milestone] = []
    issues: list[Issue] = []
    histories: dict[str, tuple[Event, ...]] = {}
    for n in range(MILESTONES):
        ahead = n - (MILESTONES - running)
        is_running = ahead >= 0
        if is_running:
            start = now - timedelta(days=rng.randint(6, 24))
        else:
            start = now - timedelta(days=28 * (-ahead // TEAMS) + 40 + rng.randint(0, 6))
        due = (start + timedelta(days=rng.choice((24, 28, 35)))).date()
        milestone = f"m{n}"
        own = [_issue(rng, f"{n * 20 + i}", milestone, start, now, is_running) for i in range(rng.randint(10, 20))]
        ends = [issue.closed_at for issue, _ in own if issue.closed_at is not None]
        milestones.append(
            Milestone(
                id=milestone,
                project="p",
                kind=MilestoneKind.MILESTONE,
                key=str(n),
                written=f"#{n}",
                title=f"{chr(65 + n % TEAMS)} release {n // TEAMS}",
                url=f"{ADDRESS}/milestone/{n}",
                state=State.OPEN if is_running else State.CLOSED,
                due=due,
                created_at=start,
                updated_at=start,
                closed_at=None if is_running else max(ends),
            )
        )
        issues += [issue for issue, _ in own]
        histories |= {issue.id: events for issue, events in own}
    return Page(
        projects=(Project(id="p", key=KEY, name=KEY, url=ADDRESS, visibility=Visibility.PUBLIC),),
        milestones=tuple(milestones),
        issues=tuple(issues),
        histories=histories,
        cursors={"p": "1"},
        complete=frozenset({"p"}),
        all_milestones=frozenset({"p"}),
    )


def _issue(
    rng: random.Random, key: str, milestone: str, start: datetime, now: datetime, is_running: bool
) -> tuple[Issue, tuple[Event, ...]]:
    joined = start + (timedelta(0) if rng.random() < 0.7 else timedelta(days=rng.uniform(1, 12)))
    joined = min(joined, now - HOUR)
    closed: datetime | None = joined + timedelta(days=rng.uniform(1, 27))
    if is_running and closed is not None and closed > now - HOUR:
        closed = None
    events = [Event(issue=f"i{key}", at=joined, kind=EventKind.JOINED, milestone=milestone)]
    if closed:
        events.append(Event(issue=f"i{key}", at=closed, kind=EventKind.CLOSED))
    person = rng.randrange(60)
    issue = Issue(
        id=f"i{key}",
        project="p",
        key=f"{KEY}#{key}",
        title=f"Let a customer see the state of step {key} before it is confirmed",
        url=f"{ADDRESS}/issues/{key}",
        state=State.CLOSED if closed else State.OPEN,
        raw_state="closed" if closed else "open",
        category=StatusCategory.DONE if closed else StatusCategory.TODO,
        created_at=joined,
        updated_at=closed or joined,
        closed_at=closed,
        assignees=() if rng.random() < 0.15 else (Person(f"u{person}", f"User {person}"),),
        labels=("backend", "customer") if rng.random() < 0.5 else (),
        milestones=(milestone,),
        visibility=Visibility.PUBLIC,
    )
    return issue, tuple(events)


class _Connector(MemoryConnector):
    """Finds a status issue by its marker's milestone at once, and returns each page only once."""

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Return the pages that were not returned yet, or that nothing changed."""
        pages, self.tracker.pages = self.tracker.pages, []
        yield from pages
        yield Page(complete=frozenset(cursors))

    def observe(self, targets: Sequence[Target]) -> Observed:
        """Observe the status issues."""
        markers = {key: Marker.decode(issue.marker) for key, issue in self.tracker.issues.items()}
        keys = {marker.milestone: key for key, marker in markers.items() if marker is not None}
        found = {t.milestone: self.tracker.issues[keys[t.milestone]] for t in targets if t.milestone in keys}
        return Observed(issues=found, labels={t.project: frozenset(self.tracker.labels) for t in targets})


class Installation:
    """An installation with one project, its database and the configuration for the commands."""

    def __init__(self, folder: Path, running: int) -> None:
        # the commands use the real time: one hour ago there is room for each step
        now = datetime.now(UTC).replace(microsecond=0)
        last_run = max(now - HOUR, now.replace(hour=0, minute=0, second=1))  # of the day of the reports
        self.now = last_run - 26 * HOUR
        self.page = history(self.now, running)
        self.tracker = MemoryTracker(lambda: self.now, pages=[self.page])
        self.connection = Connection(
            name="gh",
            connector=_Connector(self.tracker, "gh", SOURCE),
            projects=(KEY,),
            policy_of=lambda _: Policy.CREATE,
        )
        self.store = Store.open(f"sqlite:///{folder / 'milesync.db'}", create=True, clock=lambda: self.now)
        self.config = folder / "milesync.toml"
        self.config.write_text(
            f'instance = "acme"\ndatabase = "sqlite:///{folder / "milesync.db"}"\n'
            f'[connections.gh]\ntype = "github"\nprojects = ["{KEY}"]\n'
        )
        self.runs = 0

    def engine(self) -> Engine:
        """Return the engine of the next run."""
        self.runs += 1
        return Engine(
            connections=[self.connection],
            store=self.store,
            instance="acme",
            clock=lambda: self.now,
            rules=AssessmentRules(),
            limits=Limits(creates=10**9, updates=10**9, deletes=10**9),
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    def run(self) -> float:
        """Run, and return its CPU seconds."""
        began = time.process_time()
        with self.engine() as engine:
            result = engine.run()
        assert not result.failures, result.failures[:3]
        assert not result.refused, result.refused
        return time.process_time() - began

    def change(self, count: int, at: datetime) -> None:
        """Close an issue in each of the last milestones, at a time (UTC)."""
        found: dict[str, Issue] = {}
        for issue in reversed(self.page.issues):
            if issue.state is State.OPEN and len(found) < count:
                found.setdefault(issue.milestones[0], issue)
        closed = {
            issue.id: msgspec.structs.replace(
                issue, state=State.CLOSED, category=StatusCategory.DONE, closed_at=at, updated_at=self.now
            )
            for issue in found.values()
        }
        events = {uid: (*self.page.histories[uid], Event(issue=uid, at=at, kind=EventKind.CLOSED)) for uid in closed}
        changed = Page(projects=self.page.projects, issues=tuple(closed.values()), histories=events, cursors={"p": "2"})
        self.tracker.pages = [changed]


def command(config: Path, *words: str) -> tuple[float, float]:
    """Run a command in a process of its own. Return its CPU seconds, and its peak memory in MB."""
    process = subprocess.Popen(
        [sys.executable, "-m", "milesync", *words, "--config", str(config)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, "GITHUB_TOKEN": "-"},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, words
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def show(name: str, cpu: float, peak: float | None = None) -> None:
    """Print CPU seconds next to their target, and the peak memory in MB."""
    target = TARGETS.get(name)
    print(
        f"{name:26}{cpu:8.2f}{'' if target is None else f'{target:.0f}':>8}{'' if peak is None else f'{peak:.0f}':>8}",
        flush=True,
    )


def measure(running: int, folder: Path) -> None:
    """Print the figures of one installation."""
    print(f"\n{f'{running} of {MILESTONES} running':26}{'CPU s':>8}{'target':>8}{'MB':>8}")
    installation = Installation(folder, running)
    show("first", installation.run())
    installation.now += HOUR / 2
    installation.run()
    installation.now += HOUR / 2
    show("quiet", installation.run())
    installation.now += 25 * HOUR
    show("sweep", installation.run(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    if running == MILESTONES:
        return
    show("report", *command(installation.config, "report", "--out", str(folder / "pages")))
    installation.change(10, installation.now)
    installation.run()
    show("report again", *command(installation.config, "report", "--out", str(folder / "pages")))
    installation.change(10, installation.now - DAY)
    installation.run()
    show("report, another pace", *command(installation.config, "report", "--out", str(folder / "pages")))
    show("report, nothing changed", *command(installation.config, "report", "--out", str(folder / "pages")))
    empty = folder / "empty"
    empty.mkdir()
    none = Installation(empty, 0)
    started, _ = command(none.config, "status")
    show("start of a command", started)
    for name, words in (("status", ("status",)), ("explain", ("explain", f"gh:{KEY}#{MILESTONES - 1}"))):
        cpu, peak = command(installation.config, *words)
        show(name, cpu, peak)
        show(f"{name} after its start", cpu - started)


def main() -> None:
    """Print the tables, each installation in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("running", nargs="*", type=int, default=[MILESTONES, 300])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if given.one:
        with tempfile.TemporaryDirectory() as folder:
            measure(given.one, Path(folder))
        return
    for running in given.running:
        subprocess.run([sys.executable, "-m", "tests.benchmarks.bench_thousand", "--one", str(running)], check=True)


if __name__ == "__main__":
    main()
