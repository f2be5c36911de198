"""End of a rate limit: any header of a tracker or a proxy gives a time to continue at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.shared.responses import MAX_LIMIT, Response, error_of, rate_limit
from sync.tracker.errors import LimitedError, RefusedError

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SECOND = timedelta(seconds=1)


def limited(headers: dict[str, str], status: int = 429, body: bytes = b"") -> timedelta:
    """Return how long the answer demands to wait."""
    error = error_of(Response(status, headers, body), "c", "p", NOW)
    assert isinstance(error, LimitedError)
    assert error.until is not None
    return error.until - NOW


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        ("17", timedelta(seconds=17)),
        ("Mon, 02 Mar 2026 10:00:00 GMT", HOUR),
        ("Mon, 02 Mar 2026 08:00:00 GMT", timedelta()),
        ("Mon, 02 Mar 2026 10:00:00 -0000", HOUR),
        ("999999999", MAX_LIMIT),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_LIMIT),
        ("soon", MINUTE),
        ("-5", MINUTE),
        ("1.5", MINUTE),
        ("\u00b2", MINUTE),
        ("9" * 5000, MINUTE),
        ("Mon, 99 Mar 2026 10:00:00 GMT", MINUTE),
    ],
    ids=lambda value: str(value)[:30],
)
def test_how_long_to_wait(after: str, wait: timedelta) -> None:
    assert limited({"retry-after": after}) == wait


@pytest.mark.parametrize("name", ["x-ratelimit-reset", "ratelimit-reset"])
@pytest.mark.parametrize(
    ("reset", "wait"),
    [
        (str(int((NOW + HOUR).timestamp())), HOUR + SECOND),
        (str(int((NOW + HOUR).timestamp() * 1000)), HOUR + SECOND),
        ("2026-03-02T10:00:00Z", HOUR + SECOND),
        ("2026-03-02T10:00Z", HOUR + SECOND),
        ("2026-03-02T12:00:00+02:00", HOUR + SECOND),
        ("2026-03-02T10:00:00", HOUR + SECOND),
        ("0", timedelta()),
        ("9" * 30, MINUTE),
        ("tomorrow", MINUTE),
        ("9999-12-31T23:59:59Z", MAX_LIMIT),
    ],
)
def test_without_it_until_the_reset(name: str, reset: str, wait: timedelta) -> None:
    assert limited({name: reset}) == wait


def test_a_403_is_a_limit_when_it_says_so_in_any_way() -> None:
    assert limited({"retry-after": "30"}, 403, b'{"message": "abuse detection"}') == timedelta(seconds=30)
    abuse = b'{"message": "You have triggered an abuse detection mechanism. Please wait a few minutes."}'
    assert limited({}, 403, abuse) == timedelta(seconds=60), "an older server names no time"
    assert limited({"x-ratelimit-remaining": "0"}, 403) == MINUTE
    assert limited({}, 403, b'{"message": "You have exceeded a secondary rate limit"}') == MINUTE
    for headers in ({}, {"x-ratelimit-remaining": "12"}):
        assert isinstance(error_of(Response(403, headers, b"{}"), "c", "p", NOW), RefusedError)


def test_a_budget_is_what_can_be_read_of_it() -> None:
    told = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "4999"}
    for reset, at in (("2026-03-02T10:00:00Z", NOW + HOUR), ("soon", None)):
        left = rate_limit(Response(200, {**told, "x-ratelimit-reset": reset}, b""), "c")
        assert left is not None
        assert (left.limit, left.left, left.resets) == (5000, 4999, at)
    for odd in ("", "\u00b2", "-1", "9" * 5000):
        assert rate_limit(Response(200, {**told, "x-ratelimit-remaining": odd}, b""), "c") is None
