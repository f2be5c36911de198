"""A worker process: take steps from the queue until asked to stop, with a heartbeat, in good order on signals."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException

from sync.signals import on_stop
from sync.telemetry.log import events as log
from sync.worker.control import ProcessControl
from sync.worker.job import JobEnvironment
from sync.worker.queue import is_lost
from sync.worker.tasks import Tasks, WorkerOptions, attempts

__all__ = ["Worker"]

START_SLOT = 600
"""Seconds in which only one of the processes that start begins a round."""
IDLE_POLL = 1.0
"""Seconds between two checks whether jobs are left."""


class Worker:
    """One process that takes steps from the queue. ``abandon`` ends the process at once.

    ``now`` is a monotonic clock in seconds, by which the process notices that it was paused.
    """

    def __init__(
        self,
        queue: App,
        environment: JobEnvironment,
        options: WorkerOptions,
        abandon: Callable[[], None] = lambda: os._exit(1),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._environment, self._options = queue, environment, options
        self._control = ProcessControl(options.stalled, abandon, now)
        self._tasks = Tasks(queue, environment, options, self._control)

    @property
    def unfinished_outcomes(self) -> set[str]:
        """Outcomes of steps that did not do their work: ``failed``, ``refused``, ``crashed``, ``again`` (waits)."""
        return self._tasks.unfinished_outcomes

    async def run(self, *, once: bool = False) -> bool:
        """Take steps until asked to stop, or with ``once`` until none is left; return whether it stopped as asked."""
        loop, main = asyncio.get_running_loop(), asyncio.current_task()
        assert main is not None
        self._control.attach(loop)
        loop.set_default_executor(ThreadPoolExecutor(self._options.concurrency + 4, thread_name_prefix="milesync"))

        def stop() -> None:
            if not self._control.is_stopping:
                log.info("stopping")
                self._control.stop()
                main.cancel()

        def stop_from_thread(_number: int) -> None:
            loop.call_soon_threadsafe(stop)

        with on_stop(stop_from_thread, ends=True):
            try:
                async with self._queue.open_async():
                    await self._work(stop, once=once)
            except asyncio.CancelledError:
                if not self._control.is_stopping:
                    raise
                main.uncancel()
        return self._control.is_stopping

    async def _work(self, stop: Callable[[], None], *, once: bool) -> None:
        """Take steps until ``stop`` is called and cancels this; with ``once`` it is called when no step is left."""
        side_tasks = [asyncio.create_task(self._control.beat())]
        if once:
            side_tasks.append(asyncio.create_task(self._wait_until_idle(stop)))
        try:
            await self._begin_first_round(slot=1 if once else START_SLOT)
            while not await self._take_steps() and not once:
                log.warning("the database was lost; other processes take the steps that ran here")
        finally:
            for task in side_tasks:
                task.cancel()
            await asyncio.gather(*side_tasks, return_exceptions=True)

    async def _take_steps(self) -> bool:
        """Take steps until asked to stop. Return False if the database was lost, once the steps that run have ended.

        The queue then takes this process for dead.
        """
        name = f"{self._environment.instance}:{os.getpid()}"
        # Each step logs its own outcome; the library logs only problems of the queue itself.
        logging.getLogger("procrastinate.worker").setLevel(logging.CRITICAL)
        logging.getLogger(f"procrastinate.worker.{name}").setLevel(logging.WARNING)
        try:
            await self._queue.run_worker_async(
                queues=[self._environment.instance],
                name=name,
                concurrency=self._options.concurrency,
                install_signal_handlers=False,
                update_heartbeat_interval=self._options.heartbeat,
                stalled_worker_timeout=self._options.stalled,
                fetch_job_polling_interval=1.0,
            )
        except ConnectorException as error:
            if not is_lost(error):
                raise
            return False
        return True

    async def _begin_first_round(self, slot: int) -> None:
        """Begin a round now; of all processes that start within a slot (seconds) only one does."""
        now = int(self._environment.clock().timestamp())
        start = now - now % slot
        job = self._tasks.round.configure(task_kwargs={"timestamp": start}).job
        with suppress(AlreadyEnqueued):
            await self._queue.job_manager.defer_periodic_job(job=job, periodic_id="start", defer_timestamp=start)

    async def _wait_until_idle(self, then: Callable[[], None]) -> None:
        """Wait until no step runs and none is due, then call ``then``."""
        while True:
            await asyncio.sleep(IDLE_POLL)
            jobs = self._queue.job_manager
            waiting = await jobs.list_jobs_async(queue=self._environment.instance, status="todo")
            running = await jobs.list_jobs_async(queue=self._environment.instance, status="doing")
            now = self._environment.clock()
            if not running and all(job.scheduled_at and job.scheduled_at > now for job in waiting):
                self.unfinished_outcomes.update("again" for job in waiting if attempts(job))
                return then()
