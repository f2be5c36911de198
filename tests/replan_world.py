"""Random projects with a past and a running milestone in a store in memory, whose plan changes as a tracker's does."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from sync.assess.milestone import AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.assess.whatif import Scenario, whatif
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.health import Health
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Issue, Milestone, MilestoneKind, Project, State, StatusCategory, Visibility, uid
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

SOURCE = "memory://t"
BORN = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles")
CALENDARS: Sequence[Callable[[], Calendar]] = (Calendar, Calendar.plain)


class ReplanWorld:
    """One tracker with ``names`` projects, each with finished milestones and a running one; drawn from ``seed``.

    ``now`` is the time of the world. Nothing happens by itself: no item joins or is closed after the beginning.
    """

    def __init__(
        self, seed: int, names: Sequence[str] = ("app",), dependencies: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.draw = random.Random(seed)
        self.now = BORN + timedelta(days=self.draw.uniform(0, 300))
        self.store = Store.memory(lambda: self.now)
        connector = MemoryConnector(MemoryTracker(lambda: self.now), name="t", source=SOURCE)
        self.connection = Connection(
            name="t",
            connector=connector,
            projects=tuple(f"acme/{name}" for name in names),
            zone=ZoneInfo(self.draw.choice(ZONES)),
            tolerance=self.draw.choice((0.0, 0.1)),
        )
        self.rules = AssessmentRules(
            Rules(tolerance=self.connection.tolerance),
            self.draw.choice(CALENDARS)(),
            dependencies=tuple((self.written(before), self.written(after)) for before, after in dependencies),
        )
        self.milestones: dict[str, Milestone] = {}
        self.issues: dict[str, Issue] = {}
        self.runs = 0
        for name in names:
            self._add_project(name)

    # --- what happens in the tracker ----------------------------------------------------------------------------------

    def move(self, name: str, due: date | None) -> None:
        """Move the due date of the running milestone of a project."""
        self.milestones[name] = replace(self.milestones[name], due=due, updated_at=self.now)
        self._pull(name, ())

    def cut(self, name: str, items: Sequence[str]) -> None:
        """Take items (uids) out of the running milestone of a project."""
        gone = []
        for item in items:
            key = item.removeprefix(uid(SOURCE, "issue", ""))
            self.issues[key] = replace(self.issues[key], milestones=(), updated_at=self.now)
            gone.append(self.issues[key])
        self._pull(name, gone)

    def pass_days(self, days: float) -> None:
        """Let time pass in which nothing happens."""
        self.now += timedelta(days=days)

    # --- questions ----------------------------------------------------------------------------------------------------

    def written(self, name: str) -> str:
        """The running milestone of a project as people write it."""
        return f"t:acme/{name}#now"

    def assess(self) -> Portfolio:
        """Assess all milestones, and keep their health as a run does."""
        portfolio = build_portfolio(Snapshot(self.store, [self.connection], self.now, self.rules))
        self.runs += 1
        found = [milestone.health for milestone in portfolio.milestones] + [joint.health for joint in portfolio.joints]
        streams = {milestone.uid: milestone.stream for milestone in portfolio.milestones}
        self.store.save_health(f"run {self.runs}", found, streams)
        return portfolio

    def health(self, name: str = "app") -> Health:
        """The health of the running milestone of a project."""
        return next(own.health for own in self.assess().milestones if own.written == self.written(name))

    def joint_health(self) -> Health:
        """The health of the joint milestone."""
        (joint,) = self.assess().joints
        return joint.health

    def ask(self, written: str, due: date | None = None, items: Sequence[str] = ()) -> Health:
        """The answer of what-if to another due date, and to dropped items (uids)."""
        keys = tuple(self.issues[item.removeprefix(uid(SOURCE, "issue", ""))].key for item in items)
        scenario = Scenario(written, drop=keys, due=due)
        return whatif(self.store, [self.connection], self.now, self.rules, scenario).after

    def join(self, members: Sequence[str], due: date | None) -> None:
        """Make a joint milestone of the running ones of these projects; again: with another due date."""
        joint = JointMilestone(name="GA", members=tuple(map(self.written, members)), due=due)
        self.rules = replace(self.rules, joints=(joint,))

    # --- the beginning ------------------------------------------------------------------------------------------------

    def _add_project(self, name: str) -> None:
        draw = self.draw
        length, size = draw.choice((14, 28, 45, 90, 180)), draw.randint(4, 20)
        begin = self.now - timedelta(days=length * draw.uniform(0.1, 1.1))
        habit = draw.choice((0.7, 0.9, 1.0, 1.2))
        for n in range(draw.choice((0, 2, 5, 9, 12)), 0, -1):
            start = begin - timedelta(days=n * length)
            self._add_milestone(name, f"{name}-{n}", start, length, draw.randint(3, 2 * size), habit, over=True)
        self._add_milestone(name, "now", begin, length, size, draw.choice((1.2, 1.8, 3.0)), over=False)

    def _add_milestone(
        self, project: str, key: str, start: datetime, length: int, size: int, habit: float, *, over: bool
    ) -> None:
        draw, name = self.draw, f"{project}/{key}"
        due = start + timedelta(days=length)
        milestone = Milestone(
            id=name,
            project=project,
            kind=MilestoneKind.MILESTONE,
            key=key,
            written=f"#{key}",
            title=f"Release {key if over else 100}",
            url=f"https://tracker.example/{name}",
            state=State.CLOSED if over else State.OPEN,
            due=due.date(),
            created_at=start,
            updated_at=start,
            closed_at=due + timedelta(days=1) if over else None,
        )
        for k in range(size):
            joined = start + timedelta(days=length * draw.uniform(0, 0.9) if draw.random() < 0.2 else 0)
            if joined < self.now:
                closed = max(joined, start + timedelta(days=length * habit * draw.random()))
                self._add_issue(milestone, k, joined, closed if closed < self.now else None)
        self._pull_first(milestone, over=over)

    def _add_issue(self, milestone: Milestone, k: int, joined: datetime, closed: datetime | None) -> None:
        name = f"{milestone.id}-{k}"
        self.issues[name] = Issue(
            id=name,
            project=milestone.project,
            key=f"acme/{milestone.project}#{len(self.issues) + 1}",
            title=name,
            url=f"https://tracker.example/{name}",
            state=State.OPEN if closed is None else State.CLOSED,
            raw_state="open" if closed is None else "closed",
            category=StatusCategory.TODO if closed is None else StatusCategory.DONE,
            created_at=joined,
            updated_at=closed or joined,
            closed_at=closed,
            milestones=(milestone.id,),
        )

    def _pull_first(self, milestone: Milestone, *, over: bool) -> None:
        """Pull a milestone and its issues now; a running one also when it began, and when its due date moved."""
        draw, now, begun, planned = self.draw, self.now, milestone.created_at, milestone.due
        assert begun is not None
        assert planned is not None
        issues = [issue for issue in self.issues.values() if milestone.id in issue.milestones]
        moves = [] if over else sorted(draw.uniform(0, 1) for _ in range(draw.choice((0, 0, 0, 1, 2, 4))))
        for n, share in enumerate([] if over else [0.0, *moves]):
            self.now = begun + (now - begun) * share
            due = planned + timedelta(days=draw.randint(-20, 40) if n else 0)
            milestone = replace(milestone, due=due, updated_at=self.now)
            self._save(milestone, ())
        self.now = now
        self.milestones[milestone.project] = milestone
        self._save(milestone, issues)

    def _pull(self, name: str, issues: Sequence[Issue]) -> None:
        self._save(self.milestones[name], issues)

    def _save(self, milestone: Milestone, issues: Sequence[Issue]) -> None:
        name = milestone.project
        project = Project(id=name, key=f"acme/{name}", name=name, url="memory:p", visibility=Visibility.PUBLIC)
        page = Page(
            projects=(project,),
            milestones=(milestone,),
            issues=tuple(issues),
            cursors={name: "1"},
            complete=frozenset({name}),
        )
        self.store.save(SOURCE, page, self.now)
        self.store.watch("t", SOURCE, set(self.milestones) | {name}, only=False)
