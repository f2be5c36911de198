"""A tracker's own health status: set next to the label, never over a person's choice, and removed again."""

from __future__ import annotations

import msgspec
import pytest

from sync.model.health import Status
from sync.model.tracker_data import Markup
from sync.plan.desired import Plan, PreviousWrites
from sync.plan.reconcile import reconcile
from sync.tracker.actions import Receipt, SetNativeHealth
from sync.tracker.protocol import Capabilities
from tests.integration.test_engine import World
from tests.integration.test_managed_block import Describing
from tests.memory_tracker import MemoryTracker
from tests.unit.test_reconcile import NOW, TARGET, UID, tracker, want


def settle(there: MemoryTracker, value: str, last: str | None, status: Status = Status.AT_RISK) -> list[str]:
    """Plan and apply; return the statuses that were set."""
    plan: Plan = reconcile(
        [want(status, health=value, previous=PreviousWrites(health=last))],
        there.seen([TARGET]),
        instance="acme",
        now=NOW,
    )
    key = next(iter(there.issues), "")
    for planned in plan.actions:
        action = msgspec.structs.replace(planned, issue=key) if getattr(planned, "issue", None) == "" else planned
        key = there.do(action).issue or key
    return [write.value for write in plan.actions if isinstance(write, SetNativeHealth)]


def set_by_hand(there: MemoryTracker, value: str | None) -> None:
    for key, issue in there.issues.items():
        there.issues[key] = msgspec.structs.replace(issue, health=value)


def test_it_is_set_once_follows_the_status_and_goes_when_it_is_not_asked_for() -> None:
    there = tracker()
    assert settle(there, "needs_attention", None) == ["needs_attention"]
    assert settle(there, "needs_attention", "needs_attention") == []
    assert settle(there, "at_risk", "needs_attention") == ["at_risk"]
    assert settle(there, "", "at_risk") == [""]
    assert settle(there, "", "") == []


@pytest.mark.parametrize("person", ["on_track", ""])
def test_a_status_set_or_removed_by_a_person_stays(person: str) -> None:
    there = tracker()
    settle(there, "needs_attention", None)
    set_by_hand(there, person)
    assert settle(there, "needs_attention", "needs_attention") == []
    assert settle(there, "at_risk", "needs_attention") == []


def test_a_status_set_before_our_first_run_stays_also_after_a_lost_database() -> None:
    there = tracker()
    settle(there, "needs_attention", None)
    set_by_hand(there, "on_track")
    assert settle(there, "at_risk", None) == []


def test_a_missing_licence_is_reported_and_nothing_is_sent() -> None:
    there = tracker()
    settle(there, "needs_attention", None)
    set_by_hand(there, None)
    plan = reconcile([want(Status.AT_RISK, health="needs_attention")], there.seen([TARGET]), instance="acme", now=NOW)
    assert [(skipped.milestone, skipped.why) for skipped in plan.skipped] == [
        (UID, "its tracker's licence knows no health status")
    ]
    assert not any(isinstance(action, SetNativeHealth) for action in plan.actions)


def test_the_store_remembers_what_was_set_last() -> None:
    world: World = Describing()
    world.connector.capabilities = Capabilities(markup=Markup.GITLAB, body_limit=65_000, health=True)
    about = {"milestone": "memory://tracker/milestone/p1-m", "project": "p1", "project_key": "acme/app", "issue": "1"}
    world.run()
    for value in ("on_track", "at_risk"):
        entry = world.store.begin("run-1", SetNativeHealth(**about, value=value))

        world.store.finish(entry, Receipt(issue="1"))
    assert world.store.native_health_set() == {about["milestone"]: "at_risk"}
