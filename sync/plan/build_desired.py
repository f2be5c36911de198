"""From a milestone's health to what should stand in its tracker: the comment's view, rendered, and its marker."""

from __future__ import annotations

from datetime import datetime

import msgspec

from sync.assess.milestone import AssessedMilestone
from sync.health.reminders import Nudging
from sync.markup import render
from sync.model.closing import ClosingRecord
from sync.model.health import Health, Status
from sync.model.published import SummaryForecast
from sync.model.tracker_data import State
from sync.plan.desired import Desired, label_name
from sync.plan.native_fields import board_for, description_of, health_for, lines_for, told_on
from sync.report import summary as report
from sync.report import view as view_
from sync.report.reminder import _farewell, _wants, reminder
from sync.report.view import _changes, view
from sync.tracker.marker import Marker, last_marker
from sync.tracker.observed import StatusIssue
from sync.tracker.slash_commands import evaluate_commands

__all__ = ["build_desired"]

MARKER_ROOM = 1_000
"""Characters kept free below a tracker's limit for the marker."""

STEP = 0.05
"""A probability that moved by less than this since the last comment means the same."""


def build_desired(
    milestone: AssessedMilestone,
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
    record: ClosingRecord | None = None,
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
    can = milestone.source.connector.capabilities
    last = last_marker(milestone.uid, have, instance)
    said = evaluate_commands(have.asked if have else (), now, milestone.source.zone)
    shown = msgspec.structs.replace(view(milestone, now=now), override=said.override, page=page)
    settled = _settled(shown, last)
    meant = view_.meaning(settled)
    if last is None or last.meaning != meant:  # then it is written as it is now, and the next run begins from there
        settled, meant = shown, view_.meaning(shown)
    since = _since(last, meant)
    if since is not None:
        shown = msgspec.structs.replace(shown, changes=_changes(milestone, since, now), then=_then(last, meant))
    limit = can.body_limit - MARKER_ROOM
    status, since = milestone.health.status, milestone.health.since
    stale = milestone.health.stale_since is not None
    if stale and last is not None and last.status is not None:
        status, since = last.status, last.since or since
    asked = reminder(_wants(milestone, now, nudging), milestone.named.owner, milestone.project.key, nudging)
    labels = {s: label_name(milestone.source.prefix, can.scoped, s) for s in Status}
    return Desired(
        milestone=milestone.uid,
        project=milestone.project.id,
        project_key=milestone.project.key,
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
        issue_title=report.status_issue_title(milestone.milestone),
        issue_body=render(report.status_issue_body(milestone.milestone, milestone.project.key), can.markup, limit),
        issue_labels=milestone.source.labels,
        baseline=milestone.health.baseline,
        probability=settled.health.probability,
        p50=shown.health.dates.p50,
        due=shown.health.due,
        replan=shown.health.replan,
        policy=milestone.source.policy_of(milestone.project.key),
        posted=posted,
        may_create=milestone.milestone.state is State.OPEN and milestone.health.due is not None,
        needs_label=can.labels_are_made,
        any_case=can.labels_any_case,
        lines=lines_for(milestone, _settled(shown, last), instance),
        described=description_of(milestone, described=described),
        health=health_for(milestone, status),
        health_set=health_set,
        board=board_for(milestone),
        told=told_on(milestone, _settled(shown, last), have),
        boards_told=boards_told,
        picture=picture,
        undrawn=undrawn,
        pictured=pictured,
        visibility=milestone.project.visibility,
        stale=stale,
        quiet=quiet,
        muted=said.muted,
        refresh=said.refresh,
        understood=said.understood,
        ignored=said.ignored,
    )


def _since(last: Marker | None, meant: str) -> datetime | None:
    """Since when changes are told: the comment that stands, as long as it means the same, goes on telling its own."""
    if last is None:
        return None
    return last.before if last.meaning == meant else last.changed or last.written


def _then(last: Marker | None, meant: str) -> SummaryForecast | None:
    """What was told before the changes."""
    if last is None:
        return None
    return last.was if last.meaning == meant else last.told


def _settled(shown: view_.View, last: Marker | None) -> view_.View:
    """The view as its meaning sees it: a probability that hardly moved is the one that was told."""
    p = shown.health.probability
    if p is None or last is None or last.probability is None or abs(p - last.probability) >= STEP:
        return shown
    health: Health = msgspec.structs.replace(shown.health, probability=last.probability)
    return msgspec.structs.replace(shown, health=health)
