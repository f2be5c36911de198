"""Memberships, case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from sync.history.counting import is_done
from sync.history.memberships import Titles
from sync.model.item_state import StateNames, StateRules, fold_names
from sync.model.membership import Membership
from sync.model.tracker_data import (
    Event,
    EventKind,
    State,
)
from tests.history_rows import closed, day, issue, joined, left, reopened, replay, stay

# --- milestones -------------------------------------------------------------------------------------------------


def test_a_member_without_a_word_joined_at_its_creation() -> None:
    assert replay(issue(milestones=("m", "n"))) == [stay("m", joined=day(0)), stay("n", joined=day(0))]


def test_one_that_first_left_was_in_from_its_creation() -> None:
    assert replay(issue(), left(day(3))) == [stay(joined=day(0), left=day(3))]


def test_moved_out_and_back() -> None:
    found = replay(issue(milestones=("m",)), joined(day(1)), left(day(2)), joined(day(5)))
    assert found == [stay(joined=day(1), left=day(2)), stay(joined=day(5))]


def test_repeated_events_say_nothing_new() -> None:
    found = replay(issue(), joined(day(1)), joined(day(2)), left(day(3)), left(day(4)))
    assert found == [stay(joined=day(1), left=day(3))]


@pytest.mark.parametrize(
    ("milestones", "events", "expected"),
    [
        ((), [joined(day(1))], [stay(joined=day(1), left=day(90))]),
        (("m",), [left(day(1))], [stay(joined=day(0), left=day(1)), stay(joined=day(90))]),
    ],
)
def test_where_the_last_event_and_the_present_disagree_the_present_is_right(
    milestones: tuple[str, ...], events: Sequence[Event], expected: list[Membership]
) -> None:
    assert replay(issue(milestones=milestones), *events) == expected


def test_opposites_at_one_instant_cancel_out() -> None:
    member = issue(milestones=("m",))
    assert replay(member, left(day(2)), joined(day(2))) == [stay(joined=day(0))]
    assert replay(issue(), joined(day(2)), left(day(2))) == []
    assert replay(member, joined(day(1)), joined(day(2)), left(day(2))) == [stay(joined=day(1))]
    assert replay(issue(), left(day(2)), joined(day(2)), left(day(2))) == [stay(joined=day(0), left=day(2))]


def test_a_move_from_one_milestone_to_another() -> None:
    found = replay(issue(milestones=("n",)), left(day(2), "m"), joined(day(2), "n"))
    assert found == [stay("m", joined=day(0), left=day(2)), stay("n", joined=day(2))]


# --- titles -----------------------------------------------------------------------------------------------------


def test_a_title_means_the_milestone_of_the_same_project() -> None:
    titles: Titles = {("p", "Beta"): [(day(-5), "m")], ("q", "Beta"): [(day(-5), "other")]}
    found = replay(issue(), joined(day(1), "", "Beta"), left(day(2), "", "Beta"), titles=titles)
    assert found == [stay("m", joined=day(1), left=day(2))]


def test_a_title_used_again_means_the_youngest_milestone_of_its_time() -> None:
    titles: Titles = {("p", "Next"): [(day(-9), "old"), (day(10), "new")]}
    events = [joined(day(1), "", "Next"), left(day(2), "", "Next"), joined(day(11), "", "Next")]
    found = replay(issue(milestones=("new",)), *events, titles=titles)
    assert found == [stay("new", joined=day(11)), stay("old", joined=day(1), left=day(2))]


def test_a_title_from_before_any_milestone_means_the_oldest() -> None:
    titles: Titles = {("p", "Next"): [(day(10), "a"), (day(20), "b")]}
    assert replay(issue(), left(day(1), "", "Next"), titles=titles) == [stay("a", joined=day(0), left=day(1))]


def test_a_milestone_renamed_before_it_was_seen_adopts_its_old_title() -> None:
    events = [joined(day(4), "", "Old name"), joined(day(1), "", "Deleted"), left(day(2), "", "Deleted")]
    assert replay(issue(milestones=("m",)), *events) == [stay("m", joined=day(4))]


def test_an_unknown_title_is_not_adopted_when_it_is_not_sure_whose_it_was() -> None:
    events = [joined(day(4), "", "One"), joined(day(5), "", "Two")]
    assert replay(issue(milestones=("m",)), *events) == [stay("m", joined=day(0))]


# --- closures ---------------------------------------------------------------------------------------------------


def test_closed_at_counts_where_an_event_is_missing() -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(7))
    assert replay(done) == [stay(joined=day(0), closed=day(7))]


def test_a_reopening_ends_a_stay_and_begins_the_next() -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(5))
    assert replay(done, closed(day(2)), reopened(day(3)), closed(day(5))) == [
        stay(joined=day(0), closed=day(2), reopened=day(3)),
        stay(joined=day(3), closed=day(5)),
    ]


def test_ten_reopenings_make_eleven_stays() -> None:
    events = [make(day(2 * n + k)) for n in range(10) for k, make in ((1, closed), (2, reopened))]
    found = replay(issue(milestones=("m",)), *events)
    assert len(found) == 11
    assert found[-1] == stay(joined=day(20))


def test_closed_before_it_joined() -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(1))
    assert replay(done, closed(day(1)), joined(day(4))) == [stay(joined=day(4), closed=day(1))]


def test_of_what_happened_outside_of_the_milestone_only_the_first_closure_since_is_in_its_stay() -> None:
    events = [closed(day(1)), reopened(day(2)), joined(day(3)), left(day(5)), closed(day(6)), reopened(day(7))]
    assert replay(issue(), *events, closed(day(8))) == [stay(joined=day(3), left=day(5), closed=day(6))]
    assert replay(issue(), *events[:4]) == [stay(joined=day(3), left=day(5))]


def test_left_while_closed() -> None:
    events = [joined(day(1)), closed(day(2)), left(day(3)), reopened(day(4))]
    assert replay(issue(), *events) == [stay(joined=day(1), left=day(3), closed=day(2))]


def test_left_at_the_moment_of_its_closure_or_reopening() -> None:
    assert replay(issue(), joined(day(1)), left(day(2)), closed(day(2)), reopened(day(9))) == [
        stay(joined=day(1), left=day(2), closed=day(2))
    ]
    assert replay(issue(), joined(day(1)), closed(day(2)), left(day(3)), reopened(day(3))) == [
        stay(joined=day(1), left=day(3), closed=day(2))
    ]


@pytest.mark.parametrize(
    ("changes", "events", "closure"),
    [
        ({"state": State.CLOSED, "closed_at": day(9)}, [closed(day(1)), reopened(day(2))], (day(9), None)),
        ({"state": State.CLOSED, "closed_at": day(1)}, [closed(day(1)), reopened(day(2))], (day(90), None)),
        ({"state": State.CLOSED}, [closed(day(1)), reopened(day(2))], (day(90), None)),
        ({"state": State.CLOSED, "closed_at": day(3)}, [closed(day(2))], (day(2), None)),
    ],
)
def test_a_closure_without_an_event(
    changes: Mapping[str, Any], events: Sequence[Event], closure: tuple[datetime, None]
) -> None:
    last = replay(issue(milestones=("m",), **changes), *events)[-1]
    assert (last.closed, last.reopened) == closure


def test_a_reopening_without_an_event() -> None:
    assert replay(issue(milestones=("m",)), closed(day(2))) == [
        stay(joined=day(0), closed=day(2), reopened=day(90)),
        stay(joined=day(90)),
    ]


@pytest.mark.parametrize(
    ("resolution", "removed"),
    [("not_planned", True), ("completed", False), ("Won't Do", True), ("Won\u2019t Fix", True), ("", False)],
)
def test_a_resolution_may_take_it_out_of_scope(resolution: str, *, removed: bool) -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(5), resolution=resolution)
    assert replay(done) == [stay(joined=day(0), closed=day(5), removed=removed)]


def test_the_resolution_is_that_of_the_last_closure() -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(5), resolution="duplicate")
    found = replay(done, closed(day(2)), reopened(day(3)), closed(day(5)))
    assert [membership.removed for membership in found] == [False, True]
    earlier = replay(done, closed(day(2)), reopened(day(3)), closed(day(5)), at=day(4))
    assert [membership.removed for membership in earlier] == [False, False]


def test_a_later_resolution_says_nothing_of_a_closure_before_it_left() -> None:
    done = issue(state=State.CLOSED, closed_at=day(5), resolution="duplicate")
    found = replay(done, joined(day(1)), closed(day(2)), left(day(3)), reopened(day(4)), closed(day(5)))
    assert found == [stay(joined=day(1), left=day(3), closed=day(2))]


@pytest.mark.parametrize(("created", "expected"), [(0, 0), (3, 3)])
def test_an_issue_that_is_closed_without_a_time_is_done_since_its_creation(created: int, expected: int) -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=None, created_at=day(created))
    assert replay(done) == [stay(joined=day(created), closed=day(expected))]
    later = replay(done, joined(day(5)))
    assert later == [stay(joined=day(5), closed=day(expected))]
    assert is_done(later[0], day(6))


# --- done, removed and started by names ----------------------------------------------------------------------------

SHIPPED = StateRules.named(
    done=StateNames(labels=fold_names(["Shipped"]), states=fold_names(["Ready for Release"])),
    started=StateNames(states=fold_names(["Merged"])),
    removed_states=fold_names(["Parked"]),
    removed_labels=fold_names(["out of scope"]),
)


def labeled(at: datetime, label: str = "shipped") -> Event:
    return Event(issue="1", at=at, kind=EventKind.LABELED, value=label)


def unlabeled(at: datetime, label: str = "shipped") -> Event:
    return Event(issue="1", at=at, kind=EventKind.UNLABELED, value=label)


def moved_to(at: datetime, state: str) -> Event:
    return Event(issue="1", at=at, kind=EventKind.STATUS, value=state)


def finished(*events: Event, **fields: Any) -> list[tuple[float | None, float | None, bool]]:
    """Return (closed, reopened, removed) of each membership of an issue that is in one milestone, in days."""

    def number(at: datetime | None) -> float | None:
        return None if at is None else (at - day(0)) / timedelta(days=1)

    found = replay(issue(milestones=("m",), **fields), *events, rules=SHIPPED)
    return [(number(member.closed), number(member.reopened), member.removed) for member in found]


def test_done_since_a_label() -> None:
    assert finished(labeled(day(4)), labels=("SHIPPED",)) == [(4, None, False)]
    assert finished(labeled(day(4), "✨ Shipped"), labels=("✨ Shipped",)) == [(4, None, False)]
    assert finished(labeled(day(4), "other"), labels=("other",)) == [(None, None, False)]


def test_a_label_without_its_event_was_there_from_the_beginning() -> None:
    assert replay(issue(milestones=("m",), labels=("shipped",)), rules=SHIPPED) == [stay(joined=day(0), closed=day(0))]


def test_a_label_that_was_taken_away_reopens() -> None:
    assert finished(labeled(day(2)), unlabeled(day(5))) == [(2, 5, False), (None, None, False)]
    assert finished(labeled(day(2)), unlabeled(day(5)), labeled(day(7)), labels=("shipped",)) == [
        (2, 5, False),
        (7, None, False),
    ]


def test_a_label_before_the_closing_counts_from_the_label() -> None:
    """The tracker closes it at the release: that changes nothing."""
    fields: dict[str, Any] = {"state": State.CLOSED, "closed_at": day(20), "raw_state": "closed"}
    assert finished(labeled(day(4)), closed(day(20)), labels=("shipped",), **fields) == [(4, None, False)]
    assert finished(labeled(day(4)), unlabeled(day(20)), closed(day(20)), **fields) == [(4, None, False)]
    assert finished(labeled(day(4)), unlabeled(day(10)), closed(day(20)), **fields) == [
        (4, 10, False),
        (20, None, False),
    ]


def test_removed_by_a_label() -> None:
    assert finished(labeled(day(4), "Out of scope"), labels=("Out of scope",)) == [(4, None, True)]
    both = labeled(day(4)), labeled(day(6), "out of scope")
    assert finished(*both, labels=("shipped", "out of scope")) == [(4, None, True)]


def test_done_since_a_state() -> None:
    moves = moved_to(day(3), "In Progress"), moved_to(day(6), "Ready for Release")
    assert finished(*moves, raw_state="Ready for release") == [(6, None, False)]
    back = *moves, moved_to(day(8), "In Progress")
    assert finished(*back, raw_state="In Progress") == [(6, 8, False), (None, None, False)]
    parked = *back, moved_to(day(9), "Parked")
    assert finished(*parked, raw_state="Parked") == [(6, 8, False), (9, None, True)]


def test_a_state_without_its_event_began_with_the_last_closing_or_reopening() -> None:
    fields: dict[str, Any] = {"raw_state": "Ready for Release"}
    assert finished(reopened(day(5)), closed(day(2)), **fields) == [(2, None, False)]
    assert finished(closed(day(2)), state=State.CLOSED, closed_at=day(2), **fields) == [(2, None, False)]
    assert replay(issue(milestones=("m",), **fields), rules=SHIPPED) == [stay(joined=day(0), closed=day(0))]


def test_a_state_of_work_in_progress_reopens_what_the_tracker_calls_done() -> None:
    fields: dict[str, Any] = {"state": State.CLOSED, "closed_at": day(4), "raw_state": "Done"}
    merged = closed(day(4)), moved_to(day(4), "Merged"), moved_to(day(9), "Done")
    assert finished(*merged, **fields) == [(9, None, False)]
    assert finished(*merged[:2], **fields | {"raw_state": "Merged"}) == [(None, None, False)]


def test_a_state_of_work_in_progress_outranks_a_label_of_done_work() -> None:
    moves = labeled(day(2)), moved_to(day(5), "Merged")
    assert finished(*moves, labels=("shipped",), raw_state="Merged") == [(2, 5, False), (None, None, False)]


def test_a_state_that_was_renamed_counts_by_its_new_name_since_the_issue_was_seen() -> None:
    """The tracker recorded the state under its former name, and the rules have the new one."""
    assert finished(moved_to(day(5), "Releasable"), raw_state="Ready for Release") == [(90, None, False)]


def test_the_order_of_events_does_not_matter() -> None:
    moves = [moved_to(day(3), "Ready for Release"), moved_to(day(5), "x"), labeled(day(6)), unlabeled(day(8))]
    expected = [(3, 5, False), (6, 8, False), (None, None, False)]
    for order in (moves, moves[::-1], moves[2:] + moves[:2]):
        assert finished(*order, raw_state="x") == expected


# --- replay -----------------------------------------------------------------------------------------------------


def test_nothing_dated_later_is_used() -> None:
    done = issue(milestones=("m",), state=State.CLOSED, closed_at=day(5), resolution="duplicate")
    assert replay(done, at=day(-1)) == []
    assert replay(done, at=day(4)) == [stay(joined=day(0))]
    assert replay(done, at=day(5)) == [stay(joined=day(0), closed=day(5), removed=True)]
    events = [joined(day(3)), left(day(6)), joined(day(8))]
    assert replay(done, *events, at=day(2)) == []
    assert replay(done, *events, at=day(4)) == [stay(joined=day(3))]
    gone = stay(joined=day(3), left=day(6), closed=day(5), removed=True)
    assert replay(done, *events, at=day(6)) == [gone]
    assert replay(done, *events, at=day(8)) == [gone, stay(joined=day(8), closed=day(5), removed=True)]


def test_events_of_other_issues_do_not_matter() -> None:
    other = Event(issue="2", at=day(1), kind=EventKind.LEFT, milestone="m")
    assert replay(issue(), other) == []
