"""counting."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.history.memberships import _UTC
from sync.model.dates import end_of_day
from sync.model.membership import Container, Counts, Membership

_WEEK = timedelta(days=7)


def is_member(stay: Membership, at: datetime) -> bool:
    """Whether the item is in the container at a time, open or closed."""
    ends = (stay.left, stay.reopened)
    return stay.joined <= at and not any(end is not None and end <= at for end in ends)


def is_open(stay: Membership, at: datetime) -> bool:
    """Whether the item is in the container at a time, and open."""
    return is_member(stay, at) and (stay.closed is None or stay.closed > at)


def counts(container: Container, stays: Iterable[Membership], at: datetime) -> Counts:
    """A container's items at a time. Added is who is in it and was not at its start (nor a week ago)."""
    stays = list(stays)
    now = [stay for stay in stays if is_member(stay, at)]
    closed = [stay for stay in now if not is_open(stay, at)]

    def joined_after(moment: datetime) -> int:
        there = {stay.item for stay in stays if is_member(stay, moment)}
        return sum(stay.item not in there for stay in now)

    start = None if container.start is None or container.start > at else container.start
    return Counts(
        open=len(now) - len(closed),
        closed=len(closed),
        removed=sum(stay.removed for stay in closed),
        added=0 if start is None else joined_after(start),
        added_week=0 if start is None else joined_after(max(start, at - _WEEK)),
    )


def merged_counts(parts: Iterable[tuple[Container, Sequence[Membership]]], at: datetime) -> Counts:
    """The items of several containers at a time, each item once. Added is what is new to each container it is in."""
    now_open: set[str] = set()
    closed: set[str] = set()
    removed: set[str] = set()
    old: set[str] = set()
    older: set[str] = set()
    for container, stays in parts:
        start = at if container.start is None else min(container.start, at)
        for stay in stays:
            if is_open(stay, at):
                now_open.add(stay.item)
            elif is_member(stay, at):
                (removed if stay.removed else closed).add(stay.item)
            if is_member(stay, start):
                older.add(stay.item)
            if is_member(stay, max(start, at - _WEEK)):
                old.add(stay.item)
    closed -= now_open
    removed -= now_open | closed
    everything = now_open | closed | removed
    return Counts(
        open=len(now_open),
        closed=len(closed) + len(removed),
        removed=len(removed),
        added=len(everything - older),
        added_week=len(everything - old),
    )


def burnup(stays: Iterable[Membership], days: Sequence[date], zone: ZoneInfo = _UTC) -> Iterator[tuple[date, int, int]]:
    """The scope line and the done line: (day, items in scope, items of them finished), at each day's end in ``zone``.

    What was closed as removed is in neither from then on.
    """
    added: list[datetime] = []
    taken: list[datetime] = []
    finished: list[datetime] = []
    undone: list[datetime] = []
    for stay in stays:
        ends = [stay.left, stay.reopened, stay.closed if stay.removed else None]
        end = min((max(end, stay.joined) for end in ends if end is not None), default=None)
        added.append(stay.joined)
        if end is not None:
            taken.append(end)
        if stay.closed is not None:
            finished.append(max(stay.closed, stay.joined))
            if end is not None:
                undone.append(end)
    lines = [sorted(line) for line in (added, taken, finished, undone)]
    for day in days:
        before = [bisect_left(line, end_of_day(day, zone)) for line in lines]
        yield day, before[0] - before[1], before[2] - before[3]
