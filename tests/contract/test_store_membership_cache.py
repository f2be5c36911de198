"""The cache of memberships: computed once, and again after a change of rows or rules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from sync.assess.membership_cache import ItemRules, load_memberships
from sync.model.item_label import ItemLabel
from sync.model.item_state import StateNames, StateRules
from sync.model.tracker_data import EventKind, Issue, Visibility
from sync.store.database import UnusableDatabase
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import DAY, SOURCE, T0, event, issue, milestone


def known_stays(store: Store, at: datetime = T0 + 9 * DAY) -> dict[str, list[str]]:
    made = load_memberships(store, SOURCE, {"p"}, at, ItemRules()).memberships
    return {
        container.rpartition("/")[2]: [stay.item for stay in some] for container, some in made.by_container().items()
    }


class Unread(Store):
    """The same store, whose issues are not to be read."""

    def __init__(self, store: Store) -> None:
        vars(self).update(vars(store))

    def issues(self, *_: Any, **__: Any) -> Iterator[Issue]:
        raise AssertionError("read again")


class Labels(tuple[ItemLabel, ...]):
    """Labels that count how often all of them are read."""

    reads = 0

    def __repr__(self) -> str:
        type(self).reads += 1
        return super().__repr__()


def test_the_keys_of_many_projects_read_the_item_labels_once() -> None:
    projects = [f"p{n}" for n in range(50)]
    rules = ItemRules(own_labels=Labels(), states={"p7": StateRules.named(removed_labels=["parked"])})
    keys = rules.cache_keys(projects)
    assert Labels.reads == 1
    assert len(set(keys.values())) == 2
    assert keys["p7"] not in {keys[project] for project in projects if project != "p7"}


def test_memberships_are_computed_once_for_unchanged_rows(store: Store) -> None:
    page = Page(
        issues=(issue(milestones=("m",)), issue("2")),
        milestones=(milestone(), milestone("n")),
        histories={"1": (event(EventKind.JOINED, T0, milestone="m"),)},
        cursors={"p": "1"},
    )
    store.save(SOURCE, page, T0)
    first = known_stays(store)
    assert set(first) == {"m"}
    store.save(SOURCE, page, T0 + DAY)  # as an overlap reads it again
    store.save(SOURCE, Page(cursors={"p": "2"}), T0 + DAY)
    assert known_stays(Unread(store)) == first


@pytest.mark.parametrize(
    "page",
    [
        Page(issues=(issue("2", milestones=("n",), updated_at=T0 + DAY),)),
        Page(issues=(issue(milestones=("m",), visibility=Visibility.CONFIDENTIAL),)),
        Page(histories={"1": (event(EventKind.JOINED, T0, milestone="n"),)}),
        Page(milestones=(milestone("m", title="renamed"),)),
        Page(milestones=(milestone("o"),)),
        Page(gone=frozenset({"1"})),
    ],
)
def test_memberships_are_recomputed_when_a_row_of_theirs_changed(store: Store, page: Page) -> None:
    before = Page(issues=(issue(milestones=("m",)), issue("2")), milestones=(milestone(), milestone("n")))
    store.save(SOURCE, before, T0)
    known_stays(store)
    store.save(SOURCE, page, T0 + DAY)
    with pytest.raises(AssertionError, match="read again"):
        known_stays(Unread(store))


class Fixed(Store):
    """The same store, which takes nothing in."""

    def __init__(self, store: Store) -> None:
        vars(self).update(vars(store))

    def save_cache_entries(self, *_: Any) -> None:
        raise UnusableDatabase("db", "read only")


def test_who_may_only_read_gets_them_all_the_same(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("m",)),)), T0)
    assert known_stays(Fixed(store)) == {"m": [f"{SOURCE}/issue/1"]}
    assert store.cache_entries(SOURCE, {"p": ""}) == {}


def test_another_rule_recomputes_the_memberships(store: Store) -> None:
    store.save(SOURCE, Page(issues=(issue(milestones=("m",)),)), T0)
    known_stays(store)
    other = StateRules(done=StateNames(labels=frozenset({"shipped"})))
    load_memberships(Unread(store), SOURCE, {"p"}, T0, ItemRules(states={"another project": other}))
    with pytest.raises(AssertionError, match="read again"):
        load_memberships(Unread(store), SOURCE, {"p"}, T0, ItemRules(states={"p": other}))


def test_each_project_has_its_own_rules(store: Store) -> None:
    """Two projects of one connection with the same label, which means done in one of them only."""
    labeled = [issue(n, project=n, milestones=("m",), labels=("shipped",)) for n in ("p", "q")]
    store.save(SOURCE, Page(issues=tuple(labeled), milestones=(milestone(),)), T0)
    rules = ItemRules(states={"p": StateRules(done=StateNames(labels=frozenset({"shipped"})))})
    for _ in range(2):  # the second time from the cache
        table = load_memberships(store, SOURCE, {"p", "q"}, T0 + DAY, rules).memberships
        assert table.open_items(T0 + DAY) == {f"{SOURCE}/milestone/m": [f"{SOURCE}/issue/q"]}


def test_contradictions_are_found_in_the_rows_as_the_tracker_has_them(store: Store) -> None:
    stale = issue("1", milestones=("m",), raw_state="In Progress", resolution="Done")
    both = issue("2", milestones=("m",), labels=("shipped",), raw_state="Merged")
    store.save(SOURCE, Page(issues=(stale, both, issue("3", milestones=("m",))), milestones=(milestone(),)), T0)
    rules = StateRules(done=StateNames(labels=frozenset({"shipped"})), started=StateNames(states=frozenset({"merged"})))
    for expected, own in (({"1"}, StateRules()), ({"1", "2"}, rules)):
        for _ in range(2):  # the second time from the cache
            found = load_memberships(store, SOURCE, {"p"}, T0 + DAY, ItemRules(states={"p": own})).contradicting
            assert found == {f"{SOURCE}/issue/{key}" for key in expected}
