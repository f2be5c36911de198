"""A run of the engine in a process of its own, against the sandbox, that stops where we want it to."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from sync.assess.milestone import AssessmentRules
from sync.cli.wiring import connect
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.model.policy import Limits, Policy
from sync.store import lease
from sync.store.lease import Lease, this_process
from sync.store.store import Store
from sync.tracker.actions import Action, Receipt
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup

SECRETS = {"token": "sandbox", "email": "bot@example.org"}


@dataclass(frozen=True)
class Job:
    """One run. ``boundary``: stop at the n-th journal boundary; ``diary``: the file that records leases held and writes
    begun.
    """

    database: str
    kind: str
    url: str
    project: str
    now: datetime
    boundary: int = 0
    diary: str = ""
    run: str = "run"


class Stopped(Store):
    """A store that ends its process, as SIGKILL does, at a boundary of the journal: before begin, after begin (nothing
    sent yet), before finish (the tracker has answered), after finish.
    """

    left = 0
    diary: Path | None = None

    @classmethod
    def for_(cls, job: Job) -> Self:
        store = cls.open(job.database, create=True, clock=lambda: job.now)
        store.left, store.diary = job.boundary, Path(job.diary) if job.diary else None
        return store

    def begin(self, run_id: str, action: Action) -> int:
        self._note(wrote=time.monotonic())
        self._boundary()
        entry = super().begin(run_id, action)
        self._boundary()
        return entry

    def finish(self, entry: int, outcome: Receipt | str) -> None:
        self._boundary()
        super().finish(entry, outcome)
        self._boundary()

    def _boundary(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def _note(self, **what: object) -> None:
        if self.diary is not None:
            with self.diary.open("a") as lines:
                lines.write(json.dumps({**what, "by": os.getpid()}) + "\n")

    def acquire(self, source: str, holder: str, *, dead: Callable[[str], bool] = lease.is_dead) -> Lease | None:
        held = super().acquire(source, holder, dead=dead)
        if held is not None:
            since, release = time.monotonic(), held.release

            def noted() -> None:
                self._note(held=[since, time.monotonic()])
                release()

            held.release = noted  # type: ignore[method-assign]
        return held


def work(job: Job) -> Result:
    """One run to its end."""
    kind, _, dialect = job.kind.partition("-")
    setup = Setup(
        name=job.kind,
        url=job.url,
        secrets=SECRETS if dialect else {"token": SECRETS["token"]},
        clock=lambda: job.now,
        sleep=lambda _: None,
        concurrency=2,
    )
    connection = Connection(
        name=job.kind,
        connector=connect(kind, setup),
        projects=(job.project,),
        policy_of=lambda _: Policy.CREATE,
    )
    with Engine(
        connections=[connection],
        store=Stopped.for_(job),
        instance="acme",
        clock=lambda: job.now,
        rules=AssessmentRules(),
        limits=Limits(),
        run_id=f"{job.run} {os.getpid()} {time.monotonic_ns()}",
        holder=this_process(),
    ) as engine:
        return engine.run()
