"""A source fails, or its project is misspelt: over HTTP, on every dialect, nothing is written and nothing improves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Fault
from tests.e2e.in_process import milesync

KEYS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}


def with_milestones(tracker: Tracker, key: str, now: datetime) -> None:
    """Add a project with three finished milestones, and a running one in which little is done."""
    author = tracker.user("ada", "Ada Fox")
    project = tracker.project(key, "Acme", created=now - timedelta(days=200))
    for n, begin in enumerate((150, 120, 90, 20)):
        start, due = now - timedelta(days=begin), now - timedelta(days=begin - 30)
        milestone = tracker.milestone(project, f"v{n}", at=start, due=due.date())
        for k in range(8):
            issue = tracker.issue(project, f"Task {k} of v{n}", author, at=start)
            tracker.move(project, issue, [milestone.id], author, start)
            if n < 3 or k < 2:
                tracker.close(issue, author, start + timedelta(days=3 * k + 1), resolution="completed")
        if n < 3:
            tracker.close_milestone(project, milestone, due)


@contextmanager
def served(folder: Path) -> Iterator[tuple[World, Path]]:
    """The four dialects on loopback; each running milestone waits for the one on GitHub."""
    world, now = World(), datetime.now(UTC).replace(microsecond=0)
    for tracker in world.trackers:
        with_milestones(tracker, KEYS[tracker.kind], now)
    with Sandbox(world):
        config = folder / "milesync.toml"
        waits = [("gl", "acme/api%v3"), ("jira", "PAY/v3"), ("cloud", "WEB/v3")]
        config.write_text(
            configuration(world).replace('type = "github"', 'type = "github"\nshare = "aggregate"')
            + "".join(f'[[dependency]]\nbefore = "gh:acme/app#4"\nafter = "{name}:{key}"\n' for name, key in waits)
        )
        yield world, config


@dataclass(frozen=True)
class FirstRun:
    """The trackers after a first run, the configuration and the database of that moment, and what `status` shows."""

    world: World
    config: str
    database: bytes
    shown: dict[str, Any]


@pytest.fixture(scope="module")
def first_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstRun]:
    """Made once: no test writes to the trackers."""
    with served(tmp_path_factory.mktemp("lost")) as (world, config):
        first = milesync("run", "--first-run", "--json", config=config)
        assert first.code == 0, first.err
        database = config.parent / "milesync.db"
        yield FirstRun(world, config.read_text(), database.read_bytes(), milestones(config))


def milestones(config: Path) -> dict[str, Any]:
    """The milestones that `status` shows, by id."""
    return {row["id"]: row for row in milesync("status", "--json", config=config).document["milestones"]}


@pytest.mark.parametrize("lost", ["github", "gitlab", "jira", "jira-cloud"])
@pytest.mark.parametrize("is_misspelt", [True, False], ids=["misspelt", "failing"])
def test_a_lost_source_writes_nothing_on_any_tracker(
    lost: str, is_misspelt: bool, first_run: FirstRun, tmp_path: Path
) -> None:
    world, config, before = first_run.world, tmp_path / "milesync.toml", first_run.shown
    (tmp_path / "milesync.db").write_bytes(first_run.database)
    config.write_text(first_run.config)
    writes = [len(tracker.writes) for tracker in world.trackers]
    (tracker,) = (tracker for tracker in world.trackers if tracker.kind == lost)
    if is_misspelt:
        config.write_text(first_run.config.replace(f'projects = ["{KEYS[lost]}"]', f'projects = ["{KEYS[lost]}X"]'))
    else:
        tracker.faults.append(Fault("status", status=502, times=999))
    assert milesync("run", "--json", config=config).code == 3
    tracker.faults.clear()
    after = milestones(config)
    assert after.keys() == before.keys()
    assert [len(tracker.writes) for tracker in world.trackers] == writes
    for name, row in after.items():
        assert (row["status"], row["probability"]) == (before[name]["status"], before[name]["probability"]), name
