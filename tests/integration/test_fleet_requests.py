"""The requests of runs over many projects of one connection, over HTTP."""

from __future__ import annotations

import pytest

from sync.model.policy import Policy
from tests.fleet_world import WANTED, fleet

KINDS = ("github",)
"""The dialects that keep to `WANTED`."""


@pytest.mark.parametrize("projects", [1, 20, 200])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_without_changes_asks_once_for_many_projects(kind: str, projects: int) -> None:
    """Also the first one after the first pull. The policy ``plan`` adds nothing, whatever would be written."""
    with fleet(kind, projects) as world:
        world.run()
        for hours in (1, 1, 24):
            world.clock.on(hours=hours)
            assert world.run().requests == WANTED[kind].quiet(projects)


@pytest.mark.parametrize(("projects", "milestones"), [(1, 45), (20, 2)])
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
