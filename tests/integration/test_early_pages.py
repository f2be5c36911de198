"""The tracker is asked before a new database is made, and the database gets the same rows."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.cli.wiring import is_new_file
from sync.pull.early_pages import EARLY, EarlyPages
from sync.pull.pull import Puller
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import BusyError, MalformedError, UnreachableError
from sync.tracker.protocol import Page
from tests.integration.test_engine import page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)

ORDER = """
import sys, threading
from sync.cli import wiring
from sync.pull import early_pages

class Asked(early_pages.EarlyPages):
    def __init__(self, connector, projects):
        print("asked", "sqlalchemy" in sys.modules)

wiring.EarlyPages = Asked
from config.settings import Settings
settings = Settings.model_validate({"instance": "x", "database": sys.argv[1], "connections": {
    "x": {"type": "github", "url": "http://127.0.0.1:1", "projects": ["acme/app"], "token": {"env": "TOKEN"}}}})
for _ in range(2):
    puller = wiring.build_puller(settings, {"TOKEN": "x"}, create=True, progress=print, ahead=True)
    print(sorted(puller.early_pages), "sqlalchemy" in sys.modules, "cryptography" in sys.modules)
    puller.store.close()
"""


def pages_of(tracker: MemoryTracker) -> EarlyPages:
    return EarlyPages(MemoryConnector(tracker), ("acme/app",))


@pytest.fixture
def tracker() -> MemoryTracker:
    tracker = MemoryTracker(lambda: NOW)
    tracker.pages = [page()]
    return tracker


def test_a_tracker_is_asked_before_sqlalchemy_is_imported_and_only_for_a_new_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/x.db"
    ended = subprocess.run([sys.executable, "-c", ORDER, url], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines() == ["asked False", "['x'] True False", "[] True False"]


def test_a_puller_stores_the_early_pages_once(tracker: MemoryTracker) -> None:
    connector = MemoryConnector(tracker)
    connection = Connection(name="memory", connector=connector, projects=("acme/app",))
    early = EarlyPages(connector, ("acme/app",))
    puller = Puller([connection], Store.memory(lambda: NOW), lambda: NOW, early_pages={"memory": early})
    puller.run()
    assert (puller.issue_count, puller.failures, puller.early_pages) == (len(page().issues), [], {})
    assert puller.store.cursors(connection.source) == dict(page().cursors)


def test_other_projects_are_not_stored(tracker: MemoryTracker) -> None:
    connector = MemoryConnector(tracker)
    connection = Connection(name="memory", connector=connector, projects=("acme/app",))
    early = EarlyPages(connector, ("acme/other",))
    puller = Puller([connection], Store.memory(lambda: NOW), lambda: NOW, early_pages={"memory": early})
    early.wait()
    tracker.pages = [Page()]
    puller.run()
    assert puller.issue_count == 0


class _Broken:
    """A connector that breaks at a page."""

    def __init__(self, page: int, gate: threading.Event) -> None:
        self.page, self.gate, self.read, self.is_ended = page, gate, 0, False

    def pull(self, *_: object) -> Iterator[Page]:
        try:
            for n in range(8):
                assert self.gate.wait(20)
                if n == self.page:
                    raise BusyError("x", "", "overloaded")
                self.read += 1
                yield Page(complete=frozenset([str(n)]))
        finally:
            self.is_ended = True


class _Refusing:
    """A connector whose ``pull`` raises when it is called."""

    def pull(self, *_: object) -> Iterator[Page]:
        raise MalformedError("x", "", "no JSON")


def opened() -> threading.Event:
    gate = threading.Event()
    gate.set()
    return gate


@pytest.mark.parametrize("broken", [0, EARLY - 1, EARLY, 7])
def test_pages_come_in_order_before_the_error(broken: int) -> None:
    found: list[str] = []
    early = EarlyPages(_Broken(broken, opened()), ("x",))  # type: ignore[arg-type]
    with pytest.raises(BusyError):
        found.extend(word for each in early for word in each.complete)
    assert found == [str(n) for n in range(broken)]


def test_an_error_of_the_call_is_that_of_the_first_page() -> None:
    early = EarlyPages(_Refusing(), ("x",))  # type: ignore[arg-type]
    early.wait()
    with pytest.raises(MalformedError):
        list(early)
    early.close()


class _Silent(MemoryConnector):
    """A connector whose tracker does not answer; ``asked`` are the questions."""

    def __init__(self, tracker: MemoryTracker) -> None:
        super().__init__(tracker)
        self.asked: list[str] = []

    def pull(self, *_: object) -> Iterator[Page]:
        self.asked.append("pages")
        raise UnreachableError("memory", "", "the connection was refused")

    def tracker_id(self) -> str:
        self.asked.append("id")
        raise UnreachableError("memory", "", "the connection was refused")


def test_a_tracker_that_does_not_answer_is_asked_once(tracker: MemoryTracker) -> None:
    """Not again for its id: each question takes several attempts with waits."""
    connector = _Silent(tracker)
    connection = Connection(name="memory", connector=connector, projects=("acme/app",))
    early = EarlyPages(connector, ("acme/app",))
    puller = Puller([connection], Store.memory(lambda: NOW), lambda: NOW, early_pages={"memory": early})
    puller.run()
    assert (connector.asked, len(puller.failures)) == (["pages"], 1)
    puller.run()
    assert connector.asked == ["pages", "id"]


def test_no_page_is_read_after_the_end() -> None:
    gate = threading.Event()
    connector = _Broken(-1, gate)
    early = EarlyPages(connector, ("x",))  # type: ignore[arg-type]
    early.cancel()
    gate.set()
    early.close()
    assert (connector.read, connector.is_ended) == (1, True)


NEW = {
    "sqlite:///{}/x.db": True,
    "sqlite:///{}?timeout=5": False,
    "sqlite:///{}": False,
    "sqlite://": False,
    "postgresql://host/x": False,
}


@pytest.mark.parametrize("url", NEW)
def test_a_file_that_does_not_exist_is_new(url: str, tmp_path: Path) -> None:
    assert is_new_file(url.format(tmp_path)) is NEW[url]
