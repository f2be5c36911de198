"""An untouched world, assessed every hour: what is published changes at the change of the connection's day only."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from sync.history.calendar import Calendar
from sync.model.health import Health
from sync.model.joint import JointMilestone
from tests.portfolio_world import World, page, running
from tests.proof import Record, full

LAST_DAYS = datetime(2026, 3, 27, 0, 30, tzinfo=UTC)
"""The milestones are due on 29 March: two and a half days later."""
BOTH = JointMilestone(name="Both", due=date(2026, 3, 30), members=(running("app"), running("base")))
HOURS = 72
ZONES = ["Asia/Kathmandu", "America/Los_Angeles", "UTC", "Asia/Tokyo"]
"""On both sides of UTC, one of them with a quarter of an hour."""


def published(health: Health) -> dict[str, Any]:
    """Return the published values of a health, without the times of its assessment."""
    facts = msgspec.to_builtins(health)
    return {name: facts[name] for name in facts.keys() - {"at", "since", "was"}} | {"dates": _without_since(facts)}


def _without_since(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts["dates"].items() if name != "since"}


@pytest.mark.proof
@pytest.mark.parametrize("zone", full(ZONES, ZONES[:2]))
def test_an_untouched_world_changes_its_values_at_midnight_only(zone: str, record_property: Record) -> None:
    """Waiting and joint milestones too, before and after their due dates."""
    world = World(page("app", still_open=5, late={1, 3, 5}), page("base", still_open=7, late={0, 2}))
    world.connections = [msgspec.structs.replace(connection, zone=ZoneInfo(zone)) for connection in world.connections]
    calendar, before = Calendar().in_zone(ZoneInfo(zone)), dict[str, dict[str, Any]]()
    changed_at: dict[str, list[datetime]] = {}
    for hour in range(HOURS):
        at = LAST_DAYS + timedelta(hours=hour)
        found = world.whole(
            BOTH, dependencies=[(running("base"), running("app"))], at=at, calendar=calendar, replay=False
        )
        healths = [milestone.health for milestone in found.milestones if milestone.is_running]
        healths += [joint.health for joint in found.joints]
        world.store.save_health(f"run-{hour}", healths, {own.uid: own.stream for own in found.milestones})
        for health in healths:
            now = published(health)
            if health.container in before and before[health.container] != now:
                changed_at.setdefault(health.container, []).append(at.astimezone(ZoneInfo(zone)))
            before[health.container] = now
    record_property("hourly assessments", HOURS)
    assert len(changed_at) == 3, "with the day, something changes"
    assert {at.hour for moments in changed_at.values() for at in moments} == {0}
