"""Milestones whose members a connector lists, in every database of the store."""

from __future__ import annotations

from datetime import datetime

from sync.model.tracker_data import Event, EventKind
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, SOURCE, T0, event, issue, milestone

SPRINT, NEXT = "list-sprint-1", "list-sprint-2"


def members(store: Store) -> dict[str, tuple[str, ...]]:
    """The milestones of each issue that has any."""
    return {row.id: row.milestones for row in store.issues(SOURCE) if row.milestones}


def save_list(store: Store, at: datetime, **lists: dict[str, datetime | None]) -> None:
    """Save the members of the two sprints, as ``first`` and ``second``."""
    ids = {"first": SPRINT, "second": NEXT}
    store.save(SOURCE, Page(members={ids[name]: listed for name, listed in lists.items()}), at)


def events_of(store: Store, number: str) -> list[Event]:
    return [event for event in store.events(SOURCE) if event.issue == number]


def test_members_join_at_the_time_of_the_list_or_of_the_pull(store: Store) -> None:
    store.save(SOURCE, Page(milestones=(milestone(SPRINT),), issues=(issue("1"), issue("2"), issue("3"))), T0)
    before_creation = T0 - 20 * DAY
    save_list(store, T0 + DAY, first={"1": T0 - DAY, "2": None, "3": before_creation, "not stored": None})
    assert members(store) == {"1": (SPRINT,), "2": (SPRINT,), "3": (SPRINT,)}
    joined = {event.issue: event.at for event in store.events(SOURCE)}
    assert joined == {"1": T0 - DAY, "2": T0 + DAY, "3": issue("3").created_at}
    assert {event.kind for event in store.events(SOURCE)} == {EventKind.JOINED}


def test_the_same_list_again_changes_nothing(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1"),)), T0)
    save_list(store, T0, first={"1": None})
    editions = store.editions(SOURCE, ["p"])
    save_list(store, T0 + DAY, first={"1": None})
    assert len(events_of(store, "1")) == 1
    assert store.editions(SOURCE, ["p"]) == editions


def test_an_issue_moves_from_list_to_list(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1", milestones=("m",)),)), T0)
    save_list(store, T0, first={"1": None}, second={})
    save_list(store, T0 + DAY, first={}, second={"1": None})
    assert set(members(store)["1"]) == {"m", NEXT}
    moves = [(event.kind, event.milestone, event.at) for event in events_of(store, "1")]
    assert sorted(moves[1:]) == [(EventKind.JOINED, NEXT, T0 + DAY), (EventKind.LEFT, SPRINT, T0 + DAY)]


def test_a_new_row_of_the_issue_keeps_its_lists(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1", milestones=("m",)),)), T0)
    save_list(store, T0, first={"1": None})
    history = (event(EventKind.LEFT, T0 + DAY, milestone="m"),)
    later = issue("1", milestones=(), updated_at=T0 + DAY)
    store.save(SOURCE, Page(issues=(later,), histories={"1": history}), T0 + DAY)
    assert members(store) == {"1": (SPRINT,)}
    assert [event.kind for event in events_of(store, "1") if event.milestone == SPRINT] == [EventKind.JOINED]


def test_a_deleted_issue_leaves_its_lists_and_joins_them_when_it_returns(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue("1"),)), T0)
    save_list(store, T0, first={"1": None})
    store.save(SOURCE, Page(gone=frozenset({"1"})), T0 + DAY)
    save_list(store, T0 + DAY, first={"1": None})
    assert members(store) == {}
    store.save(SOURCE, Page(issues=(issue("1", updated_at=T0 + 2 * DAY),)), T0 + 2 * DAY)
    save_list(store, T0 + 2 * DAY, first={"1": None})
    assert members(store) == {"1": (SPRINT,)}
    kinds = [event.kind for event in events_of(store, "1")]
    assert kinds == [EventKind.JOINED, EventKind.LEFT, EventKind.JOINED]


def test_each_of_two_lists_is_complete_for_its_own_kind_only(store: Store) -> None:
    rows = (milestone("m"), milestone("n"), milestone(SPRINT), milestone(NEXT))
    store.save(SOURCE, Page(milestones=rows), T0)
    store.save(SOURCE, Page(milestones=(milestone("m"),), all_milestones=frozenset({"p"})), T0 + DAY)
    assert {row.id for _, row in store.milestones(SOURCE)} == {"m", SPRINT, NEXT}
    store.save(SOURCE, Page(milestones=(milestone(SPRINT),), all_listed=frozenset({"p"})), T0 + DAY)
    assert {row.id for _, row in store.milestones(SOURCE)} == {"m", SPRINT}
