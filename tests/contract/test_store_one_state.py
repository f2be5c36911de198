"""A command that only reads sees one state of the database, while other processes write."""

from __future__ import annotations

import pytest

from sync.store.store import Store
from tests.contract.store_rows import SOURCE, T0


def names(store: Store) -> list[str | None]:
    """The ids of the tracker, read by each kind of statement."""
    known = store.find_source([SOURCE])
    numbers = store._sources_of([f"{SOURCE}/milestone/1"])
    return [None if known is None else known.tracker_id, str(numbers[f"{SOURCE}/milestone/1"] > 0)]


def test_all_reads_of_one_state_are_equal(lasting: str) -> None:
    with (
        Store.open(lasting, create=True, clock=lambda: T0) as store,
        Store.open(lasting, create=True, clock=lambda: T0) as other,
    ):
        with store.one_state():
            assert names(store) == [None, "False"]
            other.save_tracker_id(SOURCE, "id")
            assert names(store) == [None, "False"]
            assert names(other) == ["id", "True"]
        assert names(store) == ["id", "True"]
        with store.one_state():
            assert names(store) == ["id", "True"]


def test_each_state_ends_with_its_body(lasting: str) -> None:
    with Store.open(lasting, create=True, clock=lambda: T0) as store:
        with pytest.raises(ZeroDivisionError), store.one_state():
            len(names(store)) / 0
        store.save_tracker_id(SOURCE, "id")
        assert names(store) == ["id", "True"]


def test_a_database_in_memory_has_no_other_writer() -> None:
    with Store.memory() as store, store.one_state():
        store.save_tracker_id(SOURCE, "id")
        assert names(store) == ["id", "True"]
