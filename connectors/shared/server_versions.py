"""Versions of servers that organisations run themselves: which their maker supports, and what older ones lack."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from sync.tracker.preflight import Limitation

__all__ = ["Loss", "ServerLine", "is_older", "limitations"]


class Loss(Struct, frozen=True):
    """Loss on versions before ``since``; the words follow "on GitLab 15.0"."""

    since: str
    words: str


class ServerLine(Struct, frozen=True):
    """The versions of a server: the oldest ``supported`` by its maker, and the ``oldest`` that milesync works with.

    Support ends with time, so ``supported`` is that of the day which docs/reference/checked-against.md names.
    """

    name: str
    supported: str
    oldest: str
    losses: tuple[Loss, ...] = ()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", version)[:2])


def is_older(version: str, than: str) -> bool:
    """Compare two versions by their first two numbers. A version without a number is not known, and not older."""
    numbers = _numbers(version)
    return bool(numbers) and numbers < _numbers(than)


def limitations(line: ServerLine, version: str) -> Iterator[Limitation]:
    """Yield what this version lacks in comparison with the newest, with the version that has it."""
    server = f"{line.name} {version.partition('-')[0]}"
    if is_older(version, line.oldest):
        words = f"{server} is older than {line.oldest}, the oldest version that milesync is tested with"
        yield Limitation(words=words, remedy=f"upgrade the server, to {line.supported} or later if you can")
    elif is_older(version, line.supported):
        words = f"the maker of {server} has ended its support; milesync works with it"
        yield Limitation(words=words, remedy=f"{line.name} {line.supported} and later have support")
    for loss in line.losses:
        if is_older(version, loss.since):
            yield Limitation(words=f"on {server} {loss.words}", remedy=f"this comes with {line.name} {loss.since}")
