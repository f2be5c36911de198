"""Stays in columns: what many items did in many containers, in a form that is small, quick to keep and to count.

As objects, the stays of a million issues would take a gigabyte; here they take 60 MB with the issues' names, and single
ones are made objects again when somebody looks at them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self, overload

import msgspec
import numpy as np
from numpy.typing import NDArray

from sync.history.counting import covers
from sync.history.ledger import Ledger
from sync.history.string_column import StringColumn
from sync.model.membership import Container, Counts, Membership

__all__ = ["MembershipTable", "ledger_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_WEEK = timedelta(days=7) // _MICROSECOND
_NEVER = np.iinfo(np.int64).max

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Bools = NDArray[np.bool_]
_TIMES = ("born", "joined", "left", "closed", "reopened")


class _Packed(msgspec.Struct, array_like=True):
    """`MembershipTable` as bytes."""

    containers: list[str]
    items: bytes
    ends: bytes
    container: bytes
    item: bytes
    times: bytes
    removed: bytes


class MembershipTable:
    """Columns over stays: codes of ``containers`` and ``items``, times in microseconds since 1970 UTC, ``removed``.

    ``born`` is when the item was made. The columns are those of `sync.model.tracker_data.Membership`; what has not
    happened is the
    largest int64. The stays of one container come in the order in which they were given.
    """

    def __init__(
        self,
        containers: Sequence[str],
        items: StringColumn,
        container: Codes,
        item: Codes,
        times: Mapping[str, Ints],
        removed: NDArray[np.bool_],
    ) -> None:
        self.containers, self.items = containers, items
        if (container[1:] < container[:-1]).any():
            order = np.argsort(container, kind="stable")
            container, item, removed = container[order], item[order], removed[order]
            times = _each(times, lambda column: column[order])
        self.container, self.item, self.removed = container, item, removed
        self.born, self.joined, self.left, self.closed, self.reopened = (times[name] for name in _TIMES)
        self._first = np.searchsorted(self.container, np.arange(len(containers) + 1))
        self._code = {name: n for n, name in enumerate(containers)}

    def __len__(self) -> int:
        return len(self.container)

    @classmethod
    def of(cls, memberships: Iterable[tuple[Membership, datetime]]) -> Self:
        """Of stays, each with the time when its item was made."""
        containers: dict[str, int] = {}
        items: dict[str, int] = {}
        rows = [
            (
                containers.setdefault(stay.container, len(containers)),
                items.setdefault(stay.item, len(items)),
                stay.removed,
                _number(born),
                *(_number(getattr(stay, name)) for name in _TIMES[1:]),
            )
            for stay, born in memberships
        ]
        table = np.array(rows, dtype=np.int64).reshape(len(rows), 8)
        times = {name: table[:, 3 + n] for n, name in enumerate(_TIMES)}
        container, item = (table[:, n].astype(np.int32) for n in (0, 1))
        return cls(list(containers), StringColumn.of(items), container, item, times, table[:, 2].astype(bool))

    @classmethod
    def joined_up(cls, parts: Sequence[Self], *, apart: bool = False) -> Self:
        """Several together, one after the other; the same name means the same container, or item. ``apart``: no item
        is in two of them.
        """
        containers, container = _together([part.containers for part in parts], [part.container for part in parts])
        if apart:
            begin = np.cumsum([0, *(len(part.items) for part in parts)], dtype=np.int32)
            items = StringColumn.joined_up([part.items for part in parts])
            item = _columns([part.item + first for part, first in zip(parts, begin, strict=False)])
        else:
            names, item = _together([part.items for part in parts], [part.item for part in parts])
            items = StringColumn.of(names)
        times = {name: _columns([getattr(part, name) for part in parts]) for name in _TIMES[1:]}
        same = all(part.born is part.joined for part in parts)
        times["born"] = times["joined"] if same else _columns([part.born for part in parts])
        return cls(containers, items, container, item, times, _columns([p.removed for p in parts]).astype(bool))

    # --- to keep -------------------------------------------------------------------------------------------------

    def encode(self) -> bytes:
        """As bytes, the same for the same stays."""
        times = np.stack([getattr(self, name) for name in _TIMES]).astype("<i8")
        items = StringColumn.of(self.items) if self.items.begin else self.items
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
        """The inverse of `encode`. Raises `msgspec.DecodeError`."""
        packed = msgspec.msgpack.decode(body, type=_Packed)
        container = np.frombuffer(packed.container, dtype="<i4").astype(np.int32)
        table = np.frombuffer(packed.times, dtype="<i8").reshape(len(_TIMES), len(container)).astype(np.int64)
        item = np.frombuffer(packed.item, dtype="<i4").astype(np.int32)
        removed = np.frombuffer(packed.removed, dtype=np.bool_)
        items = StringColumn(packed.items, np.frombuffer(packed.ends, dtype="<i8").astype(np.int64))
        return cls(packed.containers, items, container, item, dict(zip(_TIMES, table, strict=True)), removed)

    # --- a part of them ------------------------------------------------------------------------------------------

    def without(self, items: Iterable[str]) -> MembershipTable:
        """Without the stays of these items."""
        out = frozenset(items)
        gone = np.array([n for n, name in enumerate(self.items) if name in out] if out else [], dtype=np.int64)
        return self if len(gone) == 0 else self._only(~_among(self.item, gone))

    def as_of(self, at: datetime) -> MembershipTable:
        """What was known of them at a time: nothing of what had not begun, no end that had not come."""
        now = _number(at)
        known = {
            name: np.where(getattr(self, name) > now, _NEVER, getattr(self, name))
            for name in ("left", "closed", "reopened")
        }
        times = {"born": self.joined, "joined": self.joined, **known}  # when it was made has said what it had to
        removed = self.removed & (known["closed"] != _NEVER)
        there = (self.joined <= now) & (self.born <= now)
        every = MembershipTable(self.containers, self.items, self.container, self.item, times, removed)
        return every if there.all() else every._only(there)

    @property
    def _times(self) -> Mapping[str, Ints]:
        return {name: getattr(self, name) for name in _TIMES}

    def _only(self, which: NDArray[np.bool_]) -> MembershipTable:
        times = _each(self._times, lambda column: column[which])
        return MembershipTable(
            self.containers, self.items, self.container[which], self.item[which], times, self.removed[which]
        )

    def named(self, container: str, item: str) -> MembershipTable:
        """With names that begin with these texts."""
        containers = [f"{container}{name}" for name in self.containers]
        items = StringColumn(self.items.text, self.items.ends, item + self.items.begin)
        return MembershipTable(containers, items, self.container, self.item, self._times, self.removed)

    # --- looking at them -----------------------------------------------------------------------------------------

    def rows(self, container: str) -> slice:
        """Where a container's stays lie; nowhere for one that is not known."""
        code = self._code.get(container)
        return slice(0, 0) if code is None else slice(int(self._first[code]), int(self._first[code + 1]))

    def items_of(self, container: str) -> list[str]:
        """The items that a container ever had."""
        return [self.items[code] for code in sorted(set(self.item[self.rows(container)].tolist()))]

    def by_container(self) -> Mapping[str, Sequence[Membership]]:
        """Each container's stays, made objects when they are looked at."""
        return _ByContainer(self)

    def member(self, row: int) -> Membership:
        """One stay."""
        joined, left, closed, reopened = (_moment(int(getattr(self, name)[row])) for name in _TIMES[1:])
        assert joined is not None
        return Membership(
            container=self.containers[self.container[row]],
            item=self.items[self.item[row]],
            joined=joined,
            left=left,
            closed=closed,
            reopened=reopened,
            removed=bool(self.removed[row]),
        )

    def open_items(self, at: datetime) -> dict[str, list[str]]:
        """Container -> its items that are open members at a time; none of a container without any."""
        found: dict[str, list[str]] = {}
        for row in np.flatnonzero(self.is_open(at)).tolist():
            found.setdefault(self.containers[self.container[row]], []).append(self.items[self.item[row]])
        return found

    def counts(self, containers: Iterable[Container], at: datetime) -> dict[str, Counts]:
        """Container id -> its counts at a time, as `tests.count_oracle.counts` counts them."""
        now = _number(at)
        asked = list(containers)
        start = np.full(len(self.containers), _NEVER)
        for container in asked:
            if container.id in self._code and container.start is not None:
                start[self._code[container.id]] = _number(container.start)
        begun = start <= now
        member, is_open = self.is_member(at), self.is_open(at)
        closed_now = member & ~is_open
        week = np.maximum(start, now - _WEEK)
        columns = [
            self._count(is_open),
            self._count(closed_now),
            self._count(closed_now & self.removed),
            np.where(begun, self._count(member & self._new_since(start)), 0),
            np.where(begun, self._count(member & self._new_since(week)), 0),
        ]
        table = np.stack(columns, axis=1).tolist()
        found = {}
        for container in asked:
            code = self._code.get(container.id)
            open_, closed, removed, added, added_week = (0, 0, 0, 0, 0) if code is None else table[code]
            found[container.id] = Counts(open=open_, closed=closed, removed=removed, added=added, added_week=added_week)
        return found

    def is_member(self, at: datetime) -> Bools:
        """Return which rows hold at ``at``: see `sync.history.counting.is_member`."""
        return self._covers(_number(at))

    def is_open(self, at: datetime) -> Bools:
        """Return which rows are open at ``at``: see `sync.history.counting.is_open`."""
        return covers(_number(at), self.joined, self.left, self.reopened, self.closed)

    def is_done(self, at: datetime) -> Bools:
        """Return which rows are done at ``at``: see `sync.history.counting.is_done`."""
        moment = _number(at)
        return self._covers(moment) & (self.closed <= moment) & ~self.removed

    def _covers(self, moment: int | Ints) -> Bools:
        return covers(moment, self.joined, self.left, self.reopened)

    def _count(self, which: NDArray[np.bool_]) -> Ints:
        counted: Ints = np.bincount(self.container[which], minlength=len(self.containers))
        return counted

    def _new_since(self, moment: Ints) -> NDArray[np.bool_]:
        """Whose item was not in its container at that container's moment."""
        key = self.container.astype(np.int64) * max(1, len(self.items)) + self.item
        return ~_among(key, key[self._covers(moment[self.container])])


class _ByContainer(Mapping[str, Sequence[Membership]]):
    """The stays of each container that has any."""

    def __init__(self, stays: MembershipTable) -> None:
        self._stays = stays

    def __getitem__(self, key: str) -> Sequence[Membership]:
        rows = self._stays.rows(key)
        if rows.start == rows.stop:
            raise KeyError(key)
        return _Within(self._stays, rows)

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._stays.containers if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Within(Sequence[Membership]):
    """The stays of one container."""

    def __init__(self, stays: MembershipTable, rows: slice) -> None:
        self._stays, self._rows = stays, range(rows.start, rows.stop)
        self._made: tuple[Membership, ...] | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]  # as of anything that is compared by what is in it

    def __iter__(self) -> Iterator[Membership]:
        if self._made is None:
            self._made = tuple(self._stays.member(row) for row in self._rows)
        return iter(self._made)

    @overload
    def __getitem__(self, index: int) -> Membership: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Membership]: ...
    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]


def ledger_of(containers: Sequence[Container], parts: Sequence[MembershipTable]) -> Ledger:
    """What `sync.history.ledger.Ledger.of` makes of all these stays; those of unknown containers are left out."""
    index = {c.id: n for n, c in enumerate(containers)}
    stays = parts[0] if len(parts) == 1 else MembershipTable.joined_up(parts)
    place = np.array([index.get(name, -1) for name in stays.containers], dtype=np.int32)
    container = place[stays.container] if len(stays) else stays.container
    known: slice | NDArray[np.bool_] = slice(None) if (container >= 0).all() else container >= 0
    left = np.minimum(np.minimum(stays.left, stays.reopened), np.where(stays.removed, stays.closed, _NEVER))
    closed = np.where(stays.removed, _NEVER, stays.closed)
    joined, left, closed = (_days(column[known]) for column in (stays.joined, left, closed))
    return Ledger(containers, container[known], stays.item[known], joined, left, closed, stays.items)


def _days(moment: Ints) -> NDArray[np.float64]:
    """As `sync.history.ledger.days` has it."""
    return np.where(moment == _NEVER, np.inf, moment / 1e6 / 86400.0)


def _number(at: datetime | None) -> int:
    return int(_NEVER) if at is None else (at - _EPOCH) // _MICROSECOND


def _moment(number: int) -> datetime | None:
    return None if number == _NEVER else _EPOCH + timedelta(microseconds=number)


def _among(values: Ints | Codes, some: Ints) -> NDArray[np.bool_]:
    """Which values are among some; `numpy.isin` does the same, but imports masked arrays, which takes long."""
    ordered = np.append(np.sort(some), _NEVER)
    found: NDArray[np.bool_] = ordered[np.searchsorted(ordered[:-1], values)] == values
    return found


def _each(times: Mapping[str, Ints], change: Callable[[Ints], Ints]) -> dict[str, Ints]:
    """Each column changed; columns that are one stay one."""
    made = {id(column): change(column) for column in {id(c): c for c in times.values()}.values()}
    return {name: made[id(column)] for name, column in times.items()}


def _columns(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _together(names: Sequence[Sequence[str]], codes: Sequence[Codes]) -> tuple[list[str], Codes]:
    """One list of names, and the codes in it."""
    known: dict[str, int] = {}
    recoded = []
    for some, code in zip(names, codes, strict=True):
        place = np.array([known.setdefault(name, len(known)) for name in some], dtype=np.int32)
        recoded.append(place[code] if len(code) else code)
    return list(known), _columns(recoded)
