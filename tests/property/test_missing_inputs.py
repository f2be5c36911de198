"""Take each input away: no status and no probability improves, nothing is announced, nothing counts as good news."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.model.health import Health
from sync.report.good_news import good_news
from sync.tracker.actions import UpdateComment
from tests.outage_world import NAMES, RANK, OutageWorld


def improves(health: Health, before: Health) -> bool:
    """Return whether a health is better than another: its status, or its probability in the same status."""
    if health == before:
        return False
    if RANK.index(health.status) != RANK.index(before.status):
        return RANK.index(health.status) < RANK.index(before.status)
    return (health.probability or 0.0) > (before.probability or 0.0)


@settings(max_examples=12, deadline=None)
@given(
    down=st.lists(st.sets(st.sampled_from(NAMES), min_size=1), min_size=1, max_size=4),
    hours=st.sampled_from([0.5, 9.0, 20.0]),
)
def test_no_outage_improves_announces_or_praises_anything(down: list[set[str]], hours: float) -> None:
    world = OutageWorld()
    world.run()
    world.run()
    before = world.healths()
    for names in down:
        result = world.run(*names, hours=hours)
        assert result.notifications == 0
        assert {type(write.action) for write in result.written} <= {UpdateComment}
        healths = world.healths()
        touched = names | ({"joint"} if names & {"app", "base"} else set()) | ({"app"} if "base" in names else set())
        for name in touched:
            assert not improves(healths[name], before[name]), name
            assert good_news(healths[name], (), ZoneInfo("UTC")) == "" or healths[name].stale_since is None
