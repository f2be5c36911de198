"""Detect the end of a distributed round and summarise it from the job table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued
from procrastinate.jobs import Job
from procrastinate.tasks import Task

from sync.engine.result import RoundResult

__all__ = ["RoundEnd"]

LOCK = "(after)"
"""Lock of the job that follows a round; no connection has this name."""


class RoundEnd:
    """The ends of rounds. A round is identified by its start, ``since`` (ISO 8601), which each of its steps carries.

    Each write-back is followed by a job ``over`` under the lock of its connection, so that the job runs after the
    write-back has ended. When several write-backs end together, at least one of these jobs finds none left, and
    ``after`` is queued once.
    """

    def __init__(self, queue: App, instance: str) -> None:
        self._queue, self._instance = queue, instance

    async def schedule_check(self, check: Task[Any, Any, Any], write_arguments: Mapping[str, Any]) -> None:
        """Queue a check for the end of the round, after the write-back with these arguments."""
        name = write_arguments["connection"]
        task = check.configure(lock=name, queueing_lock=f"{name} over", priority=2)
        whole = write_arguments.get("whole", True)
        with suppress(AlreadyEnqueued):
            await task.defer_async(connection=name, since=write_arguments["since"], whole=whole)

    async def schedule_after(self, after: Task[Any, Any, Any], since: str, *, whole: bool) -> None:
        """Queue what follows the round, once, if no write-back of the round is left."""
        if any(job.task_kwargs["since"] == since for job in await self._jobs("todo doing", "write")):
            return
        at = int(datetime.fromisoformat(since).timestamp())
        arguments: dict[str, Any] = {"timestamp": at, "since": since, "whole": whole}
        job = after.configure(lock=LOCK, queueing_lock=f"{LOCK} {since}", task_kwargs=arguments).job
        with suppress(AlreadyEnqueued):
            await self._queue.job_manager.defer_periodic_job(job=job, periodic_id="round", defer_timestamp=at)

    async def has_backlog(self) -> bool:
        """Return whether steps of an earlier round still wait, so that a new round will be without them."""
        return bool(await self._jobs("todo", "pull", "write"))

    async def summarise(self, since: str, *, whole: bool) -> RoundResult:
        """Return the result of a round; ``whole``: all of its steps were queued."""
        failed = [job for job in await self._jobs("failed", "pull", "write") if job.task_kwargs["since"] == since]
        succeeded, unsuccessful = await self._jobs("succeeded", "after"), await self._jobs("failed", "after")
        # A job that was put back counts as succeeded, even if its new job failed.
        good_rounds = _starts(succeeded) - _starts(unsuccessful) - {since}
        return RoundResult(
            since=datetime.fromisoformat(since),
            is_ok=whole and not failed,
            failures=Counter(job.lock or "" for job in failed),
            last_good=max(map(datetime.fromisoformat, good_rounds), default=None),
        )

    async def _jobs(self, states: str, *tasks: str) -> list[Job]:
        jobs: list[Job] = []
        for task in tasks:
            for state in states.split():
                jobs += await self._queue.job_manager.list_jobs_async(queue=self._instance, task=task, status=state)
        return jobs


def _starts(jobs: Iterable[Job]) -> set[str]:
    """Return the starts of the rounds that these jobs belong to."""
    return {str(job.task_kwargs["since"]) for job in jobs}
