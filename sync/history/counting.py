"""Decide whether an item is in a container at a time, open, carried over or done there, and count such items.

An item is a member from ``joined`` until it leaves or is reopened (then its next membership begins), and open until it
is closed. `is_member`, `is_open`, `is_carried` and `is_done` decide that for one `Membership`. `covers` is the same
rule for columns: `sync.history.membership_table.MembershipTable` has methods of the same names. For a forecast, what is
carried over is open: see `sync.history.ledger.Ledger`.

| membership                                          | at             | member | open | carried | done |
|-----------------------------------------------------|----------------|--------|------|---------|------|
| joined day 1                                        | before day 1   | no     | no   | no      | no   |
| joined day 1                                        | day 1 or later | yes    | yes  | no      | no   |
| joined day 1, closed day 5                          | day 5 or later | yes    | no   | no      | yes  |
| joined day 1, closed day 5, removed                 | day 5 or later | yes    | no   | no      | no   |
| joined day 1, left day 5                            | day 5 or later | no     | no   | no      | no   |
| joined day 1, left day 5, carried over              | day 5 or later | no     | no   | yes     | no   |
| joined day 1, left day 5, carried over, closed day 6| day 6 or later | no     | no   | no      | yes  |
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence, Set
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sync.model.dates import end_of_day
from sync.model.membership import Container, Counts, Membership

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["burnup", "covers", "is_carried", "is_done", "is_member", "is_open", "merged_counts", "scope_end"]

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
    """Return True if the item is in scope at ``at``, and closed as finished work: not removed from scope."""
    is_finished = membership.closed is not None and membership.closed <= at and not membership.removed
    return is_finished and (is_member(membership, at) or _has_been_carried(membership, at))


def is_carried(membership: Membership, at: datetime) -> bool:
    """Return True if the item was carried over by ``at``, and was not closed by then."""
    is_closed = membership.closed is not None and membership.closed <= at
    return _has_been_carried(membership, at) and not is_closed


def _has_been_carried(membership: Membership, at: datetime) -> bool:
    return membership.carried_over and membership.left is not None and membership.left <= at


def scope_end(membership: Membership) -> datetime | None:
    """Return the moment from which the item is not in scope: it left, was reopened, or closed as removed.

    None while it counts. An item that was carried over stays in scope.
    """
    left = None if membership.carried_over else membership.left
    ends = (left, membership.reopened, membership.closed if membership.removed else None)
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


def merged_counts(
    parts: Iterable[tuple[Container, Sequence[Membership]]],
    at: datetime,
    week: datetime | None = None,
    changes: Set[str] = frozenset(),
) -> Counts:
    """Count the items of several containers at ``at``, each item once.

    An item that is open in one container counts as open, else as done, carried over or removed, the first that holds in
    one. ``added`` are the items that are new in each container that they are in: not in its agreed scope
    (``added_week``: nor there at ``week``, the beginning of the last seven days; None: a week before ``at``).
    ``changes`` are the items that are changes.
    """
    open_items: set[str] = set()
    done: set[str] = set()
    carried: set[str] = set()
    removed: set[str] = set()
    at_start: set[str] = set()
    at_week: set[str] = set()
    for container, memberships in parts:
        agreed_at = min(container.agreed_at or container.start or at, at)
        begun = max(agreed_at, at - _WEEK if week is None else week)
        for membership in memberships:
            if is_open(membership, at):
                open_items.add(membership.item)
            elif is_done(membership, at):
                done.add(membership.item)
            elif is_carried(membership, at):
                carried.add(membership.item)
            elif is_member(membership, at):
                removed.add(membership.item)
            if is_member(membership, agreed_at) or _has_been_carried(membership, agreed_at):
                at_start.add(membership.item)
            if is_member(membership, begun) or _has_been_carried(membership, begun):
                at_week.add(membership.item)
    done -= open_items
    carried -= open_items | done
    removed -= open_items | done | carried
    members = open_items | done | carried | removed
    return Counts(
        open=len(open_items),
        closed=len(done) + len(removed),
        removed=len(removed),
        added=len(members - at_start),
        added_week=len(members - at_week),
        carried=len(carried),
        changes=len(members & changes),
    )


def burnup(
    memberships: Iterable[Membership], days: Sequence[date], zone: ZoneInfo = _UTC
) -> Iterator[tuple[date, int, int]]:
    """Yield (day, items in scope, items done) for each of ``days``, as of the last instant of the day in ``zone``.

    In scope are the items that `is_open`, `is_carried` or `is_done` holds for. Sorted ends are counted, so that a long
    history costs as little for 90 days as for one.
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
        end = end_of_day(day, zone)
        before = [bisect_left(column, end) for column in columns]
        yield day, before[0] - before[1], before[2] - before[3]
