"""Pulls that are started early: each is done once, by any run that continues it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import pytest

from sync.pull.pull import Puller, RoundShare
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import BusyError
from sync.tracker.protocol import Page
from tests import portfolio_world as world
from tests.engine_factory import engine
from tests.integration.test_engine import page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Waiting(MemoryConnector):
    """A connector whose tracker answers when it is let; ``asked`` says that it was asked."""

    def __init__(self, tracker: MemoryTracker) -> None:
        super().__init__(tracker)
        self.asked, self.let, self.pulls = threading.Event(), threading.Event(), 0
        self.breaks: Exception | None = None
        self.closed = False

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        self.pulls += 1
        self.asked.set()
        assert self.let.wait(20)
        if self.breaks is not None:
            raise self.breaks
        yield from super().pull(projects, cursors)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def waiting() -> Waiting:
    tracker = MemoryTracker(lambda: NOW)
    tracker.pages = [page()]
    return Waiting(tracker)


@pytest.fixture
def puller(waiting: Waiting) -> Puller:
    connection = Connection(name="memory", connector=waiting, projects=("acme/app",))
    return Puller([connection], Store.memory(lambda: NOW), lambda: NOW)


def test_an_engine_goes_on_with_what_was_begun(puller: Puller, waiting: Waiting) -> None:
    puller.start_early()
    assert waiting.asked.wait(20)  # before there is an engine, and before the tracker has answered
    made = engine(puller.connections[0], puller.store, puller.clock, puller=puller)
    assert made.issue_count == 0
    waiting.let.set()
    made.pull()
    assert (waiting.pulls, made.issue_count, made.has_read_project) == (1, len(page().issues), True)
    made.pull()
    assert waiting.pulls == 2


def test_what_failed_ahead_is_the_engines_failure(puller: Puller, waiting: Waiting) -> None:
    waiting.breaks = BusyError("memory", "", "overloaded")
    puller.start_early()
    made = engine(puller.connections[0], puller.store, puller.clock, puller=puller)
    waiting.let.set()
    result = made.run()
    assert [failure.connection for failure in result.failures] == ["memory"]
    assert (waiting.pulls, result.written) == (1, [])


def test_nothing_is_closed_while_it_is_read(puller: Puller, waiting: Waiting) -> None:
    puller.start_early()
    assert waiting.asked.wait(20)
    closing = threading.Thread(target=puller.close)
    closing.start()
    assert not waiting.closed
    waiting.let.set()
    closing.join(20)
    assert waiting.closed
    assert puller.has_read_project  # to the end, into a store that was open


def test_a_part_asks_its_connections_only(puller: Puller, waiting: Waiting) -> None:
    waiting.let.set()
    puller.run(RoundShare(frozenset({"another"}), NOW))
    assert waiting.pulls == 0
    puller.run(RoundShare(frozenset({"memory"}), NOW))
    assert waiting.pulls == 1


class Observable(MemoryConnector):
    """A connector that calls ``look`` before the last page of a pull."""

    look: Callable[[], None]

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        *first, last = super().pull(projects, cursors)
        yield from first
        self.look()
        yield last


def test_no_project_counts_as_removed_while_a_first_pull_reads_the_others() -> None:
    tracker, store = MemoryTracker(lambda: NOW), Store.memory(lambda: NOW)
    tracker.pages = [world.page("app"), world.page("api")]
    connector = Observable(tracker)
    found: list[object] = []
    connector.look = lambda: found.append((store.last_pulls().keys(), store.removed_projects(connector.base_url)))
    connection = Connection(name="memory", connector=connector, projects=("acme/app", "acme/api"))
    Puller([connection], store, lambda: NOW).run()
    assert found == [({(connector.base_url, "acme/app")}, [])]
    assert store.watched_projects("memory", connector.base_url) == {"app", "api"}
