from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sync.assess.milestone import AssessmentRules
from sync.engine.engine import Engine
from sync.engine.result import Result
from sync.model.health import Status
from sync.model.policy import Limits, Policy
from sync.model.tracker_data import Issue, Milestone, MilestoneKind, Project, State, StatusCategory, Visibility
from sync.store.store import Store
from sync.tracker.actions import CreateComment, CreateStatusIssue
from sync.tracker.connection import Connection
from sync.tracker.errors import BusyError, RefusedError, UnreachableError
from sync.tracker.protocol import Page
from tests.journal_rows import unfinished_writes
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def page(project: str = "p1", *, key: str = "acme/app", closed: int = 2, visibility: Any = None) -> Page:
    """A project with one running milestone of four issues."""
    born = NOW - timedelta(days=20)
    milestone = Milestone(
        id=f"{project}-m",
        project=project,
        kind=MilestoneKind.MILESTONE,
        key="1",
        written="#1",
        title="v1",
        url="memory:m",
        state=State.OPEN,
        due=date(2026, 4, 1),
        created_at=born,
        updated_at=born,
    )
    issues = tuple(
        Issue(
            id=f"{project}-{n}",
            project=project,
            key=f"#{n}",
            title=f"Task {n}",
            url=f"memory:{n}",
            state=State.CLOSED if n <= closed else State.OPEN,
            raw_state="closed" if n <= closed else "open",
            category=StatusCategory.DONE if n <= closed else StatusCategory.TODO,
            created_at=born,
            updated_at=born + timedelta(days=n),
            closed_at=born + timedelta(days=n) if n <= closed else None,
            milestones=(milestone.id,),
            visibility=visibility or Visibility.PROJECT,
        )
        for n in range(1, 5)
    )
    return Page(
        projects=(Project(id=project, key=key, name=key, url="memory:p", visibility=Visibility.PROJECT),),
        milestones=(milestone,),
        issues=issues,
        cursors={project: "1"},
        complete=frozenset({project}),
        all_milestones=frozenset({project}),
    )


class World:
    """A store, a tracker, and engines over them."""

    def __init__(self) -> None:
        self.now = NOW
        self.clock: Callable[[], datetime] = lambda: self.now
        self.store = Store.memory(self.clock)
        self.tracker = MemoryTracker(self.clock)
        self.tracker.pages = [page()]
        self.connector = MemoryConnector(self.tracker)
        self.runs = 0

    def engine(self, *connections: Connection, limits: Limits | None = None) -> Engine:
        self.runs += 1
        connection = Connection(
            name="memory", connector=self.connector, projects=("acme/app",), policy_of=lambda _: Policy.CREATE
        )
        return Engine(
            connections=connections or (connection,),
            store=self.store,
            instance="acme",
            clock=self.clock,
            rules=AssessmentRules(),
            limits=limits or Limits(),
            run_id=f"run-{self.runs}",
            holder=f"host:{self.runs}:1",
        )

    def run(self, *connections: Connection) -> Result:
        return self.engine(*connections).run()

    def summaries(self) -> list[str]:
        return [c.body for issue in self.tracker.issues.values() for c in issue.comments]


@pytest.fixture
def world() -> World:
    return World()


def test_the_second_run_writes_nothing_and_asks_little(world: World) -> None:
    first = world.run()
    assert [type(w.action).__name__ for w in first.written][-1] == "CreateComment"
    requests = world.connector.requests
    world.now += timedelta(minutes=1)
    assert world.run().written == []
    assert world.connector.requests == requests + 1


def test_a_lost_answer_to_a_create_is_looked_up_and_not_sent_again(world: World) -> None:
    world.connector.lose = 99
    result = world.run()
    assert result.failures == []
    assert len(world.tracker.issues) == 1
    assert len(world.summaries()) == 1
    world.connector.lose = 0
    assert world.run().written == []


def test_a_refused_write_ends_its_own_milestone_only(world: World) -> None:
    world.tracker.pages = [page(), page("p2", key="acme/web")]
    world.connector.fail["apply"] = [RefusedError("memory", "acme/app", "no right")]
    connection = Connection(
        name="memory", connector=world.connector, projects=("acme/*",), policy_of=lambda _: Policy.CREATE
    )
    result = world.run(connection)
    refusal = "The tracker refused the request; a person must check the reason. (no right)"
    assert [f.error for f in result.failures] == [f"memory:acme/app#1: label health/unknown: {refusal}"]
    assert len(world.summaries()) == 1
    assert len(world.run(connection).written) > 0
    assert len(world.summaries()) == 2


def test_a_project_that_is_no_longer_configured_is_left_alone(world: World) -> None:
    world.tracker.pages = [page(), page("p2", key="acme/web")]
    world.run()
    assert len(world.summaries()) == 2
    world.tracker.pages = [page()]
    world.now += timedelta(days=2)
    result = world.run()
    assert {milestone.project.key for milestone in result.assessed} == {"acme/app"}
    assert all(w.action.project_key == "acme/app" for w in result.written)


def test_two_connections_to_one_tracker_each_write_their_own(world: World) -> None:
    pages = {"memory": [page()], "second": [page("p2", key="beta/web")]}

    class Split(MemoryConnector):
        def pull(self, projects: Any, cursors: Any) -> Any:
            self.requests += 1
            yield from pages[self.name]

    connections = [
        Connection(name=name, connector=Split(world.tracker, name), projects=("x",), policy_of=lambda _: Policy.CREATE)
        for name in pages
    ]
    result = world.run(*connections)
    assert {(milestone.connection.name, milestone.project.key) for milestone in result.assessed} == {
        ("memory", "acme/app"),
        ("second", "beta/web"),
    }
    assert len(world.summaries()) == 2


def test_a_failed_pull_turns_nothing_green_and_says_since_when(world: World) -> None:
    world.run()
    before = world.summaries()[0]
    standing = world.store.last_health()
    for hours in (3, 10, 13):
        world.now += timedelta(hours=hours)
        world.connector.fail["pull"] = [UnreachableError("memory")]
        result = world.run()
        (health,) = [milestone.health for milestone in result.assessed]
        assert health == msgspec.structs.replace(standing[health.container], stale_since=NOW), "as of the last pull"
        assert result.written == []
        assert world.summaries() == [before]
    world.now += timedelta(hours=2)
    world.connector.fail["pull"] = [UnreachableError("memory")]
    result = world.run()
    assert [milestone.health.status for milestone in result.assessed] == [Status.UNKNOWN]
    assert result.assessed[0].health.stale_since == NOW
    assert [type(w.action).__name__ for w in result.written] == ["UpdateComment"]
    assert world.summaries() != [before]
    assert world.store.last_health() == standing
    world.now += timedelta(hours=1)
    assert world.run().assessed[0].health.stale_since is None
    assert world.summaries()[0].splitlines()[0] == before.splitlines()[0]


def test_a_pattern_that_failed_once_is_well_again(world: World) -> None:
    connection = Connection(name="memory", connector=world.connector, projects=("acme/*",))
    world.tracker.pages = [page(), Page(failed={"acme/*": BusyError("memory", "acme/*")})]
    world.run(connection)
    assert set(world.store.stale_projects()) == {("memory://tracker", "acme/*")}
    world.run(connection)
    assert set(world.store.stale_projects()) == {("memory://tracker", "acme/*")}
    world.tracker.pages = [page()]
    world.run(connection)
    assert world.store.stale_projects() == {}


def test_an_observation_that_fails_stops_the_writes_it_would_guide(world: World) -> None:
    world.connector.fail["observe"] = [BusyError("memory")]
    result = world.run()
    assert result.written == []
    assert result.failures
    assert len(world.run().written) > 0


def test_confidential_items_reach_neither_counts_nor_comment(world: World) -> None:
    world.tracker.pages = [page(visibility=Visibility.CONFIDENTIAL)]
    result = world.run()
    assert result.assessed[0].health.counts.total == 0
    assert "Task" not in "".join(world.summaries())


def test_types_that_are_ignored_are_no_items(world: World) -> None:
    told = page()
    first, *others = told.issues
    world.tracker.pages = [msgspec.structs.replace(told, issues=(msgspec.structs.replace(first, type="Epic"), *others))]
    counts = {}
    for ignored in (frozenset[str](), frozenset({"epic"})):
        connection = Connection(name="memory", connector=world.connector, projects=("acme/app",), ignored=ignored)
        counts[ignored] = world.run(connection).assessed[0].health.counts.total
    assert list(counts.values()) == [4, 3]


def test_a_connectors_own_mistake_is_a_failure_and_not_a_crash(world: World) -> None:
    class Broken(MemoryConnector):
        def pull(self, projects: Any, cursors: Any) -> Any:
            raise KeyError("fields")

    broken = Connection(name="broken", connector=Broken(world.tracker, "broken", "memory://b"), projects=("x",))
    good = Connection(name="memory", connector=world.connector, projects=("a",), policy_of=lambda _: Policy.CREATE)
    result = world.run(broken, good)
    assert [f.connection for f in result.failures] == ["broken"]
    assert len(world.summaries()) == 1


def test_limits_count_only_what_the_policy_allows(world: World) -> None:
    looking = Connection(name="memory", connector=world.connector, projects=("acme/app",))
    result = world.engine(looking, limits=Limits(creates=0)).run()
    assert result.refused == []
    assert result.plan.actions
    refused = world.engine(limits=Limits(creates=0)).run()
    assert refused.refused
    assert world.tracker.writes == []


def test_every_write_is_in_the_journal_and_none_is_open(world: World) -> None:
    world.connector.fail["apply"] = [RefusedError("memory")]
    world.run()
    world.run()
    assert unfinished_writes(world.store, "memory://tracker") == []
    kinds = {type(action) for action in world.tracker.writes}
    assert {CreateStatusIssue, CreateComment} <= kinds


def test_every_write_is_preceded_by_a_fresh_look(world: World) -> None:
    """A person closed the status issue: neither the pull nor the last observation shows this."""
    world.run()
    key, issue = next(iter(world.tracker.issues.items()))
    world.tracker.issues[key] = msgspec.structs.replace(issue, closed=True)
    world.tracker.pages = [page(closed=3)]
    world.now += timedelta(hours=1)
    result = world.run()
    assert result.plan.actions == ()
    assert [skipped.why for skipped in result.plan.skipped] == ["its status issue is closed, which mutes it"]


@pytest.mark.parametrize("fields", [{"due": None}, {"state": State.CLOSED, "closed_at": NOW - timedelta(days=1)}])
def test_no_status_issue_is_made_for_what_has_no_due_date_or_was_over_before_us(
    world: World, fields: dict[str, Any]
) -> None:
    one = page(closed=4)
    (milestone,) = one.milestones
    world.tracker.pages = [msgspec.structs.replace(one, milestones=(msgspec.structs.replace(milestone, **fields),))]
    assert world.run().written == []
    assert world.tracker.issues == {}
