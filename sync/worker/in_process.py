"""Refreshing what webhooks named in this very process, for those who run no workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from sync.pull.pull import Share
from sync.store.store import Store, StoreError
from sync.worker.job import JobEnvironment, JobSpec, Stopping
from sync.worker.round import HELD, retry_at

__all__ = ["InProcessRefresher"]

log = structlog.get_logger("milesync")

LATER = timedelta(hours=1)
"""When to look again at what a person has to put right first."""


class InProcessRefresher:
    """One connection after the other, some time after it was first named, so that a burst of changes is read once."""

    def __init__(self, store: Store, work: JobEnvironment, *, settle: timedelta) -> None:
        self._store, self._work, self._settle = store, work, settle
        self._due: dict[str, datetime] = {}
        self._tried: dict[str, int] = {}
        self._stop = threading.Event()

    def run(self, tick: Callable[[float], object] | None = None) -> None:
        """Work until `stop`; ``tick`` waits (seconds)."""
        wait = tick or self._stop.wait
        while not self._stop.is_set():
            try:
                self.once()
            except Stopping:
                return
            except StoreError as problem:
                log.warning("no database", error=str(problem))
            except Exception:
                log.exception("crashed")
            wait(1.0)

    def stop(self) -> None:
        """End between two pages or two writes."""
        self._stop.set()

    def once(self) -> None:
        """Refresh what is due by now."""
        for name in self._store.dirty():
            now = self._work.clock()
            if name in self._work.connections and self._due.setdefault(name, now + self._settle) <= now:
                del self._due[name]
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        clock = self._work.clock
        share = Share((name,), clock())
        order = JobSpec(uuid.uuid4().hex[:12], share, writes=True, progress=self._go_on, sleep=self._wait)
        tried = self._tried[name] = self._tried.get(name, 0) + 1
        self._due[name] = clock() + LATER  # if this ends in a crash
        with (
            structlog.contextvars.bound_contextvars(run=order.run_id, connection=name, task="refresh"),
            self._work.engine(order) as engine,
        ):
            started = clock()
            result = engine.refresh()
            if result is not None:
                self._work.told(engine, result, started)
            if result is not None and (result.failures or result.lease_held):
                at = retry_at([failure.cause for failure in result.failures], tried, clock())
                self._due[name] = at or clock() + (HELD if result.lease_held else LATER)
            else:
                del self._due[name]
                del self._tried[name]

    def _go_on(self, step: str, detail: str = "") -> None:  # noqa: ARG002 - the engine's progress
        if self._stop.is_set():
            raise Stopping

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping
