"""Each piece of work is counted once at any time, and none is lost, as issues and changes move in and out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sync.history.counted_work import WorkTable
from sync.history.counting import is_member, is_open
from sync.history.membership_table import MembershipTable
from sync.model.counting import Counting
from sync.model.membership import Membership

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LAST = 14
TIMES = [T0 + timedelta(days=n, hours=12) for n in range(LAST + 2)]


@st.composite
def stays(draw: st.DrawFn, item: str) -> list[Membership]:
    """Memberships of one item in one container, one after another, with closures and reopenings."""
    days = sorted(draw(st.sets(st.integers(0, LAST), max_size=6)))
    rows: list[Membership] = []
    joined: int | None = None
    while days:
        if joined is None:
            joined = days.pop(0)
            continue
        end = days.pop(0)
        is_closed = draw(st.booleans())
        closed = draw(st.integers(joined, end)) if is_closed else None
        is_reopened = is_closed and draw(st.booleans())
        rows.append(_row(item, joined, closed=closed, **{"reopened" if is_reopened else "left": end}))
        joined = end if is_reopened else None
    if joined is not None:
        rows.append(_row(item, joined, closed=draw(st.none() | st.integers(joined, LAST))))
    return rows


def _row(item: str, joined: int, **ends: int | None) -> Membership:
    left, closed, reopened = (
        None if day is None else T0 + timedelta(days=day) for day in map(ends.get, ("left", "closed", "reopened"))
    )
    return Membership(
        container="m", item=item, joined=T0 + timedelta(days=joined), left=left, closed=closed, reopened=reopened
    )


def present(rows: Sequence[Membership], at: datetime) -> list[str]:
    return [row.item for row in rows if is_member(row, at)]


def counted(rows: Sequence[Membership], closes: dict[str, tuple[str, ...]]) -> Sequence[Membership]:
    table = MembershipTable.of((row, T0) for row in rows).as_of(T0 + timedelta(days=LAST + 5))
    work = WorkTable(table, closes)
    return work.once(work.table).by_container().get("m", ())


@given(stays("issue"), stays("change"))
def test_a_pair_is_one_item_while_one_of_the_two_is_there(issue: list[Membership], change: list[Membership]) -> None:
    found = counted([*issue, *change], {"change": ("issue",)})
    for at in TIMES:
        issues, changes = present(issue, at), present(change, at)
        assert len(present(found, at)) == bool(issues or changes), at
        if issues:
            assert [is_open(row, at) for row in found if is_member(row, at)] == [
                is_open(row, at) for row in issue if is_member(row, at)
            ]


@given(
    st.lists(st.sampled_from("abc"), unique=True).flatmap(
        lambda names: st.tuples(*(stays(name) for name in names)).map(lambda rows: [row for own in rows for row in own])
    ),
    st.lists(st.sampled_from("xyz"), unique=True).flatmap(
        lambda names: st.tuples(*(stays(name) for name in names)).map(lambda rows: [row for own in rows for row in own])
    ),
    st.dictionaries(st.sampled_from("xyz"), st.lists(st.sampled_from("abcd"), unique=True).map(tuple), min_size=1),
)
def test_no_item_is_there_twice_and_no_work_is_lost(
    issues: list[Membership], changes: list[Membership], closes: dict[str, tuple[str, ...]]
) -> None:
    closes = {row.item: () for row in changes} | closes
    found = counted([*issues, *changes], closes)
    for at in TIMES:
        items, own, others = present(found, at), present(issues, at), present(changes, at)
        assert len(items) == len(set(items))
        assert set(own) <= set(items)
        alone = [change for change in others if not set(closes[change]) & set(own)]
        assert bool(items) == bool(own or others)
        assert len(own) <= len(items) <= len(own) + len(alone)


@given(stays("issue"), stays("change"))
def test_the_parts_add_up_to_all_work(issue: list[Membership], change: list[Membership]) -> None:
    table = MembershipTable.of((row, T0) for row in (*issue, *change)).as_of(T0 + timedelta(days=LAST + 5))
    work = WorkTable(table, {"change": ("issue",)})
    parts = [work.page_memberships({}, counting) for counting in (Counting.ISSUES, Counting.CHANGES)]
    assert sum(map(len, parts)) == len(work.page_memberships({}, Counting.BOTH)) == len(table)
    assert len(work.once(table)) <= len(table)
