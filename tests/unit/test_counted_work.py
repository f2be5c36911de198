"""The work that counts in a container: issues, changes or both, and each piece of work once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from sync.history.counted_work import WorkTable
from sync.history.membership_table import MembershipTable
from sync.model.counting import (
    Counting,
    comparable_methods,
    counting_of,
    counts_alike,
    joint_counting,
    joint_states,
    method_number,
)
from sync.model.item_state import StateNames, StateRules
from sync.model.membership import Container, Counts, Membership
from sync.report.counting import counting_sentences

T0 = datetime(2026, 1, 1, tzinfo=UTC)
LATE = T0 + timedelta(days=100)


def day(n: int) -> datetime:
    return T0 + timedelta(days=n)


def member(item: str, joined: int, **ends: int) -> Membership:
    left, closed, reopened = (day(ends[name]) if name in ends else None for name in ("left", "closed", "reopened"))
    return Membership(container="m", item=item, joined=day(joined), left=left, closed=closed, reopened=reopened)


def table(*rows: Membership) -> MembershipTable:
    return MembershipTable.of((row, T0) for row in rows).as_of(LATE)


def once(closes: Mapping[str, tuple[str, ...]], *rows: Membership) -> list[Membership]:
    work = WorkTable(table(*rows), closes)
    return sorted(work.once(work.table).by_container().get("m", ()), key=lambda row: (row.joined, row.item))


CLOSES = {"change": ("issue",)}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([member("issue", 1), member("change", 5)], [member("issue", 1)]),
        ([member("change", 1), member("issue", 5)], [member("issue", 1)]),
        ([member("issue", 1, closed=9), member("change", 5, closed=8)], [member("issue", 1, closed=9)]),
        ([member("issue", 1, left=8), member("change", 5, closed=9)], [member("issue", 1, closed=9)]),
        ([member("issue", 1, left=8), member("change", 5, closed=6)], [member("issue", 1, closed=8)]),
        ([member("issue", 1), member("change", 5, left=8)], [member("issue", 1)]),
        ([member("change", 1, left=4), member("issue", 5)], [member("change", 1, left=4), member("issue", 5)]),
        ([member("issue", 1, left=4), member("change", 5)], [member("issue", 1, left=4), member("change", 5)]),
        ([member("change", 2, closed=3)], [member("change", 2, closed=3)]),
        (
            [member("issue", 1, left=3), member("issue", 6), member("change", 2)],
            [member("issue", 1, reopened=6), member("issue", 6)],
        ),
        (
            [member("issue", 3, closed=4, reopened=6), member("issue", 6), member("change", 1)],
            [member("issue", 1, closed=4, reopened=6), member("issue", 6)],
        ),
        (
            [member("issue", 3), member("change", 1, closed=2, reopened=5), member("change", 5)],
            [member("issue", 1)],
        ),
    ],
)
def test_a_change_and_the_issue_that_it_closes_are_one_item(rows: list[Membership], expected: list[Membership]) -> None:
    assert once(CLOSES, *rows) == expected


def test_a_change_that_closes_two_issues_is_these_two_items() -> None:
    rows = [member("a", 1), member("b", 2), member("change", 0)]
    assert once({"change": ("a", "b")}, *rows) == [member("a", 0), member("b", 2)]


def test_two_changes_of_one_issue_are_one_item() -> None:
    rows = [member("issue", 3, left=7), member("one", 1, left=9), member("two", 2, left=12)]
    assert once({"one": ("issue",), "two": ("issue",)}, *rows) == [member("issue", 1, left=12)]


def test_an_issue_of_another_container_or_without_memberships_stands_for_no_change() -> None:
    elsewhere = Membership(container="other", item="issue", joined=day(1))
    work = WorkTable(table(member("change", 1), elsewhere), {"change": ("issue", "unknown")})
    assert work.once(work.table) is work.table


COUNTED = {
    Counting.ISSUES: {"issue"},
    Counting.BOTH: {"issue", "change"},
    Counting.CHANGES: {"change"},
}


@pytest.mark.parametrize("counting", Counting)
def test_each_container_counts_its_own_way(counting: Counting) -> None:
    work = WorkTable(table(member("issue", 1), member("change", 1)), {"change": ()})
    listed = work.page_memberships({"m": counting}, Counting.ISSUES)
    assert {row.item for row in listed.by_container()["m"]} == COUNTED[counting]
    assert (listed is work.table) == (counting is Counting.BOTH)
    assert work.kinds() == {"m": (True, True)}
    container = Container(id="m", kind="k", stream="s", start=day(0), due=None)
    assert work.changes_of(listed).counts([container], LATE)["m"].open == counting.has_changes


def test_the_method_number_carries_the_way_of_counting() -> None:
    numbers = {method_number(method, counting) for method in (1, 2, 7) for counting in Counting}
    assert len(numbers) == 9
    assert method_number(2, Counting.ISSUES) == 2
    for method in (2, 102):
        assert [counting_of(method_number(method, counting)) for counting in Counting] == list(Counting)
    assert counting_of(907) is Counting.ISSUES


@pytest.mark.parametrize(
    ("own", "has_issues", "has_changes", "others"),
    [
        (Counting.ISSUES, True, False, {Counting.ISSUES, Counting.BOTH}),
        (Counting.ISSUES, True, True, {Counting.ISSUES}),
        (Counting.BOTH, True, True, {Counting.BOTH}),
        (Counting.BOTH, False, True, {Counting.BOTH, Counting.CHANGES}),
        (Counting.CHANGES, True, True, {Counting.CHANGES}),
        (Counting.CHANGES, False, False, set(Counting)),
    ],
)
def test_figures_compare_where_the_two_ways_count_the_same(
    own: Counting, has_issues: bool, has_changes: bool, others: set[Counting]
) -> None:
    found = comparable_methods(method_number(2, own), has_issues=has_issues, has_changes=has_changes)
    assert found == {method_number(2, other) for other in others}


def test_a_joint_milestone_counts_as_its_members_do() -> None:
    assert joint_counting([]) is Counting.ISSUES
    assert joint_counting([Counting.CHANGES, Counting.CHANGES]) is Counting.CHANGES
    assert joint_counting([Counting.ISSUES, Counting.CHANGES]) is Counting.BOTH


@pytest.mark.parametrize(
    ("counts", "noun"),
    [
        (Counts(), "issue"),
        (Counts(open=3), "issue"),
        (Counts(open=3, changes=2), "item"),
        (Counts(open=2, closed=1, changes=3), "pull request"),
        (Counts(carried=1, changes=1), "pull request"),
    ],
)
def test_the_word_for_one_item_follows_from_what_is_counted(counts: Counts, noun: str) -> None:
    assert counts.noun == noun


def test_the_method_number_carries_the_rules_for_the_state_of_an_item() -> None:
    usual, own = StateRules(), StateRules(done=StateNames(labels=frozenset({"shipped"})))
    other = StateRules(done=StateNames(states=frozenset({"shipped"})))
    assert usual.number == StateRules.named().number == 0
    assert len({usual.number, own.number, other.number}) == 3
    for counting in Counting:
        number = method_number(7, counting, own.number)
        assert counting_of(number) is counting
        assert number < 2**31
        assert counts_alike(number, method_number(8, counting, own.number))
        assert not counts_alike(number, method_number(7, counting, other.number))
        assert comparable_methods(number, has_issues=False, has_changes=False) == {
            method_number(7, way, own.number) for way in Counting
        }


def test_a_joint_milestone_has_the_rules_of_all_its_members() -> None:
    assert [joint_states(members) for members in ([], [0, 0], [5, 5])] == [0, 0, 5]
    assert joint_states([0, 5]) == joint_states([5, 0]) not in (0, 5)
    assert joint_states([0, 5]) != joint_states([0, 6])


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            Counts(open=1, closed=15, done_by_name=3),
            "12 closed on the tracker's page; 3 more count as done by label or state.",
        ),
        (
            Counts(open=4, closed=9, removed=1, done_by_name=1, removed_by_name=1),
            (
                "7 closed on the tracker's page; 1 more counts as done by its label or state; "
                "1 open one is out of scope by its label or state."
            ),
        ),
        (
            Counts(open=4, closed=2, open_by_name=2),
            "4 closed on the tracker's page; 2 of them count as open by their state.",
        ),
    ],
)
def test_one_line_says_where_the_names_of_a_team_differ_from_the_page(counts: Counts, words: str) -> None:
    assert counting_sentences(counts) == [words]
    assert counting_sentences(Counts(open=4, closed=2)) == []
