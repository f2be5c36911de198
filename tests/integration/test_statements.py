"""The number of SQL statements of a run does not depend on the number of milestones or projects."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import event

from sync.cli import status
from sync.model.policy import Limits, Policy
from sync.model.tracker_data import Milestone, MilestoneKind, Project, State, Visibility
from sync.plan.desired import Plan
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Page
from tests.engine_factory import engine
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def page(project: str, milestones: int) -> Page:
    born = NOW - timedelta(days=20)
    return Page(
        projects=(Project(id=project, key=f"acme/{project}", name=project, url="", visibility=Visibility.PROJECT),),
        milestones=tuple(
            Milestone(
                id=f"{project}-{n}",
                project=project,
                kind=MilestoneKind.MILESTONE,
                key=str(n),
                written=f"#{n}",
                title=f"Version {n}",
                url=f"memory:{project}/{n}",
                state=State.OPEN,
                due=date(2026, 4, 1),
                created_at=born,
                updated_at=born,
            )
            for n in range(milestones)
        ),
        cursors={project: "1"},
        complete=frozenset({project}),
    )


def statements(projects: int, milestones: int) -> dict[str, int]:
    """Return the number of statements, ``BEGIN`` included, of each part of a run and of `status`.

    Every milestone has a status issue already.
    """
    now = NOW
    tracker = MemoryTracker(lambda: now)
    tracker.pages = [page(f"p{n}", milestones) for n in range(projects)]
    connection = Connection(
        name="memory",
        connector=MemoryConnector(tracker),
        projects=("acme/*",),
        policy_of=lambda _: Policy.CREATE,
    )
    store = Store.memory(lambda: now)
    limits = Limits(creates=10_000, updates=10_000)
    assert len(engine(connection, store, lambda: now, limits=limits).run().written) > 2 * projects * milestones
    counts = [0]

    def count(*_: object) -> None:
        counts[-1] += 1

    event.listen(store._engine, "before_cursor_execute", count)
    now += timedelta(minutes=30)
    quiet = engine(connection, store, lambda: now, limits=limits)
    assessed = quiet.assess()
    counts.append(0)
    assert quiet.plan(assessed) == Plan()
    counts.append(0)
    assert quiet.plan(assessed, fresh=True) == Plan()
    counts.append(0)
    assert status._contents(engine(connection, store, lambda: now), None).milestones
    store.close()
    return dict(zip(("assess", "plan", "plan with fresh observations", "status"), counts, strict=True))


def test_a_quiet_run_and_status_need_so_many_statements() -> None:
    expected = {"assess": 33, "plan": 13, "plan with fresh observations": 18, "status": 43}
    assert statements(1, 1) == expected


@pytest.mark.parametrize(("projects", "milestones"), [(1, 8), (8, 1)])
def test_twice_the_milestones_or_projects_need_no_more_statements(projects: int, milestones: int) -> None:
    assert statements(projects, milestones) == statements(2 * projects, 2 * milestones)
