"""`status` reads the open issues of running milestones only: what is closed counts, and is shown nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from sync.cli import status
from sync.model.tracker_data import Issue, State
from sync.store.store import Store
from sync.store.tracker_data import TrackerData
from sync.tracker.connection import Connection
from tests.benchmarks.bench_thousand import history
from tests.engine_factory import engine
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)


def test_status_reads_no_closed_issue(monkeypatch: pytest.MonkeyPatch) -> None:
    page = history(NOW, running=3)
    kept = {milestone.id for milestone in page.milestones[-40:]}
    issues = tuple(issue for issue in page.issues if kept.issuperset(issue.milestones))
    page = msgspec.structs.replace(
        page,
        milestones=page.milestones[-40:],
        issues=issues,
        histories={own.id: page.histories[own.id] for own in issues},
    )
    tracker = MemoryTracker(lambda: NOW)
    tracker.pages = [page]
    connection = Connection(name="memory", connector=MemoryConnector(tracker), projects=("acme/*",))
    store = Store.memory(lambda: NOW)
    engine(connection, store, lambda: NOW).run()

    read: list[Issue] = []
    loads = TrackerData.issues

    def noted(self: TrackerData, *args: Any, **limits: Any) -> Iterator[Issue]:
        for issue in loads(self, *args, **limits):
            read.append(issue)
            yield issue

    monkeypatch.setattr(TrackerData, "issues", noted)
    contents = status._contents(engine(connection, store, lambda: NOW + timedelta(hours=1)), None)
    running = [own for own in contents.milestones if own.is_running]
    assert len(running) == 3
    assert sum(own.health.counts.closed for own in running) > 0
    assert {issue.id for issue in read} == {issue.id for issue in issues if issue.state is State.OPEN}
    store.close()
