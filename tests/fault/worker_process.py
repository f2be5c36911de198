"""A worker in a process of its own, over a PostgreSQL queue and the sandbox, that keeps a diary of what it does."""

from __future__ import annotations

import asyncio
import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sync import signals
from sync.assess.milestone import AssessmentRules
from sync.cli.wiring import connect
from sync.engine.engine import Engine
from sync.model.policy import Limits, Policy
from sync.pull.progress import silent
from sync.pull.pull import RoundShare
from sync.store.lease import this_process
from sync.store.store import Store
from sync.tracker.actions import Action
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup
from sync.worker.job import JobEnvironment, JobSpec
from sync.worker.queue import app
from sync.worker.tasks import WorkerOptions
from sync.worker.worker import Worker

SECRETS = {"token": "sandbox"}
STALLED = 30.0
"""Seconds after which a process without a heartbeat counts as dead; no machine is that slow."""
HEARTBEAT = 0.4
"""Seconds between two heartbeats."""


@dataclass(frozen=True)
class Shift:
    """Settings of a worker: the database of queue and store, connections by name (type, URL, projects), the diary."""

    database: str
    connections: dict[str, tuple[str, str, tuple[str, ...]]]
    diary: Path

    def note(self, **what: Any) -> None:
        """One line, at once."""
        line = json.dumps({"pid": os.getpid(), "at": time.monotonic(), **what}) + "\n"
        with self.diary.open("a") as diary:
            diary.write(line)

    def advance(self, pid: int, seconds: float) -> None:
        """Advance the monotonic clock of a process, as a long pause does."""
        self._advance_of(pid).write_text(str(seconds))

    def now(self) -> float:
        """Monotonic clock of this process, in seconds."""
        advance = self._advance_of(os.getpid())
        return time.monotonic() + (float(advance.read_text()) if advance.exists() else 0)

    def _advance_of(self, pid: int) -> Path:
        return self.diary.with_suffix(f".{pid}")

    def lines(self) -> list[dict[str, Any]]:
        """All that was noted, by every process."""
        return [json.loads(line) for line in self.diary.read_text().splitlines()] if self.diary.exists() else []


MOMENT = 0.05
"""Seconds that each write waits between the journal and the last look at the lease."""


class _Noted(Store):
    """A store that notes each write as it is about to begin, and takes its time so that one can be caught at it."""

    shift: Shift

    def begin(self, run_id: str, action: Action) -> int:
        self.shift.note(write=type(action).__name__, milestone=action.milestone)
        entry = super().begin(run_id, action)
        time.sleep(MOMENT)
        return entry


class _NotedEngine(Engine):
    """An engine that notes for how long it has used its connections."""

    shift: Shift
    began = 0.0

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        for name in self.share.connections if self.share else ():
            self.shift.note(connection=name, began=self.began)


def engine(shift: Shift, run_id: str, share: RoundShare | None = None, progress: Any = silent) -> Engine:
    """An engine over all connections, as `sync.cli.wiring` makes one."""

    def configured(name: str, kind: str, url: str, projects: tuple[str, ...]) -> Connection:
        setup = Setup(name=name, url=url, secrets=SECRETS, clock=_now, sleep=lambda _: None, concurrency=2)
        return Connection(name, connect(kind, setup), projects, policy_of=lambda _: Policy.CREATE)

    store = _Noted.open(shift.database, create=False, clock=_now)
    store.shift = shift
    made = _NotedEngine(
        connections=[configured(name, *fields) for name, fields in shift.connections.items()],
        store=store,
        instance="acme",
        clock=_now,
        rules=AssessmentRules(),
        limits=Limits(creates=1000, updates=1000),
        run_id=run_id,
        holder=this_process(),
        progress=progress,
        share=share,
    )
    made.shift, made.began = shift, time.monotonic()
    return made


def serve(shift: Shift) -> None:
    """Work until the process gets SIGTERM."""
    signals.watch()

    def ordered(order: JobSpec) -> Engine:
        return engine(shift, order.run_id, order.share, order.progress)

    work = JobEnvironment(
        "acme", {name: connection[2] for name, connection in shift.connections.items()}, ordered, _now
    )
    worker = Worker(
        app(shift.database, patient=True),
        work,
        WorkerOptions(
            schedule="* * * * * */2",
            batch=2,
            concurrency=2,
            heartbeat=HEARTBEAT,
            stalled=STALLED,
            recover="* * * * * *",
        ),
        now=shift.now,
    )
    signals.leave(0 if asyncio.run(worker.run()) else 1)


def _now() -> datetime:
    return datetime.now(UTC)
