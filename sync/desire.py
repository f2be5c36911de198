"""From a milestone's health to what should stand in its tracker: the comment's view, rendered, and its marker."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

import msgspec

from sync import report
from sync.action import StatusIssue
from sync.assessment import Assessed
from sync.commands import heard
from sync.description import board_for, description_of, health_for, lines_for, told_on
from sync.desired import Desired, label_name
from sync.farewell import farewell
from sync.goodnews import good_news
from sync.history import burnup, is_member, is_open
from sync.marker import Marker, MarkerKind, Told
from sync.markup import render
from sync.markup.document import Document
from sync.model import Health, Issue, State, Status
from sync.nudges import Nudging, Want, wants
from sync.record import Record
from sync.reminder import named, reminder

__all__ = ["desire", "last_marker", "view"]

MARKER_ROOM = 1_000
"""Characters kept free below a tracker's limit for the marker."""

STEP = 0.05
"""A probability that moved by less than this since the last comment means the same."""


def desire(
    one: Assessed,
    have: StatusIssue | None,
    *,
    posted: bool,
    described: bool = False,
    health_set: str | None = None,
    boards_told: frozenset[str] = frozenset(),
    picture: str | None = None,
    undrawn: str = "",
    pictured: frozenset[str] = frozenset(),
    instance: str,
    now: datetime,
    quiet: bool = False,
    record: Record | None = None,
    page: str = "",
    nudging: Nudging = Nudging(),  # noqa: B008 - frozen
) -> Desired:
    """What should stand there for one milestone, given what stands there now. Pure. On ``quiet`` days no transition is
    told. ``posted`` and ``described`` say that a summary, and lines in the milestone's description, stood there once;
    ``health_set`` is the tracker's own health status that we set last, ``boards_told`` where we posted a status update;
    ``picture``, ``undrawn`` and ``pictured`` are those of `Desired`.
    ``record`` is that of a milestone which is done; ``page`` the address of its page in the report; ``nudging`` are the
    rules for reminders.
    """
    can = one.source.connector.capabilities
    last = last_marker(one.uid, have, instance)
    said = heard(have.asked if have else (), now, one.source.zone)
    shown = msgspec.structs.replace(view(one, now=now), override=said.override, page=page)
    settled = _settled(shown, last)
    meant = report.meaning(settled)
    if last is None or last.meaning != meant:  # then it is written as it is now, and the next run begins from there
        settled, meant = shown, report.meaning(shown)
    since = _since(last, meant)
    if since is not None:
        shown = msgspec.structs.replace(shown, changes=_changes(one, since), then=_then(last, meant))
    limit = can.body_limit - MARKER_ROOM
    status, since = one.health.status, one.health.since
    stale = one.health.stale_since is not None
    if stale and last is not None and last.status is not None:
        status, since = last.status, last.since or since
    asked = reminder(_wants(one, now, nudging), one.named.owner, one.project.key, nudging)
    labels = {s: label_name(one.source.prefix, can.scoped, s) for s in Status}
    return Desired(
        milestone=one.uid,
        project=one.project.id,
        project_key=one.project.key,
        status=status,
        since=since,
        label=labels[status],
        siblings=tuple(label for s, label in labels.items() if s is not status),
        summary=render(report.summary(shown), can.markup, limit),
        meaning=meant,
        transition=lambda before: render(report.transition(shown, before), can.markup, limit),
        closing=None if record is None else render(_farewell(record, nudging), can.markup, limit),
        reminder=None if asked is None else render(asked, can.markup, limit),
        remind_every=nudging.every,
        issue_title=report.status_issue_title(one.milestone),
        issue_body=render(report.status_issue_body(one.milestone, one.project.key), can.markup, limit),
        issue_labels=one.source.labels,
        baseline=one.health.baseline,
        probability=settled.health.probability,
        p50=shown.health.dates.p50,
        due=shown.health.due,
        replan=shown.health.replan,
        policy=one.source.policy_of(one.project.key),
        posted=posted,
        may_create=one.milestone.state is State.OPEN and one.health.due is not None,
        needs_label=can.labels_are_made,
        any_case=can.labels_any_case,
        lines=lines_for(one, _settled(shown, last), instance),
        described=description_of(one, described=described),
        health=health_for(one, status),
        health_set=health_set,
        board=board_for(one),
        told=told_on(one, _settled(shown, last), have),
        boards_told=boards_told,
        picture=picture,
        undrawn=undrawn,
        pictured=pictured,
        visibility=one.project.visibility,
        stale=stale,
        quiet=quiet,
        muted=said.muted,
        refresh=said.refresh,
        understood=said.understood,
        ignored=said.ignored,
    )


def _farewell(record: Record, nudging: Nudging) -> Document:
    return farewell(record, lambda person: named(person, mentions=nudging.mentions))


def _wants(one: Assessed, now: datetime, nudging: Nudging) -> list[Want]:
    """The issues of a running milestone for which owners are to be reminded."""
    if not nudging.reminders or not one.running or one.health.status is Status.DONE:
        return []
    held = [
        (one.issues[stay.item], stay.joined) for stay in one.stays if stay.item in one.issues and is_open(stay, now)
    ]
    return wants(held, now, nudging)


def _since(last: Marker | None, meant: str) -> datetime | None:
    """Since when changes are told: the comment that stands, as long as it means the same, goes on telling its own."""
    if last is None:
        return None
    return last.before if last.meaning == meant else last.changed or last.written


def _then(last: Marker | None, meant: str) -> Told | None:
    """What was told before the changes."""
    if last is None:
        return None
    return last.was if last.meaning == meant else last.told


def view(one: Assessed, *, now: datetime) -> report.View:
    """All that the summary tells, but for what changed since the last one and what people say."""
    open_now = tuple(stay.item for stay in one.stays if _open(stay.left, stay.closed, stay.reopened))
    members = {stay.item for stay in one.stays}
    items = {uid: one.issues[uid] for uid in members if uid in one.issues}
    return report.View(
        health=one.health,
        milestone=one.milestone,
        project=one.project.key,
        items=items,
        open=open_now,
        owners=(one.named.owner,) if one.named.owner else (),
        due_dates=one.due_dates,
        sources=(report.Seen(name=one.source.name, at=one.read_at, stale_since=one.health.stale_since),),
        points=_points(one, now),
        budget=_budget(one.issues[stay.item] for stay in one.stays if is_member(stay, now) and stay.item in items),
        forecasts=one.forecasts,
        calibration=one.calibration,
        commands=True,
        aggregate=one.aggregate,
        commitments=one.commitments,
        findings=one.findings,
        criteria=one.criteria,
        good_news=good_news(one.health, one.stays),
        loads=one.loads,
        unreviewed=one.unreviewed,
    )


def _open(left: datetime | None, closed: datetime | None, reopened: datetime | None) -> bool:
    return left is None and closed is None and reopened is None


def last_marker(uid: str, have: StatusIssue | None, instance: str) -> Marker | None:
    """The marker of the summary that stands, if one does."""
    for comment in have.comments if have else ():
        marker = Marker.decode(comment.marker)
        if marker and marker.kind is MarkerKind.SUMMARY and marker.milestone == uid and marker.instance == instance:
            return marker
    return None


def _settled(shown: report.View, last: Marker | None) -> report.View:
    """The view as its meaning sees it: a probability that hardly moved is the one that was told."""
    p = shown.health.probability
    if p is None or last is None or last.probability is None or abs(p - last.probability) >= STEP:
        return shown
    health: Health = msgspec.structs.replace(shown.health, probability=last.probability)
    return msgspec.structs.replace(shown, health=health)


def _changes(one: Assessed, since: datetime) -> report.Changes:
    """What happened to the items after ``since``. A reopening is told as such, not as a leaving and joining."""
    reopened = {stay.item for stay in one.stays if stay.reopened and stay.reopened > since}
    inside = {stay.item for stay in one.stays if stay.joined <= since and (stay.left is None or stay.left > since)}
    added = {stay.item for stay in one.stays if stay.joined > since} - inside
    removed = {stay.item for stay in one.stays if stay.left and stay.left > since}
    still = {stay.item for stay in one.stays if stay.left is None and stay.reopened is None}
    closed = {stay.item for stay in one.stays if stay.closed and stay.closed > since and stay.reopened is None}
    return report.Changes(
        since=since,
        added=tuple(sorted(added)),
        removed=tuple(sorted(removed - still)),
        closed=tuple(sorted(closed)),
        reopened=tuple(sorted(reopened - closed)),
        estimated=tuple(sorted(inside & still & {item for item, at in one.estimated.items() if at > since})),
    )


def _points(one: Assessed, now: datetime) -> tuple[report.Point, ...]:
    """Scope and done at up to a dozen days from start to today."""
    start, until = one.health.start, now.date()
    if one.health.status is Status.DONE and one.milestone.closed_at is not None:
        until = min(until, one.milestone.closed_at.date())
    if start is None or start >= until:
        return ()
    return tuple(report.Point(day, done, scope) for day, scope, done in burnup(one.stays, _days(start, until)))


def _days(start: date, until: date) -> Sequence[date]:
    span = (until - start).days
    count = min(report.POINTS, span + 1)
    return [start + timedelta(days=round(span * n / (count - 1))) for n in range(count)] if count > 1 else [until]


def _budget(items: Iterable[Issue]) -> report.Budget | None:
    """Of the items that belong to it now: what was taken out takes its estimate along."""
    known = [item for item in items if item.estimate is not None or item.spent]
    if not known:
        return None
    return report.Budget(
        estimate=sum(item.estimate or 0 for item in known),
        spent=sum(item.spent or 0 for item in known),
        remaining=sum(_remaining(item) for item in known),
        items=sum(1 for item in known if item.estimate),
    )


def _remaining(item: Issue) -> int:
    """Seconds of work left on an issue: what people say, else what its estimate leaves; none once it is closed."""
    if item.state is State.CLOSED:
        return 0
    return item.remaining if item.remaining is not None else max(0, (item.estimate or 0) - (item.spent or 0))
