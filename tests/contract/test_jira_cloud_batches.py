"""Jira Cloud's issues come in batches of a hundred or a thousand, with the same rows and the same requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from connectors.jira import search
from sync.tracker.protocol import Connector
from tests.contract.jira_side import START, Pulled, Stand, pulled, stand

COUNT = 1_120
"""Issues: more than one request for changelogs, and a part of a batch."""


@pytest.fixture(scope="module")
def side() -> Iterator[Stand]:
    with stand("jira-cloud") as made:
        project = made.fill("APP", COUNT)
        ada = made.tracker.user("ada")
        later = made.tracker.milestone(project, "APP 2.0")
        for n, issue in enumerate(list(project.issues.values())):
            at = START + timedelta(days=2, minutes=n)
            if n % 3 == 0:
                made.tracker.move(project, issue, [later.id], ada, at)
            if n % 4 == 0:
                made.tracker.close(issue, ada, at, resolution="completed")
        made.clock.now = START + timedelta(days=4)
        yield made


def first_pull(side: Stand, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Pulled, int]:
    """Pull by a new connector with this size of batches. Return the rows and the number of requests."""

    def sized(self: search.Search, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        self._batch_size = size

    original = search.Search.__init__
    with monkeypatch.context() as patch:
        patch.setattr(search.Search, "__init__", sized)
        connector: Connector = side.connector()
        return pulled(connector, ["APP"]), connector.requests


def contents(found: Pulled) -> tuple[object, ...]:
    return found.issues, found.events, found.milestones, found.cursors, found.complete, found.failed


@pytest.mark.parametrize("size", [100, 500, 900])
def test_every_size_gives_the_same(size: int, side: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, requests = first_pull(side, 1000, monkeypatch)
    parts, used = first_pull(side, size, monkeypatch)
    assert len(whole.issues) == COUNT
    assert sum(map(bool, whole.events.values())) > COUNT / 3
    assert contents(parts) == contents(whole)
    assert used == requests
    assert max(len(page.issues) for page in parts.pages) <= 2 * size


def test_a_first_pull_takes_batches_of_a_hundred(side: Stand) -> None:
    found = pulled(side.connector(), ["APP"])
    assert max(len(page.issues) for page in found.pages) <= 200
