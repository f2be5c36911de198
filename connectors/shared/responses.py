"""Read a tracker's response: body, error, rate limit and JSON."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from sync.tracker.errors import (
    ArchivedError,
    AuthError,
    BusyError,
    EndpointError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    SwitchedOffError,
    TrackerError,
    UncertainError,
)
from sync.tracker.preflight import RequestBudget

if TYPE_CHECKING:
    import requests

__all__ = [
    "LARGEST_BODY",
    "MAX_BODY_TIME",
    "MAX_LIMIT",
    "EndlessError",
    "Number",
    "Response",
    "RowError",
    "Time",
    "clock_ahead",
    "decode",
    "decode_created",
    "decode_row",
    "decode_together",
    "decoder",
    "error_of",
    "host_of",
    "parse",
    "parse_number",
    "parse_time",
    "rate_limit",
    "read_body",
    "reading",
    "refusal",
    "says_limit",
]

T = TypeVar("T")

MAX_LIMIT = timedelta(days=1)
"""Longest rate limit that is believed. After that time the tracker is asked again."""

LARGEST_BODY = 64 << 20
"""Bytes of a body after which reading ends with `EndlessError`."""

MAX_BODY_TIME = timedelta(minutes=2)
"""Longest time for reading one body, however slowly it arrives."""


class RowError(MalformedError):
    """A row of the tracker's answer does not match its API."""


LARGEST_EXPANSION = 100
"""Times by which decompression may enlarge a body beyond its first `FREE_BODY` bytes."""

FREE_BODY = 8 << 20
"""Bytes of a body that any compression may have."""


class EndlessError(Exception):
    """Raised when a body is larger than `LARGEST_BODY`, or much larger than what was received."""


def read_body(answer: requests.Response, clock: Callable[[], datetime]) -> bytes:
    """Read the body of a streamed answer and store it in ``answer``.

    Raises `EndlessError` for a body that is too large, ``ReadTimeout`` for one that takes longer than `MAX_BODY_TIME`
    by ``clock``, and the errors of requests when reading fails. Several bodies are read at the same time, so a small
    answer must not become a large body.
    """
    import requests  # late: cursors are decoded without it
    import urllib3

    if answer._content_consumed:  # type: ignore[attr-defined]  # noqa: SLF001
        return answer.content
    content, deadline = BytesIO(), clock() + MAX_BODY_TIME
    try:
        while part := answer.raw.read1(1 << 16, decode_content=True):
            content.write(part)
            if content.tell() > min(LARGEST_BODY, FREE_BODY + LARGEST_EXPANSION * answer.raw.tell()):
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
    answer._content, answer._content_consumed = content.getvalue(), True  # type: ignore[attr-defined]  # noqa: SLF001
    return answer.content


class Response(msgspec.Struct, frozen=True):
    """A tracker's answer: status, headers (names in lower case), undecoded body.

    ``verb`` and ``path`` name the request, for errors. The path has no query.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | str
    verb: str = ""
    path: str = ""

    def error_message(self) -> str:
        """The tracker's error message, not redacted; empty if the body is not JSON with a message."""
        try:
            body = msgspec.json.decode(self.body)
        except _UNREADABLE:
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
        asked = f"{detail}; {response.verb} {response.path}" if response.path else detail
        kind = EndpointError if response.path.endswith("/graphql") else GoneError
        if status == 410 and "disabled" in message.lower():
            kind = SwitchedOffError
        return kind(name, project, asked)
    if status >= 500:
        until = _retry_time(headers, now) if "retry-after" in headers else None
        return BusyError(name, project, detail, until=until)
    if status >= 400:
        return refusal(name, project, detail)
    return MalformedError(name, project, detail)


def refusal(name: str, project: str, detail: str) -> RefusedError:
    """Return the error of a refused request, by the tracker's words in ``detail``."""
    kind = ArchivedError if "archived" in detail.lower() else RefusedError
    return kind(name, project, detail)


def says_limit(message: str) -> bool:
    """Return whether an error message means a rate limit, also in the words of older servers."""
    return any(words in message.lower() for words in ("rate limit", "abuse detection"))


def _retry_time(headers: Mapping[str, str], now: datetime) -> datetime:
    """The time after which a limited client may send again (UTC).

    Sources, in order: Retry-After (seconds or a date), the reset of the limit, a minute from now. The time is never
    before now and never after `MAX_LIMIT`, for any value that a tracker or a proxy may send.
    """
    after, reset = headers.get("retry-after", ""), headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset")
    seconds = parse_number(after)
    if seconds is not None:
        return now + min(timedelta(seconds=seconds), MAX_LIMIT)
    until = parse_time(after)
    if until is None:
        at = parse_time(reset or "")
        until = min(at, now + MAX_LIMIT) + timedelta(seconds=1) if at else now + timedelta(seconds=60)
    return max(now, min(until, now + MAX_LIMIT))


def parse_number(text: str) -> int | None:
    """Parse a header's number of seconds, requests, rows or pages; None if the text is not one, or is too large."""
    return int(text) if text.isdecimal() and len(text) < 10 else None


def parse_time(text: str) -> datetime | None:
    """Parse a header's time to UTC: seconds or milliseconds since 1970, an RFC 5322 date, or ISO 8601 (Jira).

    Return None for any other text.
    """
    try:
        if text.isdecimal():
            number = int(text[:15])
            return datetime.fromtimestamp(number / 1000 if number > 100_000_000_000 else number, UTC)
        at = datetime.fromisoformat(text) if text[:4].isdecimal() else parsedate_to_datetime(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (
        ValueError,
        OverflowError,
        TypeError,
        IndexError,
        AttributeError,
    ):
        return None


def host_of(address: str) -> str:
    """Return the host of an address from a tracker; ``?`` if it has none."""
    try:
        return urlsplit(address).hostname or "?"
    except ValueError:
        return "?"


def clock_ahead(response: Response, now: datetime) -> timedelta | None:
    """The lead of the tracker's clock over ours, from the headers Date and Age; None without a readable Date.

    ``Age`` is the time in seconds that the answer spent in a cache.
    """
    at, age = parse_time(response.headers.get("date", "")), parse_number(response.headers.get("age", ""))
    return None if at is None else at - now.replace(microsecond=0) + timedelta(seconds=age or 0)


def rate_limit(response: Response, name: str) -> RequestBudget | None:
    """Read the rate limit from the headers, under this name; None without those headers."""
    headers = {key.removeprefix("x-"): value for key, value in response.headers.items()}
    limit, left = (
        parse_number(headers.get("ratelimit-limit", "")),
        parse_number(headers.get("ratelimit-remaining", "")),
    )
    if limit is None or left is None:
        return None
    return RequestBudget(name=name, limit=limit, left=left, resets=parse_time(headers.get("ratelimit-reset", "")))


# --- JSON: the only place that decodes what a tracker sent -----------------------------------------------------------

_decoder_lock = threading.Lock()

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

_UNREADABLE = (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""Errors of decoding and converting that mean an answer against its API."""

_DEEPEST = 200
"""Levels of nesting that are kept of a body which is nested too deeply for the decoder."""

_CUT = b"[[[]]]"
"""Replacement of what is nested deeper: it fits no field, so that the row with the field cannot be read."""

_NESTING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

_EXTREME = re.compile(rb'-\d\d(?<="0\d\d\d-\d\d|"1[0-8]\d\d-\d\d|"99\d\d-\d\d)-\d\d')
"""Times that may be outside of `_EARLIEST` to `_LATEST`: a search in the bytes costs less than a look at each value.

It looks for the hyphen first, since a body has ten times as many quotation marks.
"""

_EARLIEST, _LATEST = 1900, 9998
"""Years of times that the rest of the program can use; days may have any later year."""

Number = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""Integer that databases and cursors can hold."""

Time = Annotated[datetime, msgspec.Meta(tz=True)]
"""Time with a zone: others could not be compared."""

_VALUE = re.compile(r"^Invalid (enum )?value .*?(?=( - at `[^`]*`)?$)", re.DOTALL)
"""Start of the decoder's messages that quote a value."""


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


class reading:  # noqa: N801  # a context manager, used like a function; a generator would take four times as long
    """Raise `MalformedError` for an error of decoding or converting inside. It names the field, never its value.

    ``item`` is the id or key of the row that is read; empty for a whole answer.
    """

    __slots__ = ("_item", "_name", "_project")

    def __init__(self, name: str, project: str = "", item: str = "") -> None:
        self._name, self._project, self._item = name, project, item

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _at: object) -> None:
        if isinstance(error, _UNREADABLE):
            words = _words_of(error)
            raise MalformedError(self._name, self._project, f"{self._item}: {words}" if self._item else words) from None


def decode(response: Response, type_: type[T], name: str, project: str = "") -> T:
    """Decode the body. Raises `MalformedError` that names the wrong field, never its value."""
    body = response.body.encode() if isinstance(response.body, str) else response.body
    body = body.removeprefix(b"\xef\xbb\xbf")
    with reading(name, project):
        if body[:64].lstrip().startswith(b"<"):
            raise msgspec.DecodeError("HTML instead of JSON")
        try:
            return _decode(body, type_)
        except RecursionError:
            return _decode(_without_depth(body), type_)


def decode_row(row: msgspec.Raw, type_: type[T], name: str, project: str = "", item: str = "") -> T:
    """Decode a row that was left undecoded in its page. Raises `RowError`, which names the wrong field."""
    try:
        return _decode(bytes(row), type_)
    except _UNREADABLE as error:
        words = _words_of(error)
        raise RowError(name, project, f"{item}: {words}" if item else words) from None


def decode_together(rows: Iterable[msgspec.Raw], type_: type[T], name: str, project: str = "") -> list[T]:
    """Decode rows that were left undecoded, all at once: a third of the work of one by one.

    Raises `RowError` if any cannot be read; decode each by `decode_row` then.
    """
    try:
        return _decode(b"[" + b",".join(rows) + b"]", list[type_])  # type: ignore[valid-type]
    except _UNREADABLE as error:
        raise RowError(name, project, _words_of(error)) from None


def parse(text: str, type_: type[T]) -> T | None:
    """Decode JSON that milesync wrote; None if this version cannot read it."""
    try:
        return decoder(type_).decode(text)
    except _UNREADABLE:
        return None


def _decode(body: bytes, type_: type[T]) -> T:
    value = decoder(type_).decode(body)
    if not body.isascii():
        _check_text(body, value)
    if _EXTREME.search(body):
        _check_range(value, "$")
    return value


def _check_text(body: bytes, value: Any) -> None:
    """Raise UnicodeError for a text that is not UTF-8, except in rows that are decoded later.

    The decoder ignores such texts in names of fields, so that a field would seem to be missing.
    """
    try:
        body.decode()
    except UnicodeDecodeError:
        rest, end = [], 0
        for row in map(bytes, _undecoded(value)):  # in the order of the body
            start = body.find(row, end)
            if start < 0:
                break
            rest.append(body[end:start])
            end = start + len(row)
        b"".join((*rest, body[end:])).decode()


def _undecoded(value: Any) -> Iterator[msgspec.Raw]:
    """Yield the undecoded parts of a value."""
    if isinstance(value, msgspec.Raw):
        yield value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _undecoded(getattr(value, name))
    elif isinstance(value, Mapping | list | tuple):
        for entry in value.values() if isinstance(value, Mapping) else value:
            yield from _undecoded(entry)


def _check_range(value: Any, path: str) -> None:
    """Raise ValueError for a time that later computations could not represent."""
    if isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _check_range(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, date):
        is_late = isinstance(value, datetime) and value.year > _LATEST
        if value.year < _EARLIEST or is_late:
            raise ValueError(f"Date out of range - at `{path}`")
    elif isinstance(value, Mapping):
        for entry in value.values():
            _check_range(entry, f"{path}[...]")
    elif isinstance(value, list | tuple):
        for entry in value:
            _check_range(entry, f"{path}[...]")


def _without_depth(body: bytes) -> bytes:
    """Replace everything that is nested deeper than `_DEEPEST` levels."""
    parts: list[bytes] = []
    depth = start = 0
    for match in _NESTING.finditer(body):
        sign = match[0]
        if sign in (b"[", b"{"):
            depth += 1
            if depth == _DEEPEST + 1:
                parts.append(body[start : match.start()])
        elif sign in (b"]", b"}"):
            if depth == _DEEPEST + 1:
                parts.append(_CUT)
                start = match.end()
            depth -= 1
    return b"".join((*parts, body[start:]))


def _words_of(error: Exception) -> str:
    """Describe an error of decoding or converting, without a value of the answer."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeError):
        return "a text is not UTF-8"
    if isinstance(error, msgspec.DecodeError):
        return _VALUE.sub(lambda match: f"Invalid {match[1] or ''}value", str(error))
    if isinstance(error, ValueError) and str(error).endswith("`") and " out of range - at `$" in str(error):
        return str(error)
    return f"a value cannot be converted ({type(error).__name__})"


def decode_created(response: Response, type_: type[T], name: str, project: str) -> T:
    """Decode the answer to a creation. Raises `UncertainError` if it is unreadable: the object may exist."""
    try:
        return decode(response, type_, name, project)
    except MalformedError as error:
        raise UncertainError(name, project, error.detail) from error
