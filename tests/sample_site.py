"""Made-up installations at a fixed time, for tests of the report: no tracker, no clock, the same on every run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from random import Random

from sync.assess.milestone import AssessmentRules
from sync.assess.snapshot import Snapshot
from sync.engine.engine import Engine
from sync.model.audience import OPERATOR, Audience
from sync.model.joint import JointMilestone
from sync.model.policy import Limits
from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Issue,
    Milestone,
    MilestoneKind,
    Person,
    Project,
    State,
    StatusCategory,
    Visibility,
)
from sync.site.contents import Contents, gather
from sync.store.store import Store
from sync.tracker.connection import Connection, MilestoneOverrides
from sync.tracker.errors import TrackerError
from sync.tracker.protocol import Page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
DAY = timedelta(days=1)
WORK = (
    "Refund a split payment",
    "Retry a declined card",
    "Show the fee first",
    "Export the ledger",
    "Round tax per line",
)
PEOPLE = (Person("1", "Ada Fox"), Person("2", "Noor Hill"), Person("3", "Lin Wood"))


def project(key: str, *, visibility: Visibility = Visibility.PUBLIC) -> Project:
    return Project(id=key, key=key, name=key, url=f"https://tracker.example/{key}", visibility=visibility)


def series(
    home: Project,
    *,
    earlier: int = 8,
    running: int = 1,
    seed: int = 0,
    titles: Sequence[str] = (),
    work: Sequence[str] = WORK,
) -> Page:
    """A project with finished milestones, four weeks each, and running ones; ``titles`` name the last of them."""
    random = Random(f"{home.key} {seed}")
    count = earlier + running
    names = [*(f"{home.key.split('/')[-1]} {n + 1}" for n in range(count - len(titles))), *titles]
    milestones: list[Milestone] = []
    issues: list[Issue] = []
    histories: dict[str, tuple[Event, ...]] = {}
    due_dates: dict[str, tuple[DueDate, ...]] = {}
    for n, name in enumerate(names):
        over = n < earlier
        start = NOW - timedelta(days=28 * (earlier - n) + 18) if over else NOW - timedelta(days=18 + n % 5)
        due = (start + timedelta(days=27 if over else random.choice((24, 31, 38)))).date()
        native = f"{home.key}-{n}"
        items = list(_items(home, native, n, start, over, random, work))
        ends = [event.at for _, events in items for event in events if event.kind is EventKind.CLOSED]
        closed = max(ends) if over and ends else None
        milestones.append(_milestone(home, native, n, name, start, due, closed))
        due_dates[native] = _due_dates(start, due, random)
        issues += [issue for issue, _ in items]
        histories |= {issue.id: events for issue, events in items}
    return Page(
        projects=(home,),
        milestones=tuple(milestones),
        issues=tuple(issues),
        histories=histories,
        due_dates=due_dates,
        complete=frozenset({home.id}),
    )


def _due_dates(start: datetime, due: date, random: Random) -> tuple[DueDate, ...]:
    first = DueDate(start, due - timedelta(days=random.choice((0, 0, 7))))
    return (first,) if first.due == due else (first, DueDate(start + 9 * DAY, due))


def _milestone(
    home: Project, native: str, n: int, name: str, start: datetime, due: date, closed: datetime | None
) -> Milestone:
    return Milestone(
        id=native,
        project=home.id,
        kind=MilestoneKind.MILESTONE,
        key=str(n + 1),
        written=f"%{name}" if home.key == "acme/api" else f"#{n + 1}",
        title=name,
        url=f"{home.url}/milestones/{n + 1}",
        state=State.CLOSED if closed else State.OPEN,
        due=due,
        created_at=start,
        updated_at=NOW - DAY,
        closed_at=closed,
    )


def _items(
    home: Project, milestone: str, n: int, start: datetime, over: bool, random: Random, work: Sequence[str]
) -> Iterator[tuple[Issue, tuple[Event, ...]]]:
    for k in range(random.randint(8, 16)):
        native = f"{milestone}-{k}"
        joined = start + (timedelta(0) if k < 8 else timedelta(days=random.uniform(1, 12)))
        closed: datetime | None = joined + timedelta(days=random.uniform(1, 27.5 if over else 24 + 8 * (n % 2)))
        if closed is not None and closed > NOW - timedelta(hours=5):
            closed = None
        if over and closed is None:
            closed = NOW - DAY
        events = [Event(issue=native, at=joined, kind=EventKind.JOINED, milestone=milestone)]
        if closed:
            events.append(Event(issue=native, at=closed, kind=EventKind.CLOSED))
        issue = Issue(
            id=native,
            project=home.id,
            key=f"{home.key}#{100 * n + k}",
            title=work[(n + k) % len(work)],
            url=f"{home.url}/issues/{100 * n + k}",
            state=State.CLOSED if closed else State.OPEN,
            raw_state="closed" if closed else "open",
            category=StatusCategory.DONE if closed else StatusCategory.TODO,
            created_at=joined,
            updated_at=closed or joined,
            closed_at=closed,
            assignees=() if k % 6 == 5 else (PEOPLE[(n + k) % 3],),
            milestones=(milestone,),
            visibility=home.visibility,
        )
        yield issue, tuple(events)


@contextmanager
def installation(
    pages: dict[str, Sequence[Page]],
    *,
    joints: tuple[JointMilestone, ...] = (),
    dependencies: tuple[tuple[str, str], ...] = (),
    stale: str = "",
    daily: bool = True,
) -> Iterator[Engine]:
    """An engine over these connections, pulled, and assessed a week ago, yesterday and now; ``stale`` fails at last."""
    clock = [NOW - 7 * DAY]
    connections = []
    for name, held in pages.items():
        tracker = MemoryTracker(lambda: clock[0], pages=list(held))
        connector = MemoryConnector(tracker, name, f"memory://{name}")
        projects = tuple(project.key for page in held for project in page.projects)
        connections.append(Connection(name, connector, projects, named=OWNERS.get(name, {})))
    with Engine(
        connections=connections,
        store=Store.memory(lambda: clock[0]),
        instance="test",
        clock=lambda: clock[0],
        rules=AssessmentRules(joints=joints, dependencies=dependencies),
        limits=Limits(),
        run_id="run",
        holder="test",
    ) as engine:
        for back in (7, 1, 0) if daily else (0,):
            clock[0] = NOW - back * DAY
            if back == 0 and stale:
                (down,) = (connection.connector for connection in connections if connection.name == stale)
                down.fail["pull"] = [TrackerError(stale, "no answer")]  # type: ignore[attr-defined]
            engine.pull()
            if daily:
                engine.assess()
        assert bool(engine.failures) == bool(stale)
        yield engine


def reading(engine: Engine) -> Snapshot:
    return Snapshot(engine.store, engine.connections, NOW, engine.rules)


def contents(engine: Engine, audience: Audience = OPERATOR) -> Contents:
    return gather(engine.store, engine.connections, NOW, engine.rules, audience)


def small() -> dict[str, Sequence[Page]]:
    """Three projects, one of them private, in two trackers."""
    secret = project("acme/vault", visibility=Visibility.PROJECT)
    return {
        "gh": [series(project("acme/app"), running=3), series(secret, earlier=5, running=2, seed=4)],
        "gl": [series(project("acme/api"), earlier=6, running=2, seed=2)],
    }


JOINT = JointMilestone(
    name="Payments GA", members=("gh:acme/app#9", "gl:acme/api%api 7"), owner="Ada Fox", due=date(2026, 12, 12)
)
OWNERS = {"gh": {"acme/app#10": MilestoneOverrides(owner="Noor Hill")}}
"""The owners that the configuration names, by connection and id."""

WAITS = (("gh:acme/app#11", "gl:acme/api%api 8"),)
"""One milestone that waits for another, in another tracker."""
