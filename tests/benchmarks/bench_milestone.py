"""Measure one running milestone of many issues, after twelve small ones: assess, explain, comment, report.

Run it: ``python -m tests.benchmarks.bench_milestone [issues ...]``. Each size is measured in a process of its own, so
that the peak memory is its own. Half of the issues are closed, a third has no owner, some block others. The rows are in
the store; the tracker is in memory. For each part: CPU seconds, and the exponent of its growth since the size before.
"""

from __future__ import annotations

import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

SOURCE, PROJECT, NAME = "https://tracker.example", "P", "acme/app"
NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
SMALL, EACH = 12, 20
PAGE = 1000


def build(database: str, issues: int) -> None:
    """Fill a database, page by page, as pulls would."""
    from sync.model.tracker_data import Project, Visibility
    from sync.store.store import Store
    from sync.tracker.protocol import Page

    with Store.open(database, create=True, clock=lambda: NOW) as store:
        project = Project(id=PROJECT, key=NAME, name=NAME, url=f"{SOURCE}/{NAME}", visibility=Visibility.PUBLIC)
        store.save(SOURCE, Page(projects=(project,), cursors={PROJECT: "x"}), NOW)
        for page in _pages(Random(7), issues):
            store.save(SOURCE, page, NOW)
        store.note_pull(SOURCE, NAME, NOW, None)
        store.watch("x", SOURCE, {PROJECT}, only=True)


def _pages(rng: Random, issues: int) -> Iterator:  # type: ignore[type-arg]
    from sync.model.tracker_data import Event, EventKind, Issue, Milestone, MilestoneKind, Person, State, StatusCategory
    from sync.tracker.protocol import Page

    number = 0
    for m in range(SMALL + 1):
        is_large = m == SMALL
        begun = NOW - timedelta(days=14 * (SMALL - m) + 14)
        due = begun + timedelta(days=28)
        ended = None if due > NOW else due
        milestone = Milestone(
            id=f"M{m}",
            project=PROJECT,
            kind=MilestoneKind.MILESTONE,
            key=str(m + 1),
            written=f"#{m + 1}",
            title=f"Release {m + 1}",
            url=f"{SOURCE}/{NAME}/milestone/{m + 1}",
            state=State.CLOSED if ended else State.OPEN,
            due=due.date(),
            created_at=begun,
            updated_at=begun,
            closed_at=ended,
        )
        yield Page(milestones=(milestone,))
        rows, histories = [], {}
        for i in range(issues if is_large else EACH):
            number += 1
            joined = begun + timedelta(days=rng.random() * 10)
            closed = joined + timedelta(days=rng.gammavariate(1.2, 9)) if i % 2 or not is_large else None
            closed = closed if closed is not None and closed < NOW else None
            name = f"I{number}"
            events = [Event(issue=name, at=joined, kind=EventKind.JOINED, milestone=milestone.id)]
            if closed:
                events.append(Event(issue=name, at=closed, kind=EventKind.CLOSED))
            histories[name] = tuple(events)
            rows.append(
                Issue(
                    id=name,
                    project=PROJECT,
                    key=f"#{number}",
                    title=f"Make part {number} work as it was meant to",
                    url=f"{SOURCE}/{NAME}/issues/{number}",
                    state=State.CLOSED if closed else State.OPEN,
                    raw_state="closed" if closed else "open",
                    category=StatusCategory.DONE if closed else StatusCategory.TODO,
                    created_at=joined - timedelta(days=1),
                    updated_at=closed or joined,
                    closed_at=closed,
                    assignees=(Person(f"u{i % 90}", f"User {i % 90}"),) if i % 3 else (),
                    labels=("bug",),
                    milestones=(milestone.id,),
                    blocked_by=(f"#{number - 1}",) if i % 5 == 1 else (),
                )
            )
            if len(rows) == PAGE:
                yield Page(issues=tuple(rows), histories=histories)
                rows, histories = [], {}
        yield Page(issues=tuple(rows), histories=histories)


def measure(database: str) -> dict[str, float]:
    """Return CPU seconds by part, and the peak megabytes."""
    from sync.assess.explain import explain_milestone
    from sync.assess.milestone import AssessmentRules
    from sync.cli.site import write_report
    from sync.engine.engine import Engine
    from sync.model.policy import Limits
    from sync.store.store import Store
    from sync.tracker.connection import Connection
    from tests.benchmarks.bench_large import Silent

    figures: dict[str, float] = {}
    connection = Connection(name="x", connector=Silent(), projects=(NAME,))  # type: ignore[arg-type]
    store = Store.open(database, create=False, clock=lambda: NOW)
    begun = time.process_time()

    def note(part: str) -> None:
        nonlocal begun
        figures[part] = round(time.process_time() - begun, 3)
        begun = time.process_time()

    with Engine(
        connections=[connection],
        store=store,
        instance="bench",
        clock=lambda: NOW,
        rules=AssessmentRules(),
        limits=Limits(),
        run_id="a",
        holder="bench",
    ) as engine:
        engine.store.start_run("a", NOW)
        engine.pull()
        note("start")
        engine.assess()
        note("first assess")
        assessed = engine.assess()
        note("assess")
        plan = engine.plan(assessed)
        note("plan")
        assert plan.actions
        assert explain_milestone(engine.snapshot(), engine.store, f"x:{NAME}#{SMALL + 1}") is not None
        note("explain")
        write_report(engine, Path(database.removeprefix("sqlite:///")).parent / "site", None)
        note("report")
    figures["MB"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def main(sizes: list[int]) -> None:
    """Print one line for each part: its CPU seconds at each size, and the exponents between them."""
    rows: dict[str, list[float]] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            database = f"sqlite:///{folder}/large.db"
            build(database, size)
            command = [sys.executable, "-m", "tests.benchmarks.bench_milestone", "--one", database]
            figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for part, figure in figures.items():
            rows.setdefault(part, []).append(figure)
    print(f"{'issues':14}", *(f"{size:>9}" for size in sizes), " exponent")
    for part, own in rows.items():
        exponents = (
            math.log(max(after, 0.001) / max(before, 0.001)) / math.log(larger / smaller)
            for before, after, smaller, larger in zip(own, own[1:], sizes, sizes[1:], strict=False)
        )
        print(f"{part:14}", *(f"{figure:9.2f}" for figure in own), *(f"{exponent:9.2f}" for exponent in exponents))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main([int(size) for size in sys.argv[1:]] or [25_000, 50_000])
