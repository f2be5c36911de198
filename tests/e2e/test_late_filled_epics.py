"""Epics that people fill after the day on which they made them, on both Jiras: counts, reasons and comments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, Project
from tests.e2e.in_process import milesync
from tests.e2e.small_world import KEYS, ours

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class Team:
    """Four finished epics and one that runs. The eight stories of each join it two days after it was made."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.ada = tracker, tracker.user("ada", "Ada Fox")
        self.project: Project = tracker.project(KEYS[tracker.kind], "Pay", created=NOW - 300 * DAY)
        for n in range(4):
            epic = self.epic(f"Part {n}", NOW - (200 - 30 * n) * DAY, done=8)
            tracker.close(epic, self.ada, epic.created + 28 * DAY, resolution="Done")
        self.running: Issue = self.epic("Part 4", NOW - 20 * DAY, done=3)

    def epic(self, title: str, made: datetime, done: int) -> Issue:
        due = (made + 28 * DAY).date()
        epic = self.tracker.issue(self.project, title, self.ada, type="Epic", at=made, due=due)
        for n in range(8):
            story = self.story(f"{title}, step {n}", epic, made + 2 * DAY)
            if n < done:
                self.tracker.close(story, self.ada, made + (3 + 3 * n) * DAY, resolution="Done")
        return epic

    def story(self, title: str, epic: Issue, at: datetime) -> Issue:
        story = self.tracker.issue(self.project, title, self.ada, type="Story", at=at)
        self.tracker.adopt(story, epic, self.ada, at)
        return story


@pytest.fixture(params=["jira", "jira-cloud"])
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Team, Path]]:
    world = World()
    team = Team(next(tracker for tracker in world.trackers if tracker.kind == request.param))
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=(request.param,)):
        config.write_text(configuration(world, settings={request.param: 'options = { containers = ["epics"] }\n'}))
        yield team, config


def counted(config: Path) -> tuple[int, int, bool]:
    """Run, and return the open and the added items of the running epic, and whether a reason speaks of added ones."""
    assert milesync("run", "--first-run", config=config).code == 0
    rows = milesync("status", "--json", config=config).document["milestones"]
    (name,) = [row["id"] for row in rows if row["title"] == "Part 4"]
    health = milesync("explain", name, "--json", config=config).document["health"]
    kinds = {reason["kind"] for reason in health["reasons"]}
    return health["counts"]["open"], health["counts"]["added"], "scope_added" in kinds


def test_the_first_stories_of_an_empty_epic_are_its_agreed_scope(team: tuple[Team, Path]) -> None:
    jira, config = team
    assert counted(config) == (5, 0, False)
    comments = str(ours(jira.tracker))
    assert "3 of 8 done." in comments
    assert "added since the start" not in comments
    jira.story("One more", jira.running, NOW - DAY)
    assert counted(config) == (6, 1, True)
    comments = str(ours(jira.tracker))
    assert "3 of 9 done." in comments
    assert "1 issue added since the start" in comments
    assert "none would be usual by now" in comments
