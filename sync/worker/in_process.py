"""Refresh in this process what webhooks have marked as changed; for installations without workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from structlog.contextvars import bound_contextvars

from sync.pull.pull import RoundShare
from sync.store.database import StoreError
from sync.store.store import Store
from sync.telemetry.log import events as log
from sync.tracker.errors import SINGLE_FAULTS
from sync.worker.job import JobEnvironment, JobSpec, Stopping
from sync.worker.round import LEASE_RETRY, retry_at

__all__ = ["InProcessRefresher"]

FAILURE_RETRY = timedelta(hours=1)
"""Delay after a failure that a person has to fix first."""


class InProcessRefresher:
    """Refresh one connection after the other, ``settle`` after its first mark: a burst of changes is read once."""

    def __init__(self, store: Store, environment: JobEnvironment, *, settle: timedelta) -> None:
        self._store, self._environment, self._settle = store, environment, settle
        self._due_by_connection: dict[str, datetime] = {}
        self._attempts_by_connection: dict[str, int] = {}
        self._stop = threading.Event()

    def run(self, tick: Callable[[float], object] | None = None) -> None:
        """Refresh until `stop`; ``tick`` sleeps (seconds)."""
        sleep = tick or self._stop.wait
        while not self._stop.is_set():
            try:
                self.refresh_due()
            except Stopping:
                return
            except StoreError as error:
                log.warning("the database is not available; tried again in a second", error=str(error))
            except Exception:
                log.exception("crashed")
            sleep(1.0)

    def stop(self) -> None:
        """End between two pages or two writes."""
        self._stop.set()

    def refresh_due(self) -> None:
        """Refresh the connections whose time has come."""
        due_times = self._due_by_connection
        for name in self._store.changed_projects():
            now = self._environment.clock()
            if name in self._environment.connections and due_times.setdefault(name, now + self._settle) <= now:
                del due_times[name]
                self._refresh(name)

    def _refresh(self, name: str) -> None:
        clock, due_times = self._environment.clock, self._due_by_connection
        share = RoundShare((name,), clock())
        spec = JobSpec(uuid.uuid4().hex[:12], share, may_write=True, progress=self._check, sleep=self._sleep)
        attempt = self._attempts_by_connection[name] = self._attempts_by_connection.get(name, 0) + 1
        due_times[name] = clock() + FAILURE_RETRY  # stays if this crashes
        with (
            bound_contextvars(run=spec.run_id, connection=name, task="refresh"),
            self._environment.make_engine(spec) as engine,
        ):
            started = clock()
            result = engine.refresh()
            if result is not None:
                self._environment.on_result(engine, result, started)
            causes = [failure.cause for failure in result.failures] if result is not None else []
            has_failed = not all(isinstance(cause, SINGLE_FAULTS) for cause in causes)
            if result is not None and (has_failed or result.lease_held):
                at = retry_at(causes, attempt, clock())
                due_times[name] = at or clock() + (LEASE_RETRY if result.lease_held else FAILURE_RETRY)
            else:
                del due_times[name]
                del self._attempts_by_connection[name]

    def _check(self, step: str, detail: str = "") -> None:  # noqa: ARG002 - the signature of the engine's progress
        if self._stop.is_set():
            raise Stopping

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping
