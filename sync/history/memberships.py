"""Derive memberships from tracker data: when each issue was in a milestone, and when it was closed. Pure.

A tracker gives the present (`Issue`) and a part of the past (`Event`). Each issue is replayed on its own:

* What no event explains is inferred. An issue whose first event is leaving a milestone was in it from its creation. An
  issue that is in a milestone without any event joined at its creation.
* Where the last event and the present disagree, the present is right, from the issue's ``updated_at`` on.
* Times are cut to seconds, here for every tracker: GitHub and GitLab's GraphQL have no fractions, REST and Jira do.
* A change and its opposite in the same second cancel out; their order does not matter.
* Without any closing event, ``closed_at`` is the closure. An issue that is closed without a time is done since the
  earliest time that is known: its creation.
* A closure is of the present names if it is the last one; `sync.model.item_state` has those that take the issue out of
  scope.
* Where a team names states or labels of finished items, the issue was finished as long as `StateRules.is_finished` says
  so of its state, its labels and its closures at that time. A label without events was on it from the creation. A state
  without events began with the last closing or reopening.

A replay as of a time (``at``) is cut from the whole history: nothing that is dated later enters it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime

from sync.model.item_state import ItemState, StateRules, fold_name
from sync.model.membership import Membership
from sync.model.tracker_data import Event, EventKind, Issue, State, uid

__all__ = ["Titles", "memberships", "memberships_of"]

Titles = Mapping[tuple[str, str], Sequence[tuple[datetime | None, str]]]
"""Milestones that have ever had a title: (project id, title) -> (created at, milestone id), the earliest first."""

_USUAL = StateRules()
_CLOSING = (EventKind.CLOSED, EventKind.REOPENED)
_LABELLING = (EventKind.LABELED, EventKind.UNLABELED)
_MOVING = (EventKind.JOINED, EventKind.LEFT)

Change = tuple[datetime, bool]
"""A moment (UTC) and the state that begins then: in the milestone or not, closed or not."""

Span = tuple[datetime, datetime | None]
"""Begin and end (UTC); None: it has not ended."""


def memberships(
    issues: Iterable[Issue],
    events: Iterable[Event],
    titles: Titles,
    *,
    source: str,
    rules: StateRules = _USUAL,
    at: datetime | None = None,
) -> Iterator[Membership]:
    """Yield every membership of these issues in any milestone, as known at ``at`` (UTC; None: now).

    Events may come in any order. ``rules`` decide when an issue was finished, and whether that took it out of scope.
    Containers are ``uid(source, "milestone", id)``, items ``uid(source, "issue", id)``.
    """
    events_of: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        events_of[event.issue].append(event)
    for issue in issues:
        yield from memberships_of(issue, events_of.get(issue.id, ()), titles, source=source, rules=rules, at=at)


def memberships_of(
    issue: Issue,
    events: Sequence[Event],
    titles: Titles,
    *,
    source: str,
    rules: StateRules = _USUAL,
    at: datetime | None = None,
) -> Iterator[Membership]:
    """Yield the memberships of one issue, by milestone and time, from its own events; see `memberships`."""
    if at is not None and issue.created_at > at:
        return
    closures = _finished(issue, events, rules) if rules.have_names else _closures(issue, events)
    out_of_scope = rules.state_of(issue) is ItemState.REMOVED
    item = uid(source, "issue", issue.id)
    for milestone, spans in sorted(_times_in(issue, events, titles).items()):
        container = uid(source, "milestone", milestone)
        for joined, left in spans:
            for membership in _cut(container, item, joined, left, closures, out_of_scope):
                known = membership if at is None else _as_of(membership, at)
                if known is not None:
                    yield known


def _cut(
    container: str, item: str, joined: datetime, left: datetime | None, closures: Sequence[Span], out_of_scope: bool
) -> Iterator[Membership]:
    """Cut one time in a milestone into memberships: each reopening during it ends one and begins the next.

    The last one of an item that left open has its first closure since.
    """
    for closed, reopened in closures:
        if left is not None and closed >= left:
            removed = out_of_scope and reopened is None
            yield Membership(container=container, item=item, joined=joined, left=left, closed=closed, removed=removed)
            return
        if reopened is not None and reopened <= joined:
            continue
        if reopened is None or (left is not None and reopened >= left):
            removed = out_of_scope and reopened is None  # the resolution is that of the last closure
            yield Membership(container=container, item=item, joined=joined, left=left, closed=closed, removed=removed)
            return
        yield Membership(container=container, item=item, joined=joined, closed=closed, reopened=reopened)
        joined = reopened
    yield Membership(container=container, item=item, joined=joined, left=left)


def _as_of(membership: Membership, at: datetime) -> Membership | None:
    """Return what was known of a membership at ``at``; None when it had not begun."""

    def known(moment: datetime | None) -> datetime | None:
        return None if moment is None or moment > at else moment

    if membership.joined > at:
        return None
    closed = known(membership.closed)
    return Membership(
        container=membership.container,
        item=membership.item,
        joined=membership.joined,
        left=known(membership.left),
        closed=closed,
        reopened=known(membership.reopened),
        removed=membership.removed and closed is not None,
    )


def _closures(issue: Issue, events: Iterable[Event]) -> list[Span]:
    """Return the spans in which the issue was closed, in order."""
    changes = _net_changes((event.at, event.kind is EventKind.CLOSED) for event in events if event.kind in _CLOSING)
    begin, is_closed = _second(issue.created_at), issue.state is State.CLOSED
    closed_at = None if issue.closed_at is None else _second(issue.closed_at)
    if not changes:
        closed_at = closed_at or (begin if is_closed else None)
        return [] if closed_at is None else [(closed_at, None)]
    if is_closed and not changes[-1][1] and closed_at is not None and closed_at > changes[-1][0]:
        changes.append((closed_at, True))
    return _spans(changes, begin=begin, now=is_closed, seen=_second(issue.updated_at))


def _finished(issue: Issue, events: Sequence[Event], rules: StateRules) -> list[Span]:
    """Return the spans in which the issue was finished by the rules, in order."""
    closures, labels = _closures(issue, events), _labels(issue, events, rules.recorded.labels)
    states = _states(issue, events, closures)
    begin = _second(issue.created_at)
    edges = [edge for spans in (closures, *labels.values()) for span in spans for edge in span if edge is not None]
    moments = sorted({begin, *edges, *(at for at, _ in states)})

    def is_finished(at: datetime) -> bool:
        present = [label for label, spans in labels.items() if _is_during(spans, at)]
        state = next((state for since, state in reversed(states) if since <= at), "")
        return rules.is_finished(is_closed=_is_during(closures, at), state=state, labels=present)

    changes = [(at, is_finished(at)) for at in moments]
    return _spans(changes, begin=begin, now=changes[-1][1], seen=begin)


def _labels(issue: Issue, events: Iterable[Event], names: Set[str]) -> dict[str, list[Span]]:
    """Return the spans in which the issue had each label of these names (folded): label -> spans in order."""
    present = {fold_name(label) for label in issue.labels}
    changes: dict[str, list[Change]] = {name: [] for name in names & present}
    for event in events:
        if event.kind in _LABELLING and (name := fold_name(event.value)) in names:
            changes.setdefault(name, []).append((event.at, event.kind is EventKind.LABELED))
    begin, seen = _second(issue.created_at), _second(issue.updated_at)
    return {
        name: _spans(_net_changes(own), begin=begin, now=name in present, seen=seen) for name, own in changes.items()
    }


def _states(issue: Issue, events: Iterable[Event], closures: Sequence[Span]) -> list[tuple[datetime, str]]:
    """Return the states (folded) of the issue with the times since when it had them, in order."""
    present = fold_name(issue.raw_state)
    told = sorted((event.at, fold_name(event.value)) for event in events if event.kind is EventKind.STATUS)
    changes = [(_second(at), state) for at, state in told]
    if not changes:
        edges = [edge for span in closures for edge in span if edge is not None]
        return [(edges[-1] if edges else _second(issue.created_at), present)]
    last, state = changes[-1]
    return changes if state == present else [*changes, (max(_second(issue.updated_at), last), present)]


def _is_during(spans: Iterable[Span], at: datetime) -> bool:
    return any(begin <= at and (end is None or at < end) for begin, end in spans)


def _times_in(issue: Issue, events: Iterable[Event], titles: Titles) -> dict[str, list[Span]]:
    """Return the spans in which the issue was in each milestone: milestone id -> spans in order."""
    moves: dict[str, list[Change]] = {key: [] for key in issue.milestones}
    moves_by_unknown_title: dict[str, list[Change]] = {}
    for event in events:
        if event.kind not in _MOVING:
            continue
        move = (event.at, event.kind is EventKind.JOINED)
        key = event.milestone or _titled(titles.get((issue.project, event.milestone_title), ()), event.at)
        if key:
            moves.setdefault(key, []).append(move)
        else:
            moves_by_unknown_title.setdefault(event.milestone_title, []).append(move)
    _assign_old_title(issue, moves, moves_by_unknown_title)
    begin, seen = _second(issue.created_at), _second(issue.updated_at)
    return {
        key: _spans(_net_changes(changes), begin=begin, now=key in issue.milestones, seen=seen)
        for key, changes in moves.items()
    }


def _titled(candidates: Sequence[tuple[datetime | None, str]], at: datetime) -> str:
    """Return the id of the milestone that a title meant at ``at``.

    The youngest that existed then, else the oldest; empty without candidates.
    """
    existing = [key for created_at, key in candidates if created_at is None or created_at <= at]
    return existing[-1] if existing else candidates[0][1] if candidates else ""


def _assign_old_title(
    issue: Issue, moves: dict[str, list[Change]], moves_by_unknown_title: Mapping[str, list[Change]]
) -> None:
    """Give a milestone that was renamed before the first pull the moves recorded under its old title.

    The milestone is the only one that the issue is in without any move; the title the only unknown one that the issue
    joined last. Without both, ``moves`` stays as it is.
    """
    without_moves = [key for key in issue.milestones if not moves[key]]
    joined = [moved for moved in moves_by_unknown_title.values() if (net := _net_changes(moved)) and net[-1][1]]
    if len(without_moves) == len(joined) == 1:
        moves[without_moves[0]] = joined[0]


def _second(at: datetime) -> datetime:
    """Cut a time to its second."""
    return at.replace(microsecond=0) if at.microsecond else at


def _net_changes(changes: Iterable[Change]) -> list[Change]:
    """Return the changes in order of time, one for each second; opposites in the same second cancel out."""
    balance: dict[datetime, int] = defaultdict(int)
    for moment, value in changes:
        balance[_second(moment)] += 1 if value else -1
    return [(moment, net > 0) for moment, net in sorted(balance.items()) if net]


def _spans(changes: Sequence[Change], *, begin: datetime, now: bool, seen: datetime) -> list[Span]:
    """Turn changes into the spans in which the state was True.

    A first change to False ends a span that began at ``begin``. Without any change, the present state (``now``) began
    there. Where the last change contradicts the present state, the present state began at ``seen``.
    """
    first = not changes[0][1] if changes else now
    all_changes = [(begin, True), *changes] if first else list(changes)
    last = all_changes[-1][1] if all_changes else False
    if last != now:
        all_changes.append((max(seen, all_changes[-1][0] if all_changes else begin), now))
    spans: list[Span] = []
    since: datetime | None = None
    for moment, state in all_changes:
        if state and since is None:
            since = moment
        elif not state and since is not None:
            if moment > since:
                spans.append((since, moment))
            since = None
    return spans if since is None else [*spans, (since, None)]
