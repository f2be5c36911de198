"""`milesync worker`: the rounds as tasks on a real PostgreSQL, in processes of their own, against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.e2e.commandline import milesync
from tests.e2e.small import ours, served


@pytest.fixture
def database() -> str:
    url = postgres.database(migrated=False)
    if url is None:
        pytest.skip("no PostgreSQL is installed")
    return url


def lines(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


def test_a_round_writes_once_and_the_next_one_nothing(tmp_path: Path, database: str) -> None:
    environment = {"MILESYNC_DATABASE": database}
    with served(tmp_path) as (world, config):
        first = milesync("worker", "--once", "--first-run", config=config, env=environment)
        assert first.returncode == 0, first.stderr
        assert [len(ours(tracker)) for tracker in (world.github, world.gitlab)] == [1, 1]
        second = milesync("worker", "--once", config=config, env=environment)
        assert second.returncode == 0, second.stderr
        assert [len(ours(tracker)) for tracker in (world.github, world.gitlab)] == [1, 1]
    told = lines(first.stderr)
    written = [one for one in told if one["event"] == "written"]
    ended = {one["run"]: one for one in told if one["event"] == "run finished"}
    assert written
    assert {one["run"] for one in written} == set(ended), "each write can be followed to its run"
    assert {one["connection"] for one in ended.values()} == {"gh", "gl"}
    assert [one["applied"] for one in lines(second.stderr) if one["event"] == "run finished"] == [0, 0]


def test_a_database_that_is_not_there_is_not_made_by_accident(tmp_path: Path, database: str) -> None:
    with served(tmp_path) as (_, config):
        done = milesync("worker", "--once", config=config, env={"MILESYNC_DATABASE": database})
    assert done.returncode == 1
    assert "--first-run" in done.stderr


def test_sqlite_is_refused_with_what_to_do_instead(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        done = milesync("worker", "--once", config=config)
    assert done.returncode == 1
    assert "PostgreSQL" in done.stderr
    assert "milesync run" in done.stderr
    assert not (tmp_path / "milesync.db").exists()
