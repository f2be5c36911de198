"""A first pull with histories: its requests, how many run at the same time, and its transactions."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
import requests

from connectors.sandbox.jira import search as sandbox_search
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from sync.pull.page_batches import joined_pages
from tests.contract.sandbox_side import Clock, SandboxSide

ISSUES, CONCURRENCY = 1_000, 8
REQUESTS = {"github": 10 + 3, "gitlab": 10 + 10 + 4, "jira": 10 + 7, "jira-cloud": 10 + 10}
"""A hundred issues in a request, on GitLab their histories in another one; the rest does not grow with the issues."""
PAGES: dict[str, Callable[[Any, Any], bool]] = {
    "github": lambda request, body: "n99" in body.get("variables", {}),
    "gitlab": lambda request, body: "order_by=created_at" in request.url and "/issues" in request.url,
    "jira": lambda request, body: body.get("startAt", 0) > 0,
    "jira-cloud": lambda request, body: request.url.endswith("/issue/bulkfetch"),
}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(clock=Clock())
    with Sandbox(world):
        yield world


def filled(world: World, kind: str) -> SandboxSide:
    side = SandboxSide.of(world, kind)
    milestone = side.tracker.milestone(side.place, "1.0")
    for n in range(ISSUES):
        issue = side.tracker.issue(side.place, f"item {n}", side.people, milestones=[milestone.id])
        if n % 2:
            side.tracker.close(issue, side.people)
    return side


class Gate:
    """Lets the first requests for pages through only when `CONCURRENCY` of them wait for their answers."""

    def __init__(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self._is_page, self._send = PAGES[kind], requests.adapters.HTTPAdapter.send
        self._together, self._left = threading.Barrier(CONCURRENCY, timeout=60), CONCURRENCY
        self._lock = threading.Lock()
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda *given, **more: self.send(*given, **more))

    def send(self, adapter: Any, request: requests.PreparedRequest, **settings: Any) -> requests.Response:
        if self._is_page(request, json.loads(request.body or b"{}")):
            with self._lock:
                waits, self._left = self._left > 0, self._left - 1
            if waits:
                self._together.wait()
        return self._send(adapter, request, **settings)

    @property
    def was_passed(self) -> bool:
        return self._left <= 0 and not self._together.broken


@pytest.mark.parametrize("kind", list(REQUESTS))
def test_a_first_pull_keeps_all_its_requests_in_the_air(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = filled(world, kind)
    gate = Gate(kind, monkeypatch)
    with closing(side.connect(concurrency=CONCURRENCY)) as connector:
        pages = list(connector.pull([side.project], {}))
        assert connector.requests == REQUESTS[kind]
    assert gate.was_passed
    issues = [issue for page in pages for issue in page.issues]
    assert len(issues) == ISSUES
    assert len(list(joined_pages(pages))) <= 2 + 3, "a transaction for 500 issues, and one for the first and last page"
    closed = {issue.id for issue in issues if issue.closed_at is not None}
    assert closed <= {issue for page in pages for issue, events in page.histories.items() if events}


def test_large_pages_without_histories_are_in_the_air_as_well(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    side = filled(world, "jira")
    side.options["history"] = False
    monkeypatch.setattr(sandbox_search, "MOST", 100)
    gate = Gate("jira", monkeypatch)
    with closing(side.connect(concurrency=CONCURRENCY)) as connector:
        pages = list(connector.pull([side.project], {}))
    assert gate.was_passed
    assert sum(len(page.issues) for page in pages) == ISSUES
