"""A served tracker in which no work is done, and an engine that runs over it every hour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Issue, Milestone
from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.history.calendar import Calendar
from sync.model.joint import JointMilestone
from sync.model.policy import Limits, OptionalOutputs, Policy
from sync.model.settings import ReminderRules
from sync.store.store import Store
from sync.tracker.actions import Action
from sync.tracker.connection import Connection
from sync.tracker.marker import Marker
from tests.contract.team_rounds import INSTANCE, KEYS, MONDAY, Clock, Team

ZONE = ZoneInfo("America/Los_Angeles")
PAST = 4
OUTPUTS = OptionalOutputs(item_labels=True, description=True, health_status=True)

Edits = Counter[tuple[str, str, date]]
"""Number of writes by milestone as people write it, kind of write and day of the connection."""


@dataclass
class StillTeam(Team):
    """One project with a past and three running milestones: one due in two days, one in 40 days, one without a date.

    The second one waits for the first, and both are in a joint milestone.
    """

    soon: Milestone = field(init=False)
    later: Milestone = field(init=False)
    undated: Milestone = field(init=False)
    written: dict[str, str] = field(default_factory=dict)
    """Ids as people write them, by title."""

    def engine(self, **more: Any) -> Engine:
        """One run's engine, with every optional output and reminders."""
        self.rounds += 1
        connection = Connection(
            name="x",
            connector=self.open[0] if self.open else self.connector(),
            projects=(self.project.key,),
            policy_of=lambda project: Policy.CREATE,
            zone=ZONE,
            optional_outputs_of=lambda project: OUTPUTS,
        )
        return Engine(
            connections=[connection],
            store=self.store,
            instance=INSTANCE,
            clock=self.clock,
            rules=self.rules(),
            limits=Limits(),
            run_id=f"run{self.rounds}",
            holder="test",
            **more,
        )

    def rules(self) -> AssessmentRules:
        if not self.written:
            return AssessmentRules(calendar=Calendar(quiet_weeks=()))
        members = (self.written[self.soon.title], self.written[self.later.title])
        joint = JointMilestone(name="Both", due=self.later.due, members=members)
        return AssessmentRules(
            calendar=Calendar(quiet_weeks=()),
            joints=(joint,),
            dependencies=(members,),
            reminder_rules=ReminderRules(reminders=True, review=()),
        )

    def begin(self) -> Result:
        """Write everything once, then take the date away from the undated milestone."""
        first = self.run()
        self.written = {milestone.milestone.title: milestone.written for milestone in first.assessed}
        self.undated.due, self.undated.updated = None, self.clock.on(minutes=1)
        self.project.updated = self.clock.now
        self.clock.on(minutes=1)
        return self.run()

    def runs(self, count: int, *, every: timedelta, noise: bool = False) -> Edits:
        """Run again and again; ``noise``: a person comments, labels or edits a text a minute before each run."""
        edits: Edits = Counter()
        for n in range(count):
            self.clock.now += every - timedelta(minutes=1)
            if noise:
                self._make_noise(n)
            self.clock.on(minutes=1)
            edits += edits_of(self.run(), self.clock.now, ZONE)
        return edits

    def _make_noise(self, n: int) -> None:
        issues = list(self.project.issues.values())
        issue, ada, now = issues[n % len(issues)], self.tracker.user("ada"), self.clock.now
        if n % 3 == 0:
            self.tracker.comment(issue, ada, f"Thought {n}", now)
        elif n % 3 == 1:
            self.make_labels("talk")
            add, remove = ([], ["talk"]) if "talk" in issue.labels else (["talk"], [])
            self.tracker.label(issue, add, remove, ada, now)
        elif not self.is_ours(issue):
            issue.body, issue.updated = f"Other words {n}", now

    def is_ours(self, issue: Issue) -> bool:
        """Return whether it is a status issue."""
        return issue.author is self.tracker.bot


def edits_of(result: Result, now: datetime, zone: ZoneInfo) -> Edits:
    """Count the writes of a run at ``now`` (UTC)."""
    titles = {milestone.uid: milestone.written for milestone in result.assessed}
    today = now.astimezone(zone).date()
    return Counter((titles[write.action.milestone], _kind(write.action), today) for write in result.written)


def most_in_a_day(edits: Edits) -> Counter[str]:
    """Return the largest number of writes of each kind for one milestone on one day."""
    found: Counter[str] = Counter()
    for (_, kind, _), count in edits.items():
        found[kind] = max(found[kind], count)
    return found


def _kind(action: Action) -> str:
    """Return the name of the write, for a comment with the kind of the comment."""
    marker = Marker.decode(getattr(action, "marker", ""))
    return type(action).__name__ + (f" {marker.kind.value}" if marker else "")


@contextmanager
def still_team(kind: str) -> Iterator[StillTeam]:
    """Serve the tracker in one dialect; it is Monday, 2 March 2026, 09:00 UTC."""
    clock = Clock()
    world = World(clock)
    with Sandbox(world, only=(kind,)):
        tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
        team = StillTeam(tracker, clock, Store.memory(clock))
        _fill(team, kind)
        try:
            yield team
        finally:
            for connector in team.open:
                connector.close()
            team.store.close()


def _fill(team: StillTeam, kind: str) -> None:
    tracker, begun = team.tracker, MONDAY - timedelta(days=28 * (PAST + 1))
    ada = tracker.user("ada", "Ada Fox")
    project = tracker.project(KEYS[kind], "App", created=begun)
    project.members |= {"ada": "write"}
    project.admin = True
    for n in range(PAST):
        start = begun + timedelta(days=28 * n)
        milestone = tracker.milestone(
            project, f"Release {n + 1}", at=start, due=(start + timedelta(days=25)).date(), start=start.date()
        )
        late = 6 if n % 2 else 0
        for k in range(8):
            issue = tracker.issue(project, f"Task {n}.{k}", ada, at=start)
            tracker.move(project, issue, [milestone.id], ada, start)
            tracker.close(issue, ada, start + timedelta(days=3 * k + late), resolution="completed")
        tracker.close_milestone(project, milestone, start + timedelta(days=27))
    start = begun + timedelta(days=28 * PAST)
    dues = (MONDAY + timedelta(days=2), MONDAY + timedelta(days=40), MONDAY + timedelta(days=30))
    running = []
    for n, due in enumerate(dues):
        milestone = tracker.milestone(project, f"Release {PAST + 1 + n}", at=start, due=due.date(), start=start.date())
        running.append(milestone)
        for k in range(9):
            issue = tracker.issue(project, f"Work {n}.{k}", ada, at=start, assignees=[ada] if k % 3 else [])
            tracker.move(project, issue, [milestone.id], ada, start)
            if k < 5 - n:
                tracker.close(issue, ada, start + timedelta(days=4 * k + 1), resolution="completed")
    team.soon, team.later, team.undated = running
