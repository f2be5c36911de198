"""Containers case by case: when a milestone begins and ends, and what joined it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.containers import Joins, containers
from sync.history.counting import merged_counts
from sync.history.ledger import Ledger
from sync.history.membership_table import MembershipTable
from sync.history.memberships import memberships
from sync.model.membership import Container
from sync.model.tracker_data import (
    DueDate,
    Event,
    EventKind,
    Milestone,
    MilestoneKind,
    Project,
    State,
)
from tests.count_oracle import counts
from tests.history_rows import SOURCE, box, day, issue, member, midnight, stay


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
