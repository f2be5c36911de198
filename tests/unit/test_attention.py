"""Open items that need attention, and those that are best to cut."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from sync.forecast.batch import daily_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.attention import Attention, attention, candidates, straggler_age, usual_shares
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.tracker_data import Issue, StatusCategory
from tests.days import day
from tests.ledgers import MembershipDays, container, ledger, open_issue

RULES = Rules()
NOW = 50.0 + 1 / 86400
"""The clock of a day: a second after it began."""


issue = partial(open_issue, created=0, touched=NOW - 1)


def tables(*memberships: MembershipDays, start: float = 0.0) -> HistoryTables:
    return HistoryTables(ledger([(container("c", start, 60.0), memberships)]), RULES)


def found(history: HistoryTables, *issues: Issue, oldest: float = 40.0) -> Attention:
    known = {issue.id: issue for issue in issues}
    (batch,) = daily_batches(history, [0], day(NOW), Calendar.plain())
    return attention(batch, 0, known, [*known, "c/item/9"], oldest)


def test_what_joined_after_the_start_is_added() -> None:
    history = tables((0.0, None), (5.0, None), (6.0, 20.0), (7.0, None, 20.0), (60.0, None))
    assert found(history).added == ("c/item/1",)


def test_old_and_idle_items_are_stragglers() -> None:
    """Forty days are not too old and fourteen not too idle; closed ones are neither. Each counts once."""
    history = tables((9.0, None), (NOW - 40, None), (0.0, 20.0), (20.0, None), (20.0, None))
    idle = issue("c/item/3", updated_at=day(NOW - 14) - timedelta(seconds=1))
    both = issue("c/item/0", updated_at=day(NOW - 30))
    lively = issue("c/item/4", updated_at=day(NOW - 14))
    told = found(history, idle, both, lively)
    assert (told.stragglers, told.old_count) == (("c/item/0", "c/item/3"), 2)
    assert found(history).old_count == 1


def test_what_is_carried_over_is_somewhere_else() -> None:
    pairs = [(container("c", 0.0, 50.5), [(0.0, None), (5.0, None, 49.0), (0.0, None, 49.0)])]
    told = found(HistoryTables(ledger(pairs), RULES))
    assert (told.added, told.stragglers) == ((), ("c/item/0",))


@pytest.mark.parametrize(("waited", "found_changes"), [(3.0, ()), (3.5, ("c/item/0", "elsewhere"))])
def test_changes_wait_for_review_whether_they_are_items_or_not(waited: float, found_changes: tuple[str, ...]) -> None:
    known = {
        name: issue(name, is_pull_request=True, review_since=day(NOW - waited)) for name in ("c/item/0", "elsewhere")
    } | {"quiet": issue("quiet")}
    (batch,) = daily_batches(tables((0.0, None)), [0], day(NOW), Calendar.plain())
    (told,) = [attention(batch, 0, known, ["c/item/0"], 40.0, [*known, "unknown"])]
    assert told.unreviewed == found_changes
    assert told.unassigned == (), "a change belongs to its author"


def test_stragglers_are_never_more_than_what_is_open() -> None:
    history = tables((30.0, None))
    idle = [issue(name, updated_at=day(0)) for name in ("x", "y")]
    assert found(history, *idle).old_count == 1


def test_those_without_owner_and_those_that_wait_are_named() -> None:
    told = found(
        tables((0.0, None)), issue("b", assignees=()), issue("a", assignees=()), issue("c", blocked_by=("X-1",))
    )
    assert (told.unassigned, told.blocked, told.known) == (("a", "b"), ("c",), 3)


def test_the_straggler_age_is_that_of_finished_items() -> None:
    """Ages 1 to 20; the 21st is closed later than now, the last before it joined, one is of another stream."""
    finished: list[MembershipDays] = [(NOW - n, NOW) for n in range(1, 21)]
    other = (container("o", 0.0, 60.0, stream="other"), [(0.0, 45.0)])
    history = HistoryTables(
        ledger([(container("c", 0.0, 60.0), [*finished, (0.0, NOW + 1), (NOW - 2, NOW - 3)]), other]), RULES
    )
    names = history.ledger.streams
    at = days(day(NOW))
    assert straggler_age(history, names.index("app/Release"), at) == pytest.approx(1 + 0.85 * 19)
    assert straggler_age(history, names.index("other"), at) == 45.0
    assert straggler_age(tables((0.0, None)), 0, at) == float("inf")


def test_usual_shares_are_of_all_open_items_once() -> None:
    issues = {
        item.id: item for item in (issue("a", assignees=()), issue("b"), issue("c", blocked_by=("X",)), issue("d"))
    }
    assert usual_shares(issues, {"m": ["a", "b", "c"], "n": ["a", "d", "unknown"]}) == (0.25, 0.25)
    assert usual_shares(issues, {"m": ["a"], "n": ["a", "c"]}) == (0.5, 0.5)
    assert usual_shares(issues, {"m": ["unknown"]}) == (0.0, 0.0)


OLD, NEW = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ({}, {"category": StatusCategory.IN_PROGRESS, "priority": "lowest"}),  # not started
        ({"priority": "Low"}, {"priority": "medium", "assignees": ()}),
        ({"priority": "lowest"}, {"priority": "minor"}),
        ({"priority": "major"}, {"priority": "critical"}),
        ({"priority": "medium"}, {"priority": "P1"}),
        ({"priority": "", "updated_at": OLD}, {"priority": "normal"}),  # none, or an unknown one, is medium
        ({"priority": "normal", "updated_at": OLD}, {"priority": "odd"}),
        ({"assignees": (), "updated_at": NEW}, {"updated_at": OLD}),
        ({"updated_at": OLD}, {"updated_at": NEW}),
        ({}, {}),  # by name
    ],
)
def test_the_least_wanted_is_cut_first(better: dict[str, Any], worse: dict[str, Any]) -> None:
    issues = {"b": issue("b", **worse), "a": issue("a", **better)}
    assert candidates(issues, ["b", "a"]) == ("a", "b")


@pytest.mark.parametrize("name", ["b", "B", "https://tracker.example/b"])
def test_what_another_item_waits_for_is_not_cut(name: str) -> None:
    issues = {"a": issue("a", blocked_by=(name,)), "b": issue("b")}
    assert candidates(issues, ["a", "b", "unknown"]) == ("a",)
    assert candidates(issues, ["b"]) == ("b",), "what waits is not of this container"
