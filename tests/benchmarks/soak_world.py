"""A fleet of projects that works every day, in three trackers of the sandbox: the world of the soak.

Teams have finished milestones, one that runs and one to come. On each working hour some issues are closed, opened,
edited and discussed; a milestone whose due day is over is closed, the rest of its work moves into the next one, and a
new one is planned. All choices come from a seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Milestone, Project, User

__all__ = ["START", "Fleet"]

START = datetime.fromisoformat("2026-03-02T06:00:00+00:00")
"""A Monday."""
_LENGTH = timedelta(days=14)
_PAST, _SIZE = 5, 40
_WORDS = ("rework", "show", "test", "document", "validate", "retry", "import", "export", "session", "invoice")


@dataclass
class _Team:
    tracker: Tracker
    project: Project
    people: list[User]
    milestones: list[Milestone]
    """Those that are open, the earliest first."""
    count: int
    """How many milestones there were."""


class Fleet:
    """So many projects, a third in each tracker. ``now`` is the time in the trackers."""

    def __init__(self, projects: int) -> None:
        self.now = START
        self.world = World(clock=lambda: self.now)
        self.rng = Random(7)
        trackers = (self.world.github, self.world.gitlab, self.world.jira)
        for tracker in trackers:
            tracker.limit = 10**9
        self.teams = [self._team(trackers[n % len(trackers)], n) for n in range(projects)]

    def _team(self, tracker: Tracker, n: int) -> _Team:
        key = f"P{n}" if tracker is self.world.jira else f"acme/p{n}"
        project = tracker.project(key, created=START - (_PAST + 2) * _LENGTH)
        team = _Team(tracker, project, [tracker.user(f"user{n}-{k}") for k in range(4)], [], 0)
        begin = START - _PAST * _LENGTH - timedelta(days=n % 14)
        for past in range(_PAST):
            milestone = self._plan(team, begin + past * _LENGTH)
            for _ in range(_SIZE):
                at = begin + past * _LENGTH + self.rng.random() * _LENGTH / 2
                issue = tracker.issue(project, self._title(), self.rng.choice(team.people), at=at)
                tracker.move(project, issue, [milestone.id], issue.author, at)
                tracker.close(issue, issue.author, min(at + self.rng.random() * _LENGTH, START - timedelta(hours=1)))
            tracker.close_milestone(project, milestone, begin + (past + 1) * _LENGTH)
            team.milestones.remove(milestone)
        for later in range(2):
            milestone = self._plan(team, begin + (_PAST + later) * _LENGTH)
            for _ in range(_SIZE // (1 + later)):
                self._open(team, milestone, START - timedelta(days=2))
        return team

    def _title(self) -> str:
        return " ".join(self.rng.choices(_WORDS, k=5)).capitalize()

    def _plan(self, team: _Team, start: datetime) -> Milestone:
        team.count += 1
        due = (start + _LENGTH).date()
        milestone = team.tracker.milestone(team.project, f"v{team.count}", at=min(start, self.now), due=due)
        team.project.updated = self.now
        team.milestones.append(milestone)
        return milestone

    def _open(self, team: _Team, milestone: Milestone, at: datetime) -> None:
        issue = team.tracker.issue(team.project, self._title(), self.rng.choice(team.people), at=at)
        team.tracker.move(team.project, issue, [milestone.id], issue.author, at)

    def work(self, now: datetime) -> int:
        """Move the clock, and let a fifth of the teams work if it is a working hour; return how many did."""
        self.now = now
        if now.weekday() >= 5 or not 8 <= now.hour < 18:
            return 0
        busy = [team for n, team in enumerate(self.teams) if (n + now.hour) % 5 == 0]
        for team in busy:
            self._work(team)
        return len(busy)

    def _work(self, team: _Team) -> None:
        tracker, project, someone = team.tracker, team.project, self.rng.choice(team.people)
        current = team.milestones[0]
        if current.due is not None and current.due < self.now.date():
            self._finish(team, current)
            current = team.milestones[0]
        running = [i for i in project.issues.values() if current.id in i.milestones and i.closed is None]
        for issue in running[:2]:
            tracker.close(issue, someone)
        if self.rng.random() < 0.6:
            self._open(team, current, self.now)
        for issue in running[2:4]:
            tracker.comment(issue, someone, "Had a look.")

    def _finish(self, team: _Team, current: Milestone) -> None:
        later = team.milestones[1]
        for issue in team.project.issues.values():
            if current.id in issue.milestones and issue.closed is None:
                team.tracker.move(team.project, issue, [later.id], team.people[0])
        team.tracker.close_milestone(team.project, current)
        team.milestones.remove(current)
        self._plan(team, self.now + _LENGTH)
        for _ in range(_SIZE // 3):
            self._open(team, team.milestones[-1], self.now)
