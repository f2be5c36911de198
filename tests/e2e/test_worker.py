"""`milesync worker`: the rounds as tasks on a real PostgreSQL, in processes of their own, against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import postgres
from tests.e2e.small_world import ours, served
from tests.e2e.subprocesses import milesync
from tests.e2e.test_run_monitoring import SECRET, listening, lose, metrics, outlooks

AFTERWARDS = """
[report]
out = "pages"
[audiences.team]
reads = ["gh:acme/app"]
[audiences.team.digest]
at = 00:00:00
calendar = { weekend = [] }
file = "digest-{day}.md"
"""


@pytest.fixture
def database() -> str:
    url = postgres.database(migrated=False)
    if url is None:
        pytest.skip("no PostgreSQL is installed")
    return url


def lines(stderr: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.splitlines()]


def test_a_round_writes_once_and_the_next_one_nothing(tmp_path: Path, database: str) -> None:
    with served(tmp_path) as (world, config), listening() as listener:
        environment = {"MILESYNC_DATABASE": database, "PING": listener.url}
        outlooks(config)
        config.write_text(config.read_text() + AFTERWARDS)
        first = milesync("worker", "--once", "--first-run", config=config, env=environment)
        assert first.returncode == 0, first.stderr
        assert listener.heard == [SECRET], "once a round, not once a write-back"
        assert len(list((tmp_path / "pages" / "m").glob("*.html"))) == 4, "the report"
        assert len(list(tmp_path.glob("digest-*.md"))) == 1
        applied = [line["applied"] for line in lines(first.stderr) if line["event"] == "run finished"]
        assert metrics(config)["milesync_run_writes", "applied"] == sum(applied) > 0
        assert [len(ours(tracker)) for tracker in (world.github, world.gitlab)] == [1, 1]
        second = milesync("worker", "--once", config=config, env=environment)
        assert second.returncode == 0, second.stderr
        assert [len(ours(tracker)) for tracker in (world.github, world.gitlab)] == [1, 1]
        assert listener.heard == [SECRET] * 2
        good = metrics(config)["milesync_run_success_timestamp_seconds", ""]
        lose(world)
        third = milesync("worker", "--once", config=config, env=environment)
        assert third.returncode == 3, third.stderr
        assert listener.heard == [SECRET] * 2, "the round did not go well"
        assert metrics(config)["milesync_run_failures", "gl"] > 0
        assert metrics(config)["milesync_run_success_timestamp_seconds", ""] == pytest.approx(good, abs=30)
    events = lines(first.stderr)
    written = [event for event in events if event["event"] == "written"]
    ended = {event["run"]: event for event in events if event["event"] == "run finished"}
    assert written
    assert {row["run"] for row in written} == set(ended), "each write can be followed to its run"
    assert {row["connection"] for row in ended.values()} == {"gh", "gl"}
    assert [line["applied"] for line in lines(second.stderr) if line["event"] == "run finished"] == [0, 0]


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
