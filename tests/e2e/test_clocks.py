"""Clocks that differ: our machine's and those of the trackers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, User
from sync.cli import wiring
from tests.e2e.in_process import Done, milesync

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
KEYS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}


class Clocks:
    """The clock of the trackers, and the lead of ours."""

    def __init__(self) -> None:
        self.now, self.lead = START, timedelta()

    def ours(self) -> datetime:
        """Return the time of this machine."""
        return self.now + self.lead

    def trackers(self) -> datetime:
        """Return the time of the trackers."""
        return self.now


@pytest.fixture
def clocks() -> Iterator[Clocks]:
    """Replace the clock of the commands."""
    clocks = Clocks()
    with mock.patch.object(wiring, "clock", clocks.ours):
        yield clocks


def _fill(tracker: Tracker) -> tuple[User, list[Issue]]:
    """Add a project with history and a milestone of eight open issues, due in 20 days; return its open issues."""
    author = tracker.user("ada", "Ada Fox")
    project = tracker.project(KEYS[tracker.kind], "Acme", created=START - timedelta(days=100))
    open_issues = []
    for title, begin, end in (("v1", 60, 30), ("v2", 20, -20)):
        start = START - timedelta(days=begin)
        milestone = tracker.milestone(project, title, at=start, due=(START - timedelta(days=end)).date())
        for n in range(8):
            issue = tracker.issue(project, f"Task {n} of {title}", author, at=start)
            tracker.move(project, issue, [milestone.id], author, start)
            if title == "v1":
                tracker.close(issue, author, start + timedelta(days=3 * n + 1), resolution=_finished(tracker))
            else:
                open_issues.append(issue)
        if title == "v1":
            tracker.close_milestone(project, milestone, START - timedelta(days=30))
    return author, open_issues


def _finished(tracker: Tracker) -> str:
    return "Done" if tracker.kind.startswith("jira") else "completed"


def _bodies(tracker: Tracker) -> list[str]:
    issues = [issue for project in tracker.projects.values() for issue in project.issues.values()]
    return [comment.body for issue in issues for comment in issue.comments if comment.author is tracker.bot]


def _run(config: Path) -> Done:
    return milesync("run", "--first-run", "--json", config=config)


@pytest.mark.parametrize("lead", [timedelta(minutes=6), timedelta(minutes=-6), timedelta(days=400)])
@pytest.mark.parametrize("kind", KEYS)
def test_a_wrong_clock_writes_nothing_and_is_reported(
    kind: str, lead: timedelta, clocks: Clocks, tmp_path: Path
) -> None:
    world, config = World(clocks.trackers), tmp_path / "milesync.toml"
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    _fill(tracker)
    with Sandbox(world, only=(kind,)):
        config.write_text(configuration(world))
        clocks.lead = lead
        wrong = _run(config)
        assert wrong.code == 3
        assert wrong.document["writes"]["applied"] == 0
        assert "the clocks of this machine and of the tracker differ" in str(wrong.document["errors"]).lower()
        assert _bodies(tracker) == []
        clocks.lead = timedelta(minutes=4)
        right = _run(config)
        assert right.code == 0, right.err
        assert len(_bodies(tracker)) == 1


def test_a_tracker_with_another_clock_does_not_stop_the_others(clocks: Clocks, tmp_path: Path) -> None:
    world, config = World(clocks.trackers), tmp_path / "milesync.toml"
    world.gitlab.world = World(lambda: clocks.now - timedelta(minutes=10))
    _fill(world.github)
    _fill(world.gitlab)
    with Sandbox(world, only=("github", "gitlab")):
        config.write_text(configuration(world))
        done = _run(config)
    assert done.code == 3
    assert len(_bodies(world.github)) == 1
    assert _bodies(world.gitlab) == []


def test_leaps_of_our_clock_swallow_no_transition(clocks: Clocks, tmp_path: Path) -> None:
    """Runs with a wrong clock between the right ones change nothing of what the right ones announce."""

    def comments(folder: Path, leaps: list[timedelta]) -> list[str]:
        folder.mkdir()
        clocks.now, clocks.lead = START, timedelta()
        world, config = World(clocks.trackers), folder / "milesync.toml"
        author, open_issues = _fill(world.github)
        with Sandbox(world, only=("github",)):
            config.write_text(configuration(world))
            for day in (0, 10, 21, 22, 30):
                clocks.now = START + timedelta(days=day)
                if day == 22:
                    for issue in open_issues:
                        world.github.close(issue, author, resolution="completed")
                for lead in leaps:
                    clocks.lead = lead
                    assert _run(config).code == 3
                clocks.lead = timedelta()
                assert _run(config).code == 0
        return [body.partition("<!--")[0].replace(world.github.url, "") for body in _bodies(world.github)]

    steady = comments(tmp_path / "steady", [])
    leaping = comments(tmp_path / "leaping", [timedelta(days=500), timedelta(days=-500), timedelta(hours=5)])
    assert len(steady) >= 3
    assert leaping == steady
