"""Decide whether an item is in a container at a time, open there or done there, and count such items.

An item is a member from ``joined`` until it leaves or is reopened (then its next membership begins), and open until it
is closed. `is_member`, `is_open` and `is_done` decide that for one `Membership`. `covers` is the same rule for columns:
`sync.history.membership_table.MembershipTable` and `sync.history.ledger.Ledger` have methods of the same names.

| membership                          | at             | member | open | done |
|-------------------------------------|----------------|--------|------|------|
| joined day 1                        | before day 1   | no     | no   | no   |
| joined day 1                        | day 1 or later | yes    | yes  | no   |
| joined day 1, closed day 5          | day 5 or later | yes    | no   | yes  |
| joined day 1, closed day 5, removed | day 5 or later | yes    | no   | no   |
| joined day 1, left day 5            | day 5 or later | no     | no   | no   |
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sync.model.dates import end_of_day
from sync.model.membership import Container, Counts, Membership

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["burnup", "covers", "is_done", "is_member", "is_open", "merged_counts", "scope_end"]

_UTC = ZoneInfo("UTC")
_WEEK = timedelta(days=7)


def is_member(membership: Membership, at: datetime) -> bool:
    """Return True if the item is in the container at ``at``, open or closed."""
    left, reopened = membership.left, membership.reopened
    return membership.joined <= at and (left is None or left > at) and (reopened is None or reopened > at)


def is_open(membership: Membership, at: datetime) -> bool:
    """Return True if the item is in the container at ``at``, and not closed."""
    return is_member(membership, at) and (membership.closed is None or membership.closed > at)


def is_done(membership: Membership, at: datetime) -> bool:
    """Return True if the item is in the container at ``at``, and closed as finished work: not removed from scope."""
    return is_member(membership, at) and not (membership.closed is None or membership.closed > at or membership.removed)


def scope_end(membership: Membership) -> datetime | None:
    """Return the moment from which the item is neither open nor done: it left, was reopened, or closed as removed.

    None while it counts.
    """
    ends = (membership.left, membership.reopened, membership.closed if membership.removed else None)
    return min((end for end in ends if end is not None), default=None)


def covers(at: Any, begin: NDArray[Any], *ends: NDArray[Any]) -> NDArray[np.bool_]:
    """Return which rows have begun by ``at`` and have none of their ends by then: ``begin <= at < end``.

    ``at`` is one number, or one for each row, in the unit of the columns. An end that has not come is the largest
    value.
    """
    inside: NDArray[np.bool_] = begin <= at
    for end in ends:
        inside = inside & (end > at)
    return inside


def merged_counts(parts: Iterable[tuple[Container, Sequence[Membership]]], at: datetime) -> Counts:
    """Count the items of several containers at ``at``, each item once.

    An item that is open in one container counts as open. ``added`` are the items that are new in each container that
    they are in: not in its agreed scope (``added_week``: nor there a week before ``at``).
    """
    open_items: set[str] = set()
    done: set[str] = set()
    removed: set[str] = set()
    at_start: set[str] = set()
    at_week: set[str] = set()
    for container, memberships in parts:
        agreed_at = min(container.agreed_at or container.start or at, at)
        week = max(agreed_at, at - _WEEK)
        for membership in memberships:
            if is_member(membership, at):
                state = open_items if is_open(membership, at) else removed if membership.removed else done
                state.add(membership.item)
            if is_member(membership, agreed_at):
                at_start.add(membership.item)
            if is_member(membership, week):
                at_week.add(membership.item)
    done -= open_items
    removed -= open_items | done
    members = open_items | done | removed
    return Counts(
        open=len(open_items),
        closed=len(done) + len(removed),
        removed=len(removed),
        added=len(members - at_start),
        added_week=len(members - at_week),
    )


def burnup(
    memberships: Iterable[Membership], days: Sequence[date], zone: ZoneInfo = _UTC
) -> Iterator[tuple[date, int, int]]:
    """Yield (day, items in scope, items done) for each of ``days``, as of the last instant of the day in ``zone``.

    In scope are the items that `is_open` or `is_done` holds for. Sorted ends are counted, so that a long history costs
    as little for 90 days as for one.
    """
    joined: list[datetime] = []
    ended: list[datetime] = []
    finished: list[datetime] = []
    finished_ended: list[datetime] = []
    for membership in memberships:
        end = scope_end(membership)
        joined.append(membership.joined)
        if end is not None:
            ended.append(max(end, membership.joined))
        if membership.closed is not None:
            finished.append(max(membership.closed, membership.joined))
            if end is not None:
                finished_ended.append(max(end, membership.joined))
    columns = [sorted(column) for column in (joined, ended, finished, finished_ended)]
    for day in days:
        before = [bisect_left(column, end_of_day(day, zone)) for column in columns]
        yield day, before[0] - before[1], before[2] - before[3]
