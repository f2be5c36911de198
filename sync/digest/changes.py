"""Compare milestones with the last message to an audience: what changed, and what needs a decision.

Without a change and without a decision there is no message. Only what a message contains is recorded as sent, so small
moves of a forecast add up until they exceed the threshold. Missing data is no change: a milestone whose source could
not be read keeps its last sent state, and the missing data is mentioned once, after a day.

Figures of two methods of the forecast are not compared: a status that only the method changed is no change, and a
decision that only the method made necessary is asked for a week later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from sync.model.digest import LastSent
from sync.model.health import Health, Status
from sync.report.verdict_facts import VerdictFacts

__all__ = [
    "ODDS",
    "REMIND",
    "SHIFT",
    "SILENT",
    "ChangeEntry",
    "ChangeKind",
    "DigestChanges",
    "MilestoneState",
    "changes_since",
    "needs_decision",
]

REMIND = timedelta(days=7)
"""Time after which a message asks again for a decision that is still needed."""

SHIFT = timedelta(days=7)
"""Minimum move of the date that is 85% certain for a message to mention it."""

ODDS = 0.2
"""Minimum move of the probability for a message to mention it."""

SILENT = timedelta(days=1)
"""Time after which a message mentions missing data."""


class MilestoneState(VerdictFacts, frozen=True, kw_only=True):
    """A milestone as an audience may read it.

    ``ended`` is the time (UTC) of its closing or release; None while it runs.
    """

    uid: str
    ended: datetime | None = None

    @property
    def title(self) -> str:
        """The title: foreign text."""
        return self.milestone.title

    @property
    def url(self) -> str:
        """The address of its page in its tracker; empty for a joint milestone."""
        return self.milestone.url

    @property
    def is_stale(self) -> bool:
        """True when the source of the milestone could not be read in full."""
        return self.has_no_data


class ChangeKind(StrEnum):
    """A difference between a milestone and its state in the last message."""

    NEW = "new"
    STATUS = "status"
    DONE = "done"
    CLOSED = "closed"
    DUE = "due"
    DATE = "date"
    ODDS = "odds"
    SILENT = "silent"
    DECISION = "decision"


class ChangeEntry(Struct, frozen=True, kw_only=True):
    """A milestone in a message. ``before`` is its last sent state; None when no message contained it."""

    state: MilestoneState
    before: LastSent | None
    changes: tuple[ChangeKind, ...]
    needs_decision: bool


class DigestChanges(Struct, frozen=True, kw_only=True):
    """The contents of a message to one audience at a time. ``since`` is the time of the last message; None: the first.

    ``entries`` are worst first. ``steady`` counts by status the running milestones without a change, ``silent`` the
    milestones with missing data. ``sent`` is the state to record after sending, by uid.
    """

    at: datetime
    since: datetime | None
    entries: tuple[ChangeEntry, ...]
    steady: Mapping[Status, int]
    silent: int
    sent: Mapping[str, LastSent]


def changes_since(
    milestones: Iterable[MilestoneState], last_sent: Mapping[str, LastSent], since: datetime | None, at: datetime
) -> DigestChanges | None:
    """Return the contents of the message ``at`` a time; None when there is nothing to say.

    ``last_sent`` holds the last sent states by uid, ``since`` the time of the last message (None: the first). Days are
    those of the time zone of ``at`` and ``since``.
    """
    entries: list[ChangeEntry] = []
    steady: dict[Status, int] = {}
    after: dict[str, LastSent] = {}
    silent, is_needed = 0, False
    for milestone in milestones:
        before = last_sent.get(milestone.uid)
        entry = ChangeEntry(
            state=milestone,
            before=before,
            changes=_changes(milestone, before, since, at),
            needs_decision=needs_decision(milestone),
        )
        is_needed |= bool(entry.changes) or (entry.needs_decision and _is_reminder_due(milestone, before, at))
        silent += milestone.is_stale
        if entry.changes or entry.needs_decision:
            entries.append(entry)
            after[milestone.uid] = _sent_state(entry, at)
        elif before is not None:
            is_new_method = milestone.health.method != before.method and not milestone.is_stale
            after[milestone.uid] = _sent_state(entry, at) if is_new_method else before
        if not (
            entry.changes
            or entry.needs_decision
            or milestone.is_stale
            or milestone.ended
            or milestone.health.status.is_over
        ):
            steady[milestone.health.status] = steady.get(milestone.health.status, 0) + 1
    if not is_needed:
        return None
    entries.sort(key=lambda entry: (not entry.state.overdue_decisions, entry.state.rank, entry.state.title))
    return DigestChanges(at=at, since=since, entries=tuple(entries), steady=steady, silent=silent, sent=after)


def needs_decision(milestone: MilestoneState) -> bool:
    """Return whether a decision is needed: one is overdue, the date will hardly be kept, or levers can still help."""
    health = milestone.health
    if milestone.ended is not None:
        return False
    return (
        bool(milestone.overdue_decisions)
        or health.status in (Status.OFF_TRACK, Status.OVERDUE)
        or (health.status is Status.AT_RISK and bool(health.levers))
    )


def _is_reminder_due(milestone: MilestoneState, before: LastSent | None, at: datetime) -> bool:
    if before is None:
        return True
    if before.asked is None:
        return not _is_recomputed(milestone.health, before) or at - milestone.health.since >= REMIND
    return at.date() - before.asked >= REMIND


def _is_recomputed(health: Health, before: LastSent) -> bool:
    """Return whether another method, and no transition since, gave the status."""
    return health.method != before.method and health.previous_status is None


def _changes(
    milestone: MilestoneState, before: LastSent | None, since: datetime | None, at: datetime
) -> tuple[ChangeKind, ...]:
    health = milestone.health
    if milestone.is_stale:
        missing = at - (health.stale_since or at)
        return (ChangeKind.SILENT,) if before and not before.silent and not before.ended and missing >= SILENT else ()
    if before is None:
        if milestone.ended is None:
            return (ChangeKind.NEW,) if not health.status.is_over else ()
        return (_end(health),) if since is not None and milestone.ended > since else ()
    if milestone.ended is not None or health.status.is_over:
        was_ended = before.ended or before.status.is_over
        is_news = milestone.ended is not None or not _is_recomputed(health, before)
        return (_end(health),) if is_news and not was_ended else ()
    changes = []
    if health.status is not before.status and not _is_recomputed(health, before):
        changes.append(ChangeKind.STATUS)
    if health.due != before.due:
        changes.append(ChangeKind.DUE)
    if not set(_decisions(milestone)) <= {(day, is_overdue) for day, is_overdue in before.decisions}:
        changes.append(ChangeKind.DECISION)
    if health.method != before.method:
        return tuple(changes)
    if before.p85 and health.dates.p85 and abs(health.dates.p85 - before.p85) >= SHIFT:
        changes.append(ChangeKind.DATE)
    elif _odds_moved(health.probability, before.probability):
        changes.append(ChangeKind.ODDS)
    return tuple(changes)


def _decisions(milestone: MilestoneState) -> tuple[tuple[date, bool], ...]:
    """Return the days of the decisions that are overdue or due soon, and whether each has passed."""
    days = {decision.by: decision.is_overdue(milestone.today) for decision in milestone.due_decisions if decision.by}
    return tuple(days.items())


def _end(health: Health) -> ChangeKind:
    return ChangeKind.DONE if health.status is Status.DONE else ChangeKind.CLOSED


def _odds_moved(now: float | None, before: float | None) -> bool:
    return now is not None and before is not None and abs(now - before) >= ODDS


def _sent_state(entry: ChangeEntry, at: datetime) -> LastSent:
    milestone, health = entry.state, entry.state.health
    if milestone.is_stale and entry.before is not None:
        before = entry.before
        return replace(before, ended=False, silent=True)
    return LastSent(
        status=health.status,
        due=health.due,
        probability=health.probability,
        p85=health.dates.p85,
        ended=milestone.ended is not None,
        asked=at.date() if entry.needs_decision else None,
        method=health.method,
        decisions=_decisions(milestone),
    )
