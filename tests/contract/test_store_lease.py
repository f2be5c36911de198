"""The right to write, as every database behind the store must give it."""

from __future__ import annotations

from sqlalchemy import update

from sync.store import tables as schema
from sync.store.store import Store
from tests.contract.store_rows import OTHER, SOURCE


def time_passes(store: Store, seconds: float) -> None:
    """Move every lease into the past: the same as moving the database's clock forward."""
    with store._engine.begin() as connection:
        table = schema.lease
        connection.execute(update(table).values(until=table.c.until - int(seconds * 1_000_000)))


def test_one_holder_at_a_time_for_each_source(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    assert store.acquire(SOURCE, "host:2:2") is None
    assert store.acquire(SOURCE, "host:1:1") is None
    assert store.acquire(OTHER, "host:2:2") is not None
    assert held.check()
    held.release()
    assert not held.check()
    assert store.acquire(SOURCE, "host:2:2") is not None


def test_a_lease_runs_out_and_is_renewed_by_its_checks(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    time_passes(store, 100)
    assert held.check()  # more than half spent, so renewed
    time_passes(store, 100)
    assert held.check()
    time_passes(store, 121)
    assert not held.check()
    assert not held.renew()
    taken = store.acquire(SOURCE, "host:2:2")
    assert taken is not None
    assert taken.check()
    assert not held.check()
    held.close()  # gives nothing back that is not its own
    assert taken.check()


def test_the_same_holder_again_does_not_revive_its_lost_lease(store: Store) -> None:
    lost = store.acquire(SOURCE, "host:1:1")
    time_passes(store, 121)
    again = store.acquire(SOURCE, "host:1:1")
    assert lost is not None
    assert again is not None
    assert not lost.check()
    assert again.check()


def test_a_dead_holder_is_succeeded_at_once(store: Store) -> None:
    held = store.acquire(SOURCE, "host:1:1")
    assert store.acquire(SOURCE, "host:2:2", dead=lambda holder: False) is None
    heir = store.acquire(SOURCE, "host:2:2", dead=lambda holder: holder == "host:1:1")
    assert held is not None
    assert heir is not None
    assert not held.check()
    assert heir.check()


def test_the_number_of_leases_given_is_known_while_the_lease_is_free(store: Store) -> None:
    assert store.term(SOURCE) == 0
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    assert store.term(SOURCE) is None
    assert store.term(SOURCE, dead=lambda _: True) == held.term
    assert store.term(OTHER) == 0
    held.release()
    assert store.term(SOURCE) == held.term
    assert store.acquire(SOURCE, "host:2:2") is not None
    time_passes(store, 121)
    assert store.term(SOURCE) == held.term + 1


def test_a_lease_that_ends_too_late_counts_as_damaged(store: Store) -> None:
    """A clock of the database that ran ahead does not lock a tracker for as long as it was ahead."""
    held = store.acquire(SOURCE, "host:1:1")
    assert held is not None
    time_passes(store, -3600)
    assert not held.check()
    assert not held.renew()
    assert store.term(SOURCE) is not None
    taken = store.acquire(SOURCE, "host:2:2")
    assert taken is not None
    assert taken.check()
    assert not held.check()
