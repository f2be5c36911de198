"""The end of a round: detected once, after its last write, with the outcome of the round. Over a queue in memory."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from unittest import mock

import pytest
from procrastinate import App
from procrastinate.testing import InMemoryConnector

from sync.engine.engine import Engine
from sync.engine.result import Result, RoundResult
from sync.pull.progress import Failure
from sync.tracker.errors import AuthError, UnreachableError
from sync.worker import worker
from sync.worker.job import JobEnvironment, JobSpec
from sync.worker.tasks import WorkerOptions
from sync.worker.worker import Worker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


class Hand:
    """An engine that only notes what it is asked for, with failures by connection."""

    requests: dict[str, int] = {}  # noqa: RUF012
    issue_count = 0

    def __init__(self, place: Place, order: JobSpec) -> None:
        self.place, self.name = place, order.connection
        self.failures: list[Failure] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def clock(self) -> datetime:
        return self.place.now

    def pull(self) -> None:
        cause = self.place.causes.get(self.name)
        if cause:
            self.failures = [Failure(self.name, "p", "no", cause)]

    def write_back(self) -> Result:
        self.place.noted.append(self.name)
        return Result(refused=self.place.refused.get(self.name, []))


class Place:
    """A queue in memory and what happened."""

    def __init__(self) -> None:
        self.connector = InMemoryConnector()
        self.now, self.step = NOW, timedelta(hours=1)
        self.noted: list[str] = []
        self.ended: list[RoundResult] = []
        self.causes: dict[str, Exception] = {}
        self.refused: dict[str, list[str]] = {}
        self.well: Callable[[RoundResult], bool] = lambda ended: ended.is_ok

    def round(self) -> set[str]:
        """One round by one process; how steps ended that were not done."""

        def after(_: Engine, ended: RoundResult) -> bool:
            self.noted.append("after")
            self.ended.append(ended)
            return self.well(ended)

        def engine(order: JobSpec) -> Any:
            return Hand(self, order)

        self.now += self.step
        connections = dict.fromkeys(("gh", "gl", "jira"), ("p",))
        work = JobEnvironment("acme", connections, engine, lambda: self.now, after_round=after)
        process = Worker(
            App(connector=self.connector),
            work,
            WorkerOptions(schedule="0 0 1 1 *", batch=1, concurrency=3, recover="0 0 1 1 *"),
        )
        assert asyncio.run(process.run(once=True))
        return process.unfinished_outcomes


@pytest.fixture
def place() -> Any:
    with mock.patch.object(worker, "IDLE_POLL", 0.02):
        yield Place()


def test_it_comes_once_a_round_after_all_write_backs(place: Place) -> None:
    assert place.round() == place.round() == set()
    for half in (place.noted[:4], place.noted[4:]):
        assert sorted(half[:3]) == ["gh", "gl", "jira"]
        assert half[3] == "after"
    assert [result.is_ok for result in place.ended] == [True, True]
    assert [result.since for result in place.ended] == [NOW + timedelta(hours=n) for n in (1, 2)]


def test_a_round_with_a_failed_step_reports_the_last_good_round(place: Place) -> None:
    place.round()
    place.causes["gl"] = AuthError("gl")
    assert place.round() == {"failed"}
    assert (place.ended[1].is_ok, place.ended[1].failures) == (False, {"gl": 1})
    assert place.round() == {"failed"}
    assert [result.last_good for result in place.ended] == [None, *[NOW + timedelta(hours=1)] * 2]
    place.causes.clear()
    assert place.round() == set()
    assert place.ended[3].is_ok


def test_what_failed_after_the_writes_is_a_failure_too(place: Place) -> None:
    place.well = lambda _: False
    assert place.round() == {"failed"}
    place.round()
    assert [(result.is_ok, result.last_good) for result in place.ended] == [(True, None)] * 2


def test_a_refusal_makes_no_good_round(place: Place) -> None:
    place.refused["gh"] = ["too many"]
    assert place.round() == {"refused", "failed"}
    assert not place.ended[0].is_ok


def test_a_round_without_a_connection_that_still_waits_is_no_good_one(place: Place) -> None:
    place.now, place.step = datetime.now(UTC), timedelta(seconds=1)  # steps wait by the queue's own clock
    place.causes["gl"] = UnreachableError("gl")
    assert "again" in place.round()
    place.causes.clear()
    assert place.round() == {"again", "failed"}
    assert not place.ended[-1].is_ok


def test_a_signal_while_the_queue_is_opened_ends_the_process_as_asked() -> None:
    calls: list[Callable[[int], object]] = []

    class Unreachable(InMemoryConnector):
        async def open_async(self, pool: Any = None) -> None:
            calls[0](signal.SIGTERM)
            await asyncio.Event().wait()

    def on_stop(call: Callable[[int], object], *, ends: bool) -> AbstractContextManager[None]:
        assert ends
        calls.append(call)
        return nullcontext()

    work = JobEnvironment("acme", {}, mock.Mock(), lambda: NOW)
    options = WorkerOptions(schedule="0 0 1 1 *", batch=1, concurrency=1, recover="0 0 1 1 *")
    with mock.patch.object(worker, "on_stop", on_stop):
        assert asyncio.run(Worker(App(connector=Unreachable()), work, options).run())
