"""Identities and addresses of trackers, as every database behind the store must keep them."""

from __future__ import annotations

from datetime import timedelta

from sync.store.sources import Address, KnownSource
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import SOURCE, T0

MOVED = "https://elsewhere.example.org"


def test_an_unknown_tracker_has_neither_identity_nor_address(store: Store) -> None:
    assert store.find_source([SOURCE, MOVED]) is None
    assert store.last_address("gh") is None


def test_a_tracker_is_found_by_identity_address_and_its_own_id(store: Store) -> None:
    store.save_tracker_id(SOURCE, "https://ids.example.org/1")
    store.save_address("gh", Address(SOURCE, SOURCE), T0)
    store.save_address("gh", Address(MOVED, SOURCE), T0 + timedelta(days=1))
    known = store.find_source([MOVED])
    assert known is not None
    assert known == KnownSource(SOURCE, "https://ids.example.org/1", known.names)
    assert set(known.names) == {SOURCE, MOVED, "https://ids.example.org/1"}
    assert store.find_source(["https://ids.example.org/1"]) == known
    assert store.find_source([MOVED.replace("https", "http")]) == known
    assert store.last_address("gh") == Address(MOVED, SOURCE)
    assert store.last_address("gl") is None
    assert store.known_sources().readers() == {SOURCE: [("gh", SOURCE), ("gh", MOVED)]}


def test_a_change_of_address_deletes_the_cursors_of_its_tracker(store: Store) -> None:
    store.save(SOURCE, Page(cursors={"p": "page 7"}), T0)
    store.watch("gh", SOURCE, {"p"}, only=True)
    assert store.cursors(SOURCE) == {"p": "page 7"}
    assert store.last_address("gh") == Address(SOURCE, SOURCE)  # as versions before stored it
    store.save_address("gh", Address(MOVED, SOURCE), T0)
    assert store.cursors(SOURCE) == {}
    assert store.last_address("gh") == Address(MOVED, SOURCE)
    store.save_address("gh", Address(SOURCE, SOURCE), T0 + timedelta(days=1))
    assert store.last_address("gh") == Address(SOURCE, SOURCE)


def test_prefixes_are_kept_and_the_instance_is_replaced(store: Store) -> None:
    assert (store.label_prefixes(), store.written_instance()) == ((), "")
    for prefix, instance in (("health", "acme"), ("état", "other"), ("health", "other")):
        store.save_label_prefixes([prefix])
        store.save_instance(instance)
    assert (store.label_prefixes(), store.written_instance()) == (("health", "état"), "other")
