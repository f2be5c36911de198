"""Runs every hour over untouched trackers: at most one edit of each text a day, and nothing announced."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.contract.team_rounds import DIALECTS
from tests.outage_world import OutageWorld
from tests.proof import TIMEOUT, Record, full
from tests.still_world import edits_of, most_in_a_day, still_team

SUMMARY = "UpdateComment summary"
UTC = ZoneInfo("UTC")

pytestmark = TIMEOUT


@pytest.mark.proof
@pytest.mark.parametrize("kind", DIALECTS)
def test_foreign_comments_labels_and_edits_rewrite_nothing(kind: str, record_property: Record) -> None:
    """On items and on status issues, before each run: every hour, in `make test` every eight hours."""
    days, hours = full((60, 1), (3, 8))
    with still_team(kind) as team:
        team.begin()
        edits = team.runs(days * 24 // hours, every=timedelta(hours=hours), noise=True)
    record_property("runs", days * 24 // hours)
    record_property("edits of summaries", sum(n for (_, kind, _), n in edits.items() if kind == SUMMARY))
    found = most_in_a_day(edits)
    assert found[SUMMARY] == 1, "the day's own"
    for kind in ("UpdateDescription", "UpdateComment reminder", "MoveLabel"):
        assert found[kind] <= 1


@pytest.mark.proof
@pytest.mark.parametrize("ahead", [0, 12, 15], ids=["two weeks before", "last two days", "overdue"])
def test_an_untouched_world_is_rewritten_once_a_day(ahead: int, record_property: Record) -> None:
    """Milestones that wait for each other and are in a joint one, every hour."""
    world, edits = OutageWorld(), Counter[tuple[str, str, date]]()
    world.run(hours=24 * ahead)
    runs = 24 * full(60, 1)
    for _ in range(runs):
        edits += edits_of(world.run(), world.now, UTC)
    record_property("runs", runs)
    found = most_in_a_day(edits)
    assert found[SUMMARY] == 1
    assert found["CreateComment transition"] <= 1


def test_an_outage_and_its_end_within_grace_write_nothing() -> None:
    world, edits = OutageWorld(), Counter[tuple[str, str, date]]()
    for down in ((), ("base",), ("base", "app"), ("base", "app", "other"), (), ("app",), ()):
        result = world.run(*down)
        edits += edits_of(result, world.now, UTC)
    written = [kind for _, kind, _ in edits if not kind.startswith("Create")]
    assert written == ["MoveLabel"] * len(written), "the first run's own"


def test_a_long_outage_and_its_end_announce_nothing_and_are_no_news() -> None:
    world = OutageWorld()
    world.run()
    results = [world.run("base", "app", "other", hours=12) for _ in range(6)]
    results.append(world.run())
    assert sum(result.notifications for result in results) == 0
    for tracker in world.trackers.values():
        for issue in tracker.issues.values():
            assert "**Added**" not in issue.comments[0].body
            assert "**Closed**" not in issue.comments[0].body
