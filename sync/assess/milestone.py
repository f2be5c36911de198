"""Rules of an assessment, and its result: a milestone with its health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from sync.assess.history_size import HistorySize
from sync.forecast.parameters import Rules
from sync.forecast.track_record import StreamScore
from sync.health.reminders import Load
from sync.history.calendar import Calendar
from sync.model.dates import day_of
from sync.model.definition import Criteria, Finding
from sync.model.health import Health
from sync.model.inputs import Input
from sync.model.joint import Commitment, FellowWords, JointMilestone
from sync.model.membership import Membership
from sync.model.published import PublishedForecast
from sync.model.settings import ReminderRules
from sync.model.team_words import NO_WORDS, Owners, TeamWords, find_owners
from sync.model.tracker_data import DueDate, Issue, Milestone, Project
from sync.model.work_time import WorkTime
from sync.tracker.connection import Connection, MilestoneOverrides

__all__ = ["AssessedMilestone", "AssessmentRules"]


class AssessmentRules(Struct, frozen=True):
    """Rules for every connection. ``keep_quiet``: publish no transition comment on days without work.

    ``joints`` and ``dependencies`` (before, after) name milestones as people write them.
    """

    parameters: Rules = field(default_factory=Rules)
    calendar: Calendar = field(default_factory=Calendar.plain)
    keep_quiet: bool = False
    joints: tuple[JointMilestone, ...] = ()
    dependencies: tuple[tuple[str, str], ...] = ()
    reminder_rules: ReminderRules = field(default_factory=lambda: ReminderRules(review=()))

    def calendar_of(self, connection: Connection) -> Calendar:
        """Return the calendar in the time zone of a connection, in which its days begin and end."""
        return self.calendar.in_zone(connection.zone)

    def work_time(self, tracker: WorkTime | None) -> WorkTime:
        """Return the working time: the configured one, else that of the tracker, else the usual one."""
        rules, known = self.reminder_rules, tracker or WorkTime()
        return WorkTime(
            hours_a_day=known.hours_a_day if rules.hours_a_day is None else rules.hours_a_day,
            days_a_week=known.days_a_week if rules.days_a_week is None else rules.days_a_week,
        )

    def is_quiet(self, at: datetime, zone: ZoneInfo) -> bool:
        """Return whether no new status is published at ``at`` (UTC): a day without work in ``zone``."""
        return self.keep_quiet and not self.calendar.is_working_day(day_of(at, zone))


class AssessedMilestone(Struct, frozen=True):
    """One milestone with its health and everything that its comment shows.

    ``other_ids`` are further texts that may mean it (`sync.model.milestone_ids`). ``known_from``: no history of its
    members exists before this time (UTC), see `sync.model.membership.Container`.
    ``memberships`` are those of its items, ``issues`` by uid. ``is_running``: not ended at that time. ``read_at``: last
    complete pull of its project (UTC). ``missing_since``: its own data is missing since then (UTC). ``forecasts``:
    those of the last weeks; ``last_week``: those of about a week ago. ``estimated_at``: item uid -> time of its last
    new estimate. ``score``: that of the stream's published forecasts. ``history``: what its forecast may
    learn from. ``work_time``: that of its tracker. ``contradicting``: its items (uids) whose state contradicts
    their other names. ``inputs``: the projects whose data its health is made from, its own
    first. ``words``: the team's words in its description. ``tolerance``: the share of its items that may be open when
    it counts as done.
    ``page_memberships``: the memberships of the work on the tracker's own page; None: the same as ``memberships``.
    ``open_changes``: the uids of all open changes in it, counted or not.

    `sync.assess.relations` adds ``commitments`` and ``fellow_words`` (joint milestones), ``findings`` (definition),
    ``loads``, ``unreviewed`` and ``waiting_changes`` (people and uids), and ``is_aggregate``: its health depends on
    milestones that its readers may not read.
    """

    connection: Connection
    project: Project
    milestone: Milestone
    uid: str
    written: str
    stream: str
    health: Health
    memberships: Sequence[Membership]
    issues: Mapping[str, Issue]
    due_dates: tuple[DueDate, ...]
    overrides: MilestoneOverrides
    project_keys: Mapping[str, str]
    is_running: bool
    has_status_issue: bool
    other_ids: tuple[str, ...] = ()
    known_from: datetime | None = None
    read_at: datetime | None = None
    missing_since: datetime | None = None
    forecasts: tuple[PublishedForecast, ...] = ()
    last_week: tuple[PublishedForecast, ...] = ()
    estimated_at: Mapping[str, datetime] = field(default_factory=dict)
    score: StreamScore | None = None
    history: HistorySize = field(default_factory=HistorySize)
    work_time: WorkTime | None = None
    contradicting: tuple[str, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    fellow_words: tuple[FellowWords, ...] = ()
    findings: tuple[Finding, ...] = ()
    is_aggregate: bool = False
    loads: tuple[Load, ...] = ()
    unreviewed: tuple[str, ...] = ()
    waiting_changes: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    words: TeamWords = NO_WORDS
    tolerance: float = 0.0
    page_memberships: Sequence[Membership] | None = None
    open_changes: tuple[str, ...] = ()

    @property
    def owners(self) -> Owners:
        """The people who are responsible for it: see `sync.model.team_words.find_owners`."""
        return find_owners(self.overrides.owner, self.words, self.milestone.owners)

    @property
    def criteria(self) -> Criteria:
        """The exit criteria in its description."""
        return self.words.criteria

    @property
    def charted_from(self) -> date | None:
        """The first day of its burn-up: its start, or the day since which its members are known; None: not started."""
        start = self.health.start
        if start is None or self.known_from is None:
            return start
        return max(start, day_of(self.known_from, self.connection.zone))

    @property
    def chart_memberships(self) -> Sequence[Membership]:
        """The memberships that a burn-up draws: those of the tracker's own page."""
        return self.memberships if self.page_memberships is None else self.page_memberships

    @property
    def report_on(self) -> str:
        """The status issue that the configuration names; empty without one."""
        return self.overrides.report_on

    @property
    def is_current(self) -> bool:
        """True if it runs, or still has a status issue. Other milestones ended before milesync observed them."""
        return self.is_running or self.has_status_issue
