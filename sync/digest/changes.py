"""What is news to those who were last told: how milestones stand now against how they were said to stand.

Nothing changed and nothing to decide is no news. What is not told is not noted as told either, so that small moves of a
forecast add up until they are worth a word. Missing data is no change: a milestone whose source could not be read keeps
what was last told of it, and that it is silent is told once, after a day.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from sync.model.digest import LastSent
from sync.model.health import Health, Status, UnknownWhy

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
    "decisive",
]

REMIND = timedelta(days=7)
"""After how long a decision that nobody took is asked for again."""

SHIFT = timedelta(days=7)
"""By how much the date that is 85 % certain must have moved to be worth telling."""

ODDS = 0.2
"""By how much the probability must have moved to be worth telling."""

SILENT = timedelta(days=1)
"""After how long missing data is worth telling."""

_WORST_FIRST = (
    Status.OVERDUE,
    Status.OFF_TRACK,
    Status.AT_RISK,
    Status.UNKNOWN,
    Status.NO_DUE_DATE,
    Status.ON_TRACK,
    Status.DONE,
)


class MilestoneState(Struct, frozen=True, kw_only=True):
    """A milestone as an audience may read it. ``title``, ``project`` and ``url`` are foreign; a joint milestone has no
    project. ``ended`` is when it was closed or released (UTC), None while it runs.
    """

    uid: str
    title: str
    health: Health
    project: str = ""
    url: str = ""
    ended: datetime | None = None

    @property
    def stale(self) -> bool:
        """Whether its source could not be read in full."""
        return self.health.unknown is UnknownWhy.STALE


class ChangeKind(StrEnum):
    """In what a milestone differs from what was told."""

    NEW = "new"
    STATUS = "status"
    DONE = "done"
    CLOSED = "closed"
    DUE = "due"
    DATE = "date"
    ODDS = "odds"
    SILENT = "silent"


class ChangeEntry(Struct, frozen=True, kw_only=True):
    """One milestone in a message, with what was told before; ``decide`` says that it needs a decision."""

    standing: MilestoneState
    before: LastSent | None
    turns: tuple[ChangeKind, ...]
    decide: bool


class DigestChanges(Struct, frozen=True, kw_only=True):
    """A message to one audience. ``since`` is when it was last told anything, None: never.

    ``entries`` are worst first; ``steady`` counts by status the running milestones that stand as they were told,
    ``silent`` those whose data is missing. ``told`` is what the audience will have been told, by uid.
    """

    at: datetime
    since: datetime | None
    entries: tuple[ChangeEntry, ...]
    steady: Mapping[Status, int]
    silent: int
    told: Mapping[str, LastSent]


def changes_since(
    standings: Iterable[MilestoneState], told: Mapping[str, LastSent], since: datetime | None, at: datetime
) -> DigestChanges | None:
    """The message at a time for those who were last told ``told`` (by uid) at ``since``; None: nothing to say.

    Its days are those of the time zone of ``at`` and ``since``.
    """
    entries: list[ChangeEntry] = []
    steady: dict[Status, int] = {}
    after: dict[str, LastSent] = {}
    silent, worth = 0, False
    for milestone in standings:
        before = told.get(milestone.uid)
        entry = ChangeEntry(
            standing=milestone, before=before, turns=_turns(milestone, before, since, at), decide=decisive(milestone)
        )
        worth |= bool(entry.turns) or (entry.decide and _to_be_asked(before, at))
        silent += milestone.stale
        if entry.turns or entry.decide:
            entries.append(entry)
            after[milestone.uid] = _now_told(entry, at)
        elif before is not None:
            after[milestone.uid] = before
        if not (
            entry.turns or entry.decide or milestone.stale or milestone.ended or milestone.health.status is Status.DONE
        ):
            steady[milestone.health.status] = steady.get(milestone.health.status, 0) + 1
    if not worth:
        return None
    entries.sort(key=lambda entry: (_WORST_FIRST.index(entry.standing.health.status), entry.standing.title))
    return DigestChanges(at=at, since=since, entries=tuple(entries), steady=steady, silent=silent, told=after)


def decisive(milestone: MilestoneState) -> bool:
    """Whether somebody has to decide something: it will hardly be kept, or it is at risk and there are ways out."""
    health = milestone.health
    if milestone.ended is not None:
        return False
    return health.status in (Status.OFF_TRACK, Status.OVERDUE) or (
        health.status is Status.AT_RISK and bool(health.levers)
    )


def _to_be_asked(before: LastSent | None, at: datetime) -> bool:
    return before is None or before.asked is None or at.date() - before.asked >= REMIND


def _turns(
    milestone: MilestoneState, before: LastSent | None, since: datetime | None, at: datetime
) -> tuple[ChangeKind, ...]:
    health = milestone.health
    if milestone.stale:
        missing = at - (health.stale_since or at)
        return (ChangeKind.SILENT,) if before and not before.silent and not before.ended and missing >= SILENT else ()
    if before is None:
        if milestone.ended is None:
            return (ChangeKind.NEW,) if health.status is not Status.DONE else ()
        return (_end(health),) if since is not None and milestone.ended > since else ()
    if milestone.ended is not None or health.status is Status.DONE:
        over = before.ended or before.status is Status.DONE
        return () if over else (_end(health),)
    turns = []
    if health.status is not before.status:
        turns.append(ChangeKind.STATUS)
    if health.due != before.due:
        turns.append(ChangeKind.DUE)
    if before.p85 and health.dates.p85 and abs(health.dates.p85 - before.p85) >= SHIFT:
        turns.append(ChangeKind.DATE)
    elif _odds_moved(health.probability, before.probability):
        turns.append(ChangeKind.ODDS)
    return tuple(turns)


def _end(health: Health) -> ChangeKind:
    return ChangeKind.DONE if health.status is Status.DONE else ChangeKind.CLOSED


def _odds_moved(now: float | None, before: float | None) -> bool:
    return now is not None and before is not None and abs(now - before) >= ODDS


def _now_told(entry: ChangeEntry, at: datetime) -> LastSent:
    milestone, health = entry.standing, entry.standing.health
    if milestone.stale and entry.before is not None:
        before = entry.before
        return LastSent(status=before.status, due=before.due, probability=before.probability, p85=before.p85,
                    asked=before.asked, silent=True)  # fmt: skip
    return LastSent(
        status=health.status,
        due=health.due,
        probability=health.probability,
        p85=health.dates.p85,
        ended=milestone.ended is not None,
        asked=at.date() if entry.decide else None,
    )
