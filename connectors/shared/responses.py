"""responses."""

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
)
from sync.tracker.preflight import RequestBudget

T = TypeVar("T")


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


def budget(response: Response, name: str) -> RequestBudget | None:
    """What the rate-limit headers say is left; None without them."""
    told = {key.removeprefix("x-"): value for key, value in response.headers.items()}
    limit, left = _number(told.get("ratelimit-limit", "")), _number(told.get("ratelimit-remaining", ""))
    if limit is None or left is None:
        return None
    return RequestBudget(name=name, limit=limit, left=left, resets=_moment(told.get("ratelimit-reset", "")))


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
