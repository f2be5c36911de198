"""The same facts are the same history on every tracker, through the real clients over HTTP."""

from __future__ import annotations

from random import Random

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from tests.contract.dialect_facts import DIALECTS, NOW, enter, random_facts, readings


@pytest.mark.parametrize(
    ("seed", "past", "start_days"), [(0, 6, True), (1, 6, False), (2, 3, True), (3, 6, False), (4, 17, True)]
)
def test_the_same_facts_have_the_same_digits(seed: int, past: int, start_days: bool) -> None:
    """Memberships, days and counts, then the whole health: status, probability, dates, leftover, reasons and levers."""
    facts = random_facts(Random(seed), past=past)
    world = World(lambda: NOW)
    for tracker in world.trackers:
        enter(tracker, facts, start_days=start_days)
    with Sandbox(world):
        found = readings(world)
    github = found["github"]
    assert len(github.containers) == len(facts.milestones)
    assert sum(counts.removed for counts in github.counts.values()) > 0
    assert sum(counts.added for counts in github.counts.values()) > 0
    running = [github.healths[f"{series} {past}"] for series in ("Release", "Website")]
    assert all(health.probability is not None for health in running)
    for dialect in DIALECTS[1:]:
        assert found[dialect].containers == github.containers, dialect
        assert found[dialect].memberships == github.memberships, dialect
        assert found[dialect].counts == github.counts, dialect
        assert found[dialect].healths == github.healths, dialect
