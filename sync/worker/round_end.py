"""When a round that many processes share is over, and how it went, by what the queue remembers of its steps."""

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
"""Held while what follows a round is done; no connection has such a name."""


class RoundEnd:
    """The ends of rounds. A round is named by its beginning, ``since`` (ISO 8601); each of its steps carries that.

    Each write-back is followed by a step ``over`` under its connection's lock, which therefore looks only after it has
    ended: of the write-backs that end together at least one sees that none is left, and ``after`` is put into the queue
    once.
    """

    def __init__(self, queue: App, instance: str) -> None:
        self._queue, self._instance = queue, instance

    async def look(self, over: Task[Any, Any, Any], given: Mapping[str, Any]) -> None:
        """Have it seen whether the round is over of which this write-back, by its arguments, is at its end."""
        name = given["connection"]
        task = over.configure(lock=name, queueing_lock=f"{name} over", priority=2)
        with suppress(AlreadyEnqueued):
            await task.defer_async(connection=name, since=given["since"], whole=given.get("whole", True))

    async def followed(self, after: Task[Any, Any, Any], since: str, *, whole: bool) -> None:
        """Put what follows a round into the queue, if no write-back of it is left and nobody has done so."""
        if any(job.task_kwargs["since"] == since for job in await self._steps("todo doing", "write")):
            return
        at = int(datetime.fromisoformat(since).timestamp())
        given: dict[str, Any] = {"timestamp": at, "since": since, "whole": whole}
        job = after.configure(lock=LOCK, queueing_lock=f"{LOCK} {since}", task_kwargs=given).job
        with suppress(AlreadyEnqueued):
            await self._queue.job_manager.defer_periodic_job(job=job, periodic_id="round", defer_timestamp=at)

    async def behind(self) -> bool:
        """Whether steps of an earlier round still wait, so that a new one will be without them."""
        return bool(await self._steps("todo", "pull", "write"))

    async def ended(self, since: str, *, whole: bool) -> RoundResult:
        """How a round went; ``whole``: it had all its steps."""
        failed = [job for job in await self._steps("failed", "pull", "write") if job.task_kwargs["since"] == since]
        good, bad = await self._steps("succeeded", "after"), await self._steps("failed", "after")
        # One that was put back has succeeded too, whatever became of it then.
        known = _begun(good) - _begun(bad) - {since}
        return RoundResult(
            since=datetime.fromisoformat(since),
            well=whole and not failed,
            failed=Counter(job.lock or "" for job in failed),
            good=max(map(datetime.fromisoformat, known), default=None),
        )

    async def _steps(self, states: str, *tasks: str) -> list[Job]:
        found: list[Job] = []
        for task in tasks:
            for state in states.split():
                found += await self._queue.job_manager.list_jobs_async(queue=self._instance, task=task, status=state)
        return found


def _begun(steps: Iterable[Job]) -> set[str]:
    return {str(step.task_kwargs["since"]) for step in steps}
