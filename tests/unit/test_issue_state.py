"""Close a status issue with its milestone, and reopen it with it: `sync.plan.issue_state`."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sync.model.health import Status
from sync.model.policy import Limits, Policy
from sync.plan.desired import Plan, Skipped
from sync.plan.inputs import PlannerInput
from sync.plan.issue_state import is_muted
from sync.plan.limits import over_limits
from sync.plan.ownership import OwnedIssue, retirement
from sync.plan.reconcile import reconcile
from sync.tracker.actions import (
    CloseIssue,
    CreateComment,
    Lookup,
    MoveLabel,
    SetIssueState,
    UpdateComment,
    kind_of,
)
from sync.tracker.marker import Marker, MarkerKind
from tests.issue_state_world import HOUR, KEY, TARGET, UID, World


def running() -> World:
    world = World()
    world.run(Status.AT_RISK)
    return world


def ended(status: Status = Status.DONE, **fields: Any) -> World:
    world = running()
    world.run(status, **fields)
    return world


def states(plan: Plan) -> list[bool]:
    return [action.closed for action in plan.actions if isinstance(action, SetIssueState)]


# --- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.DONE, Status.ENDED])
def test_the_issue_is_closed_after_the_closing_comment_and_all_other_writes(status: Status) -> None:
    world = running()
    plan = world.run(status)
    assert [type(action) for action in plan.actions] == [MoveLabel, CreateComment, UpdateComment, SetIssueState]
    assert states(plan) == [True]
    assert world.issue.closed


def test_the_closing_stands_behind_optional_writes_too() -> None:
    world = running()
    world.now += HOUR
    plan = world.plan(Status.DONE, health="on_track")
    assert states(plan) == [True]
    assert isinstance(plan.actions[-1], SetIssueState)


def test_a_milestone_that_runs_changes_no_state() -> None:
    world = running()
    assert states(world.run(Status.OFF_TRACK)) == []
    assert states(world.run(Status.ON_TRACK)) == []


def test_nothing_is_closed_before_the_end_is_announced() -> None:
    """On quiet days and with stale data the announcement waits, and the closing with it."""
    world = running()
    assert states(world.run(Status.DONE, quiet=True)) == []
    assert states(world.run(Status.DONE, stale=True)) == []
    assert states(world.run(Status.DONE)) == [True]


def test_an_end_that_is_found_at_first_sight_closes_nothing() -> None:
    world = World()
    assert states(world.run(Status.DONE)) == []
    assert states(world.run(Status.ENDED)) == []


# --- every combination ------------------------------------------------------------------------------------------------

WHO = {"us": True, "person": False, "unknown": False}


@pytest.mark.parametrize("setting", [True, False])
@pytest.mark.parametrize("who", ["us", "person", "unknown", "none"])
@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("is_over", [True, False])
@pytest.mark.parametrize("noted", [True, False])
def test_every_combination(noted: bool, is_over: bool, is_closed: bool, who: str, setting: bool) -> None:
    """Try each account that closes or reopens the issue an hour after the announced end; none: no change is known."""
    world = ended(closes=noted)
    issue = msgspec.structs.replace(world.issue, closed=is_closed, state_change=None)
    world.tracker.issues[KEY] = issue
    world.now += HOUR
    if who != "none":
        world.tracker.set_state(KEY, closed=is_closed, by_us=WHO[who])
    status = Status.DONE if is_over else Status.AT_RISK
    plan = world.plan(status, closes=setting, summary="new words", meaning="new")
    ours = noted and setting
    if is_closed and not (ours and who == "us"):
        assert plan.actions == ()
        assert plan.skipped == (Skipped(UID, "its status issue is closed, which mutes it"),)
        return
    wanted = []
    if ours and is_closed and not is_over:
        wanted = [False]
    if ours and not is_closed and is_over and who == "none":
        wanted = [True]
    assert states(plan) == wanted
    assert any(isinstance(action, UpdateComment) for action in plan.actions)
    assert is_muted(PlannerInput(world.want(status, closes=setting), world.issue, "acme", world.now)) is False
    world.do(plan)
    assert world.plan(status, closes=setting, summary="new words", meaning="new").actions == ()


# --- the milestone runs again ----------------------------------------------------------------------------------------


def test_the_issue_is_reopened_before_anything_is_said() -> None:
    world = ended()
    plan = world.run(Status.OFF_TRACK)
    assert isinstance(plan.actions[0], SetIssueState)
    assert states(plan) == [False]
    assert not world.issue.closed


def test_it_is_closed_again_at_the_next_end_and_reopened_again() -> None:
    world = ended()
    for _ in range(3):
        assert states(world.run(Status.OFF_TRACK)) == [False]
        assert states(world.run(Status.ENDED)) == [True]


def test_a_reopening_waits_for_a_day_on_which_it_may_be_announced() -> None:
    world = ended()
    assert states(world.run(Status.OFF_TRACK, quiet=True)) == []
    assert states(world.run(Status.OFF_TRACK)) == [False]


def test_a_reopened_milestone_is_reopened_even_if_its_status_is_not_announced() -> None:
    world = ended()
    assert states(world.run(Status.OFF_TRACK, transition=lambda _before: None)) == [False]
    world.person(closed=True)
    assert world.run(Status.AT_RISK).actions == ()


# --- what people do ---------------------------------------------------------------------------------------------------


def test_a_reopening_by_a_person_holds_for_the_same_end() -> None:
    world = ended()
    world.person(closed=False)
    for summary in ("a", "b"):
        assert states(world.run(Status.DONE, summary=summary, meaning=summary)) == []
    assert not world.issue.closed


def test_done_and_then_ended_is_one_end() -> None:
    world = ended(Status.DONE)
    world.person(closed=False)
    assert states(world.run(Status.ENDED)) == []


def test_a_reopening_by_our_own_account_holds_too() -> None:
    """The token may be a person's: a reopening after the announcement is never undone."""
    world = ended()
    world.now += HOUR
    world.tracker.set_state(KEY, closed=False, by_us=True)
    assert states(world.run(Status.DONE, summary="a", meaning="a")) == []


def test_a_person_who_reopened_sees_it_closed_at_the_next_end() -> None:
    world = ended()
    world.person(closed=False)
    assert states(world.run(Status.AT_RISK)) == []
    assert states(world.run(Status.DONE)) == [True]


def test_a_closing_by_a_person_mutes_although_we_closed_it_before() -> None:
    world = ended()
    world.person(closed=False)
    world.person(closed=True)
    assert world.run(Status.OFF_TRACK).actions == ()


def test_a_closing_by_our_own_account_before_the_end_mutes() -> None:
    world = running()
    world.tracker.set_state(KEY, closed=True, by_us=True)
    assert world.run(Status.OFF_TRACK).actions == ()
    assert world.run(Status.DONE).actions == ()


def test_mute_stops_closing_and_reopening() -> None:
    world = running()
    assert world.run(Status.DONE, muted=True).actions == ()
    world = ended()
    assert world.run(Status.OFF_TRACK, muted=True).actions == ()


def test_an_issue_that_a_person_named_is_never_closed_or_reopened() -> None:
    world = running()
    world.tracker.issues[KEY] = msgspec.structs.replace(world.issue, marker="")
    target = msgspec.structs.replace(TARGET, issue=KEY)
    plan = reconcile([world.want(Status.DONE)], world.tracker.seen([target]), instance="acme", now=world.now)
    assert any(isinstance(action, CreateComment) for action in plan.actions)
    assert states(plan) == []


@pytest.mark.parametrize("changes", [{"instance": "other"}, {"milestone": "memory://tracker/milestone/2"}])
def test_an_issue_of_another_instance_or_milestone_is_never_closed(changes: dict[str, str]) -> None:
    world = running()
    marker = Marker.decode(world.issue.marker)
    assert marker is not None
    foreign = msgspec.structs.replace(marker, **changes).encode()
    world.tracker.issues[KEY] = msgspec.structs.replace(world.issue, marker=foreign)
    seen = world.tracker.seen([msgspec.structs.replace(TARGET, issue=KEY)])
    assert states(reconcile([world.want(Status.DONE)], seen, instance="acme", now=world.now)) == []


# --- upgrade, settings, policy, limits --------------------------------------------------------------------------------


def test_a_milestone_that_ended_under_an_earlier_version_stays_open() -> None:
    world = ended(closes=False)
    world.without_note()
    for status in (Status.DONE, Status.ENDED):
        assert states(world.run(status, summary=status.value, meaning="new")) == []
    assert not world.issue.closed


def test_a_new_method_that_finds_an_end_closes_nothing() -> None:
    world = running()
    assert states(world.run(Status.DONE, method=2)) == []


def test_markers_of_earlier_versions_stay_readable_and_ours_say_it_once() -> None:
    world = ended()
    notes = [marker.kind for c in world.issue.comments if (marker := Marker.decode(c.marker)) and marker.closes]
    assert notes == [MarkerKind.CLOSING]
    old = Marker.decode('{"instance":"acme","kind":"closing","milestone":"m","status":"done"}')
    assert old is not None
    assert old.closes is False


def test_the_update_policy_closes_and_the_closing_counts_as_an_update() -> None:
    world = running()
    world.now += HOUR
    plan = world.plan(Status.DONE, policy=Policy.UPDATE)
    assert states(plan) == [True]
    (refusal,) = over_limits(plan, Limits(updates=2), 1)
    assert (refusal.what, refusal.planned) == ("updates", 3)


def test_retire_closes_what_is_open_and_leaves_what_we_closed() -> None:
    for world, kinds in ((running(), [CloseIssue]), (ended(), [])):
        owned = OwnedIssue(
            milestone=UID, project="p", project_key="acme/app", issue=world.issue, labels=(), opened=True
        )
        plan = retirement([owned], instance="acme")
        assert [type(action) for action in plan.actions if isinstance(action, CloseIssue | SetIssueState)] == kinds


def test_after_retire_the_closed_issue_is_muted() -> None:
    """Our comments are deleted, and the note with them."""
    world = ended()
    world.tracker.issues[KEY] = msgspec.structs.replace(world.issue, comments=())
    plan = world.run(Status.AT_RISK)
    assert (plan.actions, plan.people.muted) == ((), 1)


# --- obstacles and interrupted runs -----------------------------------------------------------------------------------

WORKFLOW = "its workflow has 2 transitions that close it"


def obstruct(world: World, why: str) -> None:
    world.tracker.issues[KEY] = msgspec.structs.replace(world.issue, state_obstacle=why)


def test_an_issue_that_cannot_be_closed_is_written_to_and_the_plan_says_why() -> None:
    world = running()
    obstruct(world, WORKFLOW)
    plan = world.run(Status.DONE)
    assert states(plan) == []
    assert plan.skipped == (Skipped(UID, f"its status issue stays open: {WORKFLOW}"),)
    obstruct(world, "")
    assert states(world.run(Status.DONE)) == [True]


def test_an_issue_that_cannot_be_reopened_is_not_written_to_until_it_can() -> None:
    world = ended()
    obstruct(world, WORKFLOW)
    plan = world.run(Status.OFF_TRACK)
    assert plan.actions == ()
    assert plan.skipped == (Skipped(UID, f"its status issue stays closed: {WORKFLOW}"),)
    obstruct(world, "")
    assert states(world.run(Status.OFF_TRACK)) == [False]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_run_that_was_stopped_before_the_closing_is_completed_by_the_next(done: int) -> None:
    world = running()
    world.now += HOUR
    left = iter(range(done))
    world.do(world.plan(Status.DONE), lambda _: next(left, None) is not None)
    assert not world.issue.closed
    assert states(world.run(Status.DONE)) == [True]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_run_that_was_stopped_after_the_reopening_is_completed_by_the_next(done: int) -> None:
    world = ended()
    world.now += HOUR
    left = iter(range(done))
    world.do(world.plan(Status.AT_RISK), lambda _: next(left, None) is not None)
    world.run(Status.AT_RISK)
    assert not world.issue.closed
    assert world.issue.labels == ("health/at-risk",)


@pytest.mark.parametrize("closed", [True, False])
def test_a_lost_answer_is_found_by_the_state_of_the_issue(closed: bool) -> None:
    world = running()
    action = SetIssueState(milestone=UID, project="p", project_key="acme/app", issue=KEY, closed=closed)
    find = kind_of(action).find
    assert find(action, Lookup(None, frozenset(), False)) is None
    before = Lookup(msgspec.structs.replace(world.issue, closed=not closed), frozenset(), False)
    assert find(action, before) is None
    after = find(action, Lookup(msgspec.structs.replace(world.issue, closed=closed), frozenset(), False))
    assert after is not None
    assert after.issue == KEY
