"""Connections at different addresses never share the rows of one tracker, unless it returned the same id to both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from sync.pull.identify import identify, recall_identities
from sync.store.sources import Address
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import SharedTrackerError
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
A, B, C = "https://a.example.org", "https://b.example.org", "https://c.example.org"


class Site(MemoryConnector):
    """A connector whose tracker has an id of its own; ``asked`` counts the questions for it."""

    def __init__(self, source: str, site_id: str | None) -> None:
        super().__init__(MemoryTracker(lambda: NOW), source=source)
        self.site_id, self.asked = site_id, 0

    def tracker_id(self) -> str | None:
        self.asked += 1
        return self.site_id


def connection(name: str, url: str, *formerly: str, site_id: str | None = "") -> Connection:
    """Return a connection to a tracker at this address."""
    return Connection(name=name, connector=Site(url, site_id), projects=(), formerly=formerly)


@pytest.fixture
def store() -> Store:
    return Store.memory(lambda: NOW)


def withheld(store: Store, *connections: Connection) -> list[str]:
    """Identify all connections; return the names of those that may neither read nor write."""
    recall_identities(connections, store)
    names = []
    for each in connections:
        try:
            identify(each, store, NOW, store.known_sources())
        except SharedTrackerError:
            names.append(each.name)
    assert [each.name for each in connections if each.write_obstacle()] == names
    active = [each.source for each in connections if each.name not in names]
    assert not {each.source for each in connections if each.name in names}.intersection(active)
    return names


@pytest.mark.parametrize(
    ("read", "configured", "expected"),
    [
        ([], [("gl", B, A), ("gl2", A)], ["gl2"]),
        ([], [("gl2", A), ("gl", B, A)], ["gl2"]),
        ([("gl", A)], [("gl2", A), ("gl", B, A)], ["gl2"]),
        ([("gl", A), ("gl", B)], [("gl2", A), ("gl", B, A)], ["gl2"]),
        ([("gl", A), ("gl", B), ("gl2", A)], [("gl2", A), ("gl", B, A)], ["gl2"]),
        ([("gl", A)], [("gl2", A), ("main", B, A)], ["gl2"]),
        ([("gl", A), ("gl", B)], [("gl2", A), ("main", B)], ["gl2"]),
        ([("gl", A)], [("gl2", B, A), ("gl", A)], ["gl2"]),
        ([], [("gl", B, A), ("gl2", C, A)], ["gl2"]),
        ([("gl", A)], [("gl", B, A), ("gl2", C)], []),
        ([("gl", A)], [("gl", A), ("gl2", A.replace("https", "http"))], []),
    ],
)
def test_one_connection_keeps_the_tracker(
    read: Sequence[tuple[str, str]], configured: Sequence[tuple[str, ...]], expected: list[str], store: Store
) -> None:
    """It does so in each of several runs; ``read`` are the addresses of one tracker that were read before."""
    for n, (name, url) in enumerate(read):
        store.save_tracker_id(A, "")
        store.save_address(name, Address(url, A), NOW - timedelta(days=9 - n))
    for _ in range(3):
        assert withheld(store, *(connection(*each) for each in configured)) == expected


def test_a_tracker_that_returns_one_id_is_shared(store: Store) -> None:
    for _ in range(3):
        pair = connection("jc", A, site_id="site:1"), connection("jc2", B, site_id="site:1")
        assert withheld(store, *pair) == []
        assert pair[0].source == pair[1].source == "site:1"
    assert [each.connector.asked for each in pair if isinstance(each.connector, Site)] == [0, 0]


@pytest.mark.parametrize("site_id", ["site:2", "", None])
def test_a_new_site_at_a_former_address_has_another_id(site_id: str | None, store: Store) -> None:
    assert withheld(store, connection("jc", A, site_id="site:1")) == []
    moved = connection("jc", B, site_id="site:1")
    assert withheld(store, moved, connection("jc2", A, site_id=site_id)) == ["jc2"]
    assert moved.source == "site:1"


def test_an_id_that_is_not_known_yet_is_asked_again(store: Store) -> None:
    for site_id, asked in ((None, 1), (None, 1), ("site:1", 1), ("site:1", 0)):
        site = connection("jc", A, site_id=site_id)
        assert withheld(store, site) == []
        assert isinstance(site.connector, Site)
        assert site.connector.asked == asked
    assert withheld(store, moved := connection("jc", B, site_id="site:1")) == []
    assert moved.source == A


@pytest.mark.parametrize("former", [(), (B,)])
@pytest.mark.parametrize("site_ids", [("",), (None,), ("https://id/1",), (None, "https://id/1"), (None, ""), (A,)])
def test_a_new_tracker_gets_the_names_that_the_store_finds_for_it(
    site_ids: Sequence[str | None], former: Sequence[str], store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Store, "save_address", lambda *_: None)  # an address that is saved now counts from the next run
    for site_id in site_ids:
        own = connection("gl", A, *former, site_id=site_id)
        identify(own, store, NOW, store.known_sources())
        known = store.find_source([own.source])
        assert known is not None
        assert known.tracker_id == site_id
        assert (own.identity.source, own.identity.aliases) == (known.source, known.names)
