"""One way to talk to a tracker: pacing, one retry layer for reads, and status to error.

The SDKs carry the bytes; their own retries, sleeps and throttles are off. Reads are tried again here (tenacity);
writes are sent once, and an answer that was lost is `UncertainError`, so that the caller looks before it sends again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

import requests
import structlog
import tenacity

from connectors.shared.concurrency import ConcurrencyLimiter
from connectors.shared.responses import EndlessError, Response, budget, error_of
from sync.telemetry.traces import span
from sync.tracker.errors import (
    BusyError,
    LimitedError,
    MalformedError,
    TrackerError,
    UncertainError,
    UnreachableError,
)
from sync.tracker.protocol import Setup

__all__ = ["Caller", "attempt", "pin_environment"]

log = structlog.get_logger("milesync")

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 4
LONGEST_WAIT = 60.0
"""Seconds a read may wait for a rate limit before the connection stops and says when to come back."""


def pin_environment(session: requests.Session, address: str, ca_file: str | None) -> str | bool:
    """Have a session that asks one host go by the environment's proxies and certificates as they are now; else requests
    looks through the environment twice for each request.

    Gives by what certificates are checked: ``ca_file`` before all.
    """
    found: dict[str, Any] = dict(session.merge_environment_settings(address, {}, None, ca_file or True, None))
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
    return session.verify


def attempt(ask: Callable[[], T]) -> Future[T]:
    """Ask before it is known whether the answer will be needed: a `TrackerError` is raised to whoever takes it."""
    asked = Future[T]()
    try:
        asked.set_result(ask())
    except TrackerError as problem:
        asked.set_exception(problem)
    return asked


class Caller:
    """Sends requests for one connection: counts them, paces them, keeps writes apart, retries reads.

    ``write_gap`` is in seconds; ``a_minute`` the most requests that may begin within a minute (0: any number). One
    Caller is shared by the threads of a connection; ``send`` closures use a client of their own thread.
    """

    def __init__(self, setup: Setup, *, write_gap: float = 0.0, a_minute: int = 0, attempts: int = ATTEMPTS) -> None:
        self._name, self._clock, self._sleep = setup.name, setup.clock, setup.sleep
        self._concurrency, self._write_gap, self._attempts = setup.concurrency, write_gap, attempts
        self._lock, self._write_lock = threading.Lock(), threading.Lock()
        self._pace = ConcurrencyLimiter(setup.concurrency, setup.clock, setup.sleep, a_minute)
        self._last_write: datetime | None = None
        self._limited_until: datetime | None = None
        self.count = 0

    def read(self, send: Callable[[], Response], project: str = "") -> Response:
        """Send a request that changes nothing, again after passing faults. Raises a `TrackerError`."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(self._passing),
            sleep=lambda seconds: self._sleep(seconds) if seconds else None,
            reraise=True,
        )
        return retrying(self._once, send, project)

    def write(self, send: Callable[[], Response], project: str = "", *, repeatable: bool = False) -> Response:
        """Send a change, one at a time and no faster than the tracker asks. ``repeatable`` ones (PUT, PATCH, deltas)
        are sent again after passing faults; others never are, and a lost answer is `UncertainError`.
        """
        with self._write_lock:
            if self._last_write is not None:
                gap = self._write_gap - (self._clock() - self._last_write).total_seconds()
                if gap > 0:
                    self._sleep(gap)
            try:
                if repeatable:
                    return self.read(send, project)
                return self._once(send, project)
            except (UnreachableError, MalformedError) as lost:
                if repeatable:
                    raise
                raise UncertainError(self._name, project, lost.detail) from lost
            finally:
                self._last_write = self._clock()

    def each(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``work`` on every item, a few at once, in order; the first error ends it."""
        return list(self.ahead(work, items))

    def ahead(self, work: Callable[[T], R], items: Iterable[T], most: int = 0) -> Iterator[R]:
        """Like `each`, while the results are taken: at most ``most`` items are begun whose results were not, by default
        twice as many as can be worked on at once.

        Whoever stops taking leaves what has not begun.
        """
        if self._concurrency < 2:
            yield from map(work, items)
            return
        todo, most = iter(items), max(2, most or 2 * self._concurrency)
        first = list(islice(todo, 2))
        if len(first) < 2:
            yield from map(work, first)
            return
        with ThreadPoolExecutor(min(most, self._concurrency)) as pool:

            def submit(item: T) -> Future[R]:
                return pool.submit(copy_context().run, work, item)

            begun = deque(submit(item) for item in chain(first, islice(todo, most - 2)))
            try:
                while begun:
                    yield begun.popleft().result()
                    begun.extend(submit(item) for item in islice(todo, 1))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def sent(self, more: int = 1) -> None:
        """Count requests: also those that nobody asked for by name, as the hops of a redirect."""
        with self._lock:
            self.count += more

    def _once(self, send: Callable[[], Response], project: str) -> Response:
        with self._pace.one() as time:
            try:
                response = self._sent(send, project)
            except (UnreachableError, LimitedError):
                self._pace.slow(time)
                raise
            self._pace.well()
        left = budget(response, self._name)
        if left is not None:
            self._pace.narrow(left.left)
        return response

    def _sent(self, send: Callable[[], Response], project: str) -> Response:
        self._keep_to_limit(project)
        self.sent()
        with span("request") as note:
            response = self._answer(send, project)
            note("status", response.status)
        log.debug("request", connection=self._name, project=project, status=response.status)
        error = error_of(response, self._name, project, self._clock())
        if isinstance(error, LimitedError):
            self._limited_until = error.until
        if error is not None:
            raise error
        return response

    def _answer(self, send: Callable[[], Response], project: str) -> Response:
        """Send it, once. What went wrong on the way is a `TrackerError`."""
        try:
            return send()
        except requests.exceptions.SSLError:
            raise UnreachableError(self._name, project, "its certificate was not accepted") from None
        except requests.exceptions.Timeout:
            raise UnreachableError(self._name, project, "timed out") from None
        except EndlessError:
            raise MalformedError(self._name, project, "its answer does not end") from None
        except (requests.exceptions.RequestException, OSError) as problem:
            raise UnreachableError(self._name, project, type(problem).__name__) from None

    def _keep_to_limit(self, project: str) -> None:
        """Send nothing, from any thread, before the tracker wants to be asked again; wait for that if it is soon."""
        until = self._limited_until
        if until is None:
            return
        left = (until - self._clock()).total_seconds()
        if left > LONGEST_WAIT:
            raise LimitedError(self._name, project, until=until)
        if left > 0:
            self._sleep(left)
        if self._limited_until is until:
            self._limited_until = None

    def _passing(self, problem: BaseException) -> bool:
        until = getattr(problem, "until", None)
        if until is not None and (until - self._clock()).total_seconds() > LONGEST_WAIT:
            return False
        return isinstance(problem, UnreachableError) or (isinstance(problem, LimitedError) and until is not None)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        problem = state.outcome.exception() if state.outcome else None
        if isinstance(problem, LimitedError):
            return 0.0  # the next attempt waits for the limit like every other request
        if isinstance(problem, BusyError) and problem.until is not None:
            return max(0.0, (problem.until - self._clock()).total_seconds())
        return float((tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 1))(state))
