"""One world of facts, entered into each tracker of the sandbox, and read back through its connector.

A fact has a time with a fraction of a second, as people's clicks have. Items are known by title, milestones too.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from msgspec.structs import replace

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault, Issue, Project, User
from sync.assess.snapshot import Snapshot
from sync.cli.wiring import connect
from sync.model.counting import Counting, method_number
from sync.model.health import Health
from sync.model.item_state import StateRules
from sync.model.membership import Container, Counts, Membership
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.protocol import Setup
from tests.engine_factory import engine

__all__ = ["DIALECTS", "NOW", "Facts", "Reading", "enter", "outcomes", "pulls", "random_facts", "reading", "readings"]

NOW = datetime(2026, 6, 15, 9, 30, tzinfo=UTC)
DIALECTS = ("github", "gitlab", "gitlab by REST", "jira", "jira-cloud")
USUAL = StateRules()
PROJECTS = {"github": "acme/app", "gitlab": "acme/api", "jira": "APP", "jira-cloud": "APP"}
FINISHED = {"github": "completed", "gitlab": "", "jira": "Done", "jira-cloud": "Done"}
REMOVED = {"github": "not_planned", "gitlab": "duplicate", "jira": "Won't Do", "jira-cloud": "Won't Do"}


@dataclass(frozen=True)
class MilestoneFact:
    """A milestone that was planned on ``start``, and closed at a time of its due day or not yet."""

    title: str
    start: date
    due: date
    closed: datetime | None = None


@dataclass(frozen=True)
class Step:
    """One change of an item: ``kind`` is join, leave, close, remove or reopen.

    A join of a ``milestone`` leaves the one before.
    """

    at: datetime
    kind: str
    milestone: str = ""


@dataclass(frozen=True)
class ItemFact:
    """An item and its history in order of time."""

    title: str
    created: datetime
    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Facts:
    """Milestones and items of a project, as a person who watched all of it would describe them."""

    milestones: tuple[MilestoneFact, ...]
    items: tuple[ItemFact, ...]


@dataclass(frozen=True)
class Reading:
    """The same world as one connector delivered it: by titles, without any id of the tracker."""

    containers: dict[str, Container]
    memberships: dict[str, list[tuple[Any, ...]]]
    counts: dict[str, Counts]
    healths: dict[str, Health]


def random_facts(rng: Random, *, past: int = 6, length: int = 28) -> Facts:
    """Return two series of milestones that are due on the same days, with random changes of their items."""
    milestones: list[MilestoneFact] = []
    items: list[ItemFact] = []
    first = NOW.date() - timedelta(days=length * past + length // 2)
    for number in range(past + 1):
        start = first + timedelta(days=length * number)
        due = start + timedelta(days=length)
        for series in ("Release", "Website"):
            closed = _moment(rng, due, 8, 20) if due < NOW.date() else None
            milestones.append(MilestoneFact(f"{series} {number}", start, due, closed))
            names = [f"{series} item {number}.{k}" for k in range(rng.randint(5, 14))]
            following = f"{series} {number + 1}"
            items += [_item(rng, name, milestones[-1], following, k) for k, name in enumerate(names)]
    titles = {milestone.title for milestone in milestones}
    return Facts(tuple(milestones), tuple(_within(item, titles) for item in items))


def _moment(rng: Random, day: date, first: float = 0, last: float = 24) -> datetime:
    seconds = rng.uniform(first, last) * 3600
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(seconds=min(seconds, 86_399.9))


def _item(rng: Random, title: str, milestone: MilestoneFact, following: str, k: int) -> ItemFact:
    """An item that joins its milestone on the start day (most do) or later, and what becomes of it."""
    length = (milestone.due - milestone.start).days
    late = k > 2 and rng.random() < 0.25
    joined = _moment(rng, milestone.start + timedelta(days=rng.randint(1, length - 8) if late else 0), 9, 18)
    steps = [Step(joined, "join", milestone.title)]

    def later(days: float) -> datetime:
        return steps[-1].at + timedelta(days=rng.uniform(0.01, days))

    fate = rng.random()
    if fate < 0.08:
        steps.append(Step(later(length / 2), "leave", milestone.title))
    elif fate < 0.16:
        steps.append(Step(later(length / 2), "remove"))
    elif fate < 0.26:
        steps.append(Step(later(length / 2), "close"))
        steps.append(Step(later(4), "reopen"))
        steps.append(Step(later(10), "close"))
    elif fate < 0.36:
        steps.append(Step(later(length / 2), "join", following))
        steps.append(Step(later(length), "close"))
    elif fate < 0.86:
        steps.append(Step(later(length), "close"))
    created = joined if rng.random() < 0.3 else joined - timedelta(days=rng.uniform(0, 20))
    return ItemFact(title, created, tuple(steps))


def _within(item: ItemFact, titles: set[str]) -> ItemFact:
    """The item with its steps until `NOW`, in milestones that exist."""
    steps = [step for step in item.steps if step.at < NOW and (not step.milestone or step.milestone in titles)]
    return ItemFact(item.title, min(item.created, NOW - timedelta(hours=1)), tuple(steps))


# --- entering ---------------------------------------------------------------------------------------------------------


def enter(tracker: Tracker, facts: Facts, *, start_days: bool = True) -> Project:
    """Enter the facts into a tracker.

    ``start_days``: GitLab and Jira have the start day in their own field, and the milestone is created on it in GitHub,
    which has no such field. Otherwise no tracker has a start day, and the milestone is created shortly before its first
    item joins it: a Jira version has no other sign of its start.
    """
    ada = tracker.user("ada", "Ada Fox")
    first = min(milestone.start for milestone in facts.milestones)
    project = tracker.project(PROJECTS[tracker.kind], "App", created=_midnight(first) - timedelta(days=100))
    ids: dict[str, int] = {}
    for fact in Random(tracker.kind).sample(facts.milestones, len(facts.milestones)):  # ids in any order
        begin = _midnight(fact.start) + timedelta(hours=8, microseconds=123_456)
        if not start_days:
            begin = min(step.at for item in facts.items for step in item.steps if step.milestone == fact.title)
        milestone = tracker.milestone(project, fact.title, at=begin, due=fact.due)
        if start_days and tracker.kind != "github":
            milestone.start = fact.start
        ids[fact.title] = milestone.id
        if fact.closed is not None:
            tracker.close_milestone(project, milestone, fact.closed)
    for item in sorted(facts.items, key=lambda item: item.created):
        issue = tracker.issue(project, item.title, ada, at=item.created)
        for step in item.steps:
            _enter_step(tracker, project, issue, step, ids, ada)
    return project


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _enter_step(tracker: Tracker, project: Project, issue: Issue, step: Step, ids: dict[str, int], ada: User) -> None:
    if step.kind == "join":
        tracker.move(project, issue, [ids[step.milestone]], ada, step.at)
    elif step.kind == "leave":
        tracker.move(project, issue, [], ada, step.at)
    elif step.kind == "reopen":
        tracker.reopen(issue, ada, step.at)
    else:
        words = FINISHED if step.kind == "close" else REMOVED
        tracker.close(issue, ada, step.at, resolution=words[tracker.kind])


# --- reading ---------------------------------------------------------------------------------------------------------


def readings(world: World, at: datetime = NOW) -> dict[str, Reading]:
    """Pull every tracker of a served world through its connector, GitLab also without GraphQL."""
    found = {}
    for dialect in DIALECTS:
        kind = dialect.partition(" ")[0]
        tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
        tracker.faults.clear()
        if "REST" in dialect:
            tracker.faults.append(Fault("status", "/api/graphql", times=10_000, status=403, body='{"message": "no"}'))
        found[dialect] = reading(tracker, at)
    return found


def reading(tracker: Tracker, at: datetime = NOW, rules: StateRules = USUAL, **options: Any) -> Reading:
    """Pull a tracker for the first time with these options, and return what is known at ``at``."""
    return next(pulls(tracker, at, rules=rules, **options))


def pulls(
    tracker: Tracker,
    at: datetime | None = None,
    *,
    rules: StateRules = USUAL,
    store: Store | None = None,
    **options: Any,
) -> Generator[Reading]:
    """Pull a tracker again and again into one store; yield what is known at ``at`` (None: by the world's clock).

    ``rules`` are those for the state of its items.
    """
    kind, clock = tracker.kind.partition("-")[0], tracker.world.clock
    secrets = {"token": tracker.token} | ({"email": "bot@example.org"} if tracker.kind == "jira-cloud" else {})
    names = {"recorded_labels": sorted(rules.recorded.labels), "recorded_states": sorted(rules.recorded.states)}
    setup = Setup(
        name=kind,
        url=tracker.url,
        secrets=secrets,
        clock=clock,
        sleep=lambda _: None,
        timeout=60,
        options=names | options,
    )
    connection = Connection(
        name=kind, connector=connect(kind, setup), projects=tuple(tracker.projects), state_rules_of=lambda _: rules
    )
    with engine(connection, store or Store.memory(clock), clock) as running:
        while True:
            running.pull()
            assert not running.failures
            yield _by_title(running.snapshot(at))


def outcomes(reading: Reading, milestone: str) -> dict[str, str]:
    """Return what became of each item of a milestone by title: open, done, removed, or left."""
    found: dict[str, str] = {}
    for title, _, left, closed, reopened, is_removed in reading.memberships[milestone]:
        if left != "None":
            found.setdefault(title, "left")
        elif reopened == "None":
            found[title] = "open" if closed == "None" else "removed" if is_removed else "done"
    return found


def _by_title(snapshot: Snapshot) -> Reading:
    [rows] = snapshot.rows
    titles = {uid: milestone.title for uid, milestone in rows.milestones.items()}
    names = {uid: issue.title for uid, issue in rows.issues.items()}
    healths = {milestone.milestone.title: milestone.health for milestone in snapshot.assess()}
    return Reading(
        containers={titles[uid]: _anonymous(container) for uid, container in rows.containers.items()},
        memberships={
            titles[uid]: sorted(_row(names[membership.item], membership) for membership in memberships)
            for uid, memberships in rows.by_container.items()
        },
        counts={titles[uid]: counts for uid, counts in rows.counts.items()},
        healths={title: _without_names(health) for title, health in healths.items()},
    )


def _without_names(health: Health) -> Health:
    """The health without what names its tracker: ids of the milestone and of items, the stream, and what it counts."""
    return replace(
        health,
        container="",
        method=method_number(health.method, Counting.ISSUES),
        reasons=tuple(replace(reason, items=()) for reason in health.reasons),
        levers=tuple(replace(lever, items=()) for lever in health.levers),
        basis=replace(health.basis, stream=""),
    )


def _anonymous(container: Container) -> Container:
    """The container without what names its tracker."""
    return Container(
        id="",
        kind="",
        stream=container.stream.split()[-1],
        start=container.start,
        due=container.due,
        first_due=container.first_due,
        ended=container.ended,
    )


def _row(name: str, membership: Membership) -> tuple[Any, ...]:
    times = (membership.joined, membership.left, membership.closed, membership.reopened)
    return name, *(str(at) for at in times), membership.removed
