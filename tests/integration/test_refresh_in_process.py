"""Refreshes by webhooks in the process of `serve`: what delays the next one."""

from __future__ import annotations

from datetime import timedelta
from unittest import mock

import pytest

from sync.engine.engine import Engine
from sync.tracker.errors import AuthError, ClaimedError, LostIssueError, TrackerError, UnreadError
from sync.worker.in_process import InProcessRefresher
from sync.worker.job import JobEnvironment, JobSpec
from tests.outage_world import OutageWorld


@pytest.mark.parametrize(
    ("error", "is_delayed"), [(UnreadError, False), (ClaimedError, False), (LostIssueError, False), (AuthError, True)]
)
def test_only_a_failure_of_more_than_single_rows_delays_the_next_refresh(
    error: type[TrackerError], is_delayed: bool
) -> None:
    world, runs = OutageWorld(), list[str]()
    world.run()

    class FailingEngine(Engine):
        def run(self) -> object:  # type: ignore[override]
            runs.append(self.run_id)
            self._puller.record_failure(self.connections[0], "acme/base", error("base", "acme/base", "x"))
            return mock.Mock(failures=self.failures, lease_held=False)

        def __exit__(self, *_: object) -> None:
            """Keep the store open."""

    def make_engine(spec: JobSpec) -> Engine:
        kept = {name: getattr(world.last, name) for name in ("store", "instance", "rules", "limits", "holder", "clock")}
        return FailingEngine(connections=world.connections, share=spec.share, run_id=spec.run_id, **kept)

    work = JobEnvironment("acme", {"base": ("acme/base",)}, make_engine, lambda: world.now)
    refresher = InProcessRefresher(world.store, work, settle=timedelta(0))
    for _ in range(2):
        world.store.mark_changed("base", ["acme/base"], world.now)
        refresher.refresh_due()
        world.now += timedelta(minutes=1)
    assert len(runs) == (1 if is_delayed else 2)
    assert bool(world.store.changed_projects()) is is_delayed
