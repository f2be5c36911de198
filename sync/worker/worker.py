"""The engine's steps as tasks on a PostgreSQL queue, for many processes on many hosts.

What each task reads and writes: ``round`` the configuration only; it puts the others into the queue. ``pull`` asks one
connection's tracker for one batch of its projects and stores what it says. ``write`` reads the whole store, since a
forecast draws on every team's history, and observes and writes through one connection only. ``refresh`` does both for
the projects of which a webhook said that they may have changed. ``over`` follows each write-back and looks whether it
was its round's last; then ``after`` does once, from the store, what follows the writes. ``recover`` and ``tidy`` look
after the queue.

A process that dies stops its heartbeat; ``recover`` puts its steps back. One that was paused for longer than that has
lost them to others and ends itself when it wakes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import structlog
from procrastinate import App, JobContext
from procrastinate import exceptions as queue_errors
from procrastinate.jobs import Job, Status

from sync.engine.engine import Engine
from sync.pull.progress import Failure
from sync.pull.pull import Share
from sync.store.store import StoreError
from sync.worker.job import JobEnvironment, JobSpec, Stopping
from sync.worker.round import HELD, PATIENCE, retry_at, steps
from sync.worker.round_end import RoundEnd

__all__ = ["Pulse", "Worker"]

log = structlog.get_logger("milesync")
T = TypeVar("T")

FIRST = 600
"""Seconds within which a process that starts begins no round when another one did."""
MINUTELY, DAILY = "* * * * *", "23 3 * * *"
LOOK = 1.0
"""Seconds between two looks at what is left to do."""
KEPT = timedelta(days=7)
"""For how long the queue remembers what has been done."""


class AgainError(Exception):
    """A step is to be tried again at a time (UTC)."""

    def __init__(self, at: datetime, why: str) -> None:
        self.at = at
        super().__init__(why)


class FailedError(Exception):
    """A step failed in a way that the next round may not share; its reasons have been told."""


class JobRefusedError(FailedError):
    """What a step was to write is above the limits."""


@dataclass
class Pulse:
    """Whether this process has run without a pause longer than others wait for it (seconds)."""

    limit: float
    now: Callable[[], float] = time.monotonic
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        self._last = self.now()

    @property
    def lost(self) -> bool:
        """Whether others have taken this process for dead."""
        return self.now() - self._last > self.limit

    def beat(self) -> None:
        """Tell that it runs; what was lost stays lost."""
        if not self.lost:
            self._last = self.now()


class Worker:
    """One process that takes steps from the queue. ``heartbeat`` and ``stalled`` are in seconds."""

    def __init__(
        self,
        queue: App,
        work: JobEnvironment,
        *,
        schedule: str,
        batch: int,
        concurrency: int,
        heartbeat: float = 10.0,
        stalled: float = 30.0,
        recover: str = MINUTELY,
        abandon: Callable[[], None] = lambda: os._exit(1),
    ) -> None:
        self.queue, self.work, self._rounds = queue, work, RoundEnd(queue, work.instance)
        self.missed: set[str] = set()
        """How steps ended here without their work done: ``failed``, ``refused``, ``crashed``; ``again``: one waits."""
        self._batch, self._concurrency = batch, concurrency
        self._heartbeat, self._stalled = heartbeat, stalled
        self._pulse, self._abandon = Pulse(stalled), abandon
        self._stop = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks(schedule, recover)

    def _tasks(self, schedule: str, recover: str) -> None:
        def task(name: str, **options: Any) -> Callable[[Any], Any]:
            return self.queue.task(name=name, queue=self.work.instance, **options)

        def alone(name: str, cron: str, work: Callable[[], Awaitable[None]]) -> Any:
            async def told(timestamp: int) -> None:  # noqa: ARG001 - each periodic task is told its time
                try:
                    await work()
                except Exception:
                    log.exception("crashed", task=name)
                    raise

            # No lock: one that died with it would keep `recover` from ever freeing it.
            made = task(name, queueing_lock=f"({name})")(told)
            return self.queue.periodic(cron=cron)(made)

        self._round = alone("round", schedule, self._begin)
        alone("recover", recover, self._recover)
        alone("tidy", DAILY, self._tidy)
        self._steps = {
            "pull": task("pull", pass_context=True)(self._pull),
            "write": task("write", pass_context=True)(self._write),
            "refresh": task("refresh", pass_context=True)(self._refresh),
            "over": task("over")(self._over),
            "after": task("after", pass_context=True)(self._after),
        }

    # --- tasks ------------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        """Put the steps of a round into the queue; what still waits from the last one stays as it is."""
        since = self.work.clock().isoformat()
        whole = not await self._rounds.behind()
        waiting = 0
        for step in steps(self.work.connections, self._batch):
            own: dict[str, Any] = {"projects": list(step.projects)} if step.projects else {"whole": whole}
            task = self._steps[step.name].configure(lock=step.lock, queueing_lock=step.queueing_lock)
            try:
                await task.defer_async(connection=step.connection, since=since, **own)
            except queue_errors.AlreadyEnqueued:
                waiting += 1
        log.info("round begun", connections=len(self.work.connections), still_waiting=waiting)

    def _pull(self, context: JobContext, connection: str, since: str, projects: list[str], tried: int = 0) -> None:
        known = tuple(project for project in projects if project in self.work.connections[connection])
        if not known:
            return  # the configuration has changed since
        part = Share((connection,), datetime.fromisoformat(since), known)
        with self._engine(context, part, writes=False) as engine:
            engine.pull()
            requests = engine.requests.get(connection, 0)
            log.info("pulled", issues=engine.issue_count, requests=requests, failures=len(engine.failures))
            self._settle(tried, engine.failures, held=False)

    def _write(self, context: JobContext, connection: str, since: str, whole: bool = True, tried: int = 0) -> None:
        part = Share((connection,), datetime.fromisoformat(since))
        try:
            with self._engine(context, part, writes=True) as engine:
                started = engine.clock()
                result = engine.write_back()
                self.work.told(engine, result, started)
                self._settle(tried, result.failures, held=result.lease_held, refused=result.refused)
        finally:
            self._there(self._look({"connection": connection, "since": since, "whole": whole}))

    def _refresh(self, context: JobContext, connection: str, tried: int = 0) -> None:
        part = Share((connection,), self.work.clock())
        with self._engine(context, part, writes=True) as engine:
            started = engine.clock()
            result = engine.refresh()
            if result is not None:
                self.work.told(engine, result, started)
                self._settle(tried, result.failures, held=result.lease_held, refused=result.refused)

    async def _look(self, given: Mapping[str, Any]) -> None:
        if self.work.after is not None:
            await self._rounds.look(self._steps["over"], given)

    async def _over(self, since: str, whole: bool, **_: Any) -> None:
        await self._rounds.followed(self._steps["after"], since, whole=whole)

    def _after(self, context: JobContext, since: str, whole: bool, **_: Any) -> None:
        if self.work.after is not None:
            ended = self._there(self._rounds.ended(since, whole=whole))
            with self._engine(context, None, writes=True) as engine:
                if not self.work.after(engine, ended):
                    raise FailedError

    async def _recover(self) -> None:
        """Put back what processes held that are gone. What has outlived several of them may be what kills them."""
        jobs = self.queue.job_manager
        stalled = await jobs.get_stalled_jobs(queue=self.work.instance, seconds_since_heartbeat=self._stalled)
        for job in stalled:
            with suppress(queue_errors.ConnectorException):  # another process was faster
                tried = _tried(job) + 1
                back = job.task_name in self._steps and tried < PATIENCE
                await jobs.finish_job(job, Status.ABORTED if back else Status.FAILED, delete_job=False)
                log.warning("its process is gone", task=job.task_name, lock=job.lock, tried=tried)
                if back:
                    await self._put_back(job, self.work.clock(), tried)
                elif job.task_name == "write":
                    await self._look(job.task_kwargs)
        await jobs.prune_stalled_workers(self._stalled)

    async def _tidy(self) -> None:
        hours = KEPT // timedelta(hours=1)
        await self.queue.job_manager.delete_old_jobs(
            hours, queue=self.work.instance, include_failed=True, include_cancelled=True, include_aborted=True
        )
        await asyncio.to_thread(self.work.tidy)

    async def _put_back(self, job: Job, at: datetime, tried: int) -> None:
        """Have a step done again at a time (UTC), before all that its connection has still to do.

        As a new job, since one that runs cannot go back while its like waits; what waits then takes its place.
        """
        task = self._steps[job.task_name].configure(
            lock=job.lock, queueing_lock=job.queueing_lock, priority=1, schedule_at=at
        )
        with suppress(queue_errors.AlreadyEnqueued):
            await task.defer_async(**{**job.task_kwargs, "tried": tried})

    # --- one step ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _engine(self, context: JobContext, part: Share | None, *, writes: bool) -> Iterator[Engine]:
        """An engine for one step, with its run's id in every line of the log; exceptions become the queue's."""
        order = JobSpec(
            run_id=uuid.uuid4().hex[:12],
            share=part,
            writes=writes,
            progress=self._go_on,
            sleep=self._wait,
        )
        with structlog.contextvars.bound_contextvars(
            run=order.run_id, connection=order.connection, task=context.job.task_name
        ):
            made: list[Engine] = []
            outcome = "done"
            try:
                with self.work.engine(order) as engine:
                    made.append(engine)
                    yield engine
            except Stopping:
                outcome = self._again(context.job, self.work.clock(), "this process stops", tried=0)
            except StoreError as problem:
                outcome = self._again(context.job, self.work.clock() + HELD, str(problem), tried=1)
            except AgainError as told:
                outcome = self._again(context.job, told.at, str(told), tried=1)
            except FailedError as told:
                outcome = "refused" if isinstance(told, JobRefusedError) else "failed"
                raise
            except Exception:
                outcome = "crashed"
                log.exception("crashed")
                raise
            finally:
                if self._pulse.lost:
                    self._abandon()
                requests = sum(made[0].requests.values()) if made else 0
                self.missed |= {outcome} - {"done", "again"}
                self.work.ended(context.job.task_name, order.connection, outcome, requests)
            if outcome == "failed":
                raise FailedError  # given up

    def _go_on(self, step: str, detail: str = "") -> None:  # noqa: ARG002 - the engine's progress
        """Called by the engine between two pages and before each write."""
        if self._pulse.lost:
            self._abandon()
        if self._stop.is_set():
            raise Stopping

    def _wait(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopping

    def _again(self, job: Job, at: datetime, why: str, *, tried: int) -> str:
        """Called in a step's thread: put it back. One that was tried too often waits for the next round."""
        tried += _tried(job)
        log.info("again", at=at.isoformat(), why=why, tried=tried)
        if tried >= 2 * PATIENCE:
            return "failed"
        self._there(self._put_back(job, at, tried))
        return "again"

    def _there(self, work: Coroutine[Any, Any, T]) -> T:
        """Called in a step's thread: have something done by the event loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _settle(self, tried: int, failures: Sequence[Failure], *, held: bool, refused: Sequence[str] = ()) -> None:
        """Nothing, or the exception that says what comes next."""
        now = self.work.clock()
        at = retry_at([failure.cause for failure in failures], tried + 1, now)
        if held:
            at = max(at or now, now + HELD)
        if at is not None:
            raise AgainError(at, "another process is writing there" if held else failures[0].error)
        if failures:
            raise FailedError("; ".join(failure.error for failure in failures))
        if refused:
            raise JobRefusedError("; ".join(refused))

    # --- the process ------------------------------------------------------------------------------------------------

    async def run(self, *, once: bool = False) -> bool:
        """Take steps until asked to stop, or with ``once`` until none is left; whether it ended as it should."""
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        self._loop = loop
        assert me is not None
        loop.set_default_executor(ThreadPoolExecutor(self._concurrency + 4, thread_name_prefix="milesync"))

        def stop() -> None:
            if not self._stop.is_set():
                log.info("stopping")
                self._stop.set()
                me.cancel()

        name = f"{self.work.instance}:{os.getpid()}"
        # The outcome of each step is told here, once; what goes wrong with the queue itself is told there.
        logging.getLogger("procrastinate.worker").setLevel(logging.CRITICAL)
        logging.getLogger(f"procrastinate.worker.{name}").setLevel(logging.WARNING)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        async with self.queue.open_async():
            side = [asyncio.create_task(self._beat())]
            if once:
                side.append(asyncio.create_task(self._idle(stop)))
            try:
                await self._first_round(slot=1 if once else FIRST)
                await self.queue.run_worker_async(
                    queues=[self.work.instance],
                    name=name,
                    concurrency=self._concurrency,
                    install_signal_handlers=False,
                    update_heartbeat_interval=self._heartbeat,
                    stalled_worker_timeout=self._stalled,
                    fetch_job_polling_interval=1.0,
                )
            except asyncio.CancelledError:
                if not self._stop.is_set():
                    raise
                me.uncancel()
            finally:
                for task in side:
                    task.cancel()
                await asyncio.gather(*side, return_exceptions=True)
        return self._stop.is_set()

    async def _first_round(self, slot: int) -> None:
        """Begin a round now; of all processes that start within a slot (seconds) only one does."""
        now = int(self.work.clock().timestamp())
        begun = now - now % slot
        job = self._round.configure(task_kwargs={"timestamp": begun}).job
        with suppress(queue_errors.AlreadyEnqueued):
            await self.queue.job_manager.defer_periodic_job(job=job, periodic_id="start", defer_timestamp=begun)

    async def _idle(self, then: Callable[[], None]) -> None:
        """Wait until nothing is under way, and nothing is due."""
        while True:
            await asyncio.sleep(LOOK)
            jobs = self.queue.job_manager
            waiting = await jobs.list_jobs_async(queue=self.work.instance, status="todo")
            busy = await jobs.list_jobs_async(queue=self.work.instance, status="doing")
            now = self.work.clock()
            if not busy and all(job.scheduled_at and job.scheduled_at > now for job in waiting):
                self.missed |= {"again" for job in waiting if _tried(job)}
                return then()

    async def _beat(self) -> None:
        while True:
            if self._pulse.lost:
                self._abandon()
            self._pulse.beat()
            await asyncio.sleep(min(1.0, self._pulse.limit / 4))


def _tried(job: Job) -> int:
    """How often a step has been tried before."""
    said = job.task_kwargs.get("tried", 0)
    return said if isinstance(said, int) else 0
