"""A milestone without a due date: each command shows which date it can promise, and how often such dates held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from connectors.sandbox.world import World
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served

NAME = "gh:acme/app#21"


def world_with_an_undated_milestone() -> World:
    """Twenty monthly milestones of ten issues, closed evenly; the last one has no due date and eight open issues."""
    world = World()
    now = datetime.now(UTC).replace(microsecond=0)
    tracker = world.github
    project = tracker.project("acme/app", "Acme", created=now - timedelta(days=700))
    author = tracker.user("ada", "Ada Fox")
    for number in range(21):
        start, is_running = now - timedelta(days=610 - 30 * number), number == 20
        due = None if is_running else (start + timedelta(days=29)).date()
        milestone = tracker.milestone(project, f"v{number + 1}", at=start, due=due)
        for n in range(10):
            issue = tracker.issue(project, f"Task {n}", author, at=start)
            tracker.move(project, issue, [milestone.id], author, start)
            if not is_running or n < 2:
                tracker.close(issue, author, start + timedelta(days=2.9 * n + 0.5), resolution="completed")
        if not is_running:
            tracker.close_milestone(project, milestone, start + timedelta(days=29))
    return world


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("promise"), world_with_an_undated_milestone()) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        with mock.patch.dict("tests.e2e.in_process.ENVIRONMENT", {"GITHUB_API_URL": world.github.url}):
            yield config


def test_status_and_whatif_answer_which_date_can_be_promised(config: Path) -> None:
    rows = milesync("status", "--json", config=config).document["milestones"]
    (row,) = (row for row in rows if row["id"] == NAME)
    promise = row["promise"]
    days = [date.fromisoformat(promise[name]) for name in ("p50", "p70", "p85")]
    assert row["status"] == "no_due_date"
    assert datetime.now(UTC).date() < days[0] <= days[1] <= days[2] <= date.fromisoformat(row["horizon"])
    assert all(day.isoweekday() < 6 for day in days)
    assert (row["p50"], row["p85"]) == (promise["p50"], promise["p85"])
    assert promise["of"] >= 20
    record = f"{promise['held']} of the last {promise['of']} dates given with 85% certainty held."
    assert record in " ".join(milesync("status", config=config).out.split())
    fewer = milesync(
        "whatif", NAME, "--drop", "#204", "--drop", "#205", "--drop", "#206", "--json", config=config
    ).document
    assert fewer["before"]["promise"] == promise
    assert fewer["after"]["promise"]["p85"] < promise["p85"]
    shown = milesync("whatif", NAME, "--drop", "#204", config=config).out
    assert "70% sure" in shown
    assert record in shown
    assert all(row["promise"] is None for row in rows if row["id"] != NAME)


def test_explain_shows_what_the_promise_was_computed_from(config: Path) -> None:
    numbers = milesync("explain", NAME, "--json", config=config).document
    assert numbers["capacity"]["promise"] == numbers["health"]["promise"]
    assert numbers["capacity"]["items"] == 8
    assert numbers["capacity"]["levels"] == [0.5, 0.7, 0.85, 0.95]
    assert len(numbers["capacity"]["multipliers"]) == 4
