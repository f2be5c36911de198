"""Hourly runs over a fleet of projects for a month: whether memory, database, requests and time stay level.

Run it: ``python -m tests.benchmarks.soak [--days N] [--projects N] [--every HOURS]``. The sandbox serves three
trackers and lets the teams of `tests.benchmarks.soak_world` work. A second process calls ``milesync run`` at each
simulated hour through its command line and the real SDKs. It never ends, so that everything that a run leaves behind
adds up. A line is printed for each day; nothing is asserted.

CPU time and memory are those of the second process alone. Waits between writes take simulated time only.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import IO
from unittest import mock

from tests.benchmarks.soak_world import START, Fleet

__all__ = ["Run", "Soak"]


@dataclass(frozen=True)
class Run:
    """Cost of a run: CPU seconds, megabytes of memory and of the database after it, requests and writes.

    ``busy`` is the number of teams that worked in its hour, ``waited`` the simulated seconds of waits between writes.
    """

    at: datetime
    busy: int
    code: int
    cpu: float
    memory: float
    database: float
    requests: int
    writes: int
    waited: float


class Soak:
    """A fleet, its configuration in a folder, and the process that runs milesync."""

    def __init__(self, folder: Path, projects: int, *, settings: str = "") -> None:
        self.fleet, self.folder = Fleet(projects), folder
        self.settings = settings
        self._runner: subprocess.Popen[str] | None = None

    @contextmanager
    def served(self) -> Iterator[None]:
        """Serve the trackers, and keep the running process."""
        from connectors.sandbox.server import Sandbox
        from connectors.sandbox.serving import TOKENS, configuration

        world = self.fleet.world
        with Sandbox(world, only=("github", "gitlab", "jira")):
            config = self.folder / "milesync.toml"
            tables = configuration(world, f"sqlite:///{self.folder / 'soak.db'}")
            config.write_text(f"{tables}\n{self.settings}", encoding="utf-8")
            command = [sys.executable, "-m", "tests.benchmarks.soak", "--runner", str(config)]
            pipe, environ = subprocess.PIPE, {**os.environ, **TOKENS}
            with subprocess.Popen(command, env=environ, text=True, stdin=pipe, stdout=pipe) as self._runner:
                yield
                _pipe(self._runner.stdin).close()

    def run(self, days: int, every: int = 1) -> Iterator[Run]:
        """Yield the runs of so many days, one every so many hours."""
        assert self._runner is not None
        trackers = self.fleet.world.trackers
        for hour in range(0, 24 * days, every):
            at = START + timedelta(hours=hour)
            busy = self.fleet.work(at)
            for tracker in trackers:
                tracker.log.clear()
            print(at.isoformat(), file=_pipe(self._runner.stdin), flush=True)
            answer = json.loads(_pipe(self._runner.stdout).readline())
            files = self.folder.glob("soak.db*")
            yield Run(
                at=at,
                busy=busy,
                **answer,
                database=sum(file.stat().st_size for file in files) / 1e6,
                requests=sum(len(tracker.log) for tracker in trackers),
                writes=sum(len(tracker.writes) for tracker in trackers),
            )


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


# --- the process that runs milesync --------------------------------------------------------------------------------


class _Clock:
    """Simulated time: that of the last line, and what was waited since."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def run_each_line(config: Path) -> None:
    """Call ``milesync run`` at each time that standard input gives; print what it cost."""
    from sync.cli import wiring
    from tests.e2e.in_process import milesync

    clock = _Clock()
    waits = mock.patch.dict(wiring.build_puller.__kwdefaults__, sleep=clock.sleep)
    with mock.patch.object(wiring, "clock", clock), waits:
        for line in sys.stdin:
            clock.now = begin = datetime.fromisoformat(line.strip())
            began = time.process_time()
            done = milesync("run", "--first-run", config=config)
            if done.code:
                print(done.err[-2000:], file=sys.stderr)
            cpu = round(time.process_time() - began, 3)
            waited = (clock.now - begin).total_seconds()
            print(json.dumps({"code": done.code, "cpu": cpu, "memory": _memory(), "waited": waited}), flush=True)


def _memory() -> float:
    """The resident memory of this process in megabytes; on other systems than Linux, the peak."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    return pages * resource.getpagesize() / 1e6


# --- the table -----------------------------------------------------------------------------------------------------


def _print_day(runs: list[Run]) -> None:
    quiet = [run for run in runs if not run.busy]
    busy = [run for run in runs if run.busy] or quiet
    last = runs[-1]
    print(
        f"{last.at:%m-%d %a}{median(r.cpu for r in quiet):8.2f}{median(r.cpu for r in busy):8.2f}"
        f"{median(r.requests for r in quiet):8.0f}{median(r.requests for r in busy):8.0f}"
        f"{sum(r.requests for r in runs):8}{sum(r.writes for r in runs):8}{last.memory:8.0f}{last.database:8.2f}"
        f"{sum(r.code != 0 for r in runs) or '':>8}",
        flush=True,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--projects", type=int, default=50)
    parser.add_argument("--every", type=int, default=1, help="hours between two runs")
    parser.add_argument("--runner", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.runner is not None:
        run_each_line(given.runner)
        return
    names = ("quiet s", "busy s", "quiet", "busy", "all", "writes", "MB", "DB MB", "failed")
    print(f"{'day':9}" + "".join(f"{name:>8}" for name in names), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), given.projects, settings=f"[limits]\ncreates = {10**6}\nupdates = {10**6}\n")
        with soak.served():
            day: list[Run] = []
            for run in soak.run(given.days, given.every):
                day.append(run)
                if len(day) == 24 // given.every:
                    _print_day(day)
                    day = []


if __name__ == "__main__":
    main()
