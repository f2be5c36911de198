"""Four worker processes on a real PostgreSQL: killed, paused and stopped among themselves, they end where one would."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from signal import SIGTERM
from typing import Any

import pytest
from psutil import STATUS_STOPPED, Process
from sqlalchemy import Engine, create_engine, text

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from sync.worker.queue import SCHEMA, install
from tests import postgres
from tests.fault.processes import started
from tests.fault.tracker_contents import check
from tests.fault.worker_process import MOMENT, STALLED, Shift, engine, serve

PROOF = bool(os.environ.get("MILESYNC_PROOF"))
pytestmark = pytest.mark.timeout(1_200 if PROOF else 300)
PROCESSES = 4
KILLS = 40 if PROOF else 3
PROJECTS = 4
TRACKERS = ("github", "gitlab", "jira")


def until(what: Callable[[], Any], describe: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, f"it did not come about in time: {describe()}"
        time.sleep(0.02)


def filled() -> World:
    """Each tracker with a few projects of one running milestone."""
    world, now = World(), datetime.now(UTC).replace(microsecond=0)
    for tracker in world.trackers:
        if tracker.kind in TRACKERS:
            ada = tracker.user("ada")
            for n in range(PROJECTS):
                place = tracker.project(f"P{n}" if tracker.kind == "jira" else f"acme/p{n}")
                goal = tracker.milestone(
                    place, "1.0", at=now - timedelta(days=40), due=(now + timedelta(days=30)).date()
                )
                for m in range(4):
                    tracker.issue(place, f"item {m}", ada, at=now - timedelta(days=40 - m), milestones=[goal.id])
    return world


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(filled(), only=TRACKERS) as running:
        yield running


def missing(world: World) -> str:
    """Describe what the trackers lack; empty: nothing, as one process would leave them."""
    try:
        for tracker in world.trackers:
            if tracker.kind in TRACKERS:
                check(tracker, PROJECTS)
    except AssertionError as error:
        return f"{tracker.kind}: {error}"
    return ""


def suspended(process: BaseProcess) -> Process:
    """Suspend the process and return it once it is stopped."""
    found = Process(process.pid)
    found.suspend()
    until(lambda: found.status() == STATUS_STOPPED)
    return found


class Staff:
    """The processes, and who of them is where."""

    def __init__(self, shift: Shift) -> None:
        self.shift = shift
        self.workers = [started(serve, shift) for _ in range(PROCESSES)]

    def kill(self, process: BaseProcess) -> None:
        """As the system does when memory runs out; another takes its place."""
        process.kill()
        process.join()
        self.workers[self.workers.index(process)] = started(serve, self.shift)

    def age_dead_workers(self) -> None:
        """Let a minute pass for the processes that have no heartbeat, once all others have shown theirs."""
        with opened(self.shift.database) as database:

            def heartbeats() -> dict[int, datetime]:
                with database.connect() as connection:
                    rows = connection.execute(text(f"SELECT id, last_heartbeat FROM {SCHEMA}.procrastinate_workers"))
                    return {row.id: row.last_heartbeat for row in rows}

            before = heartbeats()
            until(lambda: sum(before.get(n) != at for n, at in heartbeats().items()) >= PROCESSES)
            after = heartbeats()
            dead = [n for n, at in after.items() if before.get(n) == at]
            a_minute_ago = "last_heartbeat = last_heartbeat - interval '1 minute'"
            with database.begin() as connection:
                statement = text(f"UPDATE {SCHEMA}.procrastinate_workers SET {a_minute_ago} WHERE id = ANY(:dead)")
                connection.execute(statement, {"dead": dead})

    def writing(self) -> tuple[BaseProcess, float]:
        """One that is about to begin a write, and since when it is."""
        seen = len(self.shift.lines())
        found: list[tuple[BaseProcess, float]] = []

        def caught() -> bool:
            writes = [line for line in self.shift.lines()[seen:] if "write" in line]
            found.extend(
                (process, line["at"]) for line in writes[-1:] for process in self.workers if process.pid == line["pid"]
            )
            return bool(found)

        until(caught)
        return found[0]

    def pause(self) -> BaseProcess:
        """Suspend a worker that is about to begin a write and has not checked its lease yet; another one replaces it.

        A request that was sent is carried out even if its sender dies, so a worker that may have sent goes on, and the
        next one is tried.
        """
        while True:
            process, since = self.writing()
            stopped = suspended(process)
            if time.monotonic() < since + MOMENT:
                self.workers[self.workers.index(process)] = started(serve, self.shift)
                return process
            stopped.resume()

    def stop(self) -> None:
        """Ask all of them to end, and see that they do so well."""
        for process in self.workers:
            process.terminate()
        for process in self.workers:
            process.join(120)
        assert [process.exitcode for process in self.workers] == [128 + SIGTERM] * PROCESSES


@contextmanager
def opened(database: str) -> Iterator[Engine]:
    engine = create_engine(database.replace("postgresql:", "postgresql+psycopg:"))
    yield engine
    engine.dispose()


def expire(database: str) -> None:
    """Let two minutes pass for the leases."""
    with opened(database) as engine, engine.begin() as connection:
        connection.execute(text("UPDATE lease SET until = 0"))


def test_killed_and_paused_workers_end_where_one_would(
    sandbox: Sandbox, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    database = postgres.database()
    if database is None:
        pytest.skip("no PostgreSQL is installed")
    install(database)
    kinds = {tracker.kind: tracker for tracker in sandbox.world.trackers if tracker.kind in TRACKERS}
    connections = {
        name: (name, tracker.url, tuple(place.key for place in tracker.projects.values()))
        for name, tracker in kinds.items()
    }
    shift, random = Shift(database, connections, tmp_path / "diary"), Random(1)
    staff = Staff(shift)
    paused = staff.workers[0]
    try:
        paused = staff.pause()
        for n in range(KILLS):
            staff.age_dead_workers()
            if n < 2:
                staff.kill(staff.writing()[0])
            else:
                time.sleep(random.uniform(0, 0.5))
                staff.kill(random.choice(staff.workers))
        staff.age_dead_workers()
        expire(database)
        until(lambda: not missing(sandbox.world), describe=lambda: missing(sandbox.world))
        woken = time.monotonic()
        shift.advance(paused.pid or 0, 2 * STALLED)
        Process(paused.pid).resume()
        paused.join(120)
        assert paused.exitcode == 1, "who has slept too long ends itself"
        staff.stop()
    finally:
        for process in (paused, *staff.workers):
            process.kill()
    record_property("kills", KILLS)
    lines = shift.lines()
    late = [line for line in lines if line["pid"] == paused.pid and line["at"] > woken]
    assert [line for line in late if "write" in line] == []
    spans = defaultdict(list)
    for line in lines:
        if "connection" in line and line["pid"] != paused.pid:
            spans[line["connection"]].append((line["began"], line["at"]))
    assert spans.keys() == connections.keys()
    for used in spans.values():
        assert all(end <= begin for (_, end), (begin, _) in pairwise(sorted(used))), "one token, one user at a time"
    assert missing(sandbox.world) == ""
    with engine(shift, "the last") as last:
        result = last.run()
    assert (result.failures, result.refused, result.plan.actions) == ([], [], ())
