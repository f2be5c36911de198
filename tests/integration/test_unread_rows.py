"""Rows that cannot be read: what they cost, and for how long."""

from __future__ import annotations

import msgspec
import pytest

from sync.engine.metrics import read_states
from sync.model.health import UnknownCause
from sync.model.inputs import InputState
from sync.model.tracker_data import UnreadKind, UnreadRow
from tests.outage_world import OutageWorld
from tests.portfolio_world import running


def unread(world: OutageWorld, name: str, *rows: UnreadRow, without: str = "") -> None:
    """Let the tracker send these rows unreadably from now on, and the issue ``without`` not at all."""
    page = world.trackers[name].pages[0]
    issues = tuple(issue for issue in page.issues if issue.id != without)
    world.trackers[name].pages[0] = msgspec.structs.replace(page, unread=rows, issues=issues)


def of(world: OutageWorld, name: str, n: int = 8) -> UnreadRow:
    """An issue of the tracker's n-th milestone that cannot be read; its milestone is known from the store."""
    page = world.trackers[name].pages[0]
    issue = next(issue for issue in page.issues if issue.milestones == (f"{name}-m{n}",))
    reason = "Expected `str`, got `int` - at `$.title`"
    return UnreadRow(project=name, kind=UnreadKind.ISSUE, reason=reason, id=issue.id, key=issue.key)


def test_an_unreadable_issue_makes_its_milestone_unknown_after_the_grace_and_no_other() -> None:
    world = OutageWorld()
    world.run()
    before = world.healths()
    row = of(world, "base")
    unread(world, "base", row, without=row.id)
    for hours in (1, 11, 11):
        result = world.run(hours=hours)
        after = world.healths()
        assert after["base"].status is before["base"].status
        assert after["base"].stale_since is not None
        assert after["other"].stale_since is None
        [failure] = result.failures
        assert (failure.connection, failure.project) == ("base", "acme/base")
        assert row.key in failure.error
        assert "$.title" in failure.error
    world.run(hours=3)
    later = world.healths()
    assert later["base"].unknown is UnknownCause.STALE
    assert later["app"].unknown is UnknownCause.STALE, "it waits for base"
    assert later["other"].stale_since is None
    assert world.store.stale_projects() == {}, "the project itself was read"
    [own] = [own for own in world.last.portfolio.milestones if own.written == running("base")]  # type: ignore[union-attr]
    assert [(entry.state, entry.failure) for entry in own.inputs] == [(InputState.STALE, "an item cannot be read")]


@pytest.mark.parametrize("kind", [kind for kind in UnreadKind if kind.is_item])
def test_a_row_that_can_be_read_again_costs_nothing_more(kind: UnreadKind) -> None:
    world = OutageWorld()
    world.run()
    before, page = world.healths(), world.trackers["base"].pages[0]
    unread(world, "base", msgspec.structs.replace(of(world, "base"), kind=kind))
    assert f"{kind} " in world.run().failures[0].error
    world.trackers["base"].pages[0] = page
    result = world.run()
    assert result.failures == []
    assert world.store.unread_rows() == []
    assert world.healths()["base"].stale_since is None
    assert world.healths()["base"].status is before["base"].status


def test_a_row_whose_milestone_is_not_known_is_told_and_costs_no_more() -> None:
    world = OutageWorld()
    world.run()
    row = UnreadRow(project="base", kind=UnreadKind.ISSUE, reason="Expected `object`, got `null`")
    unread(world, "base", row)
    result = world.run(hours=30)
    assert "1 row: an issue without a readable key: Expected `object`, got `null`" in result.failures[0].error
    assert world.healths()["base"].stale_since is None


def test_the_milestone_that_the_row_itself_names_is_unknown_on_a_first_pull() -> None:
    world = OutageWorld()
    row = msgspec.structs.replace(of(world, "base"), milestones=("base-m8",))
    unread(world, "base", row, without=row.id)
    world.run()
    assert world.healths()["base"].unknown is UnknownCause.STALE
    assert world.healths()["other"].stale_since is None


def test_an_unreadable_milestone_is_not_deleted() -> None:
    world = OutageWorld()
    world.run()
    page = world.trackers["base"].pages[0]
    rows = tuple(row for row in page.milestones if row.id != "base-m8")
    for known in ("base-m8", ""):
        row = UnreadRow(project="base", kind=UnreadKind.MILESTONE, reason="x", id=known)
        world.trackers["base"].pages[0] = msgspec.structs.replace(page, milestones=rows, unread=(row,))
        world.run()
        assert "base" in world.healths()
        assert (world.healths()["base"].stale_since is not None) is bool(known)
    world.trackers["base"].pages[0] = msgspec.structs.replace(page, milestones=rows, unread=())
    world.run()
    assert "base-m8" not in {row.id for _, row in world.store.milestones("memory://base")}


def test_status_names_the_row_since_its_first_failure() -> None:
    world = OutageWorld()
    world.run()
    row = of(world, "base")
    unread(world, "base", row, without=row.id)
    world.run()
    since = world.now
    world.run()
    [line] = [line for state in read_states(world.last) for line in state.unread]
    assert line.startswith("acme/base: issue ")
    assert f"cannot be read since {since:%Y-%m-%d %H:%M} UTC (Expected `str`" in line


def test_an_issue_of_another_project_with_the_same_key_is_another_row() -> None:
    world = OutageWorld()
    key = "#5"
    row = UnreadRow(project="base", kind=UnreadKind.ISSUE, reason="x", key=key)
    unread(world, "base", row)
    world.run()
    page = world.trackers["base"].pages[0]
    other = msgspec.structs.replace(page.issues[0], id="elsewhere", key=key, project="elsewhere")
    world.trackers["base"].pages[0] = msgspec.structs.replace(page, issues=(*page.issues, other))
    since = world.now
    world.run()
    assert [(state.row.key, state.failed_at) for state in world.store.unread_rows()] == [(key, since)]


def test_a_row_of_a_project_that_is_not_configured_any_more_is_not_named() -> None:
    world = OutageWorld()
    world.run()
    unread(world, "base", of(world, "base"))
    world.run()
    assert len(world.store.unread_rows()) == 1
    world.run(removed=("base",))
    assert world.store.unread_rows() == []


def test_an_obstacle_ends_with_its_milestone_and_never_with_that_of_another_tracker() -> None:
    world = OutageWorld()
    world.run()
    deleted, foreign = "memory://base/milestone/base-m99", "https://elsewhere.example/milestone/1"
    world.store.save_obstacles({deleted: "claimed", foreign: "claimed"}, world.now)
    world.run()
    assert world.store.obstacles().keys() == {foreign}
