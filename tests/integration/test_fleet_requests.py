"""The requests of runs over many projects of one connection, over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from connectors.github import connector
from connectors.sandbox.world_data import Fault, Issue, Project
from sync.model.policy import Policy
from sync.tracker.errors import LimitedError, RefusedError
from tests.fleet_world import WANTED, fleet

KINDS = ("github", "gitlab")
"""The dialects that keep to `WANTED`."""


@pytest.mark.parametrize("projects", [1, 20, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_changes_asks_once_for_many_projects(kind: str, projects: int) -> None:
    """Also the first one after the first pull. The policy ``plan`` adds nothing."""
    with fleet(kind, projects) as world:
        world.run()
        for hours in (1, 1, 24):
            world.clock.on(hours=hours)
            assert world.run().requests == WANTED[kind].quiet(projects)


@pytest.mark.parametrize(("containers", "patterns", "requests"), [("parents", (), 1), ("milestones", ("acme/*",), 2)])
def test_containers_and_patterns_add_nothing_for_each_repository(
    containers: str, patterns: Sequence[str], requests: int
) -> None:
    """Parents of sub-issues are not read again; a pattern is one request for a hundred repositories."""
    with fleet("github", 8, patterns=patterns, containers=["milestones", containers]) as world:
        ada = world.tracker.user("ada")
        for project in world.projects:
            parent, child = list(project.issues.values())[:2]
            world.tracker.adopt(child, parent, ada, world.clock.now - timedelta(hours=1))
        world.run()
        for _ in range(2):
            world.clock.on(hours=1)
            assert world.run().requests == requests


@pytest.mark.parametrize(("projects", "milestones"), [(1, 45), (20, 2), (20, 1)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_asks_for_many_status_issues_at_once(kind: str, projects: int, milestones: int) -> None:
    wanted = WANTED[kind]
    with fleet(kind, projects, milestones=milestones) as world:
        world.run(Policy.CREATE)
        world.clock.on(hours=1)
        world.run(Policy.CREATE)
        world.clock.on(hours=1)
        assert world.run(Policy.CREATE).requests == wanted.quiet(projects)
        world.clock.on(hours=24)
        assert world.look(Policy.CREATE).requests == wanted.sweep(projects, projects * milestones)


# --- first comments on GitHub ----------------------------------------------------------------------------------------


def status_issues(project: Project) -> list[Issue]:
    """The issues that milesync created."""
    return [issue for issue in project.issues.values() if issue.author.login == "milesync-bot"]


def test_two_hundred_first_comments_take_two_writes_and_two_seconds_each() -> None:
    with fleet("github", 1, milestones=200) as world:
        cost = world.run(Policy.CREATE)
        [project] = world.projects
        assert [len(issue.comments) for issue in status_issues(project)] == [1] * 200
        assert cost.writes == 2 + 2 * 200, "two labels are created once"
        assert cost.seconds == cost.writes - 1
        assert cost.requests <= 3 * 200


def test_the_texts_beyond_the_limit_of_an_hour_wait_for_a_later_run() -> None:
    """The run ends at once and says from when on the rest is written; the hour counts over several runs."""
    with fleet("github", 1, milestones=255) as world:
        first = world.run(Policy.CREATE, fails=LimitedError)
        [project] = world.projects
        assert sum(1 + len(issue.comments) for issue in status_issues(project)) == 500
        [error] = first.failures
        assert first.seconds < 510
        world.clock.on(minutes=10)
        early = world.run(Policy.CREATE, fails=LimitedError)
        assert early.writes == 0
        assert getattr(early.failures[0], "until", None) == getattr(error, "until", ())
        world.clock.on(hours=1)
        assert world.run(Policy.CREATE).failures == []
        assert [len(issue.comments) for issue in status_issues(project)] == [1] * 255


def test_texts_of_a_clock_that_ran_ahead_do_not_hold_back_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connector, "TEXTS_AN_HOUR", 4)
    with fleet("github", 1, milestones=3) as world:
        [project] = world.projects
        world.clock.on(days=2)
        world.run(Policy.CREATE, fails=LimitedError)
        assert sum(1 + len(issue.comments) for issue in status_issues(project)) == 4
        world.clock.on(days=-2)
        assert world.run(Policy.CREATE).failures == []
        assert [len(issue.comments) for issue in status_issues(project)] == [1] * 3


def test_a_status_issue_whose_labels_were_dropped_is_completed_once_they_may_be_set() -> None:
    with fleet("github", 1) as world:
        [project] = world.projects
        project.drops_labels = True
        for _ in range(2):
            cost = world.run(Policy.CREATE, fails=RefusedError)
            assert len(cost.failures) == 1
            world.clock.on(hours=1)
        [issue] = status_issues(project)
        assert (issue.labels, issue.comments) == ([], [])
        project.drops_labels = False
        world.run(Policy.CREATE)
        [issue] = status_issues(project)
        assert len(issue.comments) == 1
        assert any(label.startswith("health/") for label in issue.labels)


def test_a_limit_without_a_time_ends_the_writes_of_the_run() -> None:
    with fleet("github", 1, milestones=5) as world:
        [project] = world.projects
        body = '{"message": "Validation Failed", "errors": [{"message": "was submitted too quickly"}]}'
        world.tracker.faults.append(Fault("status", "POST /repos/acme/r0/issues", status=422, body=body, after=2))
        cost = world.run(Policy.CREATE, fails=LimitedError)
        assert len(cost.failures) == 1
        assert len(status_issues(project)) == 1
        world.clock.on(hours=1)
        world.run(Policy.CREATE)
        assert [len(issue.comments) for issue in status_issues(project)] == [1] * 5
