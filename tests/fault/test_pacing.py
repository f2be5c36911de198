"""Pacing of a connection, and bodies that drip or never end: `connectors.shared.concurrency` and
`connectors.shared.http`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sandbox.world_data import Fault
from connectors.shared import responses
from connectors.shared.concurrency import ConcurrencyLimiter, NestedRequestError
from connectors.shared.http import Caller
from connectors.shared.responses import Response
from sync.store.lease import MIN_REMAINING
from sync.tracker.errors import LimitedError, MalformedError, UnreachableError
from sync.tracker.protocol import Connector, Setup
from tests.contract.gitlab_side import served

START = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Clock:
    """Time that passes by ``step`` with every look at it."""

    def __init__(self, step: float = 0.0) -> None:
        self.now, self.step = START, timedelta(seconds=step)

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def setup(clock: Clock, **more: Any) -> Setup:
    values: dict[str, Any] = {"name": "x", "url": "http://127.0.0.1:9", "secrets": {"token": "t"}, "timeout": 60}
    return Setup(**{**values, "clock": clock, "sleep": clock.sleep, **more})


# --- limits --------------------------------------------------------------------------------------------------------


def test_a_tracker_that_refuses_every_request_costs_a_few_minutes_for_all_projects_together() -> None:
    clock, limited = Clock(), [True]
    caller = Caller(setup(clock))

    def send() -> Response:
        return Response(429, {}, b"") if limited[0] else Response(200, {}, b"")

    for n in range(50):
        with pytest.raises(LimitedError):
            caller.read(send, f"project {n}")
    assert clock.now - START <= timedelta(minutes=4)
    limited[0] = False
    clock.sleep(60)
    assert caller.read(send).status == 200, "the next request after the limit is sent"


# --- concurrency ---------------------------------------------------------------------------------------------------


def test_it_halves_at_a_fault_and_grows_back_by_one_a_round() -> None:
    limiter = ConcurrencyLimiter(8, Clock(), Clock().sleep)
    with limiter.slot() as epoch:
        limiter.on_failure(epoch)
    assert limiter.allowed == 4
    for _ in range(4):
        limiter.on_success()
    assert limiter.allowed == 4
    limiter.on_success()
    assert limiter.allowed == 5
    for _ in range(100):
        limiter.on_success()
    assert limiter.allowed == 8, "never more than was configured"


def test_faults_of_one_moment_count_once() -> None:
    limiter = ConcurrencyLimiter(8, Clock(), Clock().sleep)
    with limiter.slot() as epoch:
        for _ in range(3):
            limiter.on_failure(epoch)
    assert limiter.allowed == 4
    for _ in range(9):
        with limiter.slot() as epoch:
            limiter.on_failure(epoch)
    assert limiter.allowed == 1, "never none"


@pytest.mark.parametrize("maximum", [1, 8])
def test_a_request_within_a_request_is_refused_at_once(maximum: int) -> None:
    """With one slot it would wait for ever for its own thread; with more it would do so under load only."""
    caller = Caller(setup(Clock(), concurrency=maximum))
    for verb in (caller.read, caller.write):
        for inner in (caller.read, caller.write):
            with pytest.raises(NestedRequestError):
                verb(lambda inner=inner: inner(lambda: Response(200, {}, "{}")))  # type: ignore[misc]
    assert caller.read(lambda: Response(200, {}, "{}")).status == 200


def test_what_is_left_of_a_budget_is_not_overrun() -> None:
    limiter = ConcurrencyLimiter(8, Clock(), Clock().sleep)
    limiter.limit_to(3)
    assert limiter.allowed == 3
    limiter.limit_to(0)
    assert limiter.allowed == 1
    limiter.limit_to(5000)
    assert limiter.allowed == 1


def test_no_more_are_under_way_than_allowed() -> None:
    """Sixteen threads, a limit met by the first request of all: then four at once."""
    clock, lock = Clock(), threading.Lock()
    caller = Caller(setup(clock, concurrency=8))
    running, most = 0, [0]
    together = threading.Barrier(4, timeout=60)

    def limited() -> Response:
        return Response(429, {"retry-after": "1"}, "{}")

    def answered() -> Response:
        nonlocal running
        with lock:
            running += 1
            most[0] = max(most[0], running)
        together.wait()
        with lock:
            running -= 1
        return Response(200, {}, "{}")

    answers = iter([limited])

    def send() -> Response:
        return next(answers, answered)()

    caller._limiter.limit_to(4)
    threads = [threading.Thread(target=caller.read, args=(answered,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [4]
    with pytest.raises(LimitedError):
        Caller(setup(clock), attempts=1).read(send)


@pytest.mark.parametrize("repeatable", [False, True])
@pytest.mark.parametrize(
    ("waits", "attempts", "is_sent"),
    [
        ([], 1, True),
        ([2], 2, True),
        ([60], 2, True),
        ([61], 1, False),
        ([40, 25], 3, True),
        ([40, 26], 2, False),
        ([9, 9, 9], 4, True),
        ([2, 2, 2, 2], 4, False),
    ],
)
def test_a_write_waits_for_a_limit_while_its_lease_is_surely_valid(
    waits: list[int], attempts: int, is_sent: bool, repeatable: bool
) -> None:
    """A limit refuses surely, so even a create may be sent again, but not after another run may have taken over."""
    clock, sent = Clock(), list[datetime]()
    refusals = [Response(429, {"retry-after": str(seconds)}, "{}") for seconds in waits]
    answers = iter([*refusals, Response(201, {}, "{}")])

    def send() -> Response:
        sent.append(clock.now)
        return next(answers)

    caller = Caller(setup(clock))
    if is_sent:
        assert caller.write(send, repeatable=repeatable).status == 201
    else:
        with pytest.raises(LimitedError):
            caller.write(send, repeatable=repeatable)
    assert len(sent) == attempts
    assert sent[-1] - sent[0] < MIN_REMAINING


def test_a_write_that_has_waited_for_the_limit_of_another_thread_is_not_sent_too_late() -> None:
    clock, sent = Clock(), list[datetime]()

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        caller._limited_until = clock.now + timedelta(seconds=50)  # as by the answer to another thread

    def send() -> Response:
        sent.append(clock.now)
        return Response(503, {"retry-after": "60"}, "{}")

    caller = Caller(setup(clock, sleep=sleep))
    with pytest.raises(LimitedError):
        caller.write(send, repeatable=True)
    assert len(sent) == 1


def test_the_published_limit_of_a_minute_is_kept() -> None:
    clock = Clock()
    caller = Caller(setup(clock), per_minute=10)
    for _ in range(35):
        caller.read(lambda: Response(200, {}, "{}"))
    assert clock.now - START == timedelta(minutes=3)


# --- bodies ---------------------------------------------------------------------------------------------------------


@contextmanager
def dripping(part: bytes) -> Iterator[str]:
    """A server whose answers never end: ``part`` again and again until the reader goes away."""
    listening = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip(taken: socket.socket) -> None:
        with taken:
            taken.recv(65536)
            taken.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 999999999\r\n\r\n")
            try:
                while not ended.is_set():
                    taken.sendall(part)
            except OSError:
                pass

    def serve() -> None:
        while not ended.is_set():
            try:
                taken, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(taken,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(timeout=60)


def _connected(kind: str, url: str, clock: Clock) -> Connector:
    from importlib import import_module

    module, _, cloud = kind.partition("-")
    made: Callable[[Setup], Connector] = import_module(f"connectors.{module}").connect
    return made(setup(clock, url=url, options={"dialect": cloud or "dc"} if module == "jira" else {}))


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira", "jira-cloud"])
def test_a_body_that_drips_is_ended_in_time(kind: str) -> None:
    """Each byte comes in time, the whole never."""
    with dripping(b" ") as url:
        connector = _connected(kind, url, Clock(step=5))
        with pytest.raises(UnreachableError, match="the request timed out"):
            list(connector.pull(["acme/app"], {}))
        connector.close()


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira", "jira-cloud"])
def test_a_body_that_never_ends_is_ended(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responses, "LARGEST_BODY", 1 << 16)
    with dripping(b" " * 5000) as url:
        connector = _connected(kind, url, Clock())
        try:
            failed = [str(problem) for page in connector.pull(["acme/app"], {}) for problem in page.failed.values()]
        except MalformedError as problem:
            failed = [str(problem)]
        assert len(failed) == 1
        assert "does not end" in failed[0]
        connector.close()


# --- counting -------------------------------------------------------------------------------------------------------


def test_the_hops_of_a_redirect_are_requests() -> None:
    with served() as side:
        side.filled("acme/new", 3)
        side.tracker.moved["acme/old"] = "acme/new"
        connector = side.connect()
        list(connector.pull(["acme/old"], {}))
        assert connector.requests == len(side.tracker.log)


def test_a_fault_slows_a_whole_connection_down() -> None:
    with served() as side:
        side.filled("acme/new", 3)
        connector = side.connect(concurrency=8)
        side.tracker.faults.append(Fault("status", "/issues", times=1))  # two could fall into one moment
        list(connector.pull(["acme/new"], {}))
        assert connector._parts.session.caller._limiter.allowed == 4
