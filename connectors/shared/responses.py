"""Read a tracker's response: body, error, rate limit and JSON."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec
import requests
import urllib3

from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    TrackerError,
    UncertainError,
)
from sync.tracker.preflight import RequestBudget

__all__ = [
    "LARGEST_BODY",
    "MAX_BODY_TIME",
    "MAX_LIMIT",
    "EndlessError",
    "Response",
    "clock_ahead",
    "decode",
    "decode_created",
    "decoder",
    "error_of",
    "rate_limit",
    "read_body",
    "says_limit",
]

T = TypeVar("T")

MAX_LIMIT = timedelta(days=1)
"""Longest rate limit that is believed. After that time the tracker is asked again."""

LARGEST_BODY = 64 << 20
"""Bytes of a body after which reading ends with `EndlessError`."""

MAX_BODY_TIME = timedelta(minutes=2)
"""Longest time for reading one body, however slowly it arrives."""


class EndlessError(Exception):
    """Raised when a body is larger than `LARGEST_BODY`."""


def read_body(answer: requests.Response, clock: Callable[[], datetime]) -> bytes:
    """Read the body of a streamed answer and store it in ``answer``.

    Raises `EndlessError` for a body that is too large, ``ReadTimeout`` for one that takes longer than `MAX_BODY_TIME`
    by ``clock``, and the errors of requests when reading fails.
    """
    if answer._content_consumed:  # type: ignore[attr-defined]  # noqa: SLF001
        return answer.content
    content, deadline = bytearray(), clock() + MAX_BODY_TIME
    try:
        while part := answer.raw.read1(1 << 16, decode_content=True):
            content += part
            if len(content) > LARGEST_BODY:
                raise EndlessError
            if clock() > deadline:
                raise requests.exceptions.ReadTimeout
    except BaseException as error:
        answer.close()
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise requests.exceptions.ReadTimeout from None
        if isinstance(error, urllib3.exceptions.HTTPError):
            raise requests.exceptions.ConnectionError from None
        raise
    answer._content, answer._content_consumed = bytes(content), True  # type: ignore[attr-defined]  # noqa: SLF001
    return answer.content


class Response(msgspec.Struct, frozen=True):
    """A tracker's answer: status, headers (names in lower case), undecoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes | str

    def error_message(self) -> str:
        """The tracker's error message, not redacted; empty if the body is not JSON with a message."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""
        if not isinstance(body, dict):
            return ""
        message = body.get("message") or body.get("error") or body.get("errorMessages") or body.get("errors") or ""
        return str(message)


def error_of(response: Response, name: str, project: str, now: datetime) -> TrackerError | None:
    """Return the error that a status means, or None for success (2xx, 304)."""
    if 200 <= response.status < 300 or response.status == 304:
        return None
    status, message, headers = response.status, response.error_message(), response.headers
    detail = f"HTTP {status}: {message}" if message else f"HTTP {status}"
    is_limit = headers.get("x-ratelimit-remaining") == "0" or "retry-after" in headers or says_limit(message)
    if status == 429 or (status == 403 and is_limit):
        return LimitedError(name, project, detail, until=_retry_time(headers, now))
    if status == 401:
        return AuthError(name, project, detail)
    if status in (404, 410, 451):
        return GoneError(name, project, detail)
    if status >= 500:
        until = _retry_time(headers, now) if "retry-after" in headers else None
        return BusyError(name, project, detail, until=until)
    if status >= 400:
        return RefusedError(name, project, detail)
    return MalformedError(name, project, detail)


def says_limit(message: str) -> bool:
    """Return whether an error message means a rate limit, also in the words of older servers."""
    return any(words in message.lower() for words in ("rate limit", "abuse detection"))


def _retry_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The time after which a limited client may send again (UTC).

    Sources, in order: Retry-After (seconds or a date), the reset of the limit, a minute from now. The time is never
    before now and never after `MAX_LIMIT`, for any value that a tracker or a proxy may send.
    """
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset")
    seconds = _parse_number(after)
    if seconds is not None:
        return now + min(timedelta(seconds=seconds), MAX_LIMIT)
    until = _parse_time(after)
    if until is None:
        at = _parse_time(reset or "")
        until = min(at, now + MAX_LIMIT) + timedelta(seconds=1) if at else now + timedelta(seconds=60)
    return max(now, min(until, now + MAX_LIMIT))


def _parse_number(text: str) -> int | None:
    """Parse a number of seconds or requests; None if the text is not one."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def _parse_time(text: str) -> datetime | None:
    """Parse a header's time to UTC: seconds or milliseconds since 1970, an RFC 5322 date, or ISO 8601 (Jira).

    Return None for any other text.
    """
    try:
        if text.isdecimal():
            number = int(text[:15])
            return datetime.fromtimestamp(number / 1000 if number > 100_000_000_000 else number, UTC)
        at = datetime.fromisoformat(text) if text[:4].isdecimal() else parsedate_to_datetime(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def clock_ahead(response: Response, now: datetime) -> timedelta | None:
    """The lead of the tracker's clock over ours, from the headers Date and Age; None without a readable Date.

    ``Age`` is the time in seconds that the answer spent in a cache.
    """
    age = response.headers.get("age", "")
    try:
        date = parsedate_to_datetime(response.headers["date"]).astimezone(UTC)
        return date + timedelta(seconds=int(age) if age.isdecimal() else 0) - now.replace(microsecond=0)
    except (KeyError, ValueError, OverflowError):
        return None


def rate_limit(response: Response, name: str) -> RequestBudget | None:
    """Read the rate limit from the headers, under this name; None without those headers."""
    headers = {key.removeprefix("x-"): value for key, value in response.headers.items()}
    limit, left = (
        _parse_number(headers.get("ratelimit-limit", "")),
        _parse_number(headers.get("ratelimit-remaining", "")),
    )
    if limit is None or left is None:
        return None
    return RequestBudget(name=name, limit=limit, left=left, resets=_parse_time(headers.get("ratelimit-reset", "")))


_decoder_lock = threading.Lock()

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """Return the cached decoder of a type, for any thread.

    msgspec 0.22 collects what it must know of a type at its first use. Two threads that do so at the same time crash
    the process, so decoders are built one at a time.
    """
    cached = _decoders.get(type_)
    if cached is None:
        with _decoder_lock:
            cached = _decoders.setdefault(type_, msgspec.json.Decoder(type_))
    return cached


def decode(response: Response, type_: type[T], name: str, project: str = "") -> T:
    """Decode the body. Raises `MalformedError` that names the wrong field, never its value."""
    try:
        return decoder(type_).decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        start = response.body[:64].lstrip()
        head = start.decode("latin-1") if isinstance(start, bytes) else start
        detail = "HTML instead of JSON" if head.startswith("<") else str(error)
        raise MalformedError(name, project, detail) from None


def decode_created(response: Response, type_: type[T], name: str, project: str) -> T:
    """Decode the answer to a creation. Raises `UncertainError` if it is unreadable: the object may exist."""
    try:
        return decode(response, type_, name, project)
    except MalformedError as error:
        raise UncertainError(name, project, error.detail) from error
