"""Memberships in columns: of many items in many containers, small, quick to store and to count.

The memberships of a million issues take 60 MB here, with the issues' ids; as objects they would take a gigabyte.
`MembershipTable.by_container` makes objects of those that are read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from sync.history.carry_over import MembershipColumns, carry_over
from sync.history.counting import covers
from sync.history.ledger import Ledger
from sync.history.string_column import StringColumn
from sync.model.membership import Container, Counts, Membership

__all__ = ["NEVER", "MembershipTable", "ledger_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WEEK = timedelta(days=7) // _MICROSECOND
NEVER = int(np.iinfo(np.int64).max)
"""A time that has not come, in a column of times."""

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]
_COUNTS = ("open", "closed", "removed", "added", "added_week", "carried")
_TIMES = ("created", "joined", "left", "closed", "reopened")


class _Packed(msgspec.Struct, array_like=True):
    """The stored form of a `MembershipTable`: little-endian columns."""

    containers: list[str]
    items: bytes
    ends: bytes
    container: bytes
    item: bytes
    times: bytes
    removed: bytes


class MembershipTable:
    """Columns over m memberships, grouped by container; within a container in the order in which they were given.

    ``containers`` and ``items`` are ids, ``container`` and ``item`` int32[m] codes into them. ``joined``, ``left``,
    ``closed``, ``reopened`` are those of `sync.model.membership.Membership`, ``created`` is the creation of the item:
    int64[m] in microseconds since 1970 UTC. A time that has not come is the largest int64. ``removed`` and
    ``carried_over`` are bool[m]; the second is False everywhere before `with_carry_over`, and is not stored.
    """

    def __init__(
        self,
        containers: Sequence[str],
        items: StringColumn,
        container: Codes,
        item: Codes,
        times: Mapping[str, Ints],
        removed: Bools,
        carried_over: Bools | None = None,
    ) -> None:
        self.containers, self.items = containers, items
        if carried_over is None:
            carried_over = np.zeros(len(container), dtype=np.bool_)
        if (container[1:] < container[:-1]).any():
            order = np.argsort(container, kind="stable")
            container, item, removed = container[order], item[order], removed[order]
            times, carried_over = _map_columns(times, lambda column: column[order]), carried_over[order]
        self.container, self.item, self.removed, self.carried_over = container, item, removed, carried_over
        self.created, self.joined, self.left, self.closed, self.reopened = (times[name] for name in _TIMES)
        self._first = np.searchsorted(self.container, np.arange(len(containers) + 1))
        self._code = {name: n for n, name in enumerate(containers)}

    def __len__(self) -> int:
        return len(self.container)

    @classmethod
    def of(cls, memberships: Iterable[tuple[Membership, datetime]]) -> Self:
        """Build a table from memberships, each with the creation time (UTC) of its item."""
        containers: dict[str, int] = {}
        items: dict[str, int] = {}
        rows = [
            (
                containers.setdefault(membership.container, len(containers)),
                items.setdefault(membership.item, len(items)),
                membership.removed,
                _microseconds(created),
                *(_microseconds(getattr(membership, name)) for name in _TIMES[1:]),
            )
            for membership, created in memberships
        ]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 8)
        times = {name: table[:, 3 + n] for n, name in enumerate(_TIMES)}
        container, item = (table[:, n].astype(np.int32) for n in (0, 1))
        return cls(list(containers), StringColumn.of(items), container, item, times, table[:, 2].astype(bool))

    @classmethod
    def concat(cls, parts: Sequence[Self], *, disjoint: bool = False) -> Self:
        """Concatenate tables. The same id means the same container, or item.

        ``disjoint`` says that no item is in two parts; ids are then not compared, which is faster.
        """
        containers, container = _merge_codes([part.containers for part in parts], [part.container for part in parts])
        if disjoint:
            offsets = np.cumsum([0, *(len(part.items) for part in parts)], dtype=np.int32)
            items = StringColumn.concat([part.items for part in parts])
            item = _columns([part.item + first for part, first in zip(parts, offsets, strict=False)])
        else:
            names, item = _merge_codes([part.items for part in parts], [part.item for part in parts])
            items = StringColumn.of(names)
        times = {name: _columns([getattr(part, name) for part in parts]) for name in _TIMES[1:]}
        is_shared = all(part.created is part.joined for part in parts)
        times["created"] = times["joined"] if is_shared else _columns([part.created for part in parts])
        removed, carried_over = (
            _columns([getattr(part, name) for part in parts]).astype(bool) for name in ("removed", "carried_over")
        )
        return cls(containers, items, container, item, times, removed, carried_over)

    # --- bytes ---------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """Return the table as bytes; the same memberships give the same bytes."""
        times = np.stack([getattr(self, name) for name in _TIMES]).astype("<i8")
        items = StringColumn.of(self.items) if self.items.prefix else self.items
        packed = _Packed(
            containers=list(self.containers),
            items=items.text,
            ends=items.ends.astype("<i8").tobytes(),
            container=self.container.astype("<i4").tobytes(),
            item=self.item.astype("<i4").tobytes(),
            times=times.tobytes(),
            removed=self.removed.tobytes(),
        )
        return msgspec.msgpack.encode(packed)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read what `encode` returned. Raises `msgspec.DecodeError`."""
        packed = msgspec.msgpack.decode(body, type=_Packed)
        container = np.frombuffer(packed.container, dtype="<i4").astype(np.int32)
        table = np.frombuffer(packed.times, dtype="<i8").reshape(len(_TIMES), len(container)).astype(np.int64)
        item = np.frombuffer(packed.item, dtype="<i4").astype(np.int32)
        removed = np.frombuffer(packed.removed, dtype=np.bool_)
        items = StringColumn(packed.items, np.frombuffer(packed.ends, dtype="<i8").astype(np.int64))
        return cls(packed.containers, items, container, item, dict(zip(_TIMES, table, strict=True)), removed)

    # --- a part of the table -------------------------------------------------------------------------------------

    def without_items(self, items: Iterable[str]) -> MembershipTable:
        """Return the table without the memberships of these items."""
        excluded = frozenset(items)
        codes = [n for n, name in enumerate(self.items) if name in excluded] if excluded else []
        return self.select(~_is_in(self.item, np.array(codes, dtype=np.int64))) if codes else self

    def without_containers(self, containers: Collection[str]) -> MembershipTable:
        """Return the table without the memberships in these containers."""
        codes = [self._code[name] for name in containers if name in self._code]
        return self.select(~_is_in(self.container, np.array(codes, dtype=np.int64))) if codes else self

    def as_of(self, at: datetime) -> MembershipTable:
        """Return what was known at ``at``: only memberships that had begun, only ends that had come.

        A membership of an item that was created later is left out. ``created`` is not needed any more and equals
        ``joined``.
        """
        now = _microseconds(at)
        known = {
            name: np.where(getattr(self, name) > now, NEVER, getattr(self, name))
            for name in ("left", "closed", "reopened")
        }
        times = {"created": self.joined, "joined": self.joined, **known}
        removed = self.removed & (known["closed"] != NEVER)
        has_begun = (self.joined <= now) & (self.created <= now)
        table = MembershipTable(self.containers, self.items, self.container, self.item, times, removed)
        return table if has_begun.all() else table.select(has_begun)

    def leave(self, containers: Collection[str], items: Collection[str], at: datetime) -> MembershipTable:
        """Return the table in which the members among these items leave these containers at ``at`` (UTC)."""
        if not items:
            return self
        now = _microseconds(at)
        container = np.array([name in containers for name in self.containers], dtype=np.bool_)
        item = np.array([name in items for name in self.items], dtype=np.bool_)
        leaving = self.is_member(at) & container[self.container] & item[self.item]
        times = {**self._times, "left": np.where(leaving, now, self.left)}
        return MembershipTable(self.containers, self.items, self.container, self.item, times, self.removed)

    def with_carry_over(self, containers: Iterable[Container]) -> MembershipTable:
        """Return the table with the carry-over of ``containers``: see `sync.history.carry_over`."""
        by_id = {container.id: container for container in containers}
        settled = carry_over(
            [by_id.get(name) for name in self.containers],
            MembershipColumns(
                self.container,
                self.item,
                self.joined,
                self.left,
                self.closed,
                self.reopened,
                self.removed,
                self.carried_over,
            ),
        )
        times = {**self._times, "left": settled.left, "closed": settled.closed, "reopened": settled.reopened}
        return MembershipTable(
            self.containers, self.items, self.container, self.item, times, settled.removed, settled.carried_over
        )

    @property
    def _times(self) -> Mapping[str, Ints]:
        return {name: getattr(self, name) for name in _TIMES}

    def select(self, mask: Bools) -> MembershipTable:
        """Return the rows of ``mask``, bool[m]."""
        times = _map_columns(self._times, lambda column: column[mask])
        return MembershipTable(
            self.containers,
            self.items,
            self.container[mask],
            self.item[mask],
            times,
            self.removed[mask],
            self.carried_over[mask],
        )

    def copy(self) -> MembershipTable:
        """Return a table whose times may be changed. ``created`` equals ``joined`` in it: see `as_of`."""
        times = {name: getattr(self, name).copy() for name in _TIMES[1:]}
        times["created"] = times["joined"]
        return MembershipTable(
            self.containers, self.items, self.container, self.item, times, self.removed.copy(), self.carried_over
        )

    def with_prefixes(self, container: str, item: str) -> MembershipTable:
        """Return the table with these texts in front of the ids of containers and items."""
        containers = [f"{container}{name}" for name in self.containers]
        items = StringColumn(self.items.text, self.items.ends, item + self.items.prefix)
        return MembershipTable(
            containers, items, self.container, self.item, self._times, self.removed, self.carried_over
        )

    # --- reading -------------------------------------------------------------------------------------------------

    def rows(self, container: str) -> slice:
        """Return the rows of a container; an empty slice for an unknown container."""
        code = self._code.get(container)
        return slice(0, 0) if code is None else slice(int(self._first[code]), int(self._first[code + 1]))

    def item_codes(self, names: Collection[str]) -> dict[str, int]:
        """Return id -> code of these items, without those that are not in the table."""
        return {name: n for n, name in enumerate(self.items) if name in names} if names else {}

    def items_of(self, containers: Iterable[str]) -> list[str]:
        """Return the ids of all items that were ever in one of the containers, each once."""
        codes = [self.item[self.rows(container)] for container in containers]
        # not `numpy.unique`, which imports masked arrays
        return self.items.take(np.flatnonzero(np.bincount(np.concatenate(codes)))) if codes else []

    def by_container(self) -> Mapping[str, Sequence[Membership]]:
        """Return container id -> its memberships, for the containers that have any. Objects are made when read."""
        return _ByContainer(self)

    def memberships(self, rows: slice) -> tuple[Membership, ...]:
        """Return rows as objects."""
        times = (map(_datetime, getattr(self, name)[rows].tolist()) for name in _TIMES[2:])
        columns = (
            self.container[rows].tolist(),
            self.items.take(self.item[rows]),
            self.joined[rows].tolist(),
            *times,
            self.removed[rows].tolist(),
            self.carried_over[rows].tolist(),
        )
        return tuple(
            Membership(
                container=self.containers[container],
                item=item,
                joined=_EPOCH + timedelta(microseconds=joined),
                left=left,
                closed=closed,
                reopened=reopened,
                removed=removed,
                carried_over=carried_over,
            )
            for container, item, joined, left, closed, reopened, removed, carried_over in zip(*columns, strict=True)
        )

    def first_joins(self) -> dict[str, datetime]:
        """Return container id -> when its first item joined (UTC), for the containers that have members."""
        at = np.full(len(self.containers), NEVER)
        np.minimum.at(at, self.container, self.joined)
        joins = zip(self.containers, at.tolist(), strict=True)
        return {name: _EPOCH + timedelta(microseconds=moment) for name, moment in joins if moment != NEVER}

    def open_items(self, at: datetime) -> dict[str, list[str]]:
        """Return container id -> ids of its items that are open at ``at``; containers without any are left out."""
        rows = np.flatnonzero(self.is_open(at))
        items: dict[str, list[str]] = {}
        for code, item in zip(self.container[rows].tolist(), self.items.take(self.item[rows]), strict=True):
            items.setdefault(self.containers[code], []).append(item)
        return items

    def counts(self, containers: Iterable[Container], at: datetime, week: datetime | None = None) -> dict[str, Counts]:
        """Return container id -> its counts at ``at``; zeros for a container without memberships.

        ``added`` counts items that are not in the agreed scope of the container (``added_week``: that were not in scope
        at ``week`` either, the beginning of the last seven days; None: a week before ``at``). It is 0 for a container
        without a start, or with a start after ``at``.
        """
        now = _microseconds(at)
        wanted = list(containers)
        start, agreed_at = np.full(len(self.containers), NEVER), np.full(len(self.containers), NEVER)
        for container in wanted:
            if container.id in self._code and container.start is not None:
                own = self._code[container.id]
                start[own] = _microseconds(container.start)
                agreed_at[own] = _microseconds(container.agreed_at or container.start)
        begun, agreed_at = start <= now, np.minimum(agreed_at, now)
        is_open, carried, in_scope = self.is_open(at), self.is_carried(at), self._covers_scope(now)
        closed_now = in_scope & ~is_open & ~carried
        last_week = np.maximum(agreed_at, now - _WEEK if week is None else _microseconds(week))
        columns = [
            self._count(is_open),
            self._count(closed_now),
            self._count(closed_now & self.removed),
            np.where(begun, self._count(in_scope & self._new_since(agreed_at)), 0),
            np.where(begun, self._count(in_scope & self._new_since(last_week)), 0),
            self._count(carried),
        ]
        table = np.stack(columns, axis=1).tolist()
        counts = {}
        for container in wanted:
            code = self._code.get(container.id)
            row = [0] * len(_COUNTS) if code is None else table[code]
            counts[container.id] = Counts(**dict(zip(_COUNTS, row, strict=True)))
        return counts

    def is_member(self, at: datetime) -> Bools:
        """Return which rows hold at ``at``: see `sync.history.counting.is_member`."""
        return self._covers(_microseconds(at))

    def is_open(self, at: datetime) -> Bools:
        """Return which rows are open at ``at``: see `sync.history.counting.is_open`."""
        return covers(_microseconds(at), self.joined, self.left, self.reopened, self.closed)

    def is_done(self, at: datetime) -> Bools:
        """Return which rows are done at ``at``: see `sync.history.counting.is_done`."""
        moment = _microseconds(at)
        return self._covers_scope(moment) & (self.closed <= moment) & ~self.removed

    def is_carried(self, at: datetime) -> Bools:
        """Return which rows are carried over at ``at``: see `sync.history.counting.is_carried`."""
        moment = _microseconds(at)
        return self.carried_over & (self.left <= moment) & (self.closed > moment)

    def _covers(self, moment: int | Ints) -> Bools:
        return covers(moment, self.joined, self.left, self.reopened)

    def _covers_scope(self, moment: int | Ints) -> Bools:
        """Return which rows are in the container at ``moment`` or were carried over."""
        in_scope: Bools = self._covers(moment) | (self.carried_over & (self.left <= moment))
        return in_scope

    def _count(self, mask: Bools) -> Ints:
        count: Ints = np.bincount(self.container[mask], minlength=len(self.containers))
        return count

    def _new_since(self, moment: Ints) -> Bools:
        """Return the rows whose item was not in the scope of the container at ``moment[container]``."""
        key = self.container.astype(np.int64) * max(1, len(self.items)) + self.item
        return ~_is_in(key, key[self._covers_scope(moment[self.container])])


class _ByContainer(Mapping[str, Sequence[Membership]]):
    """The memberships of each container that has any."""

    def __init__(self, table: MembershipTable) -> None:
        self._table = table

    def __getitem__(self, key: str) -> Sequence[Membership]:
        rows = self._table.rows(key)
        if rows.start == rows.stop:
            raise KeyError(key)
        return _ContainerMemberships(self._table, rows)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._table.containers if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _ContainerMemberships(Sequence[Membership]):
    """The memberships of one container, made objects at the first reading."""

    def __init__(self, table: MembershipTable, rows: slice) -> None:
        self._table, self._rows = table, rows
        self._memberships: tuple[Membership, ...] | None = None

    def __len__(self) -> int:
        return int(self._rows.stop - self._rows.start)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # compared by content

    def __iter__(self) -> Iterator[Membership]:
        if self._memberships is None:
            self._memberships = self._table.memberships(self._rows)
        return iter(self._memberships)

    @overload
    def __getitem__(self, index: int) -> Membership: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Membership]: ...
    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]


def ledger_of(containers: Sequence[Container], parts: Sequence[MembershipTable]) -> Ledger:
    """Build a ledger from tables, as `sync.history.ledger.Ledger.of` does from objects.

    Memberships of unknown containers are left out.
    """
    index = {container.id: n for n, container in enumerate(containers)}
    table = (parts[0] if len(parts) == 1 else MembershipTable.concat(parts)).with_carry_over(containers)
    place = np.array([index.get(name, -1) for name in table.containers], dtype=np.int32)
    container = place[table.container] if len(table) else table.container
    known: slice | Bools = slice(None) if (container >= 0).all() else container >= 0
    left = np.where(table.carried_over, NEVER, table.left)
    left = np.minimum(np.minimum(left, table.reopened), np.where(table.removed, table.closed, NEVER))
    closed = np.where(table.removed, NEVER, table.closed)
    carried_at = np.where(table.carried_over, table.left, NEVER)
    joined, left, closed, carried_at = (_days(column[known]) for column in (table.joined, left, closed, carried_at))
    ledger = Ledger(containers, container[known], table.item[known], joined, left, closed, table.items)
    return ledger.with_carried(carried_at)


def _days(moment: Ints) -> NDArray[np.float64]:
    """Return microseconds as days since 1970 UTC, as `sync.history.ledger.days` does for datetimes."""
    return np.where(moment == NEVER, np.inf, moment / 1e6 / 86400.0)


def _microseconds(at: datetime | None) -> int:
    return NEVER if at is None else (at - _EPOCH) // _MICROSECOND


def _datetime(microseconds: int) -> datetime | None:
    return None if microseconds == NEVER else _EPOCH + timedelta(microseconds=microseconds)


def _is_in(values: Ints | Codes, members: Ints) -> Bools:
    """Return which values are among ``members``.

    `numpy.isin` does the same, but imports masked arrays, which takes long.
    """
    ordered = np.append(np.sort(members), NEVER)
    mask: Bools = ordered[np.searchsorted(ordered[:-1], values)] == values
    return mask


def _map_columns(times: Mapping[str, Ints], change: Callable[[Ints], Ints]) -> dict[str, Ints]:
    """Apply ``change`` to each column. Names that share an array share the changed one."""
    changed = {key: change(column) for key, column in {id(column): column for column in times.values()}.items()}
    return {name: changed[id(column)] for name, column in times.items()}


def _columns(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _merge_codes(names: Sequence[Sequence[str]], codes: Sequence[Codes]) -> tuple[list[str], Codes]:
    """Merge lists of ids into one, and return it with the codes of all parts in it, concatenated."""
    known: dict[str, int] = {}
    recoded = []
    for part, code in zip(names, codes, strict=True):
        place = np.array([known.setdefault(name, len(known)) for name in part], dtype=np.int32)
        recoded.append(place[code] if len(code) else code)
    return list(known), _columns(recoded)
