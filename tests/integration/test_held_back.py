"""The cause of each planned write that a run does not make."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from sync.cli.output import held_back_lines, held_back_rows, run_document, summary_line
from sync.engine.result import Result
from sync.model.policy import Limits, Policy
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import RefusedError
from tests.engine_factory import engine
from tests.integration.test_statements import page
from tests.memory_tracker import MemoryConnector, MemoryTracker

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.memory(lambda: NOW) as store:
        yield store


def run(store: Store, policies: dict[str, Policy], *errors: RefusedError, limit: int = 100) -> Result:
    """Run over two projects with one milestone each, of these policies; the first writes meet these errors."""
    tracker = MemoryTracker(lambda: NOW)
    tracker.pages = [page(name, 1) for name in ("app", "web")]
    connector = MemoryConnector(tracker)
    connector.fail["apply"] = list(errors)
    connection = Connection(
        name="memory",
        connector=connector,
        projects=("acme/*",),
        policy_of=lambda project: policies[project],
        policy_setting_of=lambda project: f"policy of {project}",
    )
    return engine(connection, store, lambda: NOW, limits=Limits(creates=limit)).run()


def test_a_run_names_the_policy_that_held_writes_back(store: Store) -> None:
    result = run(store, {"acme/app": Policy.CREATE, "acme/web": Policy.PLAN})
    held = len(result.plan.actions) - len(result.written)
    assert held > 0
    assert held_back_rows(result) == [{"writes": held, "setting": "policy of acme/web", "cause": ""}]
    assert run_document(result, {})["held_back"] == held_back_rows(result)
    assert list(held_back_lines(result)) == [f'Held back by policy of acme/web = "plan": {held} writes.']
    assert summary_line(result).plain.endswith(f", {held} held back.")


def test_a_run_names_the_failure_that_held_writes_back(store: Store) -> None:
    error = RefusedError("memory", "acme/app", "no right to write here")
    result = run(store, {"acme/app": Policy.CREATE, "acme/web": Policy.CREATE}, error)
    held = len(result.plan.actions) - len(result.written)
    assert held > 0
    assert held_back_rows(result) == [{"writes": held, "setting": "", "cause": result.failures[0].error}]
    assert "no right to write here" in "".join(held_back_lines(result))
    assert list(held_back_lines(result, known=[result.failures[0].error])) == []


def test_a_run_above_a_limit_names_the_refusal(store: Store) -> None:
    result = run(store, {"acme/app": Policy.CREATE, "acme/web": Policy.CREATE}, limit=1)
    assert result.written == []
    expected = {"writes": len(result.plan.actions), "setting": "", "cause": "; ".join(result.refused)}
    assert held_back_rows(result) == [expected]


def test_a_run_that_writes_everything_holds_nothing_back(store: Store) -> None:
    result = run(store, {"acme/app": Policy.CREATE, "acme/web": Policy.CREATE})
    assert result.written
    assert held_back_rows(result) == []
    assert list(held_back_lines(result)) == []
