"""The requests of whole runs over many projects of one Jira, over HTTP."""

from __future__ import annotations

from math import ceil

import pytest

from sync.model.policy import Policy
from tests.contract.jira_side import DIALECTS
from tests.fleet_world import Fleet, fleet

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
