"""``kill -9`` at every boundary of the journal and at any moment, and many runs at once: the next run converges."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise
from pathlib import Path
from random import Random
from signal import SIGKILL

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World
from sync.model import Status
from tests import postgres
from tests.fault.killed import Job, started, work
from tests.fault.standing import check, markers

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
PROOF = bool(os.environ.get("MILESYNC_PROOF"))
KINDS = ("github", "gitlab", "jira", "jira-cloud") if PROOF else ("github",)
pytestmark = pytest.mark.timeout(3_600 if PROOF else 300)
DATABASES = ("sqlite", "postgresql")
STRIDE = {"sqlite": 1 if PROOF else 4, "postgresql": 1 if PROOF else 12}
"""By default some boundaries are left out; a full proof takes each."""
MOMENTS = 200 if PROOF else 2
AT_ONCE = 50 if PROOF else 5


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(lambda: NOW)) as running:
        yield running


class Stage:
    """A tracker with one running milestone, and a database; new ones for each act."""

    def __init__(self, sandbox: Sandbox, kind: str, database: str, folder: Path) -> None:
        self.tracker: Tracker = {tracker.kind: tracker for tracker in sandbox.world.trackers}[kind]
        self.key = "APP" if kind.startswith("jira") else "acme/app"
        self.database, self.folder, self.acts = database, folder, count()

    def new(self) -> Job:
        hub = self.tracker
        for filled in (hub.projects, hub.faults, hub.log, hub.moved):
            filled.clear()
        hub.users, hub.used = {hub.bot.id: hub.bot}, 0
        place, ada = hub.project(self.key), hub.user("ada")
        self.goal = hub.milestone(place, "1.0", at=NOW - timedelta(days=40), due=(NOW + timedelta(days=30)).date())
        for n in range(4):
            made = NOW - timedelta(days=40 - n)
            self.item = hub.issue(place, f"item {n}", ada, at=made, milestones=[self.goal.id])
        url: str | None = f"sqlite:///{self.folder}/{next(self.acts)}.db"
        if self.database == "postgresql":
            url = postgres.database()
        if url is None:
            pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
        return Job(url, hub.kind, hub.url, self.key, NOW)

    def overdue(self) -> None:
        """People move the due date back: another status, told by a transition."""
        self.goal.due, self.goal.updated = (NOW - timedelta(days=3)).date(), NOW + timedelta(seconds=1)

    def converges(self, job: Job, *, transitions: int) -> None:
        """The next run ends with one status issue, one summary and each transition once; the one after does nothing."""
        result = work(replace(job, boundary=0))
        assert (result.failures, result.refused) == ([], [])
        assert len(check(self.tracker, 1)) == transitions
        wrote = len(self.tracker.writes)
        assert work(replace(job, boundary=0)).plan.actions == ()
        assert len(self.tracker.writes) == wrote


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, sandbox: Sandbox, database: str, tmp_path: Path) -> Stage:
    return Stage(sandbox, request.param, database, tmp_path)


def test_killed_at_a_boundary_of_a_first_run(stage: Stage) -> None:
    for boundary in count(1, STRIDE[stage.database]):
        job = replace(stage.new(), boundary=boundary)
        process = started(job)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -SIGKILL
        stage.converges(job, transitions=0)
    assert boundary > 12, "a first run has at least an issue, a label's move and a comment, with four boundaries each"


def test_killed_at_a_boundary_of_a_change_of_status(stage: Stage) -> None:
    for boundary in count(1, STRIDE[stage.database]):
        job = stage.new()
        work(job)
        stage.overdue()
        job = replace(job, boundary=boundary, now=NOW + timedelta(hours=1))
        process = started(job)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -SIGKILL
        stage.converges(job, transitions=1)
        assert {m.status for m in markers(stage.tracker)} >= {Status.OVERDUE}
    assert boundary > 12


def test_killed_at_any_moment(stage: Stage) -> None:
    rng = Random(stage.database)
    for n in range(MOMENTS):
        job = stage.new()
        if n % 2:
            work(job)
            stage.overdue()
            job = replace(job, now=NOW + timedelta(hours=1))
        process = started(job)
        process.join(rng.uniform(0, 0.8))
        process.kill()
        process.join()
        stage.converges(job, transitions=n % 2)


def test_of_many_runs_at_once_one_writes(stage: Stage) -> None:
    diary = stage.folder / "diary"
    job = replace(stage.new(), diary=str(diary))
    work(replace(job, project=f"{stage.key}X"))  # the database is made, nothing more
    diary.unlink(missing_ok=True)
    processes = [started(job) for _ in range(AT_ONCE)]
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    held = sorted(json.loads(line) for line in diary.read_text().splitlines())
    assert held
    assert all(ends <= begins for (_, ends, _), (begins, _, _) in pairwise(held)), "two held one lease at once"
    stage.converges(job, transitions=0)
