"""The facts that every surface shows of a milestone or joint milestone, for one audience at one time.

Comments, digests, pages, timeline and terminal read days, numbers and their comparisons here, and compute none of
their own. Days are the tracker's own days, in the zone of the connection.
"""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct

from sync.assess.milestone import AssessedMilestone
from sync.assess.portfolio import AnyMilestone, AssessedJointMilestone
from sync.health.closing import last_closing
from sync.model.dates import day_of
from sync.model.health import WORST_FIRST, Health, Status, UnknownCause
from sync.model.team_words import (
    NO_WORDS,
    Decision,
    OwnerOrigin,
    TeamWords,
    due_decisions,
    find_owners,
    overdue_decisions,
)
from sync.model.tracker_data import Milestone, MilestoneKind, State

__all__ = [
    "SHAPES",
    "VerdictFacts",
    "facts_of",
    "finished_on",
    "is_worse",
    "joint_verdict_facts",
    "verdict_facts",
]

SHAPES = {
    Status.ON_TRACK: "●",
    Status.AT_RISK: "▲",
    Status.OFF_TRACK: "■",
    Status.OVERDUE: "◆",
    Status.DONE: "✔",
    Status.ENDED: "□",
    Status.NO_DUE_DATE: "○",
    Status.UNKNOWN: "?",
}
"""The shape of each status: no two statuses differ in colour alone."""

_UTC = ZoneInfo("UTC")

_GETTING_WORSE = (Status.DONE, Status.ON_TRACK, Status.AT_RISK, Status.OFF_TRACK, Status.OVERDUE)


def is_worse(before: Status, now: Status) -> bool | None:
    """Return whether a new status is worse; None if one of them says neither, as without data or a due date."""
    if now is Status.ENDED:
        return True if before in (Status.ON_TRACK, Status.DONE) else None
    if before is now or before not in _GETTING_WORSE or now not in _GETTING_WORSE:
        return None
    return _GETTING_WORSE.index(now) > _GETTING_WORSE.index(before)


class VerdictFacts(Struct, frozen=True, kw_only=True):
    """The health of a milestone with its identity and days.

    ``written`` is its id as people write it, ``project`` the key of its project (empty for a joint milestone).
    ``owners`` are responsible for it, ``owner_origin`` is the source of their names. ``words`` are the team's in its
    description, none once it is over. ``tolerance`` is set there and in force (None: another is). ``now``: the time of
    the run (UTC); None: that of the assessment, which is earlier while a verdict is kept. ``zone`` is that of the
    connection, in which days begin and end.
    ``finished_on``: day on which the last item of a done milestone was closed; people often close the milestone itself
    later. ``known_from``: no history of its members exists before this day, on which milesync first saw it.
    """

    health: Health
    milestone: Milestone
    project: str = ""
    written: str = ""
    owners: tuple[str, ...] = ()
    owner_origin: OwnerOrigin | None = None
    words: TeamWords = NO_WORDS
    tolerance: float | None = None
    now: datetime | None = None
    zone: ZoneInfo = _UTC
    finished_on: date | None = None
    known_from: date | None = None

    def day_of(self, moment: datetime) -> date:
        """Return the day of a moment in the zone."""
        return day_of(moment, self.zone)

    @property
    def today(self) -> date:
        """The day of the run."""
        return self.day_of(self.now or self.health.at)

    @property
    def days_left(self) -> int | None:
        """Number of days from today to the due date, negative after it; None without a due date."""
        return None if self.health.due is None else (self.health.due - self.today).days

    @property
    def ended_on(self) -> date | None:
        """The day on which the milestone was finished, or ended with open work; None if it runs or is not known."""
        return self.finished_on or self.milestone.closed_on(self.zone)

    @property
    def overdue_decisions(self) -> tuple[Decision, ...]:
        """The decisions whose day has passed, oldest first."""
        return overdue_decisions(self.words.decisions, self.today)

    @property
    def due_decisions(self) -> tuple[Decision, ...]:
        """The decisions that are overdue or due soon, by their days."""
        return due_decisions(self.words.decisions, self.today)

    @property
    def slip(self) -> int | None:
        """Number of days from the first due date to the present one; None without both."""
        due, first = self.health.due, self.health.baseline
        return None if due is None or first is None else (due - first).days

    @property
    def is_kept(self) -> bool:
        """True while data is missing and the verdict is the last one from before."""
        return self.health.stale_since is not None and self.health.unknown is not UnknownCause.STALE

    @property
    def as_of(self) -> datetime | None:
        """The time (UTC) of a verdict that is kept while data is missing; None for a present one."""
        return self.health.at if self.is_kept else None

    @property
    def has_no_data(self) -> bool:
        """True if missing data leaves no verdict."""
        return self.health.unknown is UnknownCause.STALE

    @property
    def rank(self) -> int:
        """Position of the status in `WORST_FIRST`: 0 is the worst."""
        return WORST_FIRST.index(self.health.status)

    @property
    def severity(self) -> tuple[int, float, int, date, str]:
        """Sort key of lists that show the worst first: status, probability, due date and id.

        Milestones that are over are sorted by due date, the latest first.
        """
        health = self.health
        likely = 1.0 if health.probability is None else health.probability
        newest = -health.due.toordinal() if health.status.is_over and health.due else 0
        return self.rank, likely, newest, health.due or date.max, self.written


def facts_of(milestone: AnyMilestone, *, now: datetime | None = None) -> VerdictFacts:
    """Return the verdict of a milestone or joint milestone at ``now`` (UTC)."""
    if isinstance(milestone, AssessedJointMilestone):
        return joint_verdict_facts(milestone, now=now)
    return verdict_facts(milestone, now=now)


def verdict_facts(milestone: AssessedMilestone, *, now: datetime | None = None) -> VerdictFacts:
    """Return the verdict of a milestone at ``now`` (UTC)."""
    return VerdictFacts(
        health=milestone.health,
        milestone=milestone.milestone,
        project=milestone.project.key,
        written=milestone.written,
        owners=milestone.owners.names,
        owner_origin=milestone.owners.origin,
        words=NO_WORDS if milestone.health.status.is_over else milestone.words,
        tolerance=None if milestone.overrides.tolerance is not None else milestone.words.tolerance,
        now=now,
        zone=milestone.connection.zone,
        finished_on=finished_on(milestone),
        known_from=None if milestone.known_from is None else day_of(milestone.known_from, milestone.connection.zone),
    )


def finished_on(milestone: AssessedMilestone) -> date | None:
    """Return the day on which the last item of a done milestone was closed, as in its closing record."""
    if milestone.health.status is not Status.DONE:
        return None
    closed = last_closing(milestone.memberships, milestone.health.at)
    return None if closed is None else day_of(closed, milestone.connection.zone)


def joint_verdict_facts(joint: AssessedJointMilestone, *, now: datetime | None = None) -> VerdictFacts:
    """Return the verdict of a joint milestone at ``now`` (UTC); its days are those of the member due last."""
    owners = find_owners(joint.joint.owner, NO_WORDS, ())
    return VerdictFacts(
        health=joint.health,
        milestone=Milestone(
            id=joint.written,
            project="",
            kind=MilestoneKind.JOINT,
            key=joint.joint.name,
            written=joint.written,
            title=joint.joint.name,
            url="",
            state=State.CLOSED if joint.health.status.is_over else State.OPEN,
            due=joint.health.due,
        ),
        written=joint.written,
        owners=owners.names,
        owner_origin=owners.origin,
        now=now,
        zone=joint.zone,
    )
