"""Demo world: four small teams with some history, each in another tracker and another situation.

It has a fixed seed and today's date, so that every user sees the same teams. All names are made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, Milestone, Project, User

__all__ = ["demo_world", "seed"]

_VERBS = ("Add", "Fix", "Show", "Rework", "Test", "Document", "Speed up", "Remove", "Validate", "Translate")
_THINGS = (
    "the checkout form",
    "refunds for split orders",
    "the audit log",
    "invoice numbering",
    "the search index",
    "password reset mails",
    "the mobile menu",
    "retry of failed webhooks",
    "the onboarding tour",
    "currency rounding",
    "the rate limiter",
    "the export to CSV",
    "dark mode",
    "the nightly import",
    "session expiry",
    "the address lookup",
)
_HOSTILE = (
    "Fix `code` in titles, @everyone, #1 and <img src=x onerror=alert(1)>",
    "/close should not run | neither should ~label or ![pic](http://127.0.0.1/x.png)",
)


@dataclass(frozen=True)
class Series:
    """One team's milestones: ``past`` finished ones of ``length`` days with about ``size`` items, then the current.

    ``misses`` is the share of past milestones that were due with work left; ``phase`` the elapsed share of the current
    one, ``done`` the share of its items that are closed, ``growth`` the share that joined after the start.
    """

    title: str
    past: int
    length: int
    size: int
    misses: float
    phase: float
    done: float
    growth: float = 0.25
    undated: bool = False


_TEAMS = {
    "github": (Series("v{}", 9, 28, 14, 0.15, 0.75, 0.93), Series("Mobile {}", 6, 42, 18, 0.55, 0.55, 0.45)),
    "gitlab": (
        Series("API {}", 8, 35, 16, 0.45, 0.8, 0.68, 0.4),
        Series("Ideas {}", 0, 30, 6, 0, 0.3, 0.2, undated=True),
    ),
    "jira": (Series("{}.0", 8, 42, 20, 0.7, 0.85, 0.5, 0.5), Series("Sprint {}", 10, 14, 9, 0.4, 1.15, 0.7)),
    "jira-cloud": (Series("Web {}", 7, 28, 12, 0.1, 0.5, 0.75), Series("Pilot {}", 0, 28, 2, 0, 0.5, 0.0)),
}
_PROJECTS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}
_PEOPLE = (("ada", "Ada Fox"), ("ben", "Ben Lake"), ("cleo", "Cleo Hill"), ("dan", "Dan Wood"))


def demo_world() -> World:
    """Return a new world with the four teams."""
    world = World()
    seed(world)
    return world


def seed(world: World) -> None:
    """Add the four teams to a world; their histories end at the clock's now."""
    now = world.clock().replace(minute=0, second=0, microsecond=0)
    for tracker in world.trackers:
        rng = Random(f"milesync {tracker.kind}")
        people = [tracker.user(login, name) for login, name in _PEOPLE]
        project = tracker.project(_PROJECTS[tracker.kind], "Acme", created=now - timedelta(days=900))
        team = _Team(tracker, project, people, rng)
        for series in _TEAMS[tracker.kind]:
            team.play(series, now)
        if tracker.kind == "github":
            _pulls(tracker, project, people, now)
        for issue in project.issues.values():
            issue.changes.sort(key=lambda change: change.at)
        _renumber(project)


def _renumber(project: Project) -> None:
    """Renumber issues in the order of creation, as trackers do."""
    order = sorted(project.issues.values(), key=lambda issue: (issue.created, issue.number))
    new = {issue.number: n for n, issue in enumerate(order, start=1)}
    for issue in order:
        issue.number, issue.blocked_by = new[issue.number], [new[n] for n in issue.blocked_by]
        issue.key = f"{project.key}-{issue.number}"
    project.issues = {issue.number: issue for issue in order}


@dataclass(frozen=True)
class _Team:
    """A team in its tracker. All random choices come from ``rng``, in the order of the calls."""

    tracker: Tracker
    project: Project
    people: list[User]
    rng: Random

    def play(self, series: Series, now: datetime) -> None:
        """Add the series: its finished milestones and the current one, which runs at ``now``."""
        length = timedelta(days=series.length)
        start = now - length * series.phase - length * series.past
        carried: list[Issue] = []
        for k in range(series.past):
            is_missed = (k + 0.5) * series.misses % 1 + series.misses >= 1
            milestone = self._milestone(series, k + 1, start)
            carried = self._work(milestone, series, carried, start, is_missed=is_missed)
            closed = start + length + timedelta(days=3 if is_missed else 0)
            self.tracker.close_milestone(self.project, milestone, closed)
            start += length
        current = self._milestone(series, series.past + 1, start)
        self._carry_over(carried, current, start)
        self._current(current, series, start, now)

    def _milestone(self, series: Series, n: int, start: datetime) -> Milestone:
        due = start + timedelta(days=series.length)
        milestone = self.tracker.milestone(
            self.project,
            series.title.format(n),
            at=start,
            due=None if series.undated else due.date(),
            description="- [x] scope agreed\n- [ ] release notes written",
        )
        if self.tracker.kind != "github":
            milestone.start = start.date()
        return milestone

    def _carry_over(self, carried: list[Issue], milestone: Milestone, start: datetime) -> None:
        for issue in carried:
            self.tracker.move(self.project, issue, [milestone.id], self.people[0], start + timedelta(days=1))

    def _work(
        self, milestone: Milestone, series: Series, carried: list[Issue], start: datetime, *, is_missed: bool
    ) -> list[Issue]:
        """Finish a milestone: most items close over its length with a rush at the end. Return the open rest."""
        length, rng = timedelta(days=series.length), self.rng
        size = series.size + rng.randint(-3, 3)
        n_open = max(1, round(size * 0.15)) if is_missed else 0
        self._carry_over(carried, milestone, start)
        items = carried + [self._item(milestone, series, start, length) for _ in range(size)]
        for issue in items[: len(items) - n_open]:
            opened = max(issue.updated, start)
            share = rng.random() ** 0.8
            closed = opened + (start + length - opened) * min(0.98, 0.1 + 0.9 * share)
            self.tracker.close(issue, rng.choice(self.people), closed, resolution=_resolution(self.tracker, rng))
        return items[len(items) - n_open :]

    def _current(self, milestone: Milestone, series: Series, start: datetime, now: datetime) -> None:
        length, rng = timedelta(days=series.length), self.rng
        elapsed = min(length * series.phase, length * 1.2)
        items = []
        for n in range(series.size):
            is_late = rng.random() < series.growth
            at = start + elapsed * (rng.uniform(0.3, 0.9) if is_late else 0.0)
            items.append(self._item(milestone, series, at, timedelta(0)))
            if n < 2 and series.title.startswith("v"):
                items[-1].title = _HOSTILE[n]
        rng.shuffle(items)
        for issue in items[: round(len(items) * series.done)]:
            closed = issue.created + (now - issue.created) * rng.uniform(0.15, 0.97)
            self.tracker.close(issue, rng.choice(self.people), closed, resolution=_resolution(self.tracker, rng))
        waiting = [issue for issue in items if issue.closed is None]
        if len(waiting) > 2 and self.tracker.kind != "gitlab":
            waiting[0].blocked_by = [waiting[1].number]
            waiting[2].assignees = []

    def _item(self, milestone: Milestone, series: Series, start: datetime, length: timedelta) -> Issue:
        rng, tracker = self.rng, self.tracker
        at = start + length * (rng.uniform(0.1, 0.7) if rng.random() < series.growth else 0.0)
        issue = tracker.issue(
            self.project,
            f"{rng.choice(_VERBS)} {rng.choice(_THINGS)}",
            rng.choice(self.people),
            at=at,
            assignees=[rng.choice(self.people)] if rng.random() < 0.85 else [],
        )
        if tracker.kind != "github":
            issue.estimate = 3600 * rng.choice((2, 4, 8, 16))
            issue.spent = round(issue.estimate * rng.uniform(0.2, 1.4) / 60) * 60
            issue.points = float(rng.choice((1, 2, 3, 5)))
        if tracker.kind in ("jira", "jira-cloud"):
            issue.milestones = [milestone.id]
        else:
            tracker.move(self.project, issue, [milestone.id], issue.author, at)
        return issue


def _resolution(tracker: Tracker, rng: Random) -> str:
    removed = rng.random() < 0.06
    if tracker.kind == "github":
        return "not_planned" if removed else "completed"
    return "" if tracker.kind == "gitlab" else ("Won't Do" if removed else "Done")


def _pulls(tracker: Tracker, project: Project, people: list[User], now: datetime) -> None:
    """Add pull requests: they are in GitHub's list of issues and in its milestones, but are no items."""
    for n in range(5):
        pull = tracker.issue(
            project, f"Update dependency group {n + 1}", people[n % 4], at=now - timedelta(days=9 - n), pull=True
        )
        if n < 2:
            milestone = list(project.milestones.values())[-1]
            tracker.move(project, pull, [milestone.id], people[0], now - timedelta(days=3))
