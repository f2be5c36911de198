"""What an assessment is made from and what it is: the rules, and a milestone with its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from sync.calendar import Calendar
from sync.coordination import Criteria, Finding
from sync.model import (
    DueDate,
    Health,
    Issue,
    JointMilestone,
    Membership,
    Milestone,
    Project,
)
from sync.nudges import Load, Nudging
from sync.rules import Rules
from sync.source import Named, Source
from sync.view import Commitment, Forecast

__all__ = ["Assessed", "Rulebook"]


@dataclass(frozen=True)
class Rulebook:
    """The rules that hold for every source. ``keep_quiet``: no new status is told on days without work.

    ``joints`` and ``dependencies`` (before, after) name milestones as people write them.
    """

    rules: Rules = field(default_factory=Rules)
    calendar: Calendar = field(default_factory=Calendar.plain)
    keep_quiet: bool = False
    joints: tuple[JointMilestone, ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()
    nudging: Nudging = field(default_factory=Nudging)

    def quiet(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether nobody is to be notified of a new status now."""
        return self.keep_quiet and not self.calendar.working(at.astimezone(zone).date())


@dataclass(frozen=True)
class Assessed:
    """One milestone with its health and everything that its comment tells. ``stays`` are its memberships,
    ``running`` says that it had not ended at that time, ``reported`` that it has a status issue,
    ``read_at`` when its project was last read in full, ``forecasts`` what was said in earlier weeks, ``estimated`` when
    items (uids) were last estimated anew, ``calibration`` how such forecasts did. What `sync.together`
    adds: the joint milestones that it is part of, what its definition lacks, its exit criteria, and whether its health
    depends on milestones which its readers may not see.
    """

    source: Source
    project: Project
    milestone: Milestone
    uid: str
    written: str
    stream: str
    health: Health
    stays: Sequence[Membership]
    issues: Mapping[str, Issue]
    due_dates: tuple[DueDate, ...]
    named: Named
    project_keys: Mapping[str, str]
    running: bool
    reported: bool
    read_at: datetime | None = None
    forecasts: tuple[Forecast, ...] = ()
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
