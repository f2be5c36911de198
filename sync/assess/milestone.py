"""Rules of an assessment, and its result: a milestone with its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sync.forecast.parameters import Rules
from sync.health.reminders import Load
from sync.history.calendar import Calendar
from sync.model.definition import Criteria, Finding
from sync.model.health import Health
from sync.model.joint import Commitment, JointMilestone
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.settings import ReminderRules
from sync.model.tracker_data import DueDate, Issue, Milestone, Project
from sync.tracker.connection import Connection, MilestoneOverrides

__all__ = ["AssessedMilestone", "AssessmentRules"]


@dataclass(frozen=True)
class AssessmentRules:
    """Rules for every connection. ``keep_quiet``: publish no transition comment on days without work.

    ``joints`` and ``dependencies`` (before, after) name milestones as people write them.
    """

    parameters: Rules = field(default_factory=Rules)
    calendar: Calendar = field(default_factory=Calendar.plain)
    keep_quiet: bool = False
    joints: tuple[JointMilestone, ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()
    reminder_rules: ReminderRules = field(default_factory=lambda: ReminderRules(review=()))

    def quiet(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether nobody is to be notified of a new status now."""
        return self.keep_quiet and not self.calendar.is_working_day(at.astimezone(zone).date())


@dataclass(frozen=True)
class AssessedMilestone:
    """One milestone with its health and everything that its comment tells. ``memberships`` are its items',
    ``running`` says that it had not ended at that time, ``reported`` that it has a status issue,
    ``read_at`` when its project was last read in full, ``forecasts`` what was said in earlier weeks, ``estimated`` when
    items (uids) were last estimated anew, ``calibration`` how such forecasts did. What `sync.assess.relations`
    adds: the joint milestones that it is part of, what its definition lacks, its exit criteria, and whether its health
    depends on milestones which its readers may not see.
    """

    source: Connection
    project: Project
    milestone: Milestone
    uid: str
    written: str
    stream: str
    health: Health
    memberships: Sequence[Membership]
    issues: Mapping[str, Issue]
    due_dates: tuple[DueDate, ...]
    named: MilestoneOverrides
    project_keys: Mapping[str, str]
    running: bool
    reported: bool
    read_at: datetime | None = None
    forecasts: tuple[PublishedForecast, ...] = ()
    estimated: Mapping[str, datetime] = field(default_factory=dict)
    calibration: str = ""
    commitments: tuple[Commitment, ...] = ()
    findings: tuple[Finding, ...] = ()
    criteria: Criteria = field(default_factory=Criteria)
    aggregate: bool = False
    loads: tuple[Load, ...] = ()
    unreviewed: tuple[str, ...] = ()

    @property
    def report_on(self) -> str:
        """The issue that a person chose to carry label and comments; empty when none was."""
        return self.named.report_on

    @property
    def current(self) -> bool:
        """Whether it runs at the time of the assessment, or something is still written for it.

        A milestone that was over before we came is history only.
        """
        return self.running or self.reported
