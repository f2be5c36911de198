"""Memberships, containers and counts, case by case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.containers import Joins, containers
from sync.history.counting import burnup, is_done, is_member, is_open, merged_counts
from sync.history.ledger import Ledger
from sync.history.membership_table import MembershipTable
from sync.history.memberships import Titles, memberships
from sync.model.item_state import StateNames, StateRules, fold_names
from sync.model.membership import Container, Membership
from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Issue,
    Milestone,
    MilestoneKind,
    Project,
    State,
    StatusCategory,
)
from tests.count_oracle import counts

SOURCE = "https://tracker.test"
UTC_ZONE = ZoneInfo("UTC")
ITEM = f"{SOURCE}/issue/1"


def day(n: float) -> datetime:
    """Noon, n days after the first of January."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=n)


def box(milestone: str) -> str:
    return f"{SOURCE}/milestone/{milestone}"


def issue(**changes: Any) -> Issue:
    fields: dict[str, Any] = {
        "id": "1",
        "project": "p",
        "key": "#1",
        "title": "T",
        "url": "u",
        "state": State.OPEN,
        "raw_state": "open",
        "category": StatusCategory.TODO,
        "created_at": day(0),
        "updated_at": day(90),
    }
    return Issue(**fields | changes)


def joined(at: datetime, milestone: str = "m", title: str = "") -> Event:
    return Event(issue="1", at=at, kind=EventKind.JOINED, milestone=milestone, milestone_title=title)


def left(at: datetime, milestone: str = "m", title: str = "") -> Event:
    return Event(issue="1", at=at, kind=EventKind.LEFT, milestone=milestone, milestone_title=title)


def closed(at: datetime) -> Event:
    return Event(issue="1", at=at, kind=EventKind.CLOSED)


def reopened(at: datetime) -> Event:
    return Event(issue="1", at=at, kind=EventKind.REOPENED)


def stay(milestone: str = "m", **fields: Any) -> Membership:
    return Membership(container=box(milestone), item=ITEM, **fields)


def replay(
    item: Issue,
    *events: Event,
    at: datetime | None = None,
    titles: Titles | None = None,
    rules: StateRules = StateRules(),  # noqa: B008  # frozen
) -> list[Membership]:
    return list(memberships([item], events, titles or {}, source=SOURCE, rules=rules, at=at))


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


# --- containers -------------------------------------------------------------------------------------------------


def milestone(n: str = "m", **changes: Any) -> Milestone:
    fields: dict[str, Any] = {
        "id": n,
        "project": "p",
        "kind": MilestoneKind.MILESTONE,
        "key": n,
        "written": n,
        "title": n,
        "url": "u",
        "state": State.OPEN,
    }
    return Milestone(**fields | changes)


def version(n: str, due: date | None, **changes: Any) -> Milestone:
    return milestone(n, kind=MilestoneKind.VERSION, due=due, **changes)


def contain(
    *found: Milestone,
    dues: Mapping[str, Sequence[DueDate]] | None = None,
    joins: Mapping[str, datetime] | None = None,
    recorded: bool = False,
    zone: str = "UTC",
    at: datetime | None = None,
) -> list[Container]:
    projects = {"p": Project(id="p", key="acme/app", name="App", url="u")}
    all_joins = Joins(joins or {}, (joins or {}).keys() if recorded else ())
    return containers(found, dues or {}, projects, all_joins, source=SOURCE, zone=ZoneInfo(zone), at=at or day(90))


def midnight(month: int, of: int, hour: int = 0) -> datetime:
    return datetime(2026, month, of, hour, tzinfo=UTC)


def test_days_begin_and_end_in_the_zone_of_the_project() -> None:
    [utc] = contain(milestone(start=date(2026, 1, 5), due=date(2026, 1, 20)))
    assert (utc.start, utc.due, utc.first_due) == (midnight(1, 5), midnight(1, 21), midnight(1, 21))
    [west] = contain(milestone(start=date(2026, 1, 5), due=date(2026, 1, 20)), zone="America/New_York")
    assert (west.start, west.due, west.first_due) == (midnight(1, 5, 5), midnight(1, 21, 5), midnight(1, 21, 5))
    [released] = contain(version("1", due=date(2026, 4, 20)), zone="America/New_York")
    assert released.start == midnight(1, 21, 5)  # ninety days before, where it was still winter


def test_the_start_is_the_day_given_then_that_of_the_creation_then_that_of_the_first_join() -> None:
    [given] = contain(milestone(start=date(2026, 1, 5), created_at=day(2)))
    [made] = contain(milestone(created_at=day(2)))
    [first] = contain(milestone(), joins={box("m"): day(7)})
    [none] = contain(milestone())
    starts = (given.start, made.start, first.start, none.start)
    assert starts == (midnight(1, 5), midnight(1, 3), midnight(1, 8), None)
    agreed = (given.agreed_at, made.agreed_at, first.agreed_at, none.agreed_at)
    assert agreed == (midnight(1, 6), midnight(1, 4), midnight(1, 9), None)


def test_the_day_of_the_creation_is_that_of_the_zone_of_the_project() -> None:
    [made] = contain(milestone(created_at=midnight(1, 3, 4)), zone="America/New_York")
    assert (made.start, made.agreed_at) == (midnight(1, 2, 5), midnight(1, 3, 5))


@pytest.mark.parametrize("day_of_join", [1, 40, 110])
def test_a_version_begins_with_the_first_recorded_join_and_is_inferred_without_one(day_of_join: int) -> None:
    """Jira has no creation of a version; where it recorded a join, no release before is needed."""
    before, due = version("v0", date(2026, 5, 1)), version("v", date(2026, 7, 1))
    for is_recorded in (True, False):
        [found, _] = contain(due, before, joins={box("v"): day(day_of_join)}, recorded=is_recorded)
        joined_on = day(day_of_join) - timedelta(hours=12)
        assert found.start == (joined_on if is_recorded else midnight(5, 2))
        assert found.agreed_at == (joined_on + timedelta(days=1) if is_recorded else None)


@pytest.mark.parametrize(
    "late",
    [
        milestone(created_at=midnight(1, 3, 9), due=date(2026, 2, 1)),
        milestone(start=date(2026, 1, 3), due=date(2026, 2, 1)),
        milestone(kind=MilestoneKind.EPIC, created_at=midnight(1, 3, 9), due=date(2026, 2, 1)),
        milestone(kind=MilestoneKind.PARENT, created_at=midnight(1, 3, 9), due=date(2026, 2, 1)),
        milestone(kind=MilestoneKind.SPRINT, start=date(2026, 1, 3), due=date(2026, 1, 17)),
        version("m", date(2026, 1, 16), title="Sprint 7"),
    ],
    ids=["created", "given start", "epic", "parent", "sprint", "version without a record"],
)
def test_what_joins_an_empty_milestone_on_the_first_planning_day_is_agreed(late: Milestone) -> None:
    """The start stays; of a milestone that had items by the end of its start day, the agreed scope stays, too."""
    (empty,), (filled,) = contain(late), contain(late, joins={box("m"): midnight(1, 3)})
    assert empty == filled, "no shift while nothing has joined, nor where something has joined in time"
    [found] = contain(late, joins={box("m"): midnight(1, 7, 15)})
    assert (found.start, found.agreed_at) == (midnight(1, 3), midnight(1, 8))
    stays = [member(str(hour), joined=midnight(1, 7, hour)) for hour in (15, 20)] + [member("x", joined=midnight(1, 9))]
    for at, added in ((midnight(1, 7, 22), 0), (midnight(1, 8, 12), 0), (midnight(1, 9), 1), (midnight(1, 12), 1)):
        known = [stay for stay in stays if stay.joined <= at]
        assert counts(found, known, at).added == merged_counts([(found, known)], at).added == added
        assert HistoryTables(Ledger.of([found], known), Rules()).agreed.tolist() == [min(len(known), 2)]


def test_the_first_planning_day_is_a_day_of_the_zone_of_the_project() -> None:
    [late] = contain(milestone(start=date(2026, 1, 3)), joins={box("m"): midnight(1, 7, 4)}, zone="America/New_York")
    assert (late.start, late.agreed_at) == (midnight(1, 3, 5), midnight(1, 7, 5))


def test_same_facts_begin_on_the_same_day_in_a_version_and_in_a_milestone() -> None:
    joins = {box(name): day(3) for name in ("m", "v")}
    [made] = contain(milestone(created_at=day(3) - timedelta(hours=3), due=date(2026, 2, 1)), joins=joins)
    [found] = contain(version("v", date(2026, 2, 1)), joins=joins, recorded=True)
    assert (made.start, made.agreed_at, made.due) == (found.start, found.agreed_at, found.due)


@pytest.mark.parametrize(
    ("earlier", "days"),
    [
        ([], 90),
        ([date(2026, 5, 1)], 61),
        ([date(2026, 2, 1), date(2026, 5, 1)], 61),
        ([date(2026, 6, 20)], 28),
        ([date(2025, 1, 1)], 150),
        ([date(2026, 7, 1), date(2026, 8, 1)], 90),
    ],
)
def test_a_release_begins_at_the_one_before_it(earlier: list[date], days: int) -> None:
    others = [version(f"v{n}", due) for n, due in enumerate(earlier)]
    distractors = [version("Sprint 9", date(2026, 6, 1)), version("x", date(2026, 6, 1), project="q")]
    found = contain(version("v", date(2026, 7, 1)), *others, *distractors)
    assert found[0].due is not None
    assert found[0].start == found[0].due - timedelta(days=days)


def test_a_sprint_version_begins_fourteen_days_before() -> None:
    [sprint, _] = contain(version("2026 SPRINT 4", date(2026, 7, 1)), version("v", date(2026, 5, 1)))
    assert sprint.due is not None
    assert sprint.start == sprint.due - timedelta(days=14)


def test_a_version_with_its_own_start_needs_no_guess() -> None:
    [own] = contain(version("v", date(2026, 7, 1), start=date(2026, 6, 1)))
    assert own.start == midnight(6, 1)


def test_a_version_without_any_date_begins_with_its_first_item() -> None:
    [bare] = contain(version("v", None), joins={box("v"): day(3)})
    assert (bare.start, bare.due, bare.ended) == (midnight(1, 4), None, None)


@pytest.mark.parametrize("due", [date.min, date(1, 3, 1), date.max])
def test_dates_at_the_ends_of_time_break_nothing(due: date) -> None:
    contain(version("v", due), milestone(start=due, due=due), zone="Pacific/Kiritimati")
    contain(version("v", due), milestone(start=due, due=due), zone="America/Los_Angeles")


def test_the_due_date_is_the_one_of_that_time() -> None:
    notes = [DueDate(day(10), None), DueDate(day(20), date(2026, 3, 1)), DueDate(day(30), date(2026, 4, 1))]

    def dues(at: datetime) -> tuple[datetime | None, datetime | None]:
        [container] = contain(milestone(due=date(2026, 4, 1)), dues={"m": notes}, at=at)
        return container.due, container.first_due

    assert dues(day(5)) == dues(day(15)) == (None, None)
    assert dues(day(25)) == (midnight(3, 2), midnight(3, 2))
    assert dues(day(35)) == (midnight(4, 2), midnight(3, 2))


def test_the_first_observed_due_date_counts_from_before_the_observation() -> None:
    notes = [DueDate(day(50), date(2026, 3, 1)), DueDate(day(60), date(2026, 4, 1))]
    [container] = contain(milestone(due=date(2026, 4, 1)), dues={"m": notes}, at=day(10))
    assert (container.due, container.first_due) == (midnight(3, 2), midnight(3, 2))


def test_a_milestone_ends_when_it_is_closed() -> None:
    over = milestone(state=State.CLOSED, closed_at=day(5))
    assert [contain(over, at=at)[0].ended for at in (day(4), day(5), day(9))] == [None, day(5), day(5)]
    [undated] = contain(milestone(state=State.CLOSED), at=day(9))
    assert undated.ended == day(9)
    [running] = contain(milestone(closed_at=day(5)), at=day(9))
    assert running.ended is None


@pytest.mark.parametrize("hour", [0, 9, 23])
def test_a_milestone_that_is_closed_on_its_due_day_ends_with_that_day(hour: int) -> None:
    """As a version does, which has only the day of its release. A sprint ends when it is completed."""
    closed: dict[str, Any] = {"due": date(2026, 1, 10), "state": State.CLOSED, "closed_at": midnight(1, 10, hour)}
    [over] = contain(milestone(**closed), at=day(20))
    [released] = contain(version("v", date(2026, 1, 10), state=State.CLOSED), at=day(20))
    [sprint] = contain(milestone(kind=MilestoneKind.SPRINT, **closed), at=day(20))
    assert (over.ended, released.ended, sprint.ended) == (midnight(1, 11), midnight(1, 11), midnight(1, 10, hour))
    assert contain(milestone(**closed), at=midnight(1, 10, 23))[0].ended == midnight(1, 10, 23)


def test_an_iteration_ends_with_its_last_day_whenever_its_tracker_closes_it() -> None:
    box = milestone(kind=MilestoneKind.ITERATION, due=date(2026, 1, 10), state=State.CLOSED, closed_at=midnight(1, 12))
    times = (midnight(1, 10, 20), midnight(1, 20))
    ended = [(over.ended, over.is_end_estimated) for at in times for over in contain(box, at=at)]
    assert ended == [(midnight(1, 10, 20), True), (midnight(1, 11), False)]
    assert box.closed_on(ZoneInfo("Asia/Tokyo")) == date(2026, 1, 11)


@pytest.mark.parametrize("ended", [midnight(1, 9, 23), midnight(1, 11)])
def test_a_milestone_that_is_closed_on_another_day_ends_then(ended: datetime) -> None:
    [over] = contain(milestone(due=date(2026, 1, 10), state=State.CLOSED, closed_at=ended), at=day(20))
    assert over.ended == ended


def test_a_version_is_released_from_the_day_of_its_release_on() -> None:
    released = version("v", date(2026, 1, 10), state=State.CLOSED)
    ended = [contain(released, at=at)[0].ended for at in (midnight(1, 9, 23), midnight(1, 10, 1), midnight(1, 12))]
    assert ended == [None, midnight(1, 10, 1), midnight(1, 11)]


@pytest.mark.parametrize(
    ("title", "stream"),
    [
        ("2.0.1", "acme/app milestone"),
        ("Release 3.0", "acme/app milestone Release"),
        ("2012 Sprint 21 API", "acme/app milestone Sprint API"),
        ("Sprint 2026-03", "acme/app milestone Sprint"),
        ("Beta", "acme/app milestone Beta"),
    ],
)
def test_a_stream_is_project_kind_and_title_without_numbers(title: str, stream: str) -> None:
    assert contain(milestone(title=title))[0].stream == stream


# --- first joins and seconds -------------------------------------------------------------------------------------


def test_the_first_join_is_that_of_any_item_known_by_then() -> None:
    rows = [
        (stay(joined=day(3)), day(0)),
        (stay(joined=day(2), closed=day(4)), day(1)),
        (stay("n", joined=day(9)), day(8)),
    ]
    table = MembershipTable.of(rows)
    assert table.first_joins() == {box("m"): day(2), box("n"): day(9)}
    assert table.as_of(day(5)).first_joins() == {box("m"): day(2)}
    assert MembershipTable.of([]).first_joins() == {}


@pytest.mark.parametrize("fraction", [0, 1, 123_000, 999_999])
def test_fractions_of_a_second_change_nothing(fraction: int) -> None:
    """GitHub and GitLab's GraphQL send seconds, REST and Jira milliseconds."""

    def later(n: float) -> datetime:
        return day(n) + timedelta(microseconds=fraction)

    done = issue(created_at=later(0), updated_at=later(9), closed_at=later(9), state=State.CLOSED, milestones=("m",))
    changes = [(2, EventKind.JOINED), (5, EventKind.CLOSED), (7, EventKind.REOPENED), (9, EventKind.CLOSED)]
    events = [
        Event(issue="1", at=later(n), kind=kind, milestone="m" if kind is EventKind.JOINED else "")
        for n, kind in changes
    ]
    assert list(memberships([done], events, {}, source=SOURCE)) == [
        stay(joined=day(2), closed=day(5), reopened=day(7)),
        stay(joined=day(7), closed=day(9)),
    ]
    assert list(memberships([done], (), {}, source=SOURCE)) == [stay(joined=day(0), closed=day(9))]


# --- counting ---------------------------------------------------------------------------------------------------


def member(item: str, **fields: Any) -> Membership:
    return Membership(container=box("m"), item=item, **fields)


SCOPE = [
    member("open", joined=day(0)),
    member("done", joined=day(0), closed=day(12)),
    member("dropped", joined=day(1), closed=day(13), removed=True),
    member("late", joined=day(5)),
    member("later", joined=day(16), closed=day(1)),
    member("left", joined=day(0), left=day(8)),
    member("again", joined=day(0), closed=day(6), reopened=day(14)),
    member("again", joined=day(14)),
    member("back", joined=day(1), left=day(3)),
    member("back", joined=day(17)),
]
BOX = Container(id=box("m"), kind="milestone", stream="s", start=day(2), due=None)


def test_counts_at_a_time() -> None:
    found = counts(BOX, SCOPE, day(20))
    assert (found.open, found.closed, found.removed) == (4, 3, 1)
    assert (found.done, found.total) == (2, 6)
    assert (found.added, found.added_week) == (2, 2)


def test_counts_before_and_at_the_start() -> None:
    assert counts(BOX, SCOPE, day(-1)).total == 0
    early = counts(BOX, SCOPE, day(2))
    assert (early.open, early.closed, early.added) == (6, 0, 0)
    assert counts(Container(id="c", kind="k", stream="s", start=None, due=None), SCOPE, day(20)).added == 0


def test_items_that_join_on_the_start_day_are_not_added() -> None:
    box_of_day = Container(
        id=box("m"), kind="milestone", stream="s", start=midnight(1, 3), due=None, agreed_at=midnight(1, 4)
    )
    stays = [member("that day", joined=midnight(1, 3, 23)), member("the day after", joined=midnight(1, 4, 1))]
    table = MembershipTable.of((stay, day(0)) for stay in stays)
    for at, added in ((midnight(1, 3, 1), 0), (midnight(1, 3, 23), 0), (midnight(1, 4, 1), 1), (midnight(1, 9), 1)):
        [found] = table.counts([box_of_day], at).values()
        assert found == counts(box_of_day, stays, at)
        assert found.added == merged_counts([(box_of_day, stays)], at).added == added


def test_added_are_those_who_joined_strictly_after_the_start() -> None:
    stays = [member("at start", joined=day(2)), member("after", joined=day(2) + timedelta(microseconds=1))]
    found = counts(BOX, stays, day(3))
    assert (found.open, found.added, found.added_week) == (2, 1, 1)


def test_done_is_closed_in_it_as_finished_work() -> None:
    closed = member("x", joined=day(1), closed=day(2), left=day(3))
    states = [is_done(closed, at) for at in (day(1), day(1.9), day(2), day(2.9), day(3))]
    assert states == [False, False, True, True, False]
    assert not is_done(member("x", joined=day(1), closed=day(2), removed=True), day(3))


def test_membership_ends_at_the_moment_of_leaving_and_of_reopening() -> None:
    gone = member("x", joined=day(1), left=day(2))
    assert [is_member(gone, at) for at in (day(0.9), day(1), day(1.9), day(2))] == [False, True, True, False]
    again = member("x", joined=day(1), closed=day(2), reopened=day(3))
    assert [is_open(again, at) for at in (day(1), day(2), day(3))] == [True, False, False]
    assert not is_member(again, day(3))


def test_the_scope_line_and_the_done_line() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in (-1, 0, 4, 8, 13, 20)]
    found = {when: (scope, done) for when, scope, done in burnup(SCOPE, days)}
    assert list(found) == days
    assert list(found.values()) == [(0, 0), (4, 0), (5, 0), (5, 1), (4, 2), (6, 2)]


def test_what_was_removed_before_it_joined_is_never_in_scope() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in (1, 3, 6)]
    stays = [member("x", joined=day(5), closed=day(2), removed=True)]
    assert [(scope, done) for _, scope, done in burnup(stays, days)] == [(0, 0)] * 3


def test_the_burn_up_agrees_with_the_counts() -> None:
    for n in range(25):
        [(_, scope, done)] = burnup(SCOPE, [date(2026, 1, 1) + timedelta(days=n)])
        found = counts(BOX, SCOPE, datetime(2026, 1, 1, 23, 59, tzinfo=UTC) + timedelta(days=n))
        assert (scope, done) == (found.total, found.done)


def test_the_days_of_the_lines_end_in_the_zone() -> None:
    late = [stay(joined=datetime(2026, 1, 2, 2, tzinfo=UTC))]  # still the first in New York
    zone = ZoneInfo("America/New_York")
    assert [scope for _, scope, _ in burnup(late, [date(2026, 1, 1)], zone)] == [1]
    assert [scope for _, scope, _ in burnup(late, [date(2026, 1, 1)])] == [0]


def test_items_of_several_containers_count_once() -> None:
    """Open counts before closed, and closed before removed; new is who is new to each container it is in."""

    def one(item: str, **fields: Any) -> Membership:
        return Membership(container="c", item=item, **fields)

    first = [
        one("both", joined=day(0)),
        one("done here", joined=day(0), closed=day(5)),
        one("gone", joined=day(0), left=day(9)),
        one("new", joined=day(4)),
        one("newest", joined=day(20)),
    ]
    second = [
        one("both", joined=day(10), closed=day(12)),
        one("done here", joined=day(10), closed=day(12), removed=True),
        one("removed", joined=day(11), closed=day(12), removed=True),
        one("later", joined=day(30)),
    ]
    parts = [
        (Container(id="a", kind="k", stream="s", start=day(1), due=None), first),
        (Container(id="b", kind="k", stream="s", start=day(10), due=None), second),
    ]
    found = merged_counts(parts, day(21))
    assert (found.open, found.closed, found.removed) == (3, 2, 1)
    assert (found.added, found.added_week) == (3, 1)  # new, newest and removed; newest
    assert merged_counts(parts[::-1], day(21)) == found
    undated = [(Container(id="a", kind="k", stream="s", start=None, due=None), first)]
    assert merged_counts(undated, day(21)).added == 0
    early = merged_counts(parts[1:], day(5))
    assert (early.open, early.closed, early.added, early.added_week) == (0, 0, 0, 0)


def test_a_milestone_with_a_due_date_ends_when_it_is_closed_all_the_same() -> None:
    [over] = contain(milestone(due=date(2026, 1, 20), state=State.CLOSED, closed_at=day(5)), at=day(60))
    assert over.ended == day(5)


def test_a_release_is_of_its_day_in_the_zone() -> None:
    released = version("v", date(2026, 1, 10), state=State.CLOSED)
    west = "America/New_York"
    ended = [contain(released, zone=west, at=at)[0].ended for at in (midnight(1, 10, 4), midnight(1, 10, 5), day(60))]
    assert ended == [None, midnight(1, 10, 5), midnight(1, 11, 5)]


def test_a_due_date_counts_from_the_moment_it_was_seen() -> None:
    notes = [DueDate(day(10), date(2026, 3, 1)), DueDate(day(20), date(2026, 4, 1))]
    [container] = contain(milestone(due=date(2026, 5, 1)), dues={"m": notes}, at=day(20))
    assert container.due == midnight(4, 2)


def listed(**fields: Any) -> Milestone:
    return milestone(id="list-1", kind=MilestoneKind.ITERATION, **fields)


def test_the_history_of_a_listed_milestone_begins_when_it_was_first_seen() -> None:
    dates: dict[str, Any] = {"start": date(2026, 1, 5), "due": date(2026, 1, 20)}
    seen = {"list-1": [DueDate(midnight(1, 12), dates["due"])], "m": [DueDate(midnight(1, 12), dates["due"])]}
    [late] = contain(listed(**dates), dues=seen)
    assert (late.known_from, late.agreed_at, late.start) == (midnight(1, 12), midnight(1, 12), midnight(1, 5))
    [early] = contain(listed(**dates), dues={"list-1": [DueDate(midnight(1, 4), dates["due"])]})
    assert (early.known_from, early.agreed_at) == (None, midnight(1, 6))
    [usual] = contain(milestone(**dates), dues=seen)
    assert (usual.known_from, usual.agreed_at) == (None, midnight(1, 6))


def test_the_history_of_a_listed_milestone_without_a_start_begins_then_too() -> None:
    seen = {"list-1": [DueDate(midnight(1, 12), None)]}
    [unstarted] = contain(listed(), dues=seen)
    assert (unstarted.known_from, unstarted.agreed_at) == (midnight(1, 12), midnight(1, 12))
