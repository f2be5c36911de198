"""SIGINT, SIGTERM or SIGHUP at any moment of any command: it ends with that exit code, and the next run converges."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Fault
from sync.signals import STOPPING
from tests import postgres
from tests.e2e import in_process
from tests.e2e.subprocesses import ENVIRONMENT
from tests.fault.test_workers import until
from tests.fault.tracker_contents import check
from tests.proof import TIMEOUT, Record, full

pytestmark = [TIMEOUT, pytest.mark.proof]
END = 60
"""Seconds after which a command hangs. It has to end within two, on a machine that is not busy."""
NEVER = 10**9
TRACKERS = ("gitlab", "jira", "jira-cloud")
"""Not GitHub, which asks for a second between two writes."""
EVENTS = ("", "", "http.client.send", "journal")
"""Half of the moments are any event, of which most are imports; the others are requests and journal boundaries."""
MOST = {"": 22_000, "http.client.send": 60, "journal": 48}
"""About the number of events of a run."""
WRITING = (("run", "--first-run"), ("apply", "plan.json"))
READING = (
    ("pull",),
    ("plan", "--out", "plan.json"),
    ("status",),
    ("report", "--out", "site"),
    ("doctor",),
    ("check", "gitlab:acme/app"),
    ("explain", "gl:acme/app%1.0"),
    ("timeline", "--ics", "dates.ics"),
    ("backtest",),
    ("digest",),
    ("db", "check"),
)
DIGEST = '[audiences.team]\nreads = ["*"]\n[audiences.team.digest]\nat = 00:00:00\nfile = "digest.md"\n'


@dataclass
class Scene:
    """Three trackers with a running milestone each, and a configuration with a database that does not exist yet."""

    world: World
    folder: Path
    database: str = ""

    def __post_init__(self) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        for tracker in self.world.trackers:
            for filled in (tracker.projects, tracker.faults, tracker.log):
                filled.clear()
            if tracker.kind in TRACKERS:
                ada, place = tracker.user("ada"), tracker.project("acme/app" if tracker.kind == "gitlab" else "APP")
                due = (now + timedelta(days=30)).date()
                goal = tracker.milestone(place, "1.0", at=now - timedelta(days=40), due=due)
                for n in range(4):
                    tracker.issue(place, f"item {n}", ada, at=now - timedelta(days=40 - n), milestones=[goal.id])
        self.config = self.folder / "milesync.toml"
        self.config.write_text(configuration(self.world, self.database or f"sqlite:///{self.folder}/data.db") + DIGEST)

    def stop(self, words: tuple[str, ...], events: str, at: int, number: int) -> tuple[int, bool, str]:
        """Run a command that gets a signal at an event. Return its exit code, whether it got it, and its errors."""
        sent, config = self.folder / "sent", [] if words[0] == "check" else ["--config", str(self.config)]
        sent.unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.fault.stopped_command", events, str(at), str(number), str(sent)]
        process = subprocess.Popen(
            [*command, *words, *config],
            env={**ENVIRONMENT, "GITLAB_URL": self.world.gitlab.url, "PYTHONPATH": str(Path(__file__).parents[2])},
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            _, errors = process.communicate(timeout=END)
        finally:
            process.kill()
        return process.returncode, sent.exists(), errors

    def converges(self) -> None:
        """The next run writes what is missing, and the one after it nothing."""
        result = in_process.milesync("run", "--json", "--first-run", config=self.config)
        assert (result.code, result.document["errors"]) == (0, []), result.err
        for tracker in self.world.trackers:
            if tracker.kind in TRACKERS:
                check(tracker, 1)
        again = in_process.milesync("run", "--json", config=self.config)
        assert (again.code, again.document["writes"]["planned"]) == (0, 0), again.err


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    with Sandbox(world, only=TRACKERS):
        yield world


def hold(code: int, got_signal: bool, errors: str, number: int) -> None:
    """Check what holds for every command that gets a signal."""
    assert "Traceback" not in errors, errors
    assert "KeyboardInterrupt" not in errors, errors
    others = [line for line in errors.splitlines() if not line.startswith("{")]
    assert len(others) <= 1, errors
    events = [json.loads(line)["event"] for line in errors.splitlines() if line.startswith("{")]
    assert events.count("stopped") <= 1, errors
    assert not got_signal or code == 128 + number, (code, errors)


@pytest.mark.parametrize("part", range(full(8, 1)))
def test_a_command_that_writes_stops_and_the_next_run_converges(
    part: int, world: World, tmp_path: Path, record_property: Record
) -> None:
    rng, stopped, moments = Random(part), 0, full(16, 4)
    for n in range(moments):
        (folder := tmp_path / str(n)).mkdir()
        scene, events, number = Scene(world, folder), EVENTS[n % 4], rng.choice(STOPPING)
        words = rng.choice(WRITING)
        if words[0] == "apply":
            assert in_process.milesync("pull", config=scene.config).code == 0
            assert in_process.milesync("plan", "--out", str(folder / "plan.json"), config=scene.config).code == 2
        at = rng.randint(1, MOST[events])
        code, got_signal, errors = scene.stop(words, events, at, number)
        hold(code, got_signal, errors, number)
        stopped += got_signal
        scene.converges()
    record_property("signals", moments)
    record_property("of them before the command had ended", stopped)


@pytest.mark.parametrize("part", range(full(8, 1)))
def test_a_command_that_reads_stops(part: int, world: World, tmp_path: Path, record_property: Record) -> None:
    rng, stopped, moments = Random(-part - 1), 0, full(16, 4)
    scene = Scene(world, tmp_path)
    scene.converges()
    for _ in range(moments):
        words, number = READING[rng.randrange(len(READING))], rng.choice(STOPPING)
        at = rng.randint(1, MOST[""])
        code, got_signal, errors = scene.stop(words, "", at, number)
        hold(code, got_signal, errors, number)
        stopped += got_signal
    record_property("signals", moments)
    record_property("of them before the command had ended", stopped)
    scene.converges()


@pytest.mark.parametrize("number", STOPPING)
def test_a_command_that_waits_for_a_tracker_stops(number: int, world: World, tmp_path: Path) -> None:
    scene, silent = Scene(world, tmp_path), Fault("slow", times=1000, headers={"seconds": "30"})
    world.gitlab.faults.append(silent)
    code = (
        "import signal, milesync; signal.signal(2, signal.default_int_handler); signal.signal(1, signal.SIG_DFL); "
        "milesync.main()"
    )
    words = ["run", "--first-run", "--config", str(scene.config)]
    process = subprocess.Popen([sys.executable, "-c", code, *words], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    try:
        until(lambda: silent.times < 1000)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)  # less than the tracker takes
    finally:
        process.kill()
        world.gitlab.faults.clear()
    hold(process.returncode, got_signal=True, errors=errors, number=number)


LOCKED = """
import signal, sqlite3, sys
from sync import signals
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signals.watch()
database = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
print("waits", flush=True)
database.execute("BEGIN IMMEDIATE")
"""


@pytest.mark.parametrize("number", STOPPING)
def test_a_main_thread_that_waits_inside_a_library_stops(number: int, tmp_path: Path) -> None:
    """SQLite waits for a lock without a look at signals."""
    other = sqlite3.connect(tmp_path / "data.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    command = [sys.executable, "-c", LOCKED, str(tmp_path / "data.db")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.send_signal(number)
        assert process.wait(30) == 128 + number
    finally:
        process.kill()
        process.communicate()
        other.close()


@pytest.mark.parametrize("part", range(full(4, 1)))
def test_a_worker_stops_and_the_next_run_converges(
    part: int, world: World, tmp_path: Path, record_property: Record
) -> None:
    rng, moments = Random(100 + part), full(8, 2)
    for n in range(moments):
        database = postgres.database()
        if database is None:
            pytest.skip("no PostgreSQL is installed")
        (folder := tmp_path / str(n)).mkdir()
        scene, number = Scene(world, folder, database), rng.choice(STOPPING)
        events = EVENTS[(n + 2) % 4]
        at = rng.randint(1, MOST[events] * 2 // 3)  # a worker does not end by itself
        code, got_signal, errors = scene.stop(("worker", "--first-run"), events, at, number)
        assert got_signal
        hold(code, got_signal, errors, number)
        scene.converges()
    record_property("signals", moments)
