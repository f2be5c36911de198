"""Save a page of a pull: newer rows win, and changes without an event in the tracker's history become events.

All of it runs inside the transaction of the caller. Saving a page twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import asdict, astuple, replace
from sqlalchemy import Connection, Row, Table, bindparam, delete, func, select, update

from sync.model.tracker_data import (
    LISTED_ID_PREFIX,
    RULE_ID_PREFIX,
    DueDate,
    Event,
    EventKind,
    Issue,
    Milestone,
    State,
    UnreadKind,
    Visibility,
)
from sync.store import tables as schema
from sync.store.plain_select import select_where
from sync.store.pull_requests import count_pull_requests
from sync.store.pulls import good_pulls
from sync.store.tables import EventOrigin
from sync.store.unread import save_unread
from sync.store.upsert import chunks, in_projects, insert_into, upsert, upsert_columns
from sync.tracker.protocol import Page

__all__ = ["SavedCounts", "save_page"]

_Kept = TypeVar("_Kept", bound=Issue | Milestone)


class SavedCounts(Struct, frozen=True, kw_only=True):
    """Number of rows saved, ids of the issues that are new or changed (``changed``) or deleted (``gone``)."""

    issues: int = 0
    milestones: int = 0
    events: int = 0
    changed: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


def save_page(connection: Connection, source: int, page: Page, at: datetime) -> SavedCounts:
    """Save one page, pulled at `at` (UTC)."""
    touched: set[str] = set()
    members: dict[tuple[str, str], None] = {}
    if page.work_time is not None:
        connection.execute(update(schema.source).where(schema.source.c.n == source).values(asdict(page.work_time)))
    upsert(connection, schema.project, [{"source": source, **asdict(row)} for row in page.projects])
    milestones = _milestones(connection, source, page, at, touched)
    issues, changed, known = _issues(connection, source, page, at, touched, members)
    events = _histories(connection, source, page, issues, known, touched, members)
    _add_members(connection, source, members)
    listed = _listed_members(connection, source, page.members, at, touched)
    missing, unknown = _swept(connection, source, page)
    gone = _gone(connection, source, (page.gone | missing) - {row.id for row in page.issues}, at, touched)
    _forget_blockers(connection, source, page.all_issues.keys() - unknown)
    save_unread(connection, source, page, gone, at)
    count_pull_requests(connection, source, page.complete)
    _next_edition(connection, source, touched)
    forgotten = {**page.cursors, **dict.fromkeys(unknown, "")}
    cursors = [{"source": source, "project": key, "cursor": text} for key, text in forgotten.items()]
    upsert(connection, schema.cursor, cursors)
    return SavedCounts(issues=len(issues), milestones=milestones, events=events, changed=changed | listed, gone=gone)


# --- milestones -------------------------------------------------------------------------------------------------


def _milestones(connection: Connection, source: int, page: Page, at: datetime, touched: set[str]) -> int:
    rows = {row.id: row for row in page.milestones}
    before = _stored_rows(connection, schema.milestone, source, rows)
    fresh = [row for row in rows.values() if not _older(row.updated_at, before.get(row.id), at)]
    written = _save_changed(connection, schema.milestone, source, fresh, before)
    titles = [{"source": source, "milestone": row.id, "title": row.title} for row in page.milestones]
    upsert(connection, schema.milestone_title, titles, keep=True)
    _due_dates(connection, source, fresh, page.due_dates, at)
    _missing_milestones(connection, source, page, rows, at)
    # a new title may give earlier moves another meaning
    named = [row for row in page.milestones if row.id not in before or before[row.id].title != row.title]
    _touch(touched, before, [*written, *named])
    return len(fresh)


def _due_dates(
    connection: Connection,
    source: int,
    fresh: Iterable[Milestone],
    histories: Mapping[str, tuple[DueDate, ...]],
    at: datetime,
) -> None:
    """Replace the due dates from the tracker's history, and save a due date that differs from the last one seen."""
    table = schema.due_date
    for ids in chunks(list(histories)):
        mine = (table.c.source == source) & (table.c.origin == EventOrigin.TRACKER) & table.c.milestone.in_(ids)
        connection.execute(delete(table).where(mine))
    rows = [
        {
            "source": source,
            "milestone": key,
            "origin": EventOrigin.TRACKER,
            "seen": note.seen,
            "due": note.due,
            "actor_id": note.by.id if note.by else None,
            "actor_name": note.by.name if note.by else None,
        }
        for key, notes in histories.items()
        for note in notes
    ]
    upsert(connection, table, rows)
    due = {row.id: row.due for row in fresh}
    last: dict[str, Any] = {}
    for ids in chunks(due):
        query = select(table.c.milestone, table.c.due).where(table.c.source == source, table.c.milestone.in_(ids))
        last.update((row.milestone, row.due) for row in connection.execute(query.order_by(table.c.seen)))
    moved = {row.id: row.project for row in fresh if row.id in last and last[row.id] != row.due}
    before = good_pulls(connection, source, frozenset(moved.values()))
    notes = [
        {
            "source": source,
            "milestone": key,
            "origin": EventOrigin.SNAPSHOT,
            "seen": at,
            "due": value,
            "after": before.get(moved.get(key, "")),
        }
        for key, value in due.items()
        if key not in last or key in moved
    ]
    upsert(connection, table, notes)


def _missing_milestones(connection: Connection, source: int, page: Page, rows: Collection[str], at: datetime) -> None:
    """Mark the milestones that a complete list lacks as deleted, except those that could not be read."""
    table = schema.milestone
    unread = [row for row in page.unread if row.kind is UnreadKind.MILESTONE]
    rows = {*rows, *(row.id for row in unread)}
    nameless = {row.project for row in unread if not row.id}
    is_listed = table.c.id.startswith(LISTED_ID_PREFIX, autoescape=True)
    for complete, kind in ((page.all_milestones, ~is_listed), (page.all_listed, is_listed)):
        for projects in chunks(complete - nameless):
            own = (table.c.source == source) & in_projects(table, source, projects)
            mine = own & table.c.deleted_at.is_(None) & kind
            known = connection.scalars(select(table.c.id).where(mine)).all()
            for ids in chunks([key for key in known if key not in rows]):
                dead = (table.c.source == source) & table.c.id.in_(ids)
                connection.execute(update(table).where(dead).values(deleted_at=at))


# --- issues -----------------------------------------------------------------------------------------------------


def _issues(
    connection: Connection,
    source: int,
    page: Page,
    at: datetime,
    touched: set[str],
    members: dict[tuple[str, str], None],
) -> tuple[list[Issue], frozenset[str], Collection[str]]:
    """Save the issues that are not older than the stored ones.

    Return the saved issues, the ids of the changed ones, and the ids of those that were stored before. Add the
    memberships of the written ones to ``members``.
    """
    newest: dict[str, Issue] = {}
    for row in page.issues:
        if row.id not in newest or newest[row.id].updated_at <= row.updated_at:
            newest[row.id] = row
    before = _stored_rows(connection, schema.issue, source, newest)
    fresh = [
        _with_listed(row, before.get(row.id))
        for row in newest.values()
        if not _older(row.updated_at, before.get(row.id), at)
    ]
    changed = frozenset(row.id for row in fresh if _differs(before.get(row.id), row))
    events = [
        event
        for row in fresh
        if row.id in changed and row.id in before
        for event in _difference(before[row.id], row, at)
        if row.id not in page.histories
        or event.kind is EventKind.ESTIMATED
        or event.milestone.startswith(RULE_ID_PREFIX)
    ]
    _add_snapshots(connection, source, events)
    written = _save_changed(connection, schema.issue, source, fresh, before)
    members |= dict.fromkeys((key, row.id) for row in written for key in row.milestones)
    _touch(touched, before, written)
    return fresh, changed, before


def _with_listed(new: Issue, old: Row[Any] | None) -> Issue:
    """Return an issue's row with the listed milestones of its stored row: its own row does not name these."""
    listed = [key for key in old.milestones if key.startswith(LISTED_ID_PREFIX)] if old is not None else []
    return replace(new, milestones=(*new.milestones, *listed)) if listed else new


def _differs(old: Row[Any] | None, new: Issue) -> bool:
    if old is None or old.deleted_at is not None:
        return True
    names = ("updated_at", "state", "raw_state", "labels", "milestones", "project", "estimate", "points")
    return any(getattr(old, name) != getattr(new, name) for name in names)


def _difference(old: Row[Any], new: Issue, at: datetime) -> Iterator[Event]:
    """Yield the events between two pulls. Their time is the new row's own, or that of the pull if it did not change.

    Estimates are always compared, because the trackers' histories have no common form for them.
    """
    when = new.updated_at if new.updated_at > old.updated_at else max(at, new.updated_at)
    for key in sorted(set(old.milestones) - set(new.milestones)):
        yield Event(issue=new.id, at=when, kind=EventKind.LEFT, milestone=key)
    for key in sorted(set(new.milestones) - set(old.milestones)):
        if key.startswith(RULE_ID_PREFIX) and new.updated_at == old.updated_at:
            continue  # the rule is new, the issue did not change
        yield Event(issue=new.id, at=when, kind=EventKind.JOINED, milestone=key)
    if old.state == State.OPEN and new.state == State.CLOSED:
        yield Event(issue=new.id, at=new.closed_at or when, kind=EventKind.CLOSED)
    if old.state == State.CLOSED and new.state == State.OPEN:
        yield Event(issue=new.id, at=when, kind=EventKind.REOPENED)
    if old.raw_state != new.raw_state:
        yield Event(issue=new.id, at=old.updated_at, kind=EventKind.STATUS, value=old.raw_state)
        yield Event(issue=new.id, at=when, kind=EventKind.STATUS, value=new.raw_state)
    for label in sorted(set(old.labels) ^ set(new.labels)):
        kind = EventKind.LABELED if label in new.labels else EventKind.UNLABELED
        yield Event(issue=new.id, at=when, kind=kind, value=label)
    if (old.estimate, old.points) != (new.estimate, new.points):
        yield Event(issue=new.id, at=when, kind=EventKind.ESTIMATED)


def _listed_members(
    connection: Connection,
    source: int,
    lists: Mapping[str, Mapping[str, datetime | None]],
    at: datetime,
    touched: set[str],
) -> frozenset[str]:
    """Save the members of listed milestones; return the ids of the issues that joined or left one.

    The time of a join is that of the list. Without one, and for each leave, it is the time of the pull.
    """
    table = schema.issue
    present = _present_members(connection, source, lists)
    concerned = {issue for key, members in lists.items() for issue in present[key] ^ members.keys()}
    rows = {key: row for key, row in _stored_rows(connection, table, source, concerned).items() if not row.deleted_at}
    milestones = {key: set(row.milestones) for key, row in rows.items()}
    events: list[Event] = []
    for key, members in lists.items():
        for issue in sorted(rows.keys() & (members.keys() - present[key])):
            joined = max(members[issue] or at, rows[issue].created_at)
            events.append(Event(issue=issue, at=joined, kind=EventKind.JOINED, milestone=key))
            milestones[issue].add(key)
        for issue in sorted(rows.keys() & (present[key] - members.keys())):
            events.append(Event(issue=issue, at=at, kind=EventKind.LEFT, milestone=key))
            milestones[issue].discard(key)
    _add_snapshots(connection, source, events)
    _add_members(connection, source, dict.fromkeys((event.milestone, event.issue) for event in events))
    changed = frozenset(event.issue for event in events)
    values = [{"which": issue, "members": tuple(sorted(milestones[issue]))} for issue in sorted(changed)]
    if values:
        mine = update(table).where(table.c.source == source, table.c.id == bindparam("which"))
        connection.execute(mine.values(milestones=bindparam("members")), values)
    touched |= {rows[issue].project for issue in changed}
    return changed


def _present_members(connection: Connection, source: int, milestones: Collection[str]) -> Mapping[str, set[str]]:
    """Return the ids of the stored issues that are in each of these milestones now."""
    issue, member = schema.issue, schema.member
    present: dict[str, set[str]] = {key: set() for key in milestones}
    for batch in chunks(sorted(milestones)):
        query = (
            select(member.c.milestone, issue.c.id, issue.c.milestones)
            .join(issue, (issue.c.source == member.c.source) & (issue.c.id == member.c.issue))
            .where(member.c.source == source, member.c.milestone.in_(batch), issue.c.deleted_at.is_(None))
        )
        for row in connection.execute(query):
            if row.milestone in row.milestones:
                present[row.milestone].add(row.id)
    return present


def _swept(connection: Connection, source: int, page: Page) -> tuple[frozenset[str], set[str]]:
    """Return the stored issues and pull requests that a complete list lacks.

    Return also the projects whose lists have some that are not stored.
    """
    table = schema.issue
    missing: set[str] = set()
    unknown: set[str] = set()
    for lists, kind in ((page.all_issues, ~table.c.is_pull_request), (page.all_pull_requests, table.c.is_pull_request)):
        for project, ids in lists.items():
            own = (table.c.source == source) & in_projects(table, source, [project])
            mine = own & table.c.deleted_at.is_(None) & kind
            rows = connection.execute(select(table.c.id, table.c.is_pull_request, table.c.milestones).where(mine)).all()
            missing |= {row.id for row in rows if not row.is_pull_request or _own_milestones(row.milestones)} - ids
            if ids - {row.id for row in rows}:
                unknown.add(project)
    return frozenset(missing), unknown


def _own_milestones(milestones: Iterable[str]) -> list[str]:
    """Those of an issue's milestones that the tracker's own row of it names."""
    return [key for key in milestones if not key.startswith((LISTED_ID_PREFIX, RULE_ID_PREFIX))]


def _gone(connection: Connection, source: int, ids: Collection[str], at: datetime, touched: set[str]) -> frozenset[str]:
    """Mark issues as deleted: end their memberships now and set their visibility to UNKNOWN; return their ids."""
    before = {
        key: row for key, row in _stored_rows(connection, schema.issue, source, ids).items() if not row.deleted_at
    }
    departures = [
        Event(issue=row.id, at=max(at, row.updated_at), kind=EventKind.LEFT, milestone=key)
        for row in before.values()
        for key in row.milestones
    ]
    _add_snapshots(connection, source, departures)
    table = schema.issue
    for batch in chunks(before):
        dead = (table.c.source == source) & table.c.id.in_(batch)
        values = {"deleted_at": at, "milestones": (), "visibility": Visibility.UNKNOWN}
        connection.execute(update(table).where(dead).values(values))
    _unblock(connection, source, before)
    _unlink(connection, source, before)
    touched.update(row.project for row in before.values())
    return frozenset(before)


def _unblock(connection: Connection, source: int, gone: Collection[str]) -> None:
    """Remove deleted issues as blockers: a tracker removes such a link without updating the blocked issue."""
    if not gone:
        return
    table = schema.issue
    columns = select(table.c.project, table.c.key, table.c.url)
    dead: set[tuple[str, str]] = set()
    for batch in chunks(gone):
        for row in connection.execute(columns.where(table.c.source == source, table.c.id.in_(batch))):
            dead |= {(row.project if row.key.startswith("#") else "", row.key), ("", row.url)}
    _keep_blockers(connection, source, lambda home, key: ("", key) not in dead and (home, key) not in dead)


def _unlink(connection: Connection, source: int, gone: Collection[str]) -> None:
    """Remove deleted issues from those that changes close: no tracker updates the pull or merge request for that."""
    if not gone:
        return
    table = schema.issue
    closing = select(table.c.id, table.c.closes).where(table.c.source == source, table.c.closes != ())
    for row in connection.execute(closing).all():
        remaining = tuple(key for key in row.closes if key not in gone)
        if remaining != row.closes:
            mine = (table.c.source == source) & (table.c.id == row.id)
            connection.execute(update(table).where(mine).values(closes=remaining))


def _forget_blockers(connection: Connection, source: int, complete: Collection[str]) -> None:
    """Remove blockers that are not stored although all issues of their project are: they were deleted before."""
    if not complete:
        return
    project, issue = schema.project, schema.issue
    names = select(project.c.id, project.c.key).where(project.c.source == source)
    by_key = {row.key: row.id for row in connection.execute(names)}
    stored: set[tuple[str, str]] = set()
    for batch in chunks(complete):
        mine = (issue.c.source == source) & in_projects(issue, source, batch) & issue.c.deleted_at.is_(None)
        keys = select(issue.c.project, issue.c.key).where(mine)
        stored.update((row.project, row.key) for row in connection.execute(keys))

    def is_known(home: str, key: str) -> bool:
        place = home if key.startswith("#") else by_key.get(key.rpartition("-")[0])
        return place not in complete or (place, key) in stored

    _keep_blockers(connection, source, is_known)


def _keep_blockers(connection: Connection, source: int, is_known: Callable[[str, str], bool]) -> None:
    """Keep the blockers that ``is_known``, given the blocked issue's project (id) and the blocker's key."""
    table = schema.issue
    columns = select(table.c.id, table.c.project, table.c.blocked_by)
    for row in connection.execute(columns.where(table.c.source == source, table.c.blocked_by != ())).all():
        remaining = tuple(key for key in row.blocked_by if is_known(row.project, key))
        if remaining != row.blocked_by:
            mine = (table.c.source == source) & (table.c.id == row.id)
            connection.execute(update(table).where(mine).values(blocked_by=remaining))


# --- events -----------------------------------------------------------------------------------------------------


def _histories(
    connection: Connection,
    source: int,
    page: Page,
    fresh: Iterable[Issue],
    known: Collection[str],
    touched: set[str],
    members: dict[tuple[str, str], None],
) -> int:
    """Replace the tracker's events of these issues, except where the stored issue is newer; return their number.

    Add the memberships that the written events name to ``members``.
    """
    new = {row.id: row.project for row in fresh}
    stale = {row.id for row in page.issues} - new.keys()
    table = schema.event
    histories = {
        key: sorted(events, key=_order) if len(events) > 1 else events
        for key, events in page.histories.items()
        if key not in stale
    }
    # an issue that is new with this page has no stored events
    stored = _stored_histories(connection, source, [key for key in histories if key in known or key not in new])
    changed = {
        key: events
        for key, events in histories.items()
        if (list(map(_event_values, events)) != stored[key] if key in stored else events)
    }
    for ids in chunks([key for key in changed if key in stored]):
        mine = (table.c.source == source) & (table.c.origin == EventOrigin.TRACKER) & table.c.issue.in_(ids)
        connection.execute(delete(table).where(mine))
    numbered = [(n, event) for events in changed.values() for n, event in enumerate(events)]
    issues = [key for key, events in changed.items() for _ in events]
    _save_events(connection, source, EventOrigin.TRACKER, issues, numbered)
    members |= {(e.milestone, key): None for key, (_, e) in zip(issues, numbered, strict=True) if e.milestone}
    touched.update(new[key] for key in changed if key in new)
    elsewhere = _stored_rows(connection, schema.issue, source, [key for key in changed if key not in new])
    touched.update(row.project for row in elsewhere.values())
    return sum(map(len, histories.values()))


def _stored_histories(connection: Connection, source: int, issues: Collection[str]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the values of the tracker's stored events of those issues (ids) that have any."""
    table = schema.event
    columns = [table.c[name] for name in _EVENT_COLUMNS]
    stored: dict[str, list[tuple[Any, ...]]] = {}
    for ids in chunks(issues):
        mine = (table.c.source == source) & (table.c.origin == EventOrigin.TRACKER) & table.c.issue.in_(ids)
        query = select(table.c.issue, *columns).where(mine).order_by(table.c.issue, table.c.n)
        for issue, *values in connection.execute(query):
            stored.setdefault(issue, []).append(tuple(values))
    return stored


def _order(event: Event) -> tuple[Any, ...]:
    return event.at, event.kind, event.milestone, event.milestone_title, event.value


def _add_snapshots(connection: Connection, source: int, events: Sequence[Event]) -> None:
    if not events:
        return
    table = schema.event
    next_n: dict[str, int] = {}
    for ids in chunks({event.issue for event in events}):
        mine = (table.c.source == source) & (table.c.origin == EventOrigin.SNAPSHOT) & table.c.issue.in_(ids)
        query = select(table.c.issue, func.count()).where(mine).group_by(table.c.issue)
        next_n.update((key, n) for key, n in connection.execute(query))
    numbered = []
    for event in events:
        n = next_n.get(event.issue, 0)
        next_n[event.issue] = n + 1
        numbered.append((n, event))
    _save_events(connection, source, EventOrigin.SNAPSHOT, [event.issue for event in events], numbered)


_EVENT_COLUMNS = ("at", "kind", "milestone", "milestone_title", "actor_id", "actor_name", "value")


def _event_values(event: Event) -> tuple[Any, ...]:
    """Return the values of `_EVENT_COLUMNS`."""
    _, at, kind, milestone, title, actor, value = astuple(event)
    return at, kind, milestone, title, actor and actor.id, actor and actor.name, value


def _save_events(
    connection: Connection, source: int, origin: EventOrigin, issues: list[str], numbered: list[tuple[int, Event]]
) -> None:
    """Save the events of these issues (ids), each with its number among those of its issue and origin."""
    if not numbered:
        return
    numbers, events = zip(*numbered, strict=True)
    size = len(numbers)
    columns = dict(zip(_EVENT_COLUMNS, zip(*map(_event_values, events), strict=True), strict=True))
    keys: dict[str, Sequence[Any]] = {
        "source": [source] * size,
        "issue": issues,
        "origin": [origin] * size,
        "n": numbers,
    }
    upsert_columns(connection, schema.event, {**keys, **columns})


def _add_members(connection: Connection, source: int, members: Collection[tuple[str, str]]) -> None:
    """Save pairs of milestone and issue (ids)."""
    if members:
        milestones, issues = zip(*members, strict=True)
        columns = {"source": [source] * len(members), "milestone": milestones, "issue": issues}
        upsert_columns(connection, schema.member, columns, keep=True)


# --- stored rows ---------------------------------------------------------------------------------------------


def _stored_rows(connection: Connection, table: Table, source: int, ids: Collection[str]) -> dict[str, Row[Any]]:
    rows: dict[str, Row[Any]] = {}
    for batch in chunks(ids):
        stored = select_where(connection, table, where={"source": source, "id": batch})
        rows.update((row.id, row) for row in stored)
    return rows


def _save_changed(
    connection: Connection, table: Table, source: int, rows: Sequence[_Kept], before: Mapping[str, Row[Any]]
) -> list[_Kept]:
    """Save the rows that differ from the stored ones (``before``), and return them."""
    if not rows:
        return []
    fields: tuple[str, ...] = rows[0].__struct_fields__
    stored = itemgetter(*(table.c.keys().index(name) for name in (*fields, "deleted_at")))
    written = [row for row in rows if row.id not in before or stored(before[row.id]) != (*astuple(row), None)]
    if written:
        columns = dict(zip(fields, zip(*map(astuple, written), strict=True), strict=True))
        size = len(written)
        others: dict[str, Sequence[Any]] = {"source": [source] * size, "deleted_at": [None] * size}
        upsert_columns(connection, table, {**columns, **others}, newer="updated_at")
    return written


def _touch(touched: set[str], before: Mapping[str, Row[Any]], rows: Iterable[Issue | Milestone]) -> None:
    """Add the present and the former projects of these rows to ``touched``."""
    for row in rows:
        touched.add(row.project)
        if row.id in before:
            touched.add(before[row.id].project)


def _next_edition(connection: Connection, source: int, projects: Collection[str]) -> None:
    """Increment the edition of these projects; it is 1 at first."""
    table = schema.edition
    keys = (table.c.source, table.c.project)
    first = insert_into(connection, table)
    rows = [{"source": source, "project": key, "n": 1} for key in sorted(projects)]
    if rows:
        connection.execute(first.on_conflict_do_update(index_elements=keys, set_={"n": table.c.n + 1}), rows)


def _older(updated_at: datetime | None, stored: Row[Any] | None, at: datetime) -> bool:
    """Return whether a row is older than the stored one. Only a later pull restores a deleted row."""
    if stored is None:
        return False
    if updated_at is not None and stored.updated_at is not None and updated_at != stored.updated_at:
        return bool(updated_at < stored.updated_at)
    return stored.deleted_at is not None and bool(at <= stored.deleted_at)
