"""Projects with a past, one running milestone each, in a store in memory: what relations between milestones are
tested on.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

from sync.assess.milestone import AssessmentRules
from sync.assess.portfolio import Portfolio
from sync.assess.relations import build_portfolio
from sync.assess.snapshot import Snapshot
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.model.joint import JointMilestone
from sync.model.tracker_data import Issue, Milestone, MilestoneKind, Project, State, StatusCategory, Visibility
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
RULES = Rules()
PAST = 8


def page(
    project: str,
    *,
    visibility: Visibility = Visibility.PROJECT,
    still_open: int = 4,
    late: bool | Collection[int] = False,
    due: date | None = date(2026, 3, 29),
    description: str = "",
    blocked_by: Sequence[str] = (),
) -> Page:
    """Eight finished milestones of ten issues each, one after another, and a running one half-way to its due date.

    ``late``: every earlier one, or those of these numbers, were finished three weeks after their due date.
    """
    milestones, issues = [], []
    begun = NOW - timedelta(days=14 + 28 * PAST)
    for n in range(PAST + 1):
        running = n == PAST
        start, planned = begun + timedelta(days=28 * n), (begun + timedelta(days=28 * n + 28)).date()
        name, slow = f"{project}-m{n}", late if isinstance(late, bool) else n in late
        over = start + timedelta(days=28 + (21 if slow else 0))
        milestones.append(
            Milestone(
                id=name,
                project=project,
                kind=MilestoneKind.MILESTONE,
                key=str(n + 1),
                written=f"#{n + 1}",
                title=f"Release {n + 1}",
                url=f"https://tracker.example/{name}",
                state=State.OPEN if running or over > NOW else State.CLOSED,
                description=description,
                due=due if running else planned,
                created_at=start,
                updated_at=start,
                closed_at=None if running or over > NOW else over,
            )
        )
        for k in range(10):
            closed = start + timedelta(days=(4.5 if slow else 2.5) * (k + 1))
            if running:
                closed = start + timedelta(days=k + 1)
            done = closed <= NOW and not (running and k >= 10 - still_open)
            issues.append(_issue(project, name, n, k, start, closed if done else None, blocked_by if running else ()))
    return Page(
        projects=(Project(id=project, key=f"acme/{project}", name=project, url="memory:p", visibility=visibility),),
        milestones=tuple(milestones),
        issues=tuple(issues),
        cursors={project: "1"},
        complete=frozenset({project}),
        all_milestones=frozenset({project}),
    )


def _issue(
    project: str, milestone: str, n: int, k: int, start: datetime, closed: datetime | None, blocked_by: Sequence[str]
) -> Issue:
    return Issue(
        id=f"{milestone}-{k}",
        project=project,
        key=f"acme/{project}#{10 * n + k}",
        title=f"Secret plan {n} {k} of {project}",
        url=f"https://tracker.example/{milestone}/{k}",
        state=State.OPEN if closed is None else State.CLOSED,
        raw_state="open" if closed is None else "closed",
        category=StatusCategory.TODO if closed is None else StatusCategory.DONE,
        created_at=start,
        updated_at=closed or start,
        closed_at=closed,
        milestones=(milestone,),
        blocked_by=tuple(blocked_by) if closed is None else (),
    )


def combined_page(*pages: Page) -> Page:
    """Several projects in one tracker."""
    return Page(
        projects=tuple(project for page in pages for project in page.projects),
        milestones=tuple(milestone for page in pages for milestone in page.milestones),
        issues=tuple(issue for page in pages for issue in page.issues),
        cursors={project: cursor for page in pages for project, cursor in page.cursors.items()},
        complete=frozenset().union(*(page.complete for page in pages)),
        all_milestones=frozenset().union(*(page.all_milestones for page in pages)),
    )


def running(project: str, at: str = "") -> str:
    """The running milestone as people write it; ``at``: the connection, where that has another name."""
    return f"{at or project}:acme/{project}#{PAST + 1}"


class World:
    """Each page in a tracker and a connection of its own, named like its first project."""

    def __init__(self, *pages: Page, share: str = "none") -> None:
        self.store = Store.memory(lambda: NOW)
        self.trackers: dict[str, MemoryTracker] = {}
        self.connections: list[Connection] = []
        for page in pages:
            name = page.projects[0].id
            tracker = MemoryTracker(lambda: NOW, pages=[page])
            connector = MemoryConnector(tracker, name=name, source=f"memory://{name}")
            self.trackers[name] = tracker
            keys = tuple(project.key for project in page.projects)
            self.connections.append(Connection(name=name, connector=connector, projects=keys, share=share))
            self.store.save(connector.base_url, page, NOW)
            self.store.watch(name, connector.base_url, {project.id for project in page.projects}, only=True)

    def whole(
        self,
        *joints: JointMilestone,
        dependencies: Sequence[tuple[str, str]] = (),
        at: datetime = NOW,
        calendar: Calendar | None = None,
        replay: bool = True,
    ) -> Portfolio:
        """Assess all milestones; by default as a replay."""
        book = AssessmentRules(RULES, calendar or Calendar.plain(), joints=joints, dependencies=tuple(dependencies))
        return build_portfolio(Snapshot(self.store, self.connections, at, book, replay=replay))
