"""Remove each input: no status and no probability improves, nothing is announced, nothing counts as good news."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sync.model.health import Health
from sync.report.good_news import good_news
from sync.tracker.actions import UpdateComment
from tests.outage_world import NAMES, RANK, OutageWorld

KINDS = ("down", "removed", "misspelt")
"""Ways to lose a source: it does not answer, its project is not configured, or is configured by a wrong name."""


def improves(health: Health, before: Health) -> bool:
    """Return whether a health is better than another: its status, or its probability in the same status."""
    if health == before:
        return False
    if RANK.index(health.status) != RANK.index(before.status):
        return RANK.index(health.status) < RANK.index(before.status)
    return (health.probability or 0.0) > (before.probability or 0.0)


def best_lever(health: Health) -> float:
    """Return the highest probability that a lever of the health promises; 0 without one."""
    return max((lever.probability or 0.0 for lever in health.levers), default=0.0)


@settings(max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(
    share=st.sampled_from(["none", "aggregate"]),
    blocked=st.booleans(),
    still_open=st.integers(1, 8),
    lost=st.lists(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(KINDS), min_size=1), min_size=1, max_size=3),
    hours=st.sampled_from([0.5, 2.0]),
)
def test_no_missing_input_improves_announces_or_praises_anything(
    share: str, blocked: bool, still_open: int, lost: list[dict[str, str]], hours: float
) -> None:
    """All of it lies in one day, and so in the grace period: nothing is written for the milestones concerned."""
    world = OutageWorld(share=share, blocked=blocked, still_open=still_open)
    world.run()
    world.run()
    before = world.healths()
    for kinds in lost:
        down, removed, misspelt = ([name for name in kinds if kinds[name] == kind] for kind in KINDS)
        result = world.run(*down, hours=hours, removed=removed, misspelt=misspelt)
        assert result.notifications == 0
        touched = set(kinds) | ({"app"} if share == "aggregate" and "base" in kinds else set())
        assert {write.action.milestone for write in result.written}.isdisjoint(
            f"memory://{name}/milestone/{name}-m8" for name in touched
        )
        assert {type(write.action) for write in result.written} <= {UpdateComment}
        touched |= {"joint"} if kinds.keys() & {"app", "base"} else set()
        healths = world.healths()
        for name, health in healths.items():
            assert not improves(health, before[name]), name
        for name in touched & healths.keys():
            assert best_lever(healths[name]) <= best_lever(before[name]), name
            assert healths[name].stale_since is not None, name
            assert good_news(healths[name], (), ZoneInfo("UTC")) == "", name
    result = world.run(hours=hours)
    assert result.notifications == 0, "the end of an outage is no news"
    for name, health in world.healths().items():
        assert (health.status, health.stale_since) == (before[name].status, None), name
