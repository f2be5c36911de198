"""End of a rate limit: any header of a tracker or a proxy gives a time to continue at."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Literal

import pytest
import requests
import urllib3
from msgspec import Raw, Struct

from connectors.shared.pagination import MAX_PAGES, PageGuard
from connectors.shared.responses import (
    MAX_LIMIT,
    EndlessError,
    Number,
    Response,
    RowError,
    decode,
    decode_row,
    error_of,
    rate_limit,
    read_body,
)
from connectors.shared.rows import MANY, fields_of, read_rows, word_at
from sync.model.tracker_data import UnreadKind, UnreadRow
from sync.tracker.errors import LimitedError, MalformedError, RefusedError

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


# --- JSON ------------------------------------------------------------------------------------------------------------


class Row(Struct):
    id: Number
    at: datetime | None = None
    name: str = ""
    state: Literal["open", "closed"] = "open"


def refusal(body: bytes | str, type_: Any = list[Row]) -> str:
    """Return the detail of the error."""
    with pytest.raises(MalformedError) as caught:
        decode(Response(200, {}, body), type_, "c", "p")
    assert str(caught.value).startswith("c: p: ")
    return caught.value.detail


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"<html>", "HTML instead of JSON"),
        (b"[", "Input data was truncated"),
        (b'[{"id": "secret"}]', "Expected `int`, got `str` - at `$[0].id`"),
        (b'[{"id": 1, "state": "secret - at `$.x`"}]', "Invalid enum value - at `$[0].state`"),
        (b'[{"id": 1, "name": "\xff"}]', "a text is not UTF-8"),
        (b'[{"id": 1, "name": "\\ud800 alone"}]', "JSON is malformed"),
        (b'[{"id": 123456789012345678901234567890}]', "Expected `int` <= 9223372036854775807 - at `$[0].id`"),
        (b'[{"id": 1, "at": "0001-01-01T00:00:00+14:00"}]', "Date out of range - at `$[...].at`"),
        (b'[{"id": 1, "at": "1899-12-31T23:59:59Z"}]', "Date out of range - at `$[...].at`"),
        (b'[{"id": 1, "at": "1066-10-14T00:00:00Z"}]', "Date out of range - at `$[...].at`"),
        (b'[{"id": 1, "at": "9999-12-31T23:59:59-14:00"}]', "Date out of range - at `$[...].at`"),
        (b'[{"id": NaN}]', "JSON is malformed: invalid character (byte 8)"),
        (b'[{"id": ' + b"[" * 20_000 + b"]" * 20_000 + b"}]", "Expected `int`, got `array` - at `$[0].id`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_error_of_decoding_names_the_field_and_no_value(body: bytes, detail: str) -> None:
    assert refusal(body).startswith(detail)
    assert "secret" not in refusal(body)


def test_depth_in_a_field_that_is_not_read_and_a_byte_order_mark_cost_nothing() -> None:
    deep = b'{"a": "]]", "b": ' + b'[{"x":' * 9_000 + b"1" + b"}]" * 9_000 + b"}"
    body = b'\xef\xbb\xbf[{"other": ' + deep + b', "id": 1, "name": "0001-01-01T00:00:00Z 12345678901234567890"}]'
    assert decode(Response(200, {}, body), list[Row], "c") == [Row(1, name="0001-01-01T00:00:00Z 12345678901234567890")]


def test_a_row_keeps_its_name_when_another_field_cannot_be_decoded() -> None:
    row = Raw(b'{"id": 7, "key": "A-7", "x": {"y": "\xff"}, "n": 123456789012345678901234567890, "o": {"id": "3"}}')
    fields = fields_of(row)
    assert [word_at(fields, *path) for path in (("id",), ("key",), ("o", "id"), ("x",), ("n",))] == [
        "7",
        "A-7",
        "3",
        "",
        "",
    ]
    assert word_at({"key": "a secret text"}, "key") == ""
    assert fields_of(Raw(b"null")) == {}


def test_a_page_without_a_readable_row_is_no_answer() -> None:
    def read(row: Raw) -> Row:
        return decode_row(row, Row, "c", "p")

    def describe(row: Raw, reason: str) -> UnreadRow:
        return UnreadRow(project="p", kind=UnreadKind.ISSUE, reason=reason)

    bad, good = Raw(b'{"id": null}'), Raw(b'{"id": 1}')
    assert len(read_rows([bad] * 30 + [good], read, describe).unread) == 30
    assert len(read_rows([bad] * (MANY - 1), read, describe).unread) == MANY - 1
    with pytest.raises(RowError):
        read_rows([bad] * MANY, read, describe)


# --- lists -----------------------------------------------------------------------------------------------------------


def pages(
    count: int,
    rows: Callable[[int], int],
    content: Callable[[int], int],
    position: Callable[[int], int],
    clock: Callable[[], datetime] = lambda: NOW,
) -> str:
    """Check so many pages; return the reason of the end."""
    guard = PageGuard("c", "p", clock)

    def read() -> None:
        for n in range(count):
            guard.check(rows(n), content(n), position(n))

    with pytest.raises(MalformedError) as caught:
        read()
    return caught.value.detail


def test_a_list_ends_by_number_time_and_lack_of_progress() -> None:
    assert pages(9, lambda n: 5, lambda n: n, lambda n: n % 3) == "a page leads to a page that was read before"
    assert pages(9, lambda n: 5, lambda n: n % 3, lambda n: n) == "the pages of a list repeat"
    assert pages(99, lambda n: 0, lambda n: n, lambda n: n) == "21 empty pages in a row announce another page"
    assert pages(9999, lambda n: n % 2, lambda n: n, lambda n: n) == f"a list does not end after {MAX_PAGES} pages"
    times = iter([NOW, *(NOW + n * HOUR for n in range(99))])
    assert pages(99, lambda n: 5, lambda n: n, lambda n: n, lambda: next(times)) == "a list does not end after 6 hours"


# --- bodies ---------------------------------------------------------------------------------------------------------


def compressed(body: bytes) -> requests.Response:
    """An answer with this body, compressed, that was not read yet."""
    answer = requests.Response()
    answer.raw = urllib3.HTTPResponse(
        BytesIO(gzip.compress(body)), headers={"content-encoding": "gzip"}, preload_content=False
    )
    return answer


def test_a_small_answer_does_not_become_a_large_body() -> None:
    with pytest.raises(EndlessError):
        read_body(compressed(b" " * (32 << 20)), lambda: NOW)


@pytest.mark.parametrize("body", [b"x" * (2 << 20), b'{"id": 1, "title": "A quiet day"}' * 10_000])
def test_a_compressed_body_is_read(body: bytes) -> None:
    assert read_body(compressed(body), lambda: NOW) == body


# --- texts that are not UTF-8 --------------------------------------------------------------------------------------


class DatedRow(Struct):
    due: str | None = None


class ListedRows(Struct):
    rows: list[Raw]
    following: str | None = None


def test_a_damaged_name_of_a_field_is_no_missing_field() -> None:
    with pytest.raises(MalformedError, match="a text is not UTF-8"):
        decode(Response(200, {}, b'{"rows": [], "follow\xffing": "2"}'), ListedRows, "c", "p")
    with pytest.raises(RowError, match="a text is not UTF-8"):
        decode_row(Raw(b'{"du\xff": "2026-03-01"}'), DatedRow, "c", "p", "7")


def test_many_damaged_rows_are_left_out_in_one_pass() -> None:
    """In a pass for each row, these rows alone took minutes."""
    rows = ", ".join(f'{{"id": {n}, "x": "é"}}' for n in range(200_000)).encode("latin-1")
    assert len(decode(Response(200, {}, b'{"rows": [' + rows + b"]}"), ListedRows, "c", "p").rows) == 200_000
    with pytest.raises(MalformedError, match="a text is not UTF-8"):
        decode(Response(200, {}, b'{"rows": [' + rows + b'], "following": "\xe9"}'), ListedRows, "c", "p")


def test_a_damaged_row_does_not_cost_its_page() -> None:
    page = decode(Response(200, {}, '{"rows": [{"x": "§"}, {"x": "é"}]}'.encode("latin-1")), ListedRows, "c", "p")
    assert len(page.rows) == 2
