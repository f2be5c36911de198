"""A run that finds nothing changed over a million issues in ten thousand milestones, apart from the network.

Run it: ``python tests/benchmarks/bench_large.py [--projects N] [--keep FOLDER]``. Each project has twenty milestones of
28 days, begun every fortnight, two of them running, and two thousand issues. The tracker is in memory and says that
nothing changed; everything else is a run: pull, assess, observe what is not known, plan, apply. The first run makes
stays of every row, the second remembers everything. Each is a process of its own, with byte code and with the garbage
collector set as the command sets it; nothing is asserted.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

MILESTONES, EACH = 20, 100
SOURCE = "https://tracker.example"
NOW = datetime.now(UTC).replace(microsecond=0)


def build(database: Path, projects: int) -> None:
    """Fill a database, project by project, as pulls would."""
    from sync.model.tracker_data import Project, Visibility
    from sync.store.store import Store
    from sync.tracker.protocol import Page

    rng = Random(7)
    with Store.open(f"sqlite:///{database}", create=True, clock=lambda: NOW) as store:
        for n in range(projects):
            key = f"acme/p{n}"
            project = Project(id=f"P{n}", key=key, name=key, url=f"{SOURCE}/{key}", visibility=Visibility.PROJECT)
            store.save(SOURCE, Page(projects=(project,), cursors={project.id: "x"}), NOW)
            for page in _pages(rng, project.id, key):
                store.save(SOURCE, page, NOW)
            store.note_pull(SOURCE, key, NOW, None)
        store.watch("x", SOURCE, {f"P{n}" for n in range(projects)}, only=True)


def _pages(rng: Random, project: str, key: str) -> Iterator:  # type: ignore[type-arg]
    from sync.model.tracker_data import Event, EventKind, Issue, Milestone, MilestoneKind, Person, State, StatusCategory
    from sync.tracker.protocol import Page

    first = NOW - timedelta(days=14 * MILESTONES + 6)
    for m in range(MILESTONES):
        begun = first + timedelta(days=14 * m)
        due, id_ = begun + timedelta(days=28), f"{project}M{m}"
        ended = due + timedelta(days=3) if due + timedelta(days=3) < NOW else None
        milestone = Milestone(
            id=id_,
            project=project,
            kind=MilestoneKind.MILESTONE,
            key=str(m + 1),
            written=f"#{m + 1}",
            title=f"Release {m + 1}",
            url=f"{SOURCE}/{key}/milestone/{m + 1}",
            state=State.CLOSED if ended else State.OPEN,
            due=due.date(),
            created_at=begun,
            updated_at=begun,
            closed_at=ended,
        )
        issues, histories = [], {}
        for i in range(EACH):
            number = m * EACH + i + 1
            joined = begun + timedelta(days=rng.random() * 20)
            closed: datetime | None = joined + timedelta(days=rng.gammavariate(1.2, 9))
            closed = closed if closed is not None and closed < NOW else None
            name = f"{project}I{number}"
            events = [Event(issue=name, at=joined, kind=EventKind.JOINED, milestone=id_)]
            if closed:
                events.append(Event(issue=name, at=closed, kind=EventKind.CLOSED))
            histories[name] = tuple(events)
            issues.append(
                Issue(
                    id=name,
                    project=project,
                    key=f"#{number}",
                    title=f"Make part {number} of {key} work as it was meant to",
                    url=f"{SOURCE}/{key}/issues/{number}",
                    state=State.CLOSED if closed else State.OPEN,
                    raw_state="closed" if closed else "open",
                    category=StatusCategory.DONE if closed else StatusCategory.TODO,
                    created_at=joined - timedelta(days=1),
                    updated_at=closed or joined,
                    closed_at=closed,
                    assignees=(Person(f"u{i % 9}", f"User {i % 9}"),),
                    labels=("bug",),
                    milestones=(id_,),
                )
            )
        yield Page(milestones=(milestone,), issues=tuple(issues), histories=histories)


class Silent:
    """A tracker where nothing changed."""

    base_url, requests = SOURCE, 0

    def __init__(self) -> None:
        from sync.model.tracker_data import Markup
        from sync.tracker.protocol import Capabilities

        self.capabilities = Capabilities(markup=Markup.GITHUB, body_limit=65_000)

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator:  # type: ignore[type-arg]
        """One page that says so."""
        from sync.tracker.protocol import Page

        yield Page(complete=frozenset(cursors))

    def observe(self, targets: Sequence[object]) -> object:
        """No status issue anywhere."""
        from sync.tracker.observed import Observed

        return Observed()

    def close(self) -> None:
        """Nothing to give back."""


def run(database: Path) -> None:
    """One run of the engine."""
    from sync.assess.milestone import AssessmentRules
    from sync.engine.engine import Engine
    from sync.model.policy import Limits
    from sync.store.store import Store
    from sync.tracker.connection import Connection

    connection = Connection(name="x", connector=Silent(), projects=("acme/*",))  # type: ignore[arg-type]
    store = Store.open(f"sqlite:///{database}", create=False, clock=lambda: datetime.now(UTC))
    with Engine(
        connections=[connection],
        store=store,
        instance="bench",
        clock=lambda: datetime.now(UTC),
        rules=AssessmentRules(),
        limits=Limits(),
        run_id=os.urandom(4).hex(),
        holder="bench",
    ) as engine:
        result = engine.run()
    current = sum(milestone.is_current for milestone in result.assessed)
    print(f"{len(result.assessed)} milestones, {current} of them running; {len(result.failures)} failures")


def measured(*words: str) -> None:
    """Run a part of the benchmark in a process of its own and return its cost."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read().strip()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    print(f"{words[0].strip('-'):10}{wall:8.2f}{cpu:8.2f}{used.ru_maxrss / 1024:9.0f}  {said}", flush=True)
    if process.returncode:
        sys.exit(process.returncode)


def main() -> None:
    """Print the table, or be one of its processes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--projects", type=int, default=500)
    parser.add_argument("--keep", type=Path, help="a folder whose database is used, and made if it is not there")
    for name in ("--build", "--first", "--quiet"):
        parser.add_argument(name, nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        build(Path(given.build[0]), int(given.build[1]))
    elif given.first or given.quiet:
        gc.set_threshold(300_000)  # as `milesync` does
        run(Path((given.first or given.quiet)[0]))
    else:
        for name in ("sync", "config", "connectors"):
            compileall.compile_dir(Path(__file__).parents[2] / name, quiet=1)
        print(f"{given.projects * MILESTONES * EACH} issues, {given.projects * MILESTONES} milestones")
        print(f"{'':10}{'wall s':>8}{'CPU s':>8}{'peak MB':>9}")
        with tempfile.TemporaryDirectory() as name:
            database = (given.keep or Path(name)) / "large.db"
            if not database.exists():
                measured("--build", str(database), str(given.projects))
            for word in ("--first", "--quiet", "--quiet"):
                measured(word, str(database))


if __name__ == "__main__":
    main()
