"""The ledger: memberships of many containers in columns, the form in which history is counted and forecast.

A million memberships in numpy columns take 32 MB and are counted in milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sync.history.carry_over import with_carry_over
from sync.history.counting import covers, scope_end
from sync.model.membership import Container, Membership

__all__ = ["NEVER", "Ledger", "changed_containers", "days", "moment"]

NEVER = float("inf")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Days = NDArray[np.float64]
Codes = NDArray[np.int64] | NDArray[np.int32]
Bools = NDArray[np.bool_]
Rows = slice | NDArray[np.int64]
_ALL = slice(None)


def days(at: datetime | None) -> float:
    """Return the days since 1970-01-01 UTC; `NEVER` (infinity) for None."""
    return NEVER if at is None else (at - _EPOCH).total_seconds() / 86400.0


def moment(value: float) -> datetime:
    """Return the datetime (UTC) of a finite number of days since 1970.

    Raises OverflowError outside the years 1 to 9999.
    """
    return _EPOCH + timedelta(days=value)


class Ledger:
    """Columns over n containers and their m memberships, grouped by container.

    Containers: ``start``, ``agreed_at``, ``due``, ``first_due``, ``ended`` are float64[n] in days since 1970 UTC. An
    unknown start or due date is NaN; an end that has not come is infinite. ``plan_due`` and ``moved_at`` are those of
    the plan's clock (`sync.history.plan_clock`); NaN: never moved to a later day than planned. ``kind`` and ``stream``
    are int64[n] codes into ``kinds`` and ``streams``; ``index`` is id -> position.

    Memberships: rows ``offsets[i]:offsets[i + 1]`` are those of container i. ``item`` is int64[m] or int32[m] codes
    into ``items``, which is empty where ids are not needed. ``joined``, ``left``, ``closed`` are float64[m] in days.
    ``left`` is the end of the time in scope: when the item left, was reopened, or was closed as removed (``closed`` is
    then infinite). A row is in scope in [joined, left) and open in [joined, open_until). An item that is carried over
    (`sync.history.carry_over`) never left: it is open, and has ``carried_at``, the moment at which it left its
    container in the tracker; infinite for all others.
    """

    def __init__(
        self,
        containers: Sequence[Container],
        container_of: Codes,
        item: Codes,
        joined: Days,
        left: Days,
        closed: Days,
        items: Sequence[str] = (),
    ) -> None:
        self.items = items
        self.containers = tuple(containers)
        self.index = {c.id: i for i, c in enumerate(self.containers)}
        n = len(self.containers)
        self.offsets: NDArray[np.int64] = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(container_of, minlength=n), out=self.offsets[1:])
        self._order: slice | NDArray[np.int64] = _ALL
        if (container_of[1:] < container_of[:-1]).any():
            self._order = np.argsort(container_of, kind="stable")
            item, joined = item[self._order], joined[self._order]
            left, closed = left[self._order], closed[self._order]
        self.carried_at: Days = np.full(len(joined), NEVER)
        self.item, self.joined, self.left, self.closed = item, joined, left, closed
        self.open_until: Days = np.minimum(left, closed)
        self.start, self.agreed_at, self.due, self.first_due, self.plan_due, self.moved_at = (
            np.array([float("nan") if v is None else days(v) for v in column], dtype=np.float64)
            for column in (
                [c.start for c in self.containers],
                [c.agreed_at or c.start for c in self.containers],
                [c.due for c in self.containers],
                [c.first_due or c.due for c in self.containers],
                [c.clock_due for c in self.containers],
                [c.clock.moved_at if c.clock else None for c in self.containers],
            )
        )
        self.ended: Days = np.array([days(c.ended) for c in self.containers], dtype=np.float64)
        self.kinds, self.kind = _codes([c.kind for c in self.containers])
        self.streams, self.stream = _codes([c.stream for c in self.containers])

    @classmethod
    def of(cls, containers: Sequence[Container], memberships: Iterable[Membership]) -> Ledger:
        """Build a ledger from objects, with the carry-over. Memberships of unknown containers are left out."""
        index = {c.id: i for i, c in enumerate(containers)}
        items: dict[str, int] = {}
        rows = [
            (
                index[m.container],
                items.setdefault(m.item, len(items)),
                days(m.joined),
                days(scope_end(m)),
                NEVER if m.removed else days(m.closed),
                days(m.left) if m.carried_over else NEVER,
            )
            for m in with_carry_over(containers, memberships)
            if m.container in index
        ]
        table = np.array(rows, dtype=np.float64).reshape(len(rows), 6)
        ledger = cls(
            containers,
            table[:, 0].astype(np.int64),
            table[:, 1].astype(np.int64),
            table[:, 2],
            table[:, 3],
            table[:, 4],
            tuple(items),
        )
        return ledger.with_carried(table[:, 5])

    def with_carried(self, carried_at: Days) -> Ledger:
        """Return the ledger with ``carried_at``, which is in the order in which the other columns were given."""
        ledger = copy(self)
        ledger.carried_at = carried_at[self._order]
        return ledger

    def of_stream(self, stream: int) -> NDArray[np.int64]:
        """Return the positions of a stream's containers (by its code), in order; none of an unknown stream."""
        order, first = self._by_stream
        return order[first[stream] : first[stream + 1]] if stream < len(self.streams) else order[:0]

    @cached_property
    def _by_stream(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        order: NDArray[np.int64] = np.argsort(self.stream, kind="stable")
        return order, np.searchsorted(self.stream[order], np.arange(len(self.streams) + 1))

    def rows(self, i: int) -> slice:
        """Return the membership rows of the container at position ``i``."""
        return slice(int(self.offsets[i]), int(self.offsets[i + 1]))

    def rows_of(self, index: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the membership rows of the containers at ``index``, and the place in ``index`` of each row."""
        first, count = self.offsets[index], self.offsets[index + 1] - self.offsets[index]
        owner = np.repeat(np.arange(len(index)), count)
        return np.arange(len(owner)) + (first - np.cumsum(count) + count)[owner], owner

    def in_scope(self, at: float | Days, rows: Rows = _ALL) -> Bools:
        """Return which rows are open or done at ``at`` (days since 1970 UTC; one for all, or one for each row)."""
        return covers(at, self.joined[rows], self.left[rows])

    def is_open(self, at: float | Days, rows: Rows = _ALL) -> Bools:
        """Return which rows are open or carried over at ``at`` (days since 1970 UTC)."""
        return covers(at, self.joined[rows], self.open_until[rows])

    def is_carried(self, at: float | Days, rows: Rows = _ALL) -> Bools:
        """Return which rows are carried over at ``at``: see `sync.history.counting.is_carried`."""
        return self.is_open(at, rows) & (self.carried_at[rows] <= at)

    def is_done(self, at: float | Days, rows: Rows = _ALL) -> Bools:
        """Return which rows are done at ``at`` (days since 1970 UTC): see `sync.history.counting.is_done`."""
        return self.in_scope(at, rows) & (self.closed[rows] <= at)


def changed_containers(first: Ledger, second: Ledger) -> set[str]:
    """Return the ids of the containers that differ, or whose memberships do: all of them if others belong to a ledger.

    Both ledgers have the same codes of items.
    """
    if first.index != second.index or not np.array_equal(first.offsets, second.offsets):
        return {*first.index, *second.index}
    pairs = zip(first.containers, second.containers, strict=True)
    changed = {own.id for own, other in pairs if own is not other and own != other}
    columns = ("item", "joined", "left", "closed", "carried_at")
    differs = np.any([getattr(first, name) != getattr(second, name) for name in columns], axis=0)
    places = np.searchsorted(first.offsets, np.flatnonzero(differs), side="right") - 1
    return changed | {first.containers[i].id for i in set(places.tolist())}


def _codes(names: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    seen: dict[str, int] = {}
    codes = np.array([seen.setdefault(name, len(seen)) for name in names], dtype=np.int64)
    return tuple(seen), codes
