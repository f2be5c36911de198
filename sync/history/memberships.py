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

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from sync.model.membership import Membership
from sync.model.tracker_data import (
    REMOVED,
    Event,
    EventKind,
    Issue,
    State,
    uid,
)

__all__ = ["Titles", "memberships", "stays"]

Titles = Mapping[tuple[str, str], Sequence[tuple[datetime | None, str]]]
"""Which milestones have ever had a title: (project id, title) -> (created at, milestone id), the earliest first."""

_CLOSING = (EventKind.CLOSED, EventKind.REOPENED)
_MOVING = (EventKind.JOINED, EventKind.LEFT)
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


# --- counting ---------------------------------------------------------------------------------------------------
