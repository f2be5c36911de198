"""Counts case by case: scope, done and added items at a time, and the lines of the burn-up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.history.counting import burnup, is_done, is_member, is_open, merged_counts
from sync.history.membership_table import MembershipTable
from sync.model.membership import Container, Membership
from tests.count_oracle import counts
from tests.history_rows import box, day, member, midnight, stay

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
