"""The requests of whole runs over many projects of one Jira, over HTTP."""

from __future__ import annotations

from math import ceil

import pytest

from sync.model.policy import Policy
from tests.contract.jira_side import DIALECTS
from tests.fleet_world import WANTED, Fleet, fleet

FACTS = 4
"""What is read once a day: fields, statuses, the account and the time tracking."""


def pull(kind: str, projects: int) -> int:
    """The requests of a pull without changes."""
    return 1 + (projects if kind == "jira-cloud" or projects < 4 else 1 + ceil(projects / 50))


def look(kind: str, issues: int) -> int:
    """The requests of the daily look at unchanged status issues."""
    return ceil(issues / 100) + (2 if kind == "jira-cloud" else 0)


@pytest.mark.parametrize(("projects", "milestones"), [(1, 1), (1, 45), (20, 2), (45, 2)])
@pytest.mark.parametrize("kind", DIALECTS)
def test_a_run_looks_at_many_status_issues_at_once(kind: str, projects: int, milestones: int) -> None:
    count = projects * milestones
    with fleet(
        kind, projects, milestones=milestones, dialect=kind.removeprefix("jira-").replace("jira", "dc")
    ) as world:
        world.run(Policy.CREATE)
        after_a_day(world, hours=1)
        world.clock.on(hours=1)
        assert world.run(Policy.CREATE).requests == pull(kind, projects)
        drivers = projects if kind == "jira-cloud" else 0
        sweep = after_a_day(world, hours=24)
        assert sweep == pull(kind, projects) + FACTS + drivers + look(kind, count)


def after_a_day(world: Fleet, hours: int) -> int:
    world.clock.on(hours=hours)
    return world.look(Policy.CREATE).requests


@pytest.mark.parametrize("projects", [1, 20, 200])
@pytest.mark.parametrize("kind", DIALECTS)
def test_the_policy_plan_adds_no_request(kind: str, projects: int) -> None:
    """Two hundred issues were updated in one moment: these are two of Cloud's pages."""
    expected = pull(kind, projects) + (kind == "jira-cloud" and projects > 100)
    with fleet(kind, projects) as world:
        world.run()
        for _ in range(2):
            world.clock.on(hours=1)
            assert world.run().requests == expected <= WANTED[kind].quiet(projects)


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_first_comment_takes_two_writes(kind: str) -> None:
    """The issue is created with its labels. Reading them again takes one request each on Data Center."""
    with fleet(kind, 2, milestones=15) as world:
        world.run()
        world.clock.on(hours=1)
        cost = world.run(Policy.CREATE)
        writes = [(verb, path) for verb, path, _ in list(world.tracker.log)[-cost.requests :] if is_write(verb, path)]
        assert len(writes) == 2 * 30
        search, observation = 1, 1 if kind == "jira-cloud" else 30
        assert cost.requests == pull(kind, 2) + search + observation + len(writes) + permissions(kind)
        issues = [issue for project in world.projects for issue in project.issues.values() if issue.comments]
        assert len(issues) == 30
        assert all("milestone-status" in issue.labels and len(issue.labels) == 2 for issue in issues)


def is_write(verb: str, path: str) -> bool:
    """Return whether a request creates or changes something: Jira reads by POST, too."""
    reads = ("search", "bulkfetch", "comment/list", "permissions/check")
    return verb != "GET" and not any(word in path for word in reads)


def permissions(kind: str) -> int:
    """The requests for the permissions in two projects, before and after the writes."""
    return 2 * (1 if kind == "jira-cloud" else 1 + 2)
