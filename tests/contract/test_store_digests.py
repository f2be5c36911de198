"""Digests in both databases: which audience got which digest, and each message has one sender."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sync.model.digest import LastSent
from sync.model.health import Status
from sync.model.settings import Retention
from sync.store.digests import LastDigest
from sync.store.store import Store
from sync.store.tables import Delivery
from tests.contract.store_rows import url_of

T0 = datetime(2026, 11, 23, 8, tzinfo=UTC)
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)
ONE = {"a": LastSent(status=Status.AT_RISK, due=MONDAY, probability=0.5, p85=TUESDAY, asked=MONDAY)}
TWO = {"a": LastSent(status=Status.DONE, ended=True), "b": LastSent(status=Status.ON_TRACK, silent=True)}


class Shared:
    """Two processes over one database, with one clock."""

    def __init__(self, url: str) -> None:
        self.now = T0
        self.one = Store.open(url, create=True, clock=lambda: self.now)
        self.two = Store.open(url, create=False, clock=lambda: self.now)


@pytest.fixture(params=["sqlite", "postgresql"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shared]:
    stores = Shared(url_of(request.param, tmp_path))
    with stores.one, stores.two:
        yield stores


def test_a_sent_digest_is_known_until_the_next_one(shared: Shared) -> None:
    store = shared.one
    assert store.last_digest("board", "chat") == LastDigest(None, {})
    for day, told in ((MONDAY, ONE), (TUESDAY, TWO)):
        message = store.begin_message("run", "board", "chat", day, told)
        assert message is not None
        store.finish_message(message, Delivery.SENT)
        assert shared.two.last_digest("board", "chat") == LastDigest(shared.now, told)
        shared.now += timedelta(days=1)
    assert store.last_digest("board", "mail") == LastDigest(None, {})
    assert store.last_digest("team", "chat") == LastDigest(None, {})


@pytest.mark.parametrize("delivery", [None, *Delivery])
def test_how_it_ended_says_what_is_known_and_what_comes_next(shared: Shared, delivery: Delivery | None) -> None:
    first = shared.one.begin_message("run", "board", "chat", MONDAY, ONE)
    assert first is not None
    shared.one.finish_message(first, Delivery.SENT)
    shared.now += timedelta(days=1)
    message = shared.one.begin_message("run", "board", "chat", TUESDAY, None if delivery is Delivery.QUIET else TWO)
    assert message is not None
    if delivery is not None:  # else it was killed meanwhile
        shared.one.finish_message(message, delivery, "words")
    arrived = delivery in (None, Delivery.SENT, Delivery.UNSURE)
    assert shared.two.last_digest("board", "chat") == (LastDigest(shared.now, TWO) if arrived else LastDigest(T0, ONE))
    again = delivery is Delivery.REFUSED
    assert shared.two.needs_message("board", "chat", TUESDAY) is again
    assert (shared.two.begin_message("run", "board", "chat", TUESDAY, TWO) is not None) is again
    assert shared.two.needs_message("board", "chat", date(2026, 11, 25))


def test_of_two_runs_at_once_one_sends(shared: Shared) -> None:
    assert shared.one.needs_message("board", "chat", MONDAY)
    assert shared.two.needs_message("board", "chat", MONDAY)
    message = shared.one.begin_message("1", "board", "chat", MONDAY, ONE)
    assert message is not None
    assert shared.two.begin_message("2", "board", "chat", MONDAY, ONE) is None
    shared.one.finish_message(message, Delivery.REFUSED, "no")
    assert shared.two.begin_message("2", "board", "chat", MONDAY, ONE) is not None
    assert shared.one.begin_message("1", "board", "mail", MONDAY, ONE) is not None


def test_pruning_keeps_the_last_digest(shared: Shared) -> None:
    for n, delivery in enumerate((Delivery.SENT, Delivery.REFUSED, Delivery.SENT, Delivery.QUIET)):
        told = None if delivery is Delivery.QUIET else ONE
        message = shared.one.begin_message("run", "board", "chat", MONDAY + timedelta(days=n), told)
        assert message is not None
        shared.one.finish_message(message, delivery)
        shared.now += timedelta(days=1)
    kept = shared.one.last_digest("board", "chat")
    shared.now += timedelta(days=400)
    shared.one.prune(Retention())
    assert shared.one.last_digest("board", "chat") == kept == LastDigest(T0 + timedelta(days=2), ONE)
    assert shared.one.needs_message("board", "chat", MONDAY)
