"""Load the memberships of stored issues, from the cache where a project's rows have not changed.

Building memberships reads every row of a project's history. They change only when a row does, so they are stored next
to the rows with the edition of the project that they were built from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import sha256

import msgspec

from sync.history import memberships as history
from sync.history.membership_table import MembershipTable
from sync.model.item_label import ItemLabel, undo_own_touches
from sync.model.item_state import ItemState, StateRules
from sync.model.membership import Membership
from sync.model.tracker_data import Event, EventKind, Issue, Visibility, uid
from sync.store.database import StoreError
from sync.store.membership_cache import CacheEntry
from sync.store.store import Store

__all__ = ["ItemRules", "MembershipHistory", "load_memberships"]

_USUAL = StateRules()
_NARROW = (Visibility.CONFIDENTIAL, Visibility.UNKNOWN)
_VERSION = "10"
"""Version of this module and of `sync.history.memberships.memberships_of`; another one makes cache entries stale."""
_BATCH = 100
"""Number of projects whose cache entries are in memory at once."""


class ItemRules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules for the issues of one connection: which are work, and which state each of them has.

    Whether a change (pull or merge request) counts is decided for each milestone: `sync.history.counted_work`.

    ``states``: the rules for the state of an item, by native project id, if they are not the usual ones. ``ignored``:
    types (lower case) that are not items. ``status_issues``: native ids of status issues, never items. ``own_labels``:
    the labels that milesync put on items; they do not count as activity.
    """

    states: Mapping[str, StateRules] = {}
    ignored: Collection[str] = ()
    status_issues: Collection[str] = ()
    own_labels: Sequence[ItemLabel] = ()

    def cache_keys(self, projects: Collection[str]) -> dict[str, str]:
        """Return the version of each project's cached memberships, by native project id.

        Other rules, except for status issues, give another key.
        """
        common = _hash((self.own_labels, sorted(self.ignored)))  # once, as the labels can be many
        return {project: f"{_VERSION} {_hash((common, self.states_of(project).text))}" for project in projects}

    def states_of(self, project: str) -> StateRules:
        """Return the rules for the state of a project's items, by its native id."""
        return self.states.get(project, _USUAL)

    def is_item(self, issue: Issue) -> bool:
        """Return whether an issue or change is work that every reader of its project may read."""
        return issue.type.lower() not in self.ignored and issue.visibility not in _NARROW


def _hash(values: tuple[object, ...]) -> str:
    return sha256(repr(values).encode()).hexdigest()[:16]


class MembershipHistory(msgspec.Struct, frozen=True):
    """Memberships of one connection, and its changes of estimates: (issue uid, time), as they came.

    ``recorded``: the milestones into which the tracker recorded that an item joined. ``closes``: each change among the
    items, with the issues that it closes. ``contradicting``: the items whose state contradicts their resolution or
    labels now. ``unlike``: the state of the items that are finished by the rules and open in their tracker now, or the
    other way round. Names are uids.
    """

    memberships: MembershipTable
    estimated: list[tuple[str, datetime]]
    recorded: frozenset[str] = frozenset()
    closes: dict[str, tuple[str, ...]] = {}
    contradicting: frozenset[str] = frozenset()
    unlike: dict[str, ItemState] = {}


class _CacheBody(msgspec.Struct, array_like=True):
    """Memberships of one project, by native ids, as they are stored.

    ``recorded``: milestone -> time of the first recorded join, for trackers that record the id of the milestone.
    ``closes``: change -> the issues that it closes, for each change that was ever in a milestone.
    """

    memberships: bytes
    estimated: list[tuple[str, datetime]]
    recorded: dict[str, datetime]
    closes: dict[str, tuple[str, ...]]
    contradicting: list[str] = []
    unlike: dict[str, ItemState] = {}


def load_memberships(
    store: Store,
    source: str,
    projects: Collection[str],
    at: datetime,
    rules: ItemRules,
    hidden: Mapping[str, Collection[str]] | None = None,
) -> MembershipHistory:
    """Load the memberships of these projects (native ids) of a tracker (base URL), as known at ``at`` (UTC).

    ``hidden``: by project the milestones (native ids) whose readers may not read it, so its items are no members there.
    """
    keys = rules.cache_keys(projects)
    editions = store.editions(source, projects)  # read before the rows: a change in between makes the entry stale
    titles: history.Titles | None = None
    tables = list[MembershipTable]()
    estimated: list[tuple[str, datetime]] = []
    recorded: set[str] = set()
    closes: dict[str, tuple[str, ...]] = {}
    contradicting: set[str] = set()
    unlike: dict[str, ItemState] = {}
    ordered = sorted(projects)
    for batch in (ordered[n : n + _BATCH] for n in range(0, len(ordered), _BATCH)):
        entries = store.cache_entries(source, {project: keys[project] for project in batch}) if editions else {}
        batch_tables, new_entries = list[MembershipTable](), dict[str, CacheEntry]()
        for project in batch:
            entry = entries.pop(project, None)
            if entry is None or entry.edition != editions.get(project):
                titles = store.titles(source) if titles is None else titles
                body = msgspec.msgpack.encode(_build(store, source, project, titles, rules))
                entry = new_entries[project] = CacheEntry(editions.get(project, 0), body)
            cached = msgspec.msgpack.decode(entry.body, type=_CacheBody)
            table = MembershipTable.decode(cached.memberships).without_items(rules.status_issues)
            batch_tables.append(table.without_containers((hidden or {}).get(project, ())).as_of(at))
            estimated += [(uid(source, "issue", issue), moment) for issue, moment in cached.estimated if moment <= at]
            recorded |= {uid(source, "milestone", key) for key, moment in cached.recorded.items() if moment <= at}
            closes |= cached.closes
            contradicting |= {uid(source, "issue", issue) for issue in cached.contradicting}
            unlike |= {uid(source, "issue", issue): state for issue, state in cached.unlike.items()}
        if new_entries and editions:
            with suppress(StoreError):  # a read-only database: build them again next time
                store.save_cache_entries(source, keys, new_entries)
        tables.append(_concat(batch_tables))
    prefix = uid(source, "issue", "")
    memberships = _concat(tables).with_prefixes(uid(source, "milestone", ""), prefix)
    named = {f"{prefix}{change}": tuple(f"{prefix}{issue}" for issue in issues) for change, issues in closes.items()}
    return MembershipHistory(memberships, estimated, frozenset(recorded), named, frozenset(contradicting), unlike)


def _concat(tables: Sequence[MembershipTable]) -> MembershipTable:
    """Concatenate tables of projects; no item is in two projects."""
    return tables[0] if len(tables) == 1 else MembershipTable.concat(tables, disjoint=True)


def _build(store: Store, source: str, project: str, titles: history.Titles, rules: ItemRules) -> _CacheBody:
    """Build the memberships of a project from all of its rows."""
    rows = (issue for issue in store.issues(source, projects=[project]) if rules.is_item(issue))
    issues = {uid(source, "issue", issue.id): issue for issue in rows}
    issues |= undo_own_touches(issues, rules.own_labels, source)
    estimated: list[tuple[str, datetime]] = []
    recorded: dict[str, datetime] = {}

    def collect(events: Iterable[Event]) -> Iterator[Event]:
        for event in events:
            if event.kind is EventKind.ESTIMATED:
                estimated.append((event.issue, event.at))
            elif event.kind is EventKind.JOINED and event.milestone and uid(source, "issue", event.issue) in issues:
                recorded[event.milestone] = min(event.at, recorded.get(event.milestone, event.at))
            yield event

    events = collect(store.events(source, projects=[project]))
    memberships = history.memberships(issues.values(), events, titles, source=source, rules=rules.states_of(project))
    milestone_prefix, item_prefix = len(uid(source, "milestone", "")), len(uid(source, "issue", ""))

    def with_native_ids(membership: Membership) -> tuple[Membership, datetime]:
        container, item = membership.container[milestone_prefix:], membership.item[item_prefix:]
        return msgspec.structs.replace(membership, container=container, item=item), issues[membership.item].created_at

    table = MembershipTable.of(with_native_ids(membership) for membership in memberships)
    members, states = set(table.items), rules.states_of(project)
    closes = {issue.id: issue.closes for issue in issues.values() if issue.is_pull_request and issue.id in members}
    contradicting = [issue.id for issue in issues.values() if states.contradicts(issue)]
    unlike = {issue.id: states.state_of(issue) for issue in issues.values() if states.is_unlike_tracker(issue)}
    return _CacheBody(table.encode(), estimated, recorded, closes, contradicting, unlike)
