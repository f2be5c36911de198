"""A worker whose PostgreSQL is restarted waits for it and goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from signal import SIGTERM

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from sync.telemetry import log
from sync.worker.queue import install
from tests import postgres
from tests.fault.processes import started
from tests.fault.test_workers import expire, until
from tests.fault.tracker_contents import check
from tests.fault.worker_process import Shift, serve

KEY = "acme/app"


@dataclass(frozen=True)
class LoggedShift(Shift):
    """A shift whose worker logs to a file."""

    log: Path

    def reports(self, event: str) -> bool:
        return event in self.log.read_text()


def work(shift: LoggedShift) -> None:
    with shift.log.open("w", buffering=1) as file:
        log.configure(file, json=True)
        serve(shift)


def add_milestone(world: World, title: str) -> None:
    github, now = world.github, datetime.now(UTC).replace(microsecond=0)
    project, due = github.project(KEY), (now + timedelta(days=30)).date()
    goal = github.milestone(project, title, at=now - timedelta(days=40), due=due)
    for n in range(4):
        begin = now - timedelta(days=40 - n)
        github.issue(project, f"item {n} of {title}", github.user("ada"), at=begin, milestones=[goal.id])


def has_status_issues(world: World, number: int) -> Callable[[], bool]:
    def compare() -> bool:
        try:
            check(world.github, number)
        except AssertionError:
            return False
        return True

    return compare


@pytest.mark.timeout(300)
def test_a_worker_goes_on_when_the_database_is_back(tmp_path: Path) -> None:
    database = postgres.database()
    if database is None:
        pytest.skip("no PostgreSQL is installed")
    install(database)
    world, server = World(), postgres.folder_of(database)
    add_milestone(world, "1.0")
    with Sandbox(world, only=("github",)):
        connection = ("github", world.github.url, (KEY,))
        shift = LoggedShift(database, {"github": connection}, tmp_path / "diary", tmp_path / "log")
        worker = started(work, shift)
        try:
            until(has_status_issues(world, 1))
            postgres.stop(server)
            try:
                until(lambda: shift.reports("the queue's database is not available"))
                add_milestone(world, "2.0")
            finally:
                postgres.start(server)
            expire(database)  # a write may have lost the database before it could release its lease
            until(has_status_issues(world, 2))
            assert worker.is_alive()
            worker.terminate()
            worker.join(60)
            assert worker.exitcode == 128 + SIGTERM
        finally:
            worker.kill()
    assert "Traceback" not in shift.log.read_text()
