"""Carry-over: an item that leaves a milestone open, at its end, was not done in it.

The end of a milestone is the earlier of its due moment and its closing. An item that leaves open near the end, or after
it, stays in the scope of the milestone as not done. So the outcome does not depend on the hour at which somebody moves
the unfinished items on. Items that leave earlier are cut from the scope.

| item leaves open, in a milestone of 40 days            | counts as                                            |
|--------------------------------------------------------|------------------------------------------------------|
| 5 days before the end                                  | cut                                                  |
| 3 days before the end (`NEAR`) or later                | carried over                                         |
| 4 days before the due moment, into the next milestone  | carried over: it leaves in the last tenth            |
| 1 day after the end                                    | carried over                                         |
| 1 day before the end, closed elsewhere before the end  | done                                                 |
| 1 day before the end, closed elsewhere after the end   | carried over                                         |
| 1 day before the end, closed as not planned by the end | cut: it was removed from scope                       |
| 1 day before the end, and comes back an hour later     | a member all the time                                |
| and had joined after the end                           | cut: it was never part of what was planned           |

A tracker keeps what was open when a sprint was completed in the list of that sprint, next to its new one. So a sprint
that was completed is taken as of its completion: items that were open have left then, and later joins and reopenings
are none of it. The same holds for an iteration: it ends by its dates, and what was open moves on (GitLab: roll over) or
stays behind in it.

`with_carry_over` is the rule for objects, `carry_over` the rule for columns. Each gives the same rows the same state
when it is applied again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from sync.model.membership import Container, Membership
from sync.model.tracker_data import MilestoneKind

__all__ = ["NEAR", "Ending", "MembershipColumns", "Settled", "carry_over", "ending_of", "with_carry_over"]

NEAR = timedelta(days=3)
"""Time before the end from which an item that leaves open is carried over, but at most a quarter of the planned time"""

_COMPLETED = (MilestoneKind.SPRINT, MilestoneKind.ITERATION)
"""Kinds whose contents count as of their end."""

NEVER = np.iinfo(np.int64).max
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_MICROSECOND = timedelta(microseconds=1)

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Ending(Struct, frozen=True):
    """The end of a container (UTC), and the moments from which items that leave open are carried over.

    ``near``: in any case. ``last_tenth``: if they are in a later milestone of the stream then; None without a due
    moment.
    """

    end: datetime
    near: datetime
    last_tenth: datetime | None

    @property
    def first(self) -> datetime:
        """The earlier of ``near`` and ``last_tenth``: items that leave before it are cut."""
        return self.near if self.last_tenth is None else min(self.near, self.last_tenth)


def ending_of(container: Container) -> Ending | None:
    """Return the ending of a container; None if it has no due moment and no known closing."""
    due, ended = container.due, None if container.is_end_estimated else container.ended
    end = min((moment for moment in (due, ended) if moment is not None), default=None)
    if end is None:
        return None
    plan_end = end if due is None else due
    planned = timedelta(0) if container.start is None else plan_end - container.start
    if planned <= timedelta(0):
        return Ending(end, _before(end, NEAR), None)
    last_tenth = None if due is None else _before(due, planned // 10)
    return Ending(end, _before(end, min(NEAR, planned // 4)), last_tenth)


def _completed_at(container: Container) -> datetime | None:
    """Return when a sprint or iteration was completed; None for other kinds and where the moment is not known."""
    is_known = container.kind in _COMPLETED and not container.is_end_estimated
    return container.ended if is_known else None


def _before(moment: datetime, time: timedelta) -> datetime:
    earliest = datetime.min.replace(tzinfo=moment.tzinfo)
    return moment - time if moment - earliest > time else earliest


def _is_later(container: Container, than: Container) -> bool:
    """Return True if ``container`` continues the series after ``than``: it is due later, or runs without a date."""
    if container.id == than.id or container.stream != than.stream or than.due is None:
        return False
    end = container.due or container.ended
    return end is None or end > than.due


# --- objects ----------------------------------------------------------------------------------------------------------


def with_carry_over(containers: Iterable[Container], memberships: Iterable[Membership]) -> list[Membership]:
    """Return the memberships in their order, with the carry-over of these containers.

    A carried-over membership has ``carried_over`` and keeps its ``left``. ``closed`` is set only if it decides the
    state: a closure after the item left counts if the item is carried over and the closure is not after the end.
    """
    by_id = {container.id: container for container in containers}
    endings = {container.id: ending_of(container) for container in by_id.values()}
    completed = {container.id: _completed_at(container) for container in by_id.values()}
    rows = [_at_completion(row, completed.get(row.container)) for row in memberships]
    near = [row for row in rows if _may_be_carried(row, endings.get(row.container))]
    items = {row.item for row in near}
    of_item: dict[str, list[Membership]] = defaultdict(list)
    for row in rows:
        if row.item in items and (row.left is None or row.left > row.joined):
            of_item[row.item].append(row)
    carried = {id(row): settled for row in near if (settled := _carried(row, of_item[row.item], endings, by_id))}
    return [carried.get(id(row)) or _without_later_closure(row) for row in rows]


def _at_completion(row: Membership, completed: datetime | None) -> Membership:
    """Return the row as of the completion of its sprint; unchanged if it is no completed sprint."""

    def is_later(moment: datetime | None) -> bool:
        return moment is None or (completed is not None and moment > completed)

    if completed is None or row.carried_over:
        return row
    if row.joined >= completed:
        return replace(row, left=row.joined)
    if is_later(row.left) and is_later(row.closed) and is_later(row.reopened):
        return replace(row, left=completed, reopened=None)
    return replace(row, reopened=None) if is_later(row.reopened) and row.reopened is not None else row


def _may_be_carried(row: Membership, ending: Ending | None) -> bool:
    """Return True if the item left open, near enough to the end for a carry-over."""
    left = row.left
    if ending is None or left is None or row.carried_over or not row.joined < min(left, ending.end):
        return False
    is_open = (row.closed is None or row.closed >= left) and (row.reopened is None or row.reopened > left)
    return (
        is_open and left >= ending.first and not (row.removed and row.closed is not None and row.closed <= ending.end)
    )


def _carried(
    row: Membership,
    of_item: Sequence[Membership],
    endings: Mapping[str, Ending | None],
    containers: Mapping[str, Container],
) -> Membership | None:
    """Return the row as carried over, or as a member until the item came back; None if it is cut."""
    ending, left = endings[row.container], row.left
    assert ending is not None
    assert left is not None
    if left < ending.near and not any(
        other.container in containers
        and _is_later(containers[other.container], containers[row.container])
        and _is_there(other, left)
        for other in of_item
    ):
        return None
    returns = min((o.joined for o in of_item if o.container == row.container and o.joined >= left), default=None)
    closed = row.closed if row.closed is not None and row.closed <= ending.end else None
    if returns is None:
        return replace(row, carried_over=True, closed=closed, removed=False)
    closed = closed if closed is not None and closed < returns else None
    return replace(row, left=returns, closed=closed, removed=False)


def _is_there(row: Membership, at: datetime) -> bool:
    return row.joined <= at and all(end is None or end > at for end in (row.left, row.reopened))


def _without_later_closure(row: Membership) -> Membership:
    """Return the row without a closure that came after the item had left."""
    if row.carried_over or row.left is None or row.closed is None or row.closed <= row.left:
        return row
    return replace(row, closed=None, removed=False)


# --- columns ----------------------------------------------------------------------------------------------------------


class MembershipColumns(Struct, frozen=True):
    """Columns over m memberships: codes of containers and items, and times in microseconds since 1970 (or `NEVER`)."""

    container: NDArray[np.int32]
    item: NDArray[np.int32]
    joined: Ints
    left: Ints
    closed: Ints
    reopened: Ints
    removed: Bools
    carried_over: Bools


class Settled(Struct, frozen=True):
    """The columns that `carry_over` changes; those without a change are the given arrays."""

    left: Ints
    closed: Ints
    reopened: Ints
    removed: Bools
    carried_over: Bools


def carry_over(containers: Sequence[Container | None], columns: MembershipColumns) -> Settled:
    """Return the columns with the carry-over of ``containers``, which are by code; None: not known.

    It is `with_carry_over` for columns.
    """
    endings = [None if container is None else ending_of(container) for container in containers]
    moments = [(None,) * 3 if ending is None else (ending.end, ending.near, ending.first) for ending in endings]
    end, near, first = np.array([[*map(_microseconds, row)] for row in moments], dtype=np.int64).reshape(-1, 3).T
    columns = c = _as_completed(containers, columns)
    rows = np.flatnonzero((c.left != NEVER) & ~c.carried_over)
    later = rows[(c.closed[rows] > c.left[rows]) & (c.closed[rows] != NEVER)]
    rows = rows[(c.closed[rows] >= c.left[rows]) & (c.reopened[rows] > c.left[rows])]
    code, left = c.container[rows], c.left[rows]
    is_removed = c.removed[rows] & (c.closed[rows] <= end[code])
    rows = rows[(left >= first[code]) & (c.joined[rows] < np.minimum(left, end[code])) & ~is_removed]
    is_carried = c.left[rows] >= near[c.container[rows]]
    is_carried[~is_carried] = _moves_on(rows[~is_carried], containers, columns)
    return _settled(rows[is_carried], later, end, columns)


def _as_completed(containers: Sequence[Container | None], columns: MembershipColumns) -> MembershipColumns:
    """Return the columns with each completed sprint as of its completion: `_at_completion` for columns."""
    c = columns
    by_code = np.array(
        [NEVER if container is None else _microseconds(_completed_at(container)) for container in containers],
        dtype=np.int64,
    )
    if (by_code == NEVER).all():
        return columns
    completed = by_code[c.container]
    is_own = (completed != NEVER) & ~c.carried_over
    is_late = is_own & (c.joined >= completed)
    is_running = is_own & ~is_late
    is_open = is_running & (c.left > completed) & (c.closed > completed) & (c.reopened > completed)
    left = np.where(is_open, completed, np.where(is_late, c.joined, c.left))
    reopened = np.where(is_running & (c.reopened > completed), NEVER, c.reopened)
    return replace(columns, left=left, reopened=reopened)


def _settled(rows: Ints, later: Ints, end: Ints, columns: MembershipColumns) -> Settled:
    """Carry over ``rows``; ``later`` are the rows that were closed after they left."""
    c = columns
    left, closed, removed, carried_over = c.left, c.closed, c.removed, c.carried_over
    returns = _returns(rows, columns)
    if len(later):
        closed, removed = closed.copy(), removed.copy()
        closed[later], removed[later] = NEVER, False
    if len(rows):
        was_closed = c.closed[rows]
        counts = (was_closed <= end[c.container[rows]]) & (was_closed < returns)
        closed, left, carried_over = closed.copy(), left.copy(), carried_over.copy()
        removed = removed.copy()
        closed[rows], removed[rows] = np.where(counts, was_closed, NEVER), False
        left[rows] = np.where(returns == NEVER, left[rows], returns)
        carried_over[rows] = returns == NEVER
    return Settled(left, closed, c.reopened, removed, carried_over)


def _returns(rows: Ints, columns: MembershipColumns) -> Ints:
    """Return when each row's item next joined the same container after it left; `NEVER` if it did not."""
    if len(rows) == 0:
        return np.zeros(0, dtype=np.int64)
    c = columns
    related = _of_items(rows, columns)
    pairs = c.container[related].astype(np.int64) * (int(c.item.max()) + 1) + c.item[related]
    _, pair = np.unique(pairs, return_inverse=True)
    times = np.sort(c.joined[related])
    place = pair * (len(times) + 1) + np.searchsorted(times, c.joined[related])
    order = np.argsort(place, kind="stable")
    pair_of = pair[np.searchsorted(related, rows)]
    found = np.searchsorted(place[order], pair_of * (len(times) + 1) + np.searchsorted(times, c.left[rows]))
    next_row = order[np.minimum(found, len(order) - 1)]
    is_found = (found < len(order)) & (pair[next_row] == pair_of)
    return np.where(is_found, c.joined[related[next_row]], NEVER)


def _moves_on(rows: Ints, containers: Sequence[Container | None], columns: MembershipColumns) -> Bools:
    """Return which rows' items are in a later milestone of the stream when they leave."""
    c = columns
    moves = np.zeros(len(rows), dtype=np.bool_)
    if len(rows) == 0:
        return moves
    related = _of_items(rows, columns)
    related = related[np.argsort(c.item[related], kind="stable")]
    item = c.item[related]
    low, high = (np.searchsorted(item, c.item[rows], side=side) for side in ("left", "right"))
    streams: dict[str, int] = {}
    stream = np.array([-1 if b is None else streams.setdefault(b.stream, len(streams)) for b in containers])
    due = np.array([NEVER if b is None or b.due is None else _microseconds(b.due) for b in containers])
    until = np.array([NEVER if b is None else _microseconds(b.due or b.ended) for b in containers])
    for step in range(int((high - low).max())):
        has_other = np.flatnonzero(low + step < high)
        own, other = rows[has_other], related[low[has_other] + step]
        mine, theirs, left = c.container[own], c.container[other], c.left[own]
        is_later = (mine != theirs) & (stream[mine] == stream[theirs]) & (until[theirs] > due[mine])
        is_there = (c.joined[other] <= left) & (c.left[other] > left) & (c.reopened[other] > left)
        moves[has_other] |= is_later & is_there & (due[mine] != NEVER)
    return moves


def _of_items(rows: Ints, columns: MembershipColumns) -> Ints:
    """Return all rows of the items of ``rows`` that last any time, in order."""
    is_wanted = np.zeros(int(columns.item.max()) + 1, dtype=np.bool_)
    is_wanted[columns.item[rows]] = True
    return np.flatnonzero(is_wanted[columns.item] & (columns.left > columns.joined))


def _microseconds(at: datetime | None) -> int:
    return int(NEVER) if at is None else (at - _EPOCH) // _MICROSECOND
