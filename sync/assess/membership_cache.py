"""The stays of stored issues, made once for each edition of a project, and the issues themselves where they matter.

Making stays reads every row of a project's history. They change only when a row does, so they are kept beside the
rows; a run that finds nothing changed reads them instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

import msgspec

from sync.history import memberships as history
from sync.history.membership_table import MembershipTable
from sync.model.item_label import ItemLabel, undo_own_touches
from sync.model.membership import Membership
from sync.model.tracker_data import Event, EventKind, Issue, Visibility, uid
from sync.store.store import CacheEntry, Store, StoreError

__all__ = ["LazyIssues", "Retained", "load_memberships"]

_NARROW = (Visibility.CONFIDENTIAL, Visibility.UNKNOWN)
_MADE_BY = "2"
"""The version of what follows and of `sync.history.memberships.memberships_of`: another one makes everything anew."""
_TOGETHER = 100
"""Projects whose memos are in memory at once."""


class Retained(msgspec.Struct, frozen=True):
    """Of one source: the stays (names are uids), and when estimates changed: (issue uid, time), in the order told."""

    memberships: MembershipTable
    estimated: list[tuple[str, datetime]]


class _Body(msgspec.Struct, array_like=True):
    memberships: bytes
    estimated: list[tuple[str, datetime]]


def load_memberships(
    store: Store,
    source: str,
    projects: Collection[str],
    removed: Collection[str],
    at: datetime,
    ours: Collection[str],
    marks: Sequence[ItemLabel] = (),
    ignored: Collection[str] = (),
) -> Retained:
    """What is known at ``at`` (UTC) of the items of these projects (native ids), but for ``ours`` (native ids).

    ``removed`` are the resolutions that take an item out of scope, ``marks`` the labels that we put on items,
    ``ignored`` the types (in lower case) that are no items.
    """
    rule = f"{_MADE_BY} {sha256(repr((sorted(removed), marks, sorted(ignored))).encode()).hexdigest()[:16]}"
    editions = store.editions(source, projects)  # before the rows, so that what comes between makes the memo old
    titles: history.Titles | None = None
    parts = list[MembershipTable]()
    estimated: list[tuple[str, datetime]] = []
    ordered = sorted(projects)
    for some in (ordered[n : n + _TOGETHER] for n in range(0, len(ordered), _TOGETHER)):
        known = store.memos(source, rule, some) if editions else {}
        few, fresh = list[MembershipTable](), dict[str, CacheEntry]()
        for project in some:
            memo = known.pop(project, None)
            if memo is None or memo.edition != editions.get(project):
                titles = store.titles(source) if titles is None else titles
                made = _made(store, source, project, titles, frozenset(removed), marks, ignored)
                memo = CacheEntry(editions.get(project, 0), msgspec.msgpack.encode(made))
                fresh[project] = memo
            made = msgspec.msgpack.decode(memo.body, type=_Body)
            few.append(MembershipTable.decode(made.memberships).without_items(ours).as_of(at))
            estimated += [(uid(source, "issue", issue), moment) for issue, moment in made.estimated if moment <= at]
        if fresh and editions:
            with suppress(StoreError):  # who may only read makes them again the next time
                store.save_memos(source, rule, fresh)
        parts.append(_concat(few))
    memberships = _concat(parts).with_prefixes(uid(source, "milestone", ""), uid(source, "issue", ""))
    return Retained(memberships, estimated)


def _concat(parts: Sequence[MembershipTable]) -> MembershipTable:
    """Of projects that share no item."""
    return parts[0] if len(parts) == 1 else MembershipTable.concat(parts, disjoint=True)


def counted(issue: Issue, ignored: Collection[str] = ()) -> bool:
    """Whether an issue is work that everybody may know of who reads its project."""
    return not issue.is_pull_request and issue.visibility not in _NARROW and issue.type.lower() not in ignored


def _made(
    store: Store,
    source: str,
    project: str,
    titles: history.Titles,
    removed: frozenset[str],
    marks: Sequence[ItemLabel],
    ignored: Collection[str],
) -> _Body:
    """From every row of a project, whenever it is known of."""
    rows = (issue for issue in store.issues(source, projects=[project]) if counted(issue, ignored))
    issues = {uid(source, "issue", issue.id): issue for issue in rows}
    issues |= undo_own_touches(issues, marks, source)
    estimated: list[tuple[str, datetime]] = []

    def noted(events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if event.kind is EventKind.ESTIMATED:
                estimated.append((event.issue, event.at))
            yield event

    told = noted(store.events(source, projects=[project]))
    found = history.memberships(issues.values(), told, titles, source=source, removed=removed)
    milestone, item = len(uid(source, "milestone", "")), len(uid(source, "issue", ""))

    def bare(membership: Membership) -> tuple[Membership, datetime]:
        short = msgspec.structs.replace(
            membership, container=membership.container[milestone:], item=membership.item[item:]
        )
        return short, issues[membership.item].created_at

    memberships = MembershipTable.of(bare(membership) for membership in found)
    return _Body(memberships.encode(), estimated)


class LazyIssues(Mapping[str, Issue]):
    """The issues that count, by uid: those asked for at first at once, all others when one of them is looked for."""

    def __init__(self, few: Mapping[str, Issue], every: Callable[[], Mapping[str, Issue]]) -> None:
        self._known, self._every = few, every
        self._whole = False

    def __getitem__(self, key: str) -> Issue:
        if key not in self._known:
            return self._all()[key]
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> Mapping[str, Issue]:
        if not self._whole:
            self._known, self._whole = self._every(), True
        return self._known
