"""Stays in columns count as stays do as objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sync.history import memberships as history
from sync.history.counting import burnup, is_done, is_member, is_open
from sync.history.ledger import Ledger, days
from sync.history.membership_table import MembershipTable, ledger_of
from sync.model.dates import end_of_day
from sync.model.membership import Container, Counts, Membership
from sync.model.tracker_data import Issue, State, StatusCategory
from tests.count_oracle import counts

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 12).map(lambda n: T0 + timedelta(days=n, microseconds=n))
TITLES: history.Titles = {}


@st.composite
def told(draw: st.DrawFn) -> list[tuple[Membership, datetime]]:
    """Stays of a few items in a few containers, in any order, with the times when the items were made."""
    found = []
    for item in range(draw(st.integers(0, 6))):
        born = draw(MOMENTS)
        for name in draw(st.lists(st.sampled_from("abc"), max_size=4)):
            joined, ends = draw(MOMENTS), [draw(st.none() | MOMENTS) for _ in range(3)]
            left, closed, reopened = (end if end is None or end >= joined else None for end in ends)
            removed = closed is not None and draw(st.booleans())
            stay = Membership(
                container=name,
                item=str(item),
                joined=joined,
                left=left,
                closed=closed,
                reopened=reopened,
                removed=removed,
            )
            found.append((stay, born))
    return found


def known(rows: list[tuple[Membership, datetime]], at: datetime) -> list[Membership]:
    """Memberships known at a time, by the rules of the objects."""
    return [now for stay, born in rows if born <= at and (now := history._as_of(stay, at)) is not None]


def containers(start: datetime | None, agreed_after: timedelta | None = None) -> list[Container]:
    agreed_at = None if start is None or agreed_after is None else start + agreed_after
    return [Container(id=name, kind="k", stream="s", start=start, due=None, agreed_at=agreed_at) for name in "abd"]


@given(told(), MOMENTS, st.none() | MOMENTS, st.none() | st.timedeltas(timedelta(0), timedelta(days=3)))
def test_columns_count_as_objects_do(
    rows: list[tuple[Membership, datetime]], at: datetime, start: datetime | None, agreed_after: timedelta | None
) -> None:
    stays = MembershipTable.decode(MembershipTable.of(rows).encode()).as_of(at)
    objects = known(rows, at)
    by = {name: [stay for stay in objects if stay.container == name] for name in "abcd"}
    assert {name: list(some) for name, some in stays.by_container().items()} == {n: s for n, s in by.items() if s}
    opened = {name: [stay.item for stay in some if is_open(stay, at)] for name, some in by.items()}
    assert stays.open_items(at) == {name: some for name, some in opened.items() if some}
    every = containers(start, agreed_after)
    assert stays.counts(every, at) == {c.id: counts(c, by[c.id], at) for c in every}
    mine, theirs = ledger_of(every, [stays]), Ledger.of(every, objects)
    assert mine.offsets.tolist() == theirs.offsets.tolist()
    for name in ("joined", "left", "closed"):
        np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    assert [mine.items[code] for code in mine.item] == [theirs.items[code] for code in theirs.item]


@given(told(), MOMENTS)
def test_membership_is_decided_in_columns_as_one_by_one(rows: list[tuple[Membership, datetime]], at: datetime) -> None:
    table = MembershipTable.of(rows)
    objects = [membership for memberships in table.by_container().values() for membership in memberships]
    assert table.is_member(at).tolist() == [is_member(membership, at) for membership in objects]
    assert table.is_open(at).tolist() == [is_open(membership, at) for membership in objects]
    assert table.is_done(at).tolist() == [is_done(membership, at) for membership in objects]
    ledger = ledger_of([Container(id=name, kind="k", stream="s", start=None, due=None) for name in "abc"], [table])
    ordered = [membership for name in "abc" for membership in table.by_container().get(name, ())]
    opened, done = ([state(membership, at) for membership in ordered] for state in (is_open, is_done))
    assert ledger.is_open(days(at)).tolist() == opened
    assert ledger.is_done(days(at)).tolist() == done
    assert ledger.in_scope(days(at)).tolist() == [
        is_open or is_done for is_open, is_done in zip(opened, done, strict=True)
    ]


@given(told(), st.integers(0, 12))
def test_the_burn_up_counts_what_is_open_and_done(rows: list[tuple[Membership, datetime]], n: int) -> None:
    day = (T0 + timedelta(days=n)).date()
    at = end_of_day(day, ZoneInfo("UTC")) - timedelta(microseconds=1)
    memberships = [membership for membership, _ in rows if not _closed_after_the_end(membership)]
    [(_, scope, done)] = burnup(memberships, [day])
    assert done == sum(is_done(membership, at) for membership in memberships)
    assert scope == done + sum(is_open(membership, at) for membership in memberships)


def _closed_after_the_end(membership: Membership) -> bool:
    """Return True for what no tracker's history gives: a closure counts in the membership during which it came."""
    ends = [end for end in (membership.left, membership.reopened) if end is not None]
    return membership.closed is not None and any(end < membership.closed for end in ends)


@given(told(), told(), st.sets(st.sampled_from("012345")))
def test_parts_are_put_together_and_taken_out(
    first: list[tuple[Membership, datetime]], second: list[tuple[Membership, datetime]], out: set[str]
) -> None:
    both = MembershipTable.concat([MembershipTable.of(first), MembershipTable.of(second)]).without_items(out)
    rows = [stay for stay, _ in (*first, *second) if stay.item not in out]

    def of(container: str) -> list[Membership]:
        return [stay for stay in rows if stay.container == container]

    named = both.with_prefixes("x/", "y/").by_container()
    seen = [
        (membership.container, membership.item, membership.joined) for stays in named.values() for membership in stays
    ]
    assert seen == [(f"x/{s.container}", f"y/{s.item}", s.joined) for c in both.containers for s in of(c)]
    nothing = Counts(open=0, closed=0, removed=0, added=0, added_week=0)
    assert MembershipTable.concat([]).counts(containers(None), T0) == dict.fromkeys("abd", nothing)


def test_what_was_closed_when_it_was_first_seen_is_known_only_from_its_making_on() -> None:
    made = T0 + timedelta(days=5)
    issue = Issue(
        id="1", project="p", key="#1", title="t", url="u", state=State.OPEN, raw_state="open",
        category=StatusCategory.TODO,
        created_at=made, updated_at=made, milestones=("m",),
    )  # fmt: skip
    (stay,) = history.memberships_of(issue, [], TITLES, source="")
    assert MembershipTable.of([(stay, made)]).as_of(T0).open_items(T0) == {}
    assert list(history.memberships_of(issue, [], TITLES, source="", at=T0)) == []
