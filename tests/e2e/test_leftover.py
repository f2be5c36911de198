"""A team that never finishes a milestone in full: each command shows what will be left over and what is usual."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from connectors.sandbox.world import World
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served

NEVER = "No milestone of this series has ever been finished in full; usual here: 20% carried over."


def world_that_never_finishes() -> World:
    """Six sprints of 10 issues in 14 days, 8 of them closed by the end; the seventh is half over, 5 of 10 closed."""
    world = World()
    now = datetime.now(UTC).replace(microsecond=0)
    tracker = world.github
    author = tracker.user("ada", "Ada Fox")
    project = tracker.project("acme/app", "Acme", created=now - timedelta(days=130))
    for number in range(7):
        start = now - timedelta(days=7 + 14 * (6 - number))
        due = (start + timedelta(days=13)).date()
        milestone = tracker.milestone(project, f"Sprint {number + 1}", at=start, due=due)
        is_running = number == 6
        for n in range(10):
            issue = tracker.issue(project, f"Task {n}", author, at=start)
            tracker.move(project, issue, [milestone.id], author, start)
            if n < (5 if is_running else 8):
                tracker.close(issue, author, start + timedelta(days=1.25 * n + 0.5), resolution="completed")
        if not is_running:
            tracker.close_milestone(project, milestone, start + timedelta(days=15))
    return world


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("leftover"), world_that_never_finishes()) as (world, config):
        assert milesync("run", "--first-run", config=config).code == 0
        with mock.patch.dict("tests.e2e.in_process.ENVIRONMENT", {"GITHUB_API_URL": world.github.url}):
            yield config


def running(document: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = [row for row in document["milestones"] if row["title"] == "Sprint 7"]
    (row,) = rows
    return row


def test_each_document_has_the_same_facts(config: Path) -> None:
    row = running(milesync("status", "--json", config=config).document)
    planned = running(milesync("plan", "--json", config=config).document)
    checked = running(milesync("check", "github:acme/app", "--json").document)
    for other in (planned, checked):
        assert (other["leftover"], other["usual"]["in_full"]) == (row["leftover"], 0)
    answer = milesync("whatif", row["id"], "--json", config=config).document
    explained = milesync("explain", row["id"], "--json", config=config).document["health"]
    for found in (answer["before"], answer["after"], explained):
        assert found["leftover"] == row["leftover"]
    assert 0 < row["leftover"]["low"] <= row["leftover"]["usually"] <= row["leftover"]["high"] <= row["open"]
    usual = {name: value for name, value in row["usual"].items() if name != "probability"}
    assert usual == {"share": 0.2, "milestones": 6, "in_full": 0, "of": 6, "own": True, "in_tolerance": 0}
    assert row["probability"] < 0.3 < row["usual"]["probability"], "the usual says more than the probability"


@pytest.mark.parametrize("command", ["status", "plan", "whatif"])
def test_people_read_that_the_series_never_finishes(config: Path, command: str) -> None:
    row = running(milesync("status", "--json", config=config).document)
    words = " ".join(milesync(command, *([row["id"]] if command == "whatif" else []), config=config).out.split())
    odds = f"{round(row['usual']['probability'] * 100)}%"
    left = "80% range: {low} to {high}".format(**row["leftover"])
    assert NEVER in words
    assert left in words
    assert odds in words


def test_doctor_says_that_the_tolerance_is_never_reached(config: Path) -> None:
    found = milesync("doctor", "--json", config=config).document["findings"]
    (finding,) = (finding for finding in found if finding["area"] == "forecast")
    assert finding["words"].endswith(NEVER[0].lower() + NEVER[1:])


def test_page_of_the_documents_names_every_key(config: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "json.md").read_text("utf-8")
    row = running(milesync("status", "--json", config=config).document)
    whatif = milesync("whatif", row["id"], "--json", config=config).document
    explained = milesync("explain", row["id"], "--json", config=config).document
    forecast, history = explained["forecast"], explained["history"]
    documents = [
        row,
        row["leftover"],
        row["usual"],
        whatif,
        whatif["before"],
        explained,
        explained["container"],
        forecast,
    ]
    documents += [forecast["experience"], forecast["curve"][0], history, history["votes"], history["milestones"][0]]
    keys = {key for document in documents for key in document}
    assert {key for key in keys if f"`{key}`" not in page} == set()
