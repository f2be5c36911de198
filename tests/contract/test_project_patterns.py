"""Projects by pattern: what is made later is read, what is gone is left alone, and a failure does not last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world_data import Fault
from sync.engine.result import Result
from sync.model.health import UnknownCause
from sync.store.store import Store
from sync.tracker.connection import Connection
from tests.contract.sandbox_side import SandboxSide
from tests.engine_factory import engine

PATTERNS = {
    "github": ("acme/*", "acme/new"),
    "gitlab": ("acme/*", "acme/deep/new"),
    "jira": ("*", "NEW"),
    "jira-cloud": ("issuetype = Task ORDER BY updated", "NEW"),
}


@pytest.fixture(params=list(PATTERNS))
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> SandboxSide:
    made = SandboxSide.of(sandbox.world, request.param)
    for place in (made.place, made.elsewhere):
        goal = made.tracker.milestone(place, "1.0")
        made.tracker.issue(place, "one", made.people, milestones=[goal.id])
    made.pass_time(3600)
    return made


@pytest.fixture
def store(side: SandboxSide) -> Iterator[Store]:
    with Store.memory(side.now) as opened:
        yield opened


def run(side: SandboxSide, store: Store) -> Result:
    pattern, _ = PATTERNS[side.tracker.kind]
    with closing(side.connect()) as connector:
        return engine(Connection(name="side", connector=connector, projects=(pattern,)), store, side.now).run()


def projects(result: Result) -> set[str]:
    return {milestone.project.key for milestone in result.assessed}


def test_what_is_made_later_is_read_and_what_is_gone_is_left_alone(side: SandboxSide, store: Store) -> None:
    _, new = PATTERNS[side.tracker.kind]
    result = run(side, store)
    assert projects(result) == {side.project, side.other}
    assert {milestone.health.stale_since for milestone in result.assessed} == {None}
    made = side.tracker.project(new)
    goal = side.tracker.milestone(made, "2.0")
    side.tracker.issue(made, "fresh", side.people, milestones=[goal.id])
    side.pass_time(3600)
    result = run(side, store)
    assert projects(result) == {side.project, side.other, new}
    assert result.failures == []
    side.elsewhere.hidden = True
    side.pass_time(3600)
    result = run(side, store)
    assert projects(result) == {side.project, new}
    assert result.failures == []
    assert store.stale_projects() == {}


def test_a_pattern_that_could_not_be_read_is_well_again(side: SandboxSide, store: Store) -> None:
    pattern, _ = PATTERNS[side.tracker.kind]
    run(side, store)
    lists = {"github": "POST /graphql", "gitlab": "/groups/", "jira": "GET /rest/api/2/project"}
    side.pass_time(3600)
    side.tracker.faults.append(Fault("status", lists.get(side.tracker.kind, "/search/jql"), times=99, status=400))
    broken = run(side, store)
    assert broken.failures
    assert any(key == pattern for _, key in store.stale_projects())
    assert projects(broken) == {side.project, side.other}, "what was known before is not forgotten"
    assert None not in {milestone.health.stale_since for milestone in broken.assessed}, "and not taken for what stands"
    side.tracker.faults.clear()
    side.pass_time(3600)
    result = run(side, store)
    assert result.failures == []
    assert store.stale_projects() == {}
    assert projects(result) == {side.project, side.other}
    assert UnknownCause.STALE not in {milestone.health.unknown for milestone in result.assessed}


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_a_project_by_a_former_name_or_a_number_that_could_not_be_read_is_stale(sandbox: Sandbox, kind: str) -> None:
    """Its key is another word than the one that failed."""
    side = SandboxSide.of(sandbox.world, kind)
    for place in (side.place, side.elsewhere):
        goal = side.tracker.milestone(place, "1.0")
        side.tracker.issue(place, "one", side.people, milestones=[goal.id])
    side.pass_time(3600)
    word = side.project if kind == "github" else str(side.place.id)
    if kind == "github":
        side.tracker.rename(side.place, "acme/renamed")

    def verdicts(store: Store) -> dict[str, bool]:
        with closing(side.connect()) as connector:
            connection = Connection(name="side", connector=connector, projects=(word, side.other))
            made = engine(connection, store, side.now).run().assessed
        side.pass_time(3600)
        return {milestone.project.key: milestone.health.stale_since is not None for milestone in made}

    with Store.memory(side.now) as store:
        assert verdicts(store) == {side.place.key: False, side.other: False}
        path, paths = (f"/repos/{side.place.key}/", 1) if kind == "github" else (f"/projects/{word}", 2)
        side.tracker.faults += [
            Fault("status", match, times=99, status=500) for match in (path, "/api/graphql")[:paths]
        ]
        assert verdicts(store) == {side.place.key: True, side.other: False}
        side.tracker.faults.clear()
        assert verdicts(store) == {side.place.key: False, side.other: False}
        assert store.stale_projects() == {}
