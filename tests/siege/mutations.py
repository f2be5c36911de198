"""Damage to HTTP answers: what broken servers, proxies and liars send. Pure; the randomness is passed in."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from random import Random
from typing import Any

__all__ = ["MUTATIONS", "Answer", "Kind", "Mutation"]

BOMB = 200 * 1024 * 1024
"""Bytes into which a compressed bomb unfolds."""
DEPTH = 20_000
"""Levels of nesting that no decoder follows."""
HUGE = "x" * 2_000_000


class Kind(IntEnum):
    """Damage by how well a client can see it, best first."""

    BROKEN = 0
    """The answer is no valid answer of the tracker."""
    GAP = 1
    """A value is missing that may be optional, such as a due date."""
    LIE = 2
    """A valid answer that is not true, such as an empty list: no client can see the difference."""


@dataclass(frozen=True)
class Answer:
    """An HTTP answer. ``length``: the announced length of the body in bytes; None: the true one."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    length: int | None = None

    def with_header(self, name: str, value: str) -> Answer:
        """Return the answer with this header in place of one of the same name."""
        kept = {key: old for key, old in self.headers.items() if key.lower() != name.lower()}
        return replace(self, headers={**kept, name: value})


@dataclass(frozen=True)
class Mutation:
    """One kind of damage: ``apply`` takes the answer, the request's headers and the randomness."""

    name: str
    kind: Kind
    apply: Callable[[Answer, Mapping[str, str], Random], Answer]


# --- values -------------------------------------------------------------------------------------------------------

_VALUES: Mapping[str, Any] = {
    "list": [],
    "object": {},
    "text": "unexpected",
    "huge text": HUGE,
    "huge number": 10**40,
    "negative": -1,
    "fraction": 0.5,
    "NaN": float("nan"),
    "infinite": float("inf"),
    "true": True,
    "half of a character": "\ud83d",
    "date that does not exist": "2026-02-30T25:61:00Z",
}
_DATE = re.compile(r"\d{4}-\d\d-\d\d")

_Change = Callable[[Answer, Mapping[str, str], Random], Answer]


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each value's container and key."""
    if isinstance(node, dict):
        for key in node:
            yield node, key
            yield from _places(node[key])
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield node, index
            yield from _places(item)


def _edited(answer: Answer, edit: Callable[[Any], Any]) -> Answer:
    try:
        document = json.loads(answer.body)
    except ValueError:
        return replace(answer, body=b"")
    return replace(answer, body=json.dumps(edit(document)).encode())


def _is_wrong(old: Any, new: Any) -> bool:
    """Return whether the new value cannot be valid in place of the old one."""
    if isinstance(old, str) and isinstance(new, str):
        return bool(_DATE.match(old))
    return old is not None and type(old) is not type(new)


def _replacing(value: Any, *, is_wrong: bool = True) -> _Change:
    """Put the value in place of a random one, where it cannot be valid or where it can."""

    def apply(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
        def edit(document: Any) -> Any:
            places = [(at, key) for at, key in _places(document) if _is_wrong(at[key], value) is is_wrong]
            if places:
                container, key = random.choice(places)
                container[key] = value
            return document

        return _edited(answer, edit)

    return apply


def _drop_key(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    def edit(document: Any) -> Any:
        places = [(container, key) for container, key in _places(document) if isinstance(container, dict)]
        if places:
            container, key = random.choice(places)
            del container[key]
        return document

    return _edited(answer, edit)


def _lists(change: Callable[[list[Any]], list[Any]]) -> _Change:
    def apply(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
        def edit(document: Any) -> Any:
            if isinstance(document, list):
                return change(document)
            places = [(container, key) for container, key in _places(document) if isinstance(container[key], list)]
            if places:
                container, key = random.choice(places)
                container[key] = change(container[key])
            return document

        return _edited(answer, edit)

    return apply


def _nest(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    mark = 10**50  # a number that no answer has
    marked = _replacing(mark)(answer, {}, random)
    return replace(marked, body=marked.body.replace(str(mark).encode(), b"[" * DEPTH + b"]" * DEPTH))


# --- bytes, headers, whole answers ------------------------------------------------------------------------------------


def _invalid_utf8(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    at = random.randrange(len(answer.body) + 1)
    return replace(answer, body=answer.body[:at] + b"\xff\xfe\xc3" + answer.body[at + 3 :])


def _cut(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    return replace(answer, body=answer.body[: random.randrange(len(answer.body) + 1)])


def _too_long(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    return replace(answer, length=len(answer.body) + random.randrange(1, 1_000))


def _too_short(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    return replace(answer, length=random.randrange(max(len(answer.body), 1)))


@cache
def _bomb() -> bytes:
    return gzip.compress(b" " * BOMB)


def _compressed_bomb(answer: Answer, _request: Mapping[str, str], _random: Random) -> Answer:
    return replace(answer, body=_bomb()).with_header("Content-Encoding", "gzip")


def _not_compressed(answer: Answer, _request: Mapping[str, str], _random: Random) -> Answer:
    return answer.with_header("Content-Encoding", "gzip")


def _echo(answer: Answer, request: Mapping[str, str], random: Random) -> Answer:
    """Quote the request's own headers, secrets among them, in an error."""
    quoted = json.dumps({"message": f"bad request: {dict(request)}", "errorMessages": [str(dict(request))]})
    return replace(answer, status=random.choice([400, 403, 422, 500]), body=quoted.encode())


def _status(*choice: int) -> _Change:
    return lambda answer, _request, random: replace(answer, status=random.choice(choice))


def _limited(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    """Ask for a short wait. A limit without a time is waited out for a minute, which is no hang."""
    return replace(answer, status=429).with_header("Retry-After", str(random.randrange(3)))


def _page(status: int) -> _Change:
    html = b"<!DOCTYPE html><html><body><h1>Sign in</h1></body></html>"
    return lambda answer, _request, _random: replace(answer, status=status, body=html).with_header(
        "Content-Type", "text/html"
    )


_NUMBERS = ("NaN", "", "-1", "1e99", "99999999999", "soon", "0x10", "1" * 400)
_COUNTED = ("X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit-Remaining", "Retry-After")
_PAGED = ("X-Total-Pages", "X-Total", "X-Per-Page", "X-Page")


def _header(*names: str) -> _Change:
    return lambda answer, _request, random: answer.with_header(random.choice(names), random.choice(_NUMBERS))


def _bad_date(answer: Answer, _request: Mapping[str, str], random: Random) -> Answer:
    dates = ("yesterday", "Thu, 31 Feb 2026 25:00:00 GMT", "9" * 30, "")
    return answer.with_header("Date", random.choice(dates))


_ENDLESS = {
    "hasNextPage": True,
    "hasPreviousPage": True,
    "isLast": False,
    "nextPageToken": "again",
    "total": 10**9,
}


def _endless(answer: Answer, _request: Mapping[str, str], _random: Random) -> Answer:
    """Say in the body that more pages follow."""

    def edit(document: Any) -> Any:
        for container, key in list(_places(document)):
            if key in _ENDLESS:
                container[key] = _ENDLESS[key]
        return document

    return _edited(answer, edit)


def _same_page_again(answer: Answer, request: Mapping[str, str], _random: Random) -> Answer:
    """Name the requested page as the next one."""
    here = f"http://{request.get('host', '')}{request.get(':path', '')}"
    return answer.with_header("Link", f'<{here}>; rel="next"').with_header("X-Next-Page", "1")


MUTATIONS: tuple[Mutation, ...] = (
    *(Mutation(f"a value becomes {name}", Kind.BROKEN, _replacing(value)) for name, value in _VALUES.items()),
    *(
        Mutation(f"a value becomes {name} where that is valid", Kind.LIE, _replacing(value, is_wrong=False))
        for name, value in _VALUES.items()
    ),
    Mutation("a value becomes null", Kind.GAP, _replacing(None)),
    Mutation("a key is missing", Kind.GAP, _drop_key),
    Mutation("a list is empty", Kind.LIE, _lists(lambda _: [])),
    Mutation("a list comes twice", Kind.BROKEN, _lists(lambda items: items * 2)),
    Mutation("a list is reversed", Kind.BROKEN, _lists(lambda items: items[::-1])),
    Mutation("deep nesting", Kind.BROKEN, _nest),
    Mutation("invalid UTF-8", Kind.BROKEN, _invalid_utf8),
    Mutation("cut", Kind.BROKEN, _cut),
    Mutation("announced too long", Kind.BROKEN, _too_long),
    Mutation("announced too short", Kind.BROKEN, _too_short),
    Mutation("compressed bomb", Kind.BROKEN, _compressed_bomb),
    Mutation("not compressed as announced", Kind.BROKEN, _not_compressed),
    Mutation("the request is quoted in an error", Kind.BROKEN, _echo),
    Mutation("success without content", Kind.BROKEN, lambda answer, *_: replace(answer, status=204, body=b"")),
    Mutation("odd status", Kind.BROKEN, _status(205, 226, 299, 300, 304, 418, 451, 599)),
    Mutation("busy", Kind.BROKEN, _status(500, 502, 503, 504)),
    Mutation("limited", Kind.BROKEN, _limited),
    Mutation("refused or gone", Kind.BROKEN, _status(400, 401, 403, 404, 409, 410, 422)),
    Mutation("page of a proxy", Kind.BROKEN, _page(200)),
    Mutation("page of a proxy as an error", Kind.BROKEN, _page(407)),
    Mutation("odd header of limits", Kind.BROKEN, _header(*_COUNTED)),
    Mutation("odd header of pages", Kind.LIE, _header(*_PAGED)),
    Mutation("odd date", Kind.BROKEN, _bad_date),
    Mutation("the page is its own next one", Kind.BROKEN, _same_page_again),
    Mutation("more pages follow", Kind.BROKEN, _endless),
)
