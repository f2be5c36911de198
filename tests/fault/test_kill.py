"""``kill -9`` at every boundary of the journal and at any moment, and many runs at once: the next run converges."""

from __future__ import annotations

import json
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
from connectors.sandbox.world_data import Issue
from sync.model.health import Status
from tests import postgres
from tests.fault.engine_process import Job, work
from tests.fault.processes import started
from tests.fault.tracker_contents import check, markers
from tests.proof import TIMEOUT, Record, full

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
KINDS = full(("github", "gitlab", "jira", "jira-cloud"), ("github",))
pytestmark = [TIMEOUT, pytest.mark.proof]
DATABASES = ("sqlite", "postgresql")
STRIDE = {"sqlite": full(1, 4), "postgresql": full(1, 12)}
"""By default some boundaries are left out; a full proof takes each."""
MOMENTS = full(50, 2)
"""For each tracker and each database."""
AT_ONCE = full(50, 5)


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
        self.now = NOW
        sandbox.world.clock = lambda: self.now

    def later(self, job: Job, hours: int) -> Job:
        """Move the clocks of tracker and job to this many hours after the start."""
        self.now = NOW + timedelta(hours=hours)
        return replace(job, now=self.now)

    def new(self) -> Job:
        hub, self.now = self.tracker, NOW
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
        """Move the due date into the past: another status, announced by a transition comment."""
        self.goal.due, self.goal.updated = (NOW - timedelta(days=3)).date(), NOW + timedelta(seconds=1)

    def issues(self) -> list[Issue]:
        return [issue for project in self.tracker.projects.values() for issue in project.issues.values()]

    def end(self) -> None:
        """Close everything and the milestone; a version of Jira ends with its release date."""
        for issue in self.issues():
            if issue.milestones:
                self.tracker.close(issue, issue.author)
        if self.tracker.kind.startswith("jira"):
            self.goal.due = (NOW - timedelta(days=1)).date()
        self.tracker.close_milestone(self.tracker.projects[self.key], self.goal, NOW + timedelta(seconds=1))

    def go_on(self) -> None:
        """Open the milestone again, with a later date and more work."""
        self.goal.closed, self.goal.released, self.goal.updated = None, False, NOW + timedelta(seconds=2)
        self.goal.due = (NOW + timedelta(days=30)).date()
        place, later = self.tracker.projects[self.key], NOW + timedelta(seconds=2)
        self.tracker.issue(place, "one more", self.item.author, at=later, milestones=[self.goal.id])

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


def test_killed_at_a_boundary_of_a_first_run(stage: Stage, record_property: Record) -> None:
    for boundary in count(1, STRIDE[stage.database]):
        job = replace(stage.new(), boundary=boundary)
        process = started(work, job)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -SIGKILL
        stage.converges(job, transitions=0)
    record_property("kills", boundary - 1)
    assert boundary > 12, "a first run has at least an issue, a label's move and a comment, with four boundaries each"


def test_killed_at_a_boundary_of_a_change_of_status(stage: Stage, record_property: Record) -> None:
    for boundary in count(1, STRIDE[stage.database]):
        job = stage.new()
        work(job)
        stage.overdue()
        job = replace(stage.later(job, 1), boundary=boundary)
        process = started(work, job)
        process.join()
        if process.exitcode == 0:
            break
        assert process.exitcode == -SIGKILL
        stage.converges(job, transitions=1)
        assert {m.status for m in markers(stage.tracker)} >= {Status.OVERDUE}
    record_property("kills", boundary - 1)
    assert boundary > 12


def test_killed_at_a_boundary_of_the_end_and_of_the_reopening(stage: Stage, record_property: Record) -> None:
    """The status issue is closed and reopened in the next run, and each end and new beginning is said once."""
    kills = 0
    for reopens in (False, True):
        for boundary in count(1, STRIDE[stage.database]):
            job = stage.new()
            work(job)
            stage.end()
            job = stage.later(job, 24)
            if reopens:
                work(job)
                stage.go_on()
                job = stage.later(job, 25)
            process = started(work, replace(job, boundary=boundary))
            process.join()
            if process.exitcode == 0:
                break
            kills += 1
            assert process.exitcode == -SIGKILL
            stage.converges(job, transitions=1 + reopens)
            [issue] = [issue for issue in stage.issues() if issue.author is stage.tracker.bot]
            assert (issue.closed is not None) is not reopens
            changes = [change.new for change in issue.changes if change.field == "state"]
            assert changes == ["closed", "open"][: 1 + reopens]
    record_property("kills", kills)
    assert kills > 24 // STRIDE[stage.database]


def test_killed_at_any_moment(stage: Stage, record_property: Record) -> None:
    rng, unfinished = Random(f"{stage.tracker.kind} {stage.database}"), 0
    for n in range(MOMENTS):
        job = stage.new()
        if n % 2:
            work(job)
            stage.overdue()
            job = stage.later(job, 1)
        process = started(work, job)
        process.join(rng.uniform(0, 0.8))
        process.kill()
        process.join()
        unfinished += process.exitcode == -SIGKILL
        stage.converges(job, transitions=n % 2)
    record_property("kills", MOMENTS)
    record_property("of them before the run had ended", unfinished)


def test_of_many_runs_at_once_one_writes(stage: Stage, record_property: Record) -> None:
    diary = stage.folder / "diary"
    job = replace(stage.new(), diary=str(diary))
    work(replace(job, project=f"{stage.key}X"))  # the database is made, nothing more
    diary.unlink(missing_ok=True)
    processes = [started(work, job) for _ in range(AT_ONCE)]
    for process in processes:
        process.join()
    assert {process.exitcode for process in processes} == {0}
    notes = [json.loads(line) for line in diary.read_text().splitlines()]
    held = sorted(note["held"] + [note["by"]] for note in notes if "held" in note)
    wrote = [(note["wrote"], note["by"]) for note in notes if "wrote" in note]
    assert held
    assert wrote
    assert all(ends <= begins for (_, ends, _), (begins, _, _) in pairwise(held)), "two held one lease at once"
    for at, by in wrote:
        assert any(since <= at <= ends and by == holder for since, ends, holder in held), "a write without a lease"
    record_property("runs at once", AT_ONCE)
    record_property("leases", len(held))
    record_property("writes", len(wrote))
    stage.converges(job, transitions=0)
