"""An item that leaves a milestone open at its end is carried over, at any hour."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from sync.forecast.track_record import outcomes_of
from sync.history.carry_over import ending_of, with_carry_over
from sync.history.counting import burnup, is_carried, is_done, is_member, merged_counts
from sync.history.ledger import Ledger
from sync.model.membership import Container, Counts, Membership
from tests.days import day
from tests.ledgers import container

V1 = container("v1", 0, 40, ended=40.5)
V2 = container("v2", 40, 80)
OTHER = container("x", 0, 90, stream="app/Other")
LATE = 60.0


def stay(name: str, joined: float = 0, left: float | None = None, closed: float | None = None) -> Membership:
    return Membership(
        container=name,
        item="item",
        joined=day(joined),
        left=None if left is None else day(left),
        closed=None if closed is None else day(closed),
    )


def state(rows: list[Membership], *, of: Container = V1, at: float = LATE) -> str:
    """Return how the item counts in a container."""
    others = [box for box in (V1, V2, OTHER) if box.id != of.id]
    settled = [row for row in with_carry_over([of, *others], rows) if row.container == of.id]
    counts = merged_counts([(of, settled)], day(at))
    (word,) = [word for word in ("open", "carried", "done", "removed") if getattr(counts, word)] or ["cut"]
    return word


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([stay("v1", left=35)], "cut"),
        ([stay("v1", left=36.9)], "cut"),
        ([stay("v1", left=37)], "carried"),
        ([stay("v1", left=39.99)], "carried"),
        ([stay("v1", left=40)], "carried"),
        ([stay("v1", left=50)], "carried"),
        ([stay("v1", left=36), stay("v2", joined=36)], "carried"),
        ([stay("v1", left=36), stay("v2", joined=20)], "carried"),
        ([stay("v1", left=35.9), stay("v2", joined=35.9)], "cut"),
        ([stay("v1", left=36), stay("v2", joined=36.5)], "cut"),
        ([stay("v1", left=36), stay("x", joined=36)], "cut"),
        ([stay("v1", left=39, closed=30)], "cut"),
        ([stay("v1", left=39, closed=39.5)], "done"),
        ([stay("v1", left=39, closed=40)], "done"),
        ([stay("v1", left=39, closed=41)], "carried"),
        ([stay("v1", left=35, closed=39)], "cut"),
        ([stay("v1", left=39), stay("v1", joined=39.5)], "open"),
        ([stay("v1", left=39), stay("v1", joined=39.5, closed=39.7)], "done"),
        ([stay("v1", left=39), stay("v1", joined=39.2, left=39.6)], "carried"),
        ([stay("v1", joined=41, left=42)], "cut"),
    ],
)
def test_how_an_item_counts_that_left(rows: list[Membership], expected: str) -> None:
    assert state(rows) == expected


def test_what_is_removed_from_scope_by_the_end_is_not_carried_over() -> None:
    removed = Membership(container="v1", item="item", joined=day(0), left=day(39), closed=day(39.5), removed=True)
    assert state([removed]) == "cut"
    later = Membership(container="v1", item="item", joined=day(0), left=day(39), closed=day(41), removed=True)
    assert state([later]) == "carried"


def test_the_membership_of_the_next_milestone_is_as_it_was() -> None:
    rows = [stay("v1", left=39, closed=45), stay("v2", joined=39, closed=45)]
    settled = with_carry_over([V1, V2], rows)
    assert settled[1] == rows[1]
    assert (settled[0].closed, settled[0].left, settled[0].carried_over) == (None, day(39), True)


@pytest.mark.parametrize(
    ("of", "near", "tenth"),
    [
        (container("m", 0, 40), 37.0, 36.0),
        (container("m", 0, 8), 6.0, 7.2),
        (container("m", 0, 1), 0.75, 0.9),
        (container("m", 0, 40, ended=20), 17.0, 36.0),
        (container("m", 0, 40, ended=60), 37.0, 36.0),
        (container("m", 0, None, ended=40), 37.0, None),
        (container("m", None, 40), 37.0, None),
        (container("m", 50, 40), 37.0, None),
    ],
)
def test_the_time_from_which_items_are_carried_over(of: Container, near: float, tenth: float | None) -> None:
    ending = ending_of(of)
    assert ending is not None
    assert (ending.near, ending.last_tenth) == (day(near), None if tenth is None else day(tenth))


def test_a_milestone_without_an_end_carries_nothing_over() -> None:
    assert ending_of(container("m", 0, None)) is None
    assert state([stay("m", left=39)], of=container("m", 0, None)) == "cut"


def test_a_milestone_that_was_closed_at_an_unknown_time_ends_at_its_due_moment() -> None:
    closed = Container(
        id="m", kind="version", stream="s", start=day(0), due=day(40), ended=day(20), is_end_estimated=True
    )
    ending = ending_of(closed)
    assert ending is not None
    assert ending.end == day(40)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_placeholder_for_a_date_is_an_end_like_any_other(year: int) -> None:
    at = datetime(year, 1, 1, tzinfo=day(0).tzinfo)
    assert ending_of(Container(id="m", kind="k", stream="s", start=at, due=at + timedelta(days=1))) is not None


def test_before_the_end_what_has_left_is_carried_over_already() -> None:
    row = stay("v1", left=38)
    (settled,) = with_carry_over([container("v1", 0, 40)], [row])
    assert [is_carried(settled, day(n)) for n in (37.9, 38, 39, 40, 60)] == [False, True, True, True, True]
    assert not is_member(settled, day(38))
    assert not is_done(settled, day(60))


def test_a_later_due_date_makes_a_cut_of_what_left() -> None:
    row = stay("v1", left=39)
    assert state([row], of=container("v1", 0, 40)) == "carried"
    assert state([row], of=container("v1", 0, 70)) == "cut"


def test_the_burn_up_keeps_what_is_carried_over_in_scope() -> None:
    rows = with_carry_over([V1], [stay("v1", left=38), stay("v1", closed=10)])
    assert [row[1:] for row in burnup(rows, [day(30).date(), day(39).date(), day(50).date()])] == [(2, 1)] * 3


SPRINT = container("s1", 0, 14, kind="sprint", ended=14.5)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (stay("s1"), "carried"),  # Jira keeps it in the list of the completed sprint
        (stay("s1", closed=20), "carried"),  # and it was closed in the next one
        (stay("s1", closed=14.2), "done"),  # late, but in the sprint
        (stay("s1", closed=10), "done"),
        (stay("s1", left=13.9), "carried"),
        (stay("s1", joined=15), "cut"),
        (stay("s1", joined=14.2), "cut"),
    ],
)
@pytest.mark.parametrize("kind", ["sprint", "iteration"])
def test_a_completed_sprint_is_taken_as_of_its_completion(row: Membership, expected: str, kind: str) -> None:
    assert state([row], of=replace(SPRINT, kind=kind)) == expected


def test_what_is_reopened_after_the_completion_of_a_sprint_was_done_in_it() -> None:
    first = Membership(container="s1", item="item", joined=day(0), closed=day(10), reopened=day(20))
    assert state([first, stay("s1", joined=20)], of=SPRINT) == "done"
    late = Membership(container="s1", item="item", joined=day(0), closed=day(18), reopened=day(20))
    assert state([late, stay("s1", joined=20)], of=SPRINT) == "carried"
    assert state([stay("s1")], of=container("s1", 0, 14, kind="sprint")) == "open"  # it was not completed


@pytest.mark.parametrize("hours", [-48, -8, -2, 0, 2, 26, 48])
def test_seven_of_twelve_moved_on_are_a_miss_at_any_hour(hours: int) -> None:
    """The sprint had 12 items, 5 of them done."""
    left = 40 + hours / 24
    rows = [
        Membership(
            container=name,
            item=str(n),
            joined=day(joined),
            left=None if n < 5 or name == "v2" else day(left),
            closed=day(20) if n < 5 else None,
        )
        for n in range(12)
        for name, joined in (("v1", 0.0), ("v2", left))
        if name == "v1" or n >= 5
    ]
    settled = [row for row in with_carry_over([V1, V2], rows) if row.container == "v1"]
    assert merged_counts([(V1, settled)], day(50)) == Counts(open=0, closed=5, carried=7)
    ledger = Ledger.of([V1, V2], rows)
    assert (ledger.is_open(day_number(50))[:12].sum(), ledger.is_carried(day_number(50))[:12].sum()) == (7, 7)
    assert outcomes_of(ledger, {}, day(50))["v1"].done is None


def day_number(n: float) -> float:
    return (day(n) - datetime(1970, 1, 1, tzinfo=day(0).tzinfo)) / timedelta(days=1)
