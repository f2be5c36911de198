"""The engine's steps as tasks on a PostgreSQL queue, for many processes on many hosts.

| task | does |
|---|---|
| ``round`` | queue the steps of a round, from the configuration |
| ``pull`` | pull one batch of projects through one connection |
| ``write`` | assess the whole store; observe and write through one connection |
| ``refresh`` | pull and write back the projects that a webhook marked as changed |
| ``over`` | check after a write-back whether it was the last one of its round |
| ``after`` | do once what follows the writes of a round, from the store |
| ``recover`` | put the steps of dead processes back into the queue |
| ``tidy`` | delete old jobs and outdated rows |

A process that dies stops its heartbeat, and ``recover`` puts its steps back. A process that was paused for longer than
that has lost its steps to others, and ends itself when it wakes.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from procrastinate import App, JobContext
from procrastinate import exceptions as queue_errors
from procrastinate.jobs import Job, Status
from structlog.contextvars import bound_contextvars

from sync.engine.engine import Engine
from sync.pull.progress import Failure
from sync.pull.pull import RoundShare
from sync.store.database import StoreError
from sync.telemetry.log import events as log
from sync.worker.control import ProcessControl
from sync.worker.job import JobEnvironment, JobSpec, Stopping
from sync.worker.round import LEASE_RETRY, PATIENCE, retry_at, steps
from sync.worker.round_end import RoundEnd

__all__ = ["Tasks", "WorkerOptions", "attempts"]

MINUTELY, DAILY = "* * * * *", "23 3 * * *"
"""Cron schedules; a sixth field would be seconds."""
KEPT = timedelta(days=7)
"""Time for which the queue keeps jobs that have ended."""


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """Options of a worker process. ``heartbeat`` and ``stalled`` are in seconds, schedules are cron expressions."""

    schedule: str
    """Starts of rounds."""
    batch: int
    """Maximum number of projects in one pull."""
    concurrency: int
    """Maximum number of steps at once."""
    heartbeat: float = 10.0
    stalled: float = 30.0
    """Time without a heartbeat after which a process counts as dead."""
    recover: str = MINUTELY


class RetryError(Exception):
    """A step is tried again at ``at`` (UTC)."""

    def __init__(self, at: datetime, why: str) -> None:
        self.at = at
        super().__init__(why)


class FailedError(Exception):
    """A step failed and is not tried again in this round; the reasons have been logged."""


class JobRefusedError(FailedError):
    """The writes of a step exceed the limits."""


class Tasks:
    """Define the tasks on the queue and run them."""

    def __init__(
        self, queue: App, environment: JobEnvironment, options: WorkerOptions, control: ProcessControl
    ) -> None:
        self._queue, self._environment, self._options, self._control = queue, environment, options, control
        self._round_end = RoundEnd(queue, environment.instance)
        self.unfinished_outcomes: set[str] = set()
        """Outcomes of steps that did not do their work: ``failed``, ``refused``, ``crashed``, ``again`` (waits)."""
        self.round = self._define_periodic("round", options.schedule, self._begin_round)
        """The task that begins a round."""
        self._define_periodic("recover", options.recover, self._recover)
        self._define_periodic("tidy", DAILY, self._prune)
        self._steps = {
            "pull": self._define("pull", pass_context=True)(self._pull),
            "write": self._define("write", pass_context=True)(self._write),
            "refresh": self._define("refresh", pass_context=True)(self._refresh),
            "over": self._define("over")(self._check_round_end),
            "after": self._define("after", pass_context=True)(self._after_round),
        }

    def _define(self, name: str, **options: Any) -> Callable[[Any], Any]:
        return self._queue.task(name=name, queue=self._environment.instance, **options)

    def _define_periodic(self, name: str, cron: str, work: Callable[[], Awaitable[None]]) -> Any:
        async def run(timestamp: int) -> None:  # noqa: ARG001 - the queue passes the scheduled time
            try:
                await work()
            except StoreError as error:
                log.warning("failed", task=name, error=str(error))
                raise
            except Exception:
                log.exception("crashed", task=name)
                raise

        # Without a lock: a process that died with the lock of `recover` would keep every other one from freeing it.
        task = self._define(name, queueing_lock=f"({name})")(run)
        return self._queue.periodic(cron=cron)(task)

    # --- tasks ------------------------------------------------------------------------------------------------------

    async def _begin_round(self) -> None:
        """Queue the steps of a round; steps of the last round that still wait stay as they are."""
        since = self._environment.clock().isoformat()
        whole = not await self._round_end.has_backlog()
        waiting = 0
        for step in steps(self._environment.connections, self._options.batch):
            arguments: dict[str, Any] = {"projects": list(step.projects)} if step.projects else {"whole": whole}
            task = self._steps[step.name].configure(lock=step.lock, queueing_lock=step.queueing_lock)
            try:
                await task.defer_async(connection=step.connection, since=since, **arguments)
            except queue_errors.AlreadyEnqueued:
                waiting += 1
        log.info("round begun", connections=len(self._environment.connections), still_waiting=waiting)

    def _pull(self, context: JobContext, connection: str, since: str, projects: list[str], tried: int = 0) -> None:
        configured = tuple(project for project in projects if project in self._environment.connections[connection])
        if not configured:
            return  # the configuration has changed since the round began
        share = RoundShare((connection,), datetime.fromisoformat(since), configured)
        with self._engine(context, share, may_write=False) as engine:
            engine.pull()
            requests = engine.requests.get(connection, 0)
            log.info("pulled", issues=engine.issue_count, requests=requests, failures=len(engine.failures))
            self._raise_outcome(tried, engine.failures, lease_held=False)

    def _write(self, context: JobContext, connection: str, since: str, whole: bool = True, tried: int = 0) -> None:
        share = RoundShare((connection,), datetime.fromisoformat(since))
        try:
            with self._engine(context, share, may_write=True) as engine:
                started = engine.clock()
                result = engine.write_back()
                self._environment.on_result(engine, result, started)
                self._raise_outcome(tried, result.failures, lease_held=result.lease_held, refused=result.refused)
        finally:
            arguments = {"connection": connection, "since": since, "whole": whole}
            self._control.call(self._schedule_check(arguments))

    def _refresh(self, context: JobContext, connection: str, tried: int = 0) -> None:
        share = RoundShare((connection,), self._environment.clock())
        with self._engine(context, share, may_write=True) as engine:
            started = engine.clock()
            result = engine.refresh()
            if result is not None:
                self._environment.on_result(engine, result, started)
                self._raise_outcome(tried, result.failures, lease_held=result.lease_held, refused=result.refused)

    async def _schedule_check(self, write_arguments: Mapping[str, Any]) -> None:
        if self._environment.after_round is not None:
            await self._round_end.schedule_check(self._steps["over"], write_arguments)

    async def _check_round_end(self, since: str, whole: bool, **_: Any) -> None:
        await self._round_end.schedule_after(self._steps["after"], since, whole=whole)

    def _after_round(self, context: JobContext, since: str, whole: bool, **_: Any) -> None:
        if self._environment.after_round is not None:
            result = self._control.call(self._round_end.summarise(since, whole=whole))
            with self._engine(context, None, may_write=True) as engine:
                if not self._environment.after_round(engine, result):
                    raise FailedError

    async def _recover(self) -> None:
        """Put back the steps of dead processes. A step that outlived several processes may be what kills them."""
        jobs, stalled = self._queue.job_manager, self._options.stalled
        for job in await jobs.get_stalled_jobs(queue=self._environment.instance, seconds_since_heartbeat=stalled):
            with suppress(queue_errors.ConnectorException):  # another process was faster
                tried = attempts(job) + 1
                retry = job.task_name in self._steps and tried < PATIENCE
                await jobs.finish_job(job, Status.ABORTED if retry else Status.FAILED, delete_job=False)
                log.warning("the process of a step has died", task=job.task_name, lock=job.lock, tried=tried)
                if retry:
                    await self._put_back(job, self._environment.clock(), tried)
                elif job.task_name == "write":
                    await self._schedule_check(job.task_kwargs)
        await jobs.prune_stalled_workers(stalled)

    async def _prune(self) -> None:
        hours = KEPT // timedelta(hours=1)
        await self._queue.job_manager.delete_old_jobs(
            hours, queue=self._environment.instance, include_failed=True, include_cancelled=True, include_aborted=True
        )
        await asyncio.to_thread(self._environment.prune)

    # --- one step ---------------------------------------------------------------------------------------------------

    @contextmanager
    def _engine(self, context: JobContext, share: RoundShare | None, *, may_write: bool) -> Iterator[Engine]:
        """Open an engine for one step. Its run id is in every log line; exceptions become outcomes of the job."""
        spec = JobSpec(
            run_id=uuid.uuid4().hex[:12],
            share=share,
            may_write=may_write,
            progress=self._control.check,
            sleep=self._control.sleep,
        )
        task = context.job.task_name
        with bound_contextvars(run=spec.run_id, connection=spec.connection, task=task):
            opened: list[Engine] = []
            outcome = "done"
            try:
                with self._environment.make_engine(spec) as engine:
                    opened.append(engine)
                    yield engine
            except Stopping:
                outcome = self._retry(context.job, self._environment.clock(), "this process stops", tried=0)
            except StoreError as error:
                outcome = self._retry(context.job, self._environment.clock() + LEASE_RETRY, str(error), tried=1)
            except RetryError as error:
                outcome = self._retry(context.job, error.at, str(error), tried=1)
            except FailedError as error:
                outcome = "refused" if isinstance(error, JobRefusedError) else "failed"
                raise
            except Exception:
                outcome = "crashed"
                log.exception("crashed")
                raise
            finally:
                self._control.check_pulse()
                requests = sum(opened[0].requests.values()) if opened else 0
                self.unfinished_outcomes |= {outcome} - {"done", "again"}
                self._environment.on_step_end(task, spec.connection, outcome, requests)
            if outcome == "failed":
                raise FailedError  # tried too often

    def _raise_outcome(
        self, tried: int, failures: Sequence[Failure], *, lease_held: bool, refused: Sequence[str] = ()
    ) -> None:
        """Raise the exception that decides what follows the step; return when all went well."""
        now = self._environment.clock()
        at = retry_at([failure.cause for failure in failures], tried + 1, now)
        if lease_held:
            at = max(at or now, now + LEASE_RETRY)
        if at is not None:
            raise RetryError(at, "another process is writing to this tracker" if lease_held else failures[0].error)
        if failures:
            raise FailedError("; ".join(failure.error for failure in failures))
        if refused:
            raise JobRefusedError("; ".join(refused))

    def _retry(self, job: Job, at: datetime, why: str, *, tried: int) -> str:
        """Put a step back, from its thread; return the outcome. After too many attempts it waits for the next round."""
        tried += attempts(job)
        log.info("step put back", at=at.isoformat(), why=why, tried=tried)
        if tried >= 2 * PATIENCE:
            return "failed"
        self._control.call(self._put_back(job, at, tried))
        return "again"

    async def _put_back(self, job: Job, at: datetime, tried: int) -> None:
        """Queue a step again at a time (UTC), before all other steps of its connection.

        A new job is queued, because a running job cannot go back while one with the same lock waits; the waiting job
        then does its work.
        """
        task = self._steps[job.task_name].configure(
            lock=job.lock, queueing_lock=job.queueing_lock, priority=1, schedule_at=at
        )
        with suppress(queue_errors.AlreadyEnqueued):
            await task.defer_async(**{**job.task_kwargs, "tried": tried})


def attempts(job: Job) -> int:
    """Return the number of earlier attempts at a step."""
    tried = job.task_kwargs.get("tried", 0)
    return tried if isinstance(tried, int) else 0
