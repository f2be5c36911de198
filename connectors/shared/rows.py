"""Read the rows of a page one by one, so that a row that cannot be read costs no other row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from connectors.shared.responses import Response, decode, decode_row
from sync.model.tracker_data import UnreadRow
from sync.tracker.errors import MalformedError

__all__ = ["MANY", "RETRY", "Rows", "decode_rows", "fields_of", "read_rows", "word_at", "words_at"]

T = TypeVar("T")

MANY = 10
"""Rows of a page or project of which at least one must be readable. Fewer are asked for again at once."""

RETRY = MANY - 1
"""Unread rows that one request asks for again: all of them may still be unreadable."""

_WORD = re.compile(r"[\w#!./:=+%-]{1,100}")


class Rows(Struct, Generic[T], frozen=True):
    """Rows of one or more pages, and those that could not be read."""

    read: Sequence[T] = ()
    unread: Sequence[UnreadRow] = ()

    def __add__(self, other: Rows[T]) -> Rows[T]:
        return self.join([other])

    def join(self, others: Iterable[Rows[T]]) -> Rows[T]:
        """Return these rows and all others."""
        read, unread = list(self.read), list(self.unread)
        for other in others:
            read += other.read
            unread += other.unread
        return Rows(read, unread)


def read_rows(
    rows: Iterable[msgspec.Raw], read: Callable[[msgspec.Raw], T], describe: Callable[[msgspec.Raw, str], UnreadRow]
) -> Rows[T]:
    """Read the rows of a page with ``read``. ``describe`` names a row for which it raises `MalformedError`.

    Raises that error if the page has `MANY` rows or more and none can be read: then the page is no answer to the
    request.
    """
    good: list[T] = []
    unread: list[UnreadRow] = []
    last: MalformedError | None = None
    for row in rows:
        try:
            good.append(read(row))
        except MalformedError as error:
            unread.append(describe(row, error.detail))
            last = error
    if last is not None and not good and len(unread) >= MANY:
        raise last
    return Rows(good, unread)


def decode_rows(
    response: Response, type_: type[T], name: str, project: str, describe: Callable[[msgspec.Raw, str], UnreadRow]
) -> Rows[T]:
    """Decode a page that is a list of rows: all at once, or each on its own if one cannot be read (`read_rows`).

    Raises `MalformedError` for an answer that is no list.
    """
    try:
        return Rows(decode(response, list[type_], name, project))  # type: ignore[valid-type]
    except MalformedError:
        rows = decode(response, list[msgspec.Raw], name, project)
        return read_rows(rows, lambda row: decode_row(row, type_, name, project), describe)


def fields_of(row: msgspec.Raw) -> Mapping[str, Any]:
    """Return the fields of a row that cannot be read, as far as they can; empty if it is no object."""
    try:
        return decode_row(row, dict[str, Any], "")
    except MalformedError:
        return _readable_fields(row)


def _readable_fields(row: msgspec.Raw) -> Mapping[str, Any]:
    """Return the top-level fields whose own values can be decoded."""
    try:
        raw = decode_row(row, dict[str, msgspec.Raw], "")
    except MalformedError:
        return {}
    fields: dict[str, Any] = {}
    for name, value in raw.items():
        try:
            fields[name] = decode_row(value, object, "")
        except MalformedError:
            continue
    return fields


def word_at(fields: Any, *path: str) -> str:
    """Return the id, key or number at this path; empty if there is none, or another text."""
    for name in path:
        fields = fields.get(name) if isinstance(fields, Mapping) else None
    if isinstance(fields, int) and not isinstance(fields, bool):
        return str(fields) if 0 <= fields < 1 << 63 else ""
    return fields if isinstance(fields, str) and _WORD.fullmatch(fields) else ""


def words_at(fields: Any, *path: str) -> tuple[str, ...]:
    """Return the ids at this path as a tuple with at most one entry."""
    word = word_at(fields, *path)
    return (word,) if word else ()
