"""The same facts are the same history on every tracker, through the real clients over HTTP."""

from __future__ import annotations

from random import Random

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from tests.contract.dialect_facts import DIALECTS, NOW, enter, random_facts, readings


@pytest.mark.parametrize("start_days", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_same_facts_are_the_same_memberships_days_and_counts(seed: int, start_days: bool) -> None:
    facts = random_facts(Random(seed))
    world = World(lambda: NOW)
    for tracker in world.trackers:
        enter(tracker, facts, start_days=start_days)
    with Sandbox(world):
        found = readings(world)
    github = found["github"]
    assert len(github.containers) == len(facts.milestones)
    assert sum(counts.removed for counts in github.counts.values()) > 0
    assert sum(counts.added for counts in github.counts.values()) > 0
    for dialect in DIALECTS[1:]:
        assert found[dialect].containers == github.containers, dialect
        assert found[dialect].memberships == github.memberships, dialect
        assert found[dialect].counts == github.counts, dialect
