"""Send requests to a tracker: pacing, one retry layer, and translation of failures to `TrackerError`.

The SDKs only transport bytes; their own retries, sleeps and throttles are off. Reads and repeatable writes are retried
here (tenacity). Every other write is sent once: a lost answer raises `UncertainError`, so that the caller reads before
it writes again.
"""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
import urllib3

from connectors.shared.concurrency import ConcurrencyLimiter, NestedRequestError
from connectors.shared.pagination import MAX_PAGES, PageGuard
from connectors.shared.responses import EndlessError, Response, clock_ahead, error_of, rate_limit
from sync.telemetry.log import events as log
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

__all__ = ["Caller", "attempt", "origin_of", "pin_environment"]

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 4
MAX_WAIT = 60.0
"""Seconds that a request waits for a rate limit. A longer wait raises `LimitedError` with the time of the reset."""

MAX_WAITS_IN_VAIN = 3
"""Waits for a rate limit in a row, with no answer between, after which requests fail until the limit ends."""

MAX_WRITE_TIME = timedelta(seconds=65)
"""Time after which a write is not sent again. A lease is valid for 90 seconds or more when a write begins."""

_SDK_FAULTS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError)
"""Errors that the SDKs raise for headers and bodies against the API. Our own errors are none of these."""

_TRANSPORT_WORDS: dict[type[BaseException], str] = {
    socket.gaierror: "the name of the server is not known",
    ConnectionRefusedError: "the connection was refused",
    ConnectionResetError: "the server closed the connection",
    TimeoutError: "the request timed out",
}


def pin_environment(session: requests.Session, address: str, ca_file: str | None) -> str | bool:
    """Read the proxies and certificates of the environment once, for a session that talks to one host.

    Without this, requests searches the environment twice for each request. Return what certificates are checked with:
    ``ca_file`` if given, else the environment's bundle or True for the default bundle.
    """
    settings: dict[str, Any] = dict(session.merge_environment_settings(address, {}, None, ca_file or True, None))
    session.proxies, session.verify, session.trust_env = settings["proxies"], settings["verify"], False
    return session.verify


def _words_of_transport(error: BaseException) -> str:
    """Return what kept a request from its answer, by the cause that the transport's error wraps; else its class."""
    if isinstance(error, requests.exceptions.ProxyError):
        return "the proxy did not let the request through"
    cause: BaseException | None = error
    while cause is not None:
        for kind, words in _TRANSPORT_WORDS.items():
            if isinstance(cause, kind):
                return words
        cause = cause.__cause__ or cause.__context__
    return type(error).__name__


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address. A token that is sent to one origin must not go to another."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or {"http": 80, "https": 443}.get(scheme)


def attempt(ask: Callable[[], T]) -> Future[T]:
    """Call ``ask`` now and keep its `TrackerError`, if any, until the result is used."""
    future = Future[T]()
    try:
        future.set_result(ask())
    except TrackerError as error:
        future.set_exception(error)
    return future


class Caller:
    """Sender of one connection's requests: counts and paces them, sends writes one at a time, retries reads.

    ``write_gap`` is the minimum number of seconds between two writes. ``per_minute`` is the highest number of requests
    that begin within a minute; 0 means no such limit. All threads of a connection share one Caller; a ``send`` closure
    uses a client of its own thread, and sends nothing through the Caller: that raises `NestedRequestError`. Only
    ``setup.clock`` measures time here, and only ``setup.sleep`` waits.
    """

    def __init__(self, setup: Setup, *, write_gap: float = 0.0, per_minute: int = 0, attempts: int = ATTEMPTS) -> None:
        self._name, self._clock, self._sleep = setup.name, setup.clock, setup.sleep
        address = urlsplit(setup.url)
        self._server = f"{address.hostname}:{address.port}" if address.port else address.hostname or ""
        self.concurrency, self._write_gap, self._attempts = setup.concurrency, write_gap, attempts
        self._count_lock, self._write_lock = threading.Lock(), threading.Lock()
        self._limiter = ConcurrencyLimiter(setup.concurrency, setup.clock, setup.sleep, per_minute)
        self._last_write: datetime | None = None
        self._limited_until: datetime | None = None
        self._waits_in_vain = 0
        self.count = 0
        self.clock_ahead: timedelta | None = None
        """The lead of the tracker's clock over ours by its last answer with a date."""

    def read(self, send: Callable[[], Response], project: str = "") -> Response:
        """Send a request that changes nothing; retry it after temporary failures. Raises a `TrackerError`."""
        return self._send_again(send, project, self._is_temporary)

    def write(self, send: Callable[[], Response], project: str = "", *, repeatable: bool = False) -> Response:
        """Send a change, one at a time and no faster than ``write_gap`` allows.

        A ``repeatable`` change (PUT, PATCH, deltas) is retried like a read. Any other change is sent again only after a
        rate limit has surely refused it, and a lost answer raises `UncertainError`. No attempt begins later than
        `MAX_WRITE_TIME` after the start, as the caller's lease may end.
        """
        self._limiter.refuse_nested()  # before the lock, which a write that waits for this thread's slot may hold
        started = self._clock()

        def send_in_time() -> Response:
            now = self._clock()  # a wait for other threads or for their rate limits may have taken long
            if now - started > MAX_WRITE_TIME:
                raise LimitedError(self._name, project, until=now)
            return send()

        with self._write_lock:
            if self._last_write is not None:
                gap = self._write_gap - (self._clock() - self._last_write).total_seconds()
                if gap > 0:
                    self._sleep(gap)
            try:
                may_repeat = partial(self._may_repeat, started, repeatable=repeatable)
                return self._send_again(send_in_time, project, may_repeat)
            except (UnreachableError, MalformedError) as error:
                if repeatable:
                    raise
                raise UncertainError(self._name, project, error.detail) from error
            finally:
                self._last_write = self._clock()

    def map_all(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Apply ``work`` to every item, several at the same time, and return the results in order.

        The first error ends the call.
        """
        return list(self.map_ahead(work, items))

    def map_ahead(self, work: Callable[[T], R], items: Iterable[T], limit: int = 0) -> Generator[R, None, None]:
        """Apply ``work`` to the items ahead of the consumer and yield the results in order.

        At most ``limit`` items are started whose results were not consumed; 0 means twice the concurrency. When the
        consumer stops, items that were not started are dropped.
        """
        if self.concurrency < 2:
            yield from map(work, items)
            return
        remaining, limit = iter(items), max(2, limit or 2 * self.concurrency)
        first = list(islice(remaining, 2))
        if len(first) < 2:
            yield from map(work, first)
            return
        with ThreadPoolExecutor(min(limit, self.concurrency)) as pool:

            def submit(item: T) -> Future[R]:
                return pool.submit(copy_context().run, work, item)

            started = deque(submit(item) for item in chain(first, islice(remaining, limit - 2)))
            try:
                while started:
                    yield started.popleft().result()
                    started.extend(submit(item) for item in islice(remaining, 1))
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def guard(self, project: str, *, max_pages: int = MAX_PAGES) -> PageGuard:
        """Return the guard of a list that is read page by page."""
        return PageGuard(self._name, project, self._clock, max_pages=max_pages)

    def add_requests(self, number: int = 1) -> None:
        """Add to the request count, also for requests that the SDK sends by itself (the hops of a redirect)."""
        with self._count_lock:
            self.count += number

    def _send_again(
        self, send: Callable[[], Response], project: str, is_temporary: Callable[[BaseException], bool]
    ) -> Response:
        """Send a request, and again after each temporary failure, up to the number of attempts."""
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception(is_temporary),
            sleep=lambda seconds: self._sleep(seconds) if seconds else None,
            reraise=True,
        )
        return retrying(self._send_paced, send, project)

    def _send_paced(self, send: Callable[[], Response], project: str) -> Response:
        with self._limiter.slot() as epoch:
            try:
                response = self._send_checked(send, project)
            except (UnreachableError, LimitedError):
                self._limiter.on_failure(epoch)
                raise
            self._limiter.on_success()
        budget = rate_limit(response, self._name)
        if budget is not None:
            self._limiter.limit_to(budget.left)
        return response

    def _send_checked(self, send: Callable[[], Response], project: str) -> Response:
        """Send once, after a rate limit has ended. Raise the `TrackerError` that the answer's status means."""
        self._wait_for_limit(project)
        self.add_requests()
        with span("request") as note:
            response = self._send_once(send, project)
            ahead = clock_ahead(response, self._clock())
            self.clock_ahead = self.clock_ahead if ahead is None else ahead
            note("status", response.status)
        log.debug("request", connection=self._name, project=project, status=response.status)
        error = error_of(response, self._name, project, self._clock())
        if isinstance(error, LimitedError):
            self._limited_until = error.until
        if error is not None:
            raise error
        self._waits_in_vain = 0
        return response

    def _send_once(self, send: Callable[[], Response], project: str) -> Response:
        """Send once. Raise a failure of the transport as a `TrackerError`."""
        try:
            return send()
        except NestedRequestError:
            raise
        except requests.exceptions.SSLError:
            detail = (
                f"the TLS certificate of {self._server} was not accepted; "
                "set ca_file if an internal authority signed it"
            )
            raise UnreachableError(self._name, project, detail) from None
        except requests.exceptions.Timeout:
            raise UnreachableError(self._name, project, f"{self._server}: the request timed out") from None
        except EndlessError:
            raise MalformedError(self._name, project, "the response body does not end") from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise UnreachableError(self._name, project, f"{self._server}: {_words_of_transport(error)}") from None
        except _SDK_FAULTS as error:
            detail = f"the client library cannot read the answer ({type(error).__name__})"
            raise MalformedError(self._name, project, detail) from None

    def _wait_for_limit(self, project: str) -> None:
        """Wait until the tracker's rate limit ends, in every thread.

        Raise `LimitedError` beyond `MAX_WAIT`, and when `MAX_WAITS_IN_VAIN` waits in a row brought no answer: a tracker
        that refuses every request must not cost each project its own minutes.
        """
        until = self._limited_until
        if until is None:
            return
        seconds = (until - self._clock()).total_seconds()
        if seconds > MAX_WAIT or (seconds > 0 and self._waits_in_vain >= MAX_WAITS_IN_VAIN):
            raise LimitedError(self._name, project, until=until)
        if seconds > 0:
            self._sleep(seconds)
        if self._limited_until is until:
            self._limited_until = None
            self._waits_in_vain += seconds > 0

    def _is_temporary(self, error: BaseException) -> bool:
        until = getattr(error, "until", None)
        if until is not None and (until - self._clock()).total_seconds() > MAX_WAIT:
            return False
        return isinstance(error, UnreachableError) or (isinstance(error, LimitedError) and until is not None)

    def _may_repeat(self, started: datetime, error: BaseException, *, repeatable: bool) -> bool:
        """Return whether a write may be sent again after this error, and soon enough."""
        now = self._clock()
        next_attempt = max(now, getattr(error, "until", None) or now)
        is_refused = repeatable or isinstance(error, LimitedError)
        return is_refused and self._is_temporary(error) and next_attempt - started <= MAX_WRITE_TIME

    def _wait(self, state: tenacity.RetryCallState) -> float:
        """The seconds to wait before the next attempt."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, LimitedError):
            return 0.0  # the next attempt waits for the limit like every other request
        if isinstance(error, BusyError) and error.until is not None:
            return max(0.0, (error.until - self._clock()).total_seconds())
        return float((tenacity.wait_exponential(multiplier=0.5, max=8) + tenacity.wait_random(0, 1))(state))
