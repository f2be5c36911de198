"""One way to talk to a tracker: pacing, one retry layer for reads, and status to error.

The SDKs carry the bytes; their own retries, sleeps and throttles are off. Reads are tried again here (tenacity);
writes are sent once, and an answer that was lost is `UncertainError`, so that the caller looks before it sends again.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
import requests
import structlog
import tenacity
import urllib3

from connectors.pace import Pace
from sync.connector import (
    AuthError,
    Budget,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    Setup,
    TrackerError,
    UncertainError,
    UnreachableError,
)
from sync.traces import span

__all__ = [
    "Caller",
    "EndlessError",
    "Response",
    "attempt",
    "body_of",
    "budget",
    "clock_ahead",
    "decode",
    "decoder",
    "error_of",
    "settled",
]

log = structlog.get_logger("milesync")

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 4
LONGEST_WAIT = 60.0
"""Seconds a read may wait for a rate limit before the connection stops and says when to come back."""
LONGEST_LIMIT = timedelta(days=1)
"""However far ahead a tracker says that it may be asked again, it is tried then."""

LARGEST_BODY = 64 << 20
"""Bytes."""
LONGEST_BODY = timedelta(minutes=2)
"""However slowly a body drips, it ends by then."""


class EndlessError(Exception):
    """A body is larger than any answer can be."""


def body_of(answer: requests.Response, clock: Callable[[], datetime]) -> bytes:
    """The body of an answer that was asked for as a stream, unless it is too large or takes too long; it is kept there.

    Raises `EndlessError`, or what requests raises when reading fails (a timeout for one that takes too long).
    """
    if answer._content_consumed:  # type: ignore[attr-defined]  # noqa: SLF001
        return answer.content
    content, until = bytearray(), clock() + LONGEST_BODY
    try:
        while part := answer.raw.read1(1 << 16, decode_content=True):
            content += part
            if len(content) > LARGEST_BODY:
                raise EndlessError
            if clock() > until:
                raise requests.exceptions.ReadTimeout
    except BaseException as problem:
        answer.close()
        if isinstance(problem, urllib3.exceptions.ReadTimeoutError):
            raise requests.exceptions.ReadTimeout from None
        if isinstance(problem, urllib3.exceptions.HTTPError):
            raise requests.exceptions.ConnectionError from None
        raise
    answer._content, answer._content_consumed = bytes(content), True  # type: ignore[attr-defined]  # noqa: SLF001
    return answer.content


def settled(session: requests.Session, address: str, ca_file: str | None) -> str | bool:
    """Have a session that asks one host go by the environment's proxies and certificates as they are now; else requests
    looks through the environment twice for each request.

    Gives by what certificates are checked: ``ca_file`` before all.
    """
    found: dict[str, Any] = dict(session.merge_environment_settings(address, {}, None, ca_file or True, None))
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
    return session.verify


class Response(msgspec.Struct, frozen=True):
    """A tracker's answer: status, headers (names in lower case), undecoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes | str

    def said(self) -> str:
        """The tracker's own short message, if its body is JSON with one; never the body itself."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
        if not isinstance(body, dict):
            return ""
        word = body.get("message") or body.get("error") or body.get("errorMessages") or body.get("errors") or ""
        return str(word)[:200]


def error_of(response: Response, name: str, project: str, now: datetime) -> TrackerError | None:
    """The error that a status means, or None when the answer is good (2xx, 304)."""
    if 200 <= response.status < 300 or response.status == 304:
        return None
    status, said = response.status, response.said()
    detail = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    told = response.headers
    spent = told.get("x-ratelimit-remaining") == "0" or "retry-after" in told or "rate limit" in said.lower()
    if status == 429 or (status == 403 and spent):
        return LimitedError(name, project, detail, until=_until(response.headers, now))
    if status == 401:
        return AuthError(name, project, detail)
    if status in (404, 410, 451):
        return GoneError(name, project, detail)
    if status >= 500:
        until = _until(response.headers, now) if "retry-after" in response.headers else None
        return BusyError(name, project, detail, until=until)
    if status >= 400:
        return RefusedError(name, project, detail)
    return MalformedError(name, project, detail)


def _until(headers: Mapping[str, str], now: datetime) -> datetime:
    """When a limited client may come back: Retry-After (seconds or a date), else the reset, else in a minute.

    Never before now, nor later than `LONGEST_LIMIT`, whatever a tracker or a proxy may have written.
    """
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset")
    seconds = _number(after)
    if seconds is not None:
        return now + min(timedelta(seconds=seconds), LONGEST_LIMIT)
    until = _moment(after)
    if until is None:
        at = _moment(reset or "")
        until = min(at, now + LONGEST_LIMIT) + timedelta(seconds=1) if at else now + timedelta(seconds=60)
    return max(now, min(until, now + LONGEST_LIMIT))


def _number(text: str) -> int | None:
    """A number of seconds or requests, None if it is none."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _moment(text: str) -> datetime | None:
    """A time as trackers write it, in UTC: seconds since 1970 (or milliseconds), a mail's date, or ISO 8601 (Jira)."""
    try:
        if text.isdecimal():
            number = int(text[:15])
            return datetime.fromtimestamp(number / 1000 if number > 100_000_000_000 else number, UTC)
        at = datetime.fromisoformat(text) if text[:4].isdecimal() else parsedate_to_datetime(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def clock_ahead(response: Response, now: datetime) -> timedelta | None:
    """How far the tracker's clock is ahead of ours, by its Date header; None without one."""
    try:
        return parsedate_to_datetime(response.headers["date"]).astimezone(UTC) - now.replace(microsecond=0)
    except (KeyError, ValueError):
        return None


def budget(response: Response, name: str) -> Budget | None:
    """What the rate-limit headers say is left; None without them."""
    told = {key.removeprefix("x-"): value for key, value in response.headers.items()}
    limit, left = _number(told.get("ratelimit-limit", "")), _number(told.get("ratelimit-remaining", ""))
    if limit is None or left is None:
        return None
    return Budget(name=name, limit=limit, left=left, resets=_moment(told.get("ratelimit-reset", "")))


_building = threading.Lock()
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """The decoder of a type, for any thread.

    msgspec gathers what it must know of a type at its first use, and ends the whole process (0.22) if two threads do
    that at once; so decoders are built one at a time and kept.
    """
    found = _decoders.get(type_)
    if found is None:
        with _building:
            found = _decoders.setdefault(type_, msgspec.json.Decoder(type_))
    return found


def decode(response: Response, type_: type[T], name: str, project: str = "") -> T:
    """The body as a wire struct. Raises `MalformedError` that names what was wrong, never the value."""
    try:
        return decoder(type_).decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        start = response.body[:64].lstrip()
        head = start.decode("latin-1") if isinstance(start, bytes) else start
        detail = "HTML instead of JSON" if head.startswith("<") else str(problem)
        raise MalformedError(name, project, detail) from None


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
        self._pace = Pace(setup.concurrency, setup.clock, setup.sleep, a_minute)
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
