"""Memberships from what trackers tell: who was in a milestone when, and when it was closed. Pure.

A tracker gives the present (`Issue`) and, in part, the past (`Event`). Each issue is replayed on its own:

* what no event explains is inferred: an issue that first left a milestone was in it from its creation; one that is in
  it without a word joined at its creation;
* where the last event and the present disagree, the present is right, from the issue's ``updated_at`` on;
* a milestone change and its opposite at the same instant cancel out, whatever their order;
* when no event tells of a closure, ``closed_at`` does, and nothing else: closed without a time is open.

A replay (``at``) is cut from the whole: what is dated later has not happened, and so is what would have been seen then.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sync.dates import end_of_day
from sync.ledger import Container
from sync.model import (
    Counts,
    DueDate,
    Event,
    EventKind,
    Issue,
    Membership,
    Milestone,
    MilestoneKind,
    Project,
    State,
    uid,
)
from sync.rules import REMOVED

__all__ = [
    "Titles",
    "burnup",
    "containers",
    "counts",
    "is_member",
    "is_open",
    "memberships",
    "merged_counts",
    "stays",
]

Titles = Mapping[tuple[str, str], Sequence[tuple[datetime | None, str]]]
"""Which milestones have ever had a title: (project id, title) -> (created at, milestone id), the earliest first."""

_CLOSING = (EventKind.CLOSED, EventKind.REOPENED)
_MOVING = (EventKind.JOINED, EventKind.LEFT)
_WEEK = timedelta(days=7)
_UTC = ZoneInfo("UTC")

Span = tuple[datetime, datetime | None]
"""From a moment until another; None: it has not ended."""


# --- memberships ------------------------------------------------------------------------------------------------


def memberships(
    issues: Iterable[Issue],
    events: Iterable[Event],
    titles: Titles,
    *,
    source: str,
    removed: frozenset[str] = REMOVED,
    at: datetime | None = None,
) -> Iterator[Membership]:
    """Every stay of these issues in any milestone, as known at ``at`` (UTC; None: now). Events may come in any order.

    Containers are ``uid(source, "milestone", id)``, items ``uid(source, "issue", id)``.
    """
    told: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        told[event.issue].append(event)
    for issue in issues:
        yield from stays(issue, told.get(issue.id, ()), titles, source=source, removed=removed, at=at)


def stays(
    issue: Issue,
    events: Sequence[Event],
    titles: Titles,
    *,
    source: str,
    removed: frozenset[str] = REMOVED,
    at: datetime | None = None,
) -> Iterator[Membership]:
    """The stays of one issue, by milestone and time, from its own events."""
    if at is not None and issue.created_at > at:
        return
    closures = _closures(issue, events)
    out_of_scope = issue.resolution.lower().replace("\u2019", "'") in removed
    item = uid(source, "issue", issue.id)
    for milestone, spans in sorted(_times_in(issue, events, titles).items()):
        container = uid(source, "milestone", milestone)
        for joined, left in spans:
            for stay in _cut(container, item, joined, left, closures, out_of_scope):
                known = stay if at is None else _as_of(stay, at)
                if known is not None:
                    yield known


def _cut(
    container: str, item: str, joined: datetime, left: datetime | None, closures: Sequence[Span], out_of_scope: bool
) -> Iterator[Membership]:
    """One time in a milestone as stays: each reopening in it ends one and begins the next."""
    for closed, reopened in closures:
        if left is not None and closed >= left:
            break
        if reopened is not None and reopened <= joined:
            continue
        if reopened is None or (left is not None and reopened >= left):
            removed = out_of_scope and reopened is None  # the resolution is that of the last closure
            yield Membership(container=container, item=item, joined=joined, left=left, closed=closed, removed=removed)
            return
        yield Membership(container=container, item=item, joined=joined, closed=closed, reopened=reopened)
        joined = reopened
    yield Membership(container=container, item=item, joined=joined, left=left)


def _as_of(stay: Membership, at: datetime) -> Membership | None:
    """What was known of a stay at a time; None when it had not begun."""

    def known(moment: datetime | None) -> datetime | None:
        return None if moment is None or moment > at else moment

    if stay.joined > at:
        return None
    closed = known(stay.closed)
    return Membership(
        container=stay.container,
        item=stay.item,
        joined=stay.joined,
        left=known(stay.left),
        closed=closed,
        reopened=known(stay.reopened),
        removed=stay.removed and closed is not None,
    )


def _closures(issue: Issue, events: Iterable[Event]) -> list[Span]:
    """When the issue was closed, in order."""
    turns = _turns((event.at, event.kind is EventKind.CLOSED) for event in events if event.kind in _CLOSING)
    if not turns:
        return [] if issue.closed_at is None else [(issue.closed_at, None)]
    is_closed = issue.state is State.CLOSED
    if is_closed and not turns[-1][1] and issue.closed_at is not None and issue.closed_at > turns[-1][0]:
        turns.append((issue.closed_at, True))
    return _spans(turns, begin=issue.created_at, now=is_closed, seen=issue.updated_at)


def _times_in(issue: Issue, events: Iterable[Event], titles: Titles) -> dict[str, list[Span]]:
    """When the issue was in each milestone, by its id, in order."""
    moves: dict[str, list[tuple[datetime, bool]]] = {key: [] for key in issue.milestones}
    unknown: dict[str, list[tuple[datetime, bool]]] = {}
    for event in events:
        if event.kind not in _MOVING:
            continue
        move = (event.at, event.kind is EventKind.JOINED)
        key = event.milestone or _titled(titles.get((issue.project, event.milestone_title), ()), event.at)
        if key:
            moves.setdefault(key, []).append(move)
        else:
            unknown.setdefault(event.milestone_title, []).append(move)
    _adopt(issue, moves, unknown)
    return {
        key: _spans(_turns(told), begin=issue.created_at, now=key in issue.milestones, seen=issue.updated_at)
        for key, told in moves.items()
    }


def _titled(candidates: Sequence[tuple[datetime | None, str]], at: datetime) -> str:
    """The milestone that a title meant at a time: the youngest that existed then, else the oldest; or none."""
    existed = [key for created_at, key in candidates if created_at is None or created_at <= at]
    return existed[-1] if existed else candidates[0][1] if candidates else ""


def _adopt(
    issue: Issue,
    moves: dict[str, list[tuple[datetime, bool]]],
    unknown: Mapping[str, list[tuple[datetime, bool]]],
) -> None:
    """Give a milestone that was renamed before it was first seen the moves which its old title tells.

    It is the one that the issue is in without any move, when exactly one title that nobody knows was joined last.
    """
    silent = [key for key in issue.milestones if not moves[key]]
    joined = [told for told in unknown.values() if (turns := _turns(told)) and turns[-1][1]]
    if len(silent) == len(joined) == 1:
        moves[silent[0]] = joined[0]


def _turns(told: Iterable[tuple[datetime, bool]]) -> list[tuple[datetime, bool]]:
    """Changes in the order of time, one per instant: opposites cancel out there, as their order is not told."""
    balance: dict[datetime, int] = defaultdict(int)
    for moment, value in told:
        balance[moment] += 1 if value else -1
    return [(moment, net > 0) for moment, net in sorted(balance.items()) if net]


def _spans(turns: Sequence[tuple[datetime, bool]], *, begin: datetime, now: bool, seen: datetime) -> list[Span]:
    """Turn changes into the spans in which the answer was yes.

    An end that comes first began at ``begin``; without any change the present answer (``now``) held from there. Where
    the last change contradicts the present, that came at ``seen``.
    """
    first = not turns[0][1] if turns else now
    changes = [(begin, True), *turns] if first else list(turns)
    last = changes[-1][1] if changes else False
    if last != now:
        changes.append((max(seen, changes[-1][0] if changes else begin), now))
    spans: list[Span] = []
    since: datetime | None = None
    for moment, yes in changes:
        if yes and since is None:
            since = moment
        elif not yes and since is not None:
            if moment > since:
                spans.append((since, moment))
            since = None
    return spans if since is None else [*spans, (since, None)]


# --- containers -------------------------------------------------------------------------------------------------


def containers(
    milestones: Iterable[Milestone],
    due_dates: Mapping[str, Sequence[DueDate]],
    projects: Mapping[str, Project],
    stays: Mapping[str, Sequence[Membership]],
    *,
    source: str,
    zone: ZoneInfo,
    at: datetime,
) -> list[Container]:
    """Milestones as containers, as they stood at ``at`` (UTC).

    ``due_dates`` and ``projects`` are by native id, ``stays`` by container id. Days begin and end in ``zone``. The
    start is the one given, else the creation, else inferred for a Jira version, else when the first item joined. A
    milestone by rule has the habits of its project's others.
    """
    found = list(milestones)
    dues = {m.id: _due(m, due_dates.get(m.id, ()), at) for m in found}
    releases: dict[str, set[date]] = defaultdict(set)
    for m in found:
        due = dues[m.id][0]
        if m.kind is MilestoneKind.VERSION and due is not None and not _is_sprint(m):
            releases[m.project].add(due)
    earlier = {key: sorted(days) for key, days in releases.items()}
    usual = {m.project: m.kind for m in found if m.kind is not MilestoneKind.RULE}
    made = []
    for m in found:
        due, first_due = dues[m.id]
        key = uid(source, "milestone", m.id)
        project = projects[m.project].key if m.project in projects else m.project
        start = _start(m, due, earlier.get(m.project, ()), zone)
        made.append(
            Container(
                id=key,
                kind=(usual.get(m.project, MilestoneKind.MILESTONE) if m.kind is MilestoneKind.RULE else m.kind).value,
                stream=f"{project} {m.kind.value} {_without_digits(m.title)}".strip(),
                start=start or min((stay.joined for stay in stays.get(key, ())), default=None),
                due=None if due is None else end_of_day(due, zone),
                first_due=None if first_due is None else end_of_day(first_due, zone),
                ended=_ended(m, zone, at),
            )
        )
    return made


def _due(milestone: Milestone, notes: Sequence[DueDate], at: datetime) -> tuple[date | None, date | None]:
    """The due date that stood at a time, and the first one ever. What was seen first stood before, too."""
    known = [note.due for note in notes if note.seen <= at] or [note.due for note in notes[:1]] or [milestone.due]
    return known[-1], next((due for due in known if due is not None), None)


def _start(m: Milestone, due: date | None, releases: Sequence[date], zone: ZoneInfo) -> datetime | None:
    if m.start is not None:
        return _start_of_day(m.start, zone)
    if m.created_at is not None:
        return m.created_at
    if m.kind is not MilestoneKind.VERSION or due is None:
        return None
    days = 14  # before the due moment
    if not _is_sprint(m):
        before = bisect_left(releases, due)
        days = min(max((due - releases[before - 1]).days, 28), 150) if before else 90
    return None if due.toordinal() <= days + 1 else end_of_day(due - timedelta(days=days), zone)


def _start_of_day(day: date, zone: ZoneInfo) -> datetime:
    return end_of_day(day - timedelta(days=1), zone) if day > date.min else datetime.min.replace(tzinfo=UTC)


def _ended(m: Milestone, zone: ZoneInfo, at: datetime) -> datetime | None:
    """When it was closed, if that was by ``at``; a version is released on its release date, from that day's start."""
    if m.state is State.OPEN:
        return None
    if m.kind is MilestoneKind.VERSION and m.due is not None:
        return min(end_of_day(m.due, zone), at) if _start_of_day(m.due, zone) <= at else None
    ended = m.closed_at
    if ended is None:
        return at  # closed, and nobody says when
    return ended if ended <= at else None


def _is_sprint(m: Milestone) -> bool:
    return "sprint" in m.title.lower()


def _without_digits(title: str) -> str:
    """The title without its numbers and what binds them (``2.0.1``), so that a series has one name."""
    return " ".join(re.sub(r"\d+(?:[.\-_/:]\d+)*", " ", title).split())


# --- counting ---------------------------------------------------------------------------------------------------


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
