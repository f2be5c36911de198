"""An outage of a tracker: what is shown meanwhile, and for how long."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec
import pytest

from sync.assess.outage import find_outages
from sync.model.health import Dates, Status, UnknownCause
from sync.model.inputs import Input, InputState
from tests.outage_world import OutageWorld
from tests.portfolio_world import NOW, running


def test_a_successor_of_an_unread_predecessor_keeps_its_last_verdict_and_then_has_none() -> None:
    world = OutageWorld()
    world.run()
    before = world.healths()
    for hours in (1, 11, 11):
        world.run("base", hours=hours)
        after = world.healths()
        assert after["app"].status is before["app"].status
        assert after["app"].probability == before["app"].probability
        assert after["app"].stale_since is not None
        assert after["joint"].stale_since is not None
        assert world.store.last_health()[after["app"].container] == before["app"], "it is not stored again"
    world.run("base", hours=3)
    later = world.healths()
    assert [later[name].unknown for name in ("base", "app", "joint")] == [
        UnknownCause.STALE,
        UnknownCause.STALE,
        UnknownCause.MEMBER,
    ]
    assert later["other"].status is before["other"].status
    world.run()
    assert world.healths()["app"].stale_since is None


def test_what_gets_worse_without_its_predecessor_is_shown_at_once() -> None:
    """The due day of the successor passes; its dates are the earliest possible ones."""
    world = OutageWorld()
    world.run()
    result = world.run("base", hours=24 * 20)
    health = world.healths()["app"]
    assert (health.status, health.stale_since, health.dates.earliest) == (Status.OVERDUE, None, True)
    assert result.notifications > 0


def test_the_last_verdict_is_kept_for_a_day_and_for_three_runs() -> None:
    world = OutageWorld()
    world.run()

    def is_short(hours: float) -> bool:
        world.run("other", hours=hours)
        (outage,) = find_outages(world.store, world.now).values()
        return outage.is_short

    assert [is_short(hours) for hours in (1, 1, 1, 1, 19, 2)] == [True, True, True, True, True, False]
    world.run()
    assert find_outages(world.store, world.now) == {}
    assert [is_short(hours) for hours in (1, 48, 48)] == [True, True, False], "weekly runs: the third one"


def test_a_milestone_that_was_due_during_an_outage_teaches_nothing() -> None:
    """It may have been done meanwhile: neither as a miss for others, nor for its own score."""
    world = OutageWorld()
    world.run()
    found = running("other")
    milestone = next(m for m in world.last.assess(keep=False) if m.written == found)
    start = milestone.health.at - timedelta(days=10)
    said = msgspec.structs.replace(milestone.health, at=start, probability=0.9, dates=Dates(p85=date(2026, 3, 20)))
    world.store.save_health("said", [said], {milestone.uid: milestone.stream})
    for hours in (24 * 7.0, 24 * 7.0, 24 * 7.0):
        world.run("other", hours=hours)
    score = world.last.snapshot().scores[milestone.stream]
    assert (score.dates, score.forecasts) == (0, 0)
    tables, _ = world.last.snapshot().history(milestone.connection)
    assert not tables.is_usable[tables.ledger.index[milestone.uid]]
    world.run()
    read = world.last.snapshot().scores[milestone.stream]
    assert (read.dates, read.held) == (1, 0)


def test_a_finished_milestone_stays_so() -> None:
    world = OutageWorld()
    world.run()
    before = [milestone.health.status for milestone in world.last.assess(keep=False) if not milestone.is_running]
    world.run("base", hours=24)
    world.run("base", hours=24)
    world.run("base", hours=24)
    after = [milestone.health.status for milestone in world.last.assess(keep=False) if not milestone.is_running]
    assert after == before
    assert Status.UNKNOWN not in after


@pytest.mark.parametrize("blocked", [False, True], ids=["configured", "by blocked issues"])
@pytest.mark.parametrize("kind", ["removed", "misspelt"])
def test_a_project_that_is_not_configured_any_more_changes_nothing_written(kind: str, blocked: bool) -> None:
    """Its milestone, the one that waits for it, their joint milestone, and one that learns from it."""
    world = OutageWorld(blocked=blocked)
    world.run()
    world.run()
    before = world.healths()
    for _ in range(3):
        result = world.run(hours=2, **{kind: ["base"]})
        assert (result.written, result.plan.actions) == ([], ())
        after = world.healths()
        for name in ("app", "joint"):
            assert (after[name].status, after[name].probability) == (before[name].status, before[name].probability)
            assert after[name].stale_since is not None
        assert (after["other"].probability, after["other"].stale_since) == (before["other"].probability, None)
    later = world.run(hours=24, **{kind: ["base"]})
    assert world.healths()["app"].unknown is UnknownCause.STALE
    assert later.notifications == 0
    assert world.run().notifications == 0, "it is configured again"
    assert world.healths()["app"].status is before["app"].status


def test_a_project_that_was_never_read_makes_its_successor_unknown() -> None:
    world = OutageWorld()
    world.run("base")
    assert world.healths()["app"].unknown is UnknownCause.STALE
    world.run()
    assert world.healths()["app"].unknown is None


def test_each_verdict_names_its_inputs_with_their_state() -> None:
    """The readers of ``app`` may not read ``base``, whose state is named, not the project."""
    world = OutageWorld()
    world.run()
    world.run("base")
    portfolio = world.last.portfolio
    assert portfolio is not None
    read_at = {"app": NOW + timedelta(hours=2), "base": NOW + timedelta(hours=1)}
    found = {milestone.written: milestone.inputs for milestone in portfolio.milestones}
    app = Input(connection="app", project="acme/app", state=InputState.READ, since=read_at["app"])
    base = Input(
        connection="base", project="acme/base", state=InputState.STALE, since=read_at["base"], failure="HTTP 502"
    )
    assert found[running("app")] == (app, Input(connection="", project="", state=InputState.STALE))
    assert found[running("base")] == (base,)
    assert portfolio.joints[0].inputs == (app, base)
    world.run(removed=["base"])
    assert world.last.portfolio is not None
    assert world.last.portfolio.joints[0].inputs[-1].failure == "not configured"
