"""Broken answers of one tracker as people see them: in the output of the commands, and by their exit codes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Answer
from tests.e2e.in_process import milesync
from tests.e2e.small_world import ours, served

PARTLY = 3
TITLE = "Task 6 of v2"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[World, Path]]:
    with served(tmp_path) as (world, config):
        yield world, config


def spoil(tracker: Tracker, value: Any) -> None:
    """Send the title of one issue as another value, in every list and query."""

    def altered(_method: str, _path: str, answer: Answer) -> Answer:
        return answer._replace(body=answer.body.replace(json.dumps(TITLE).encode(), json.dumps(value).encode()))

    tracker.alter = altered


def test_a_row_that_cannot_be_read_is_named_until_it_can(place: tuple[World, Path]) -> None:
    world, config = place
    told = "acme/app: Some rows of the tracker's answers cannot be read; the next run asks for them again. (1 row: "
    spoil(world.github, {"secret": 1})
    first = milesync("run", "--first-run", "--config", str(config))
    assert first.code == PARTLY
    assert "gh: " + told + "issue #" in " ".join(first.err.split())
    assert "secret" not in first.out + first.err
    shown = milesync("status", "--config", str(config))
    assert "cannot be read since" in " ".join(shown.out.split())
    document = milesync("status", "--json", "--config", str(config)).document
    assert [len(source["unread"]) for source in document["sources"]] == [1, 0]
    findings = milesync("doctor", "--json", "--config", str(config)).document["findings"]
    [finding] = [finding for finding in findings if "cannot be read" in finding["words"]]
    assert (finding["area"], finding["level"]) == ("database", "warning")
    assert milesync("run", "--config", str(config)).code == PARTLY, "asked for again at each run"
    world.github.alter = None
    assert milesync("run", "--config", str(config)).code == 0
    assert "cannot be read" not in milesync("status", "--config", str(config)).out


@pytest.mark.parametrize("body", ["[" * 20_000 + "]" * 20_000, "null", "5", '"x"', "[null]", '{"data": {"t0": 5}}'])
def test_a_tracker_that_answers_nonsense_costs_no_other_connection(place: tuple[World, Path], body: str) -> None:
    world, config = place

    def altered(_method: str, _path: str, answer: Answer) -> Answer:
        return Answer(200, {"content-type": "application/json"}, body.encode())

    world.github.alter = altered
    done = milesync("run", "--first-run", "--json", "--config", str(config))
    assert done.code == PARTLY
    assert {error["connection"] for error in done.document["errors"]} == {"gh"}
    assert ours(world.gitlab), "the other connection wrote"
    assert "Traceback" not in done.err
    world.github.alter = None
    assert milesync("run", "--config", str(config)).code == 0
    assert ours(world.github)
