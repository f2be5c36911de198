"""Teams whose "done" is a label, a column or a resolution, on all trackers, through the command line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue, Label, Milestone, Project, User
from tests.e2e.in_process import milesync
from tests.e2e.small_world import KEYS, ours

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
BEGAN = NOW - 14 * DAY
NAMES = {"github": "gh", "gitlab": "gl", "jira": "jira", "jira-cloud": "cloud"}
FINISHED = {"github": "completed", "gitlab": "", "jira": "Done", "jira-cloud": "Done"}
BY_LABEL = '[connections.{name}.done]\nlabels = ["Shipped"]\n'
BY_COLUMN = '[connections.{name}.done]\nstates = ["Ready for Release"]\n'


class Team:
    """One project with four finished milestones of eight items, and one that runs, of ten."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker: Tracker = tracker
        self.ada: User = tracker.user("ada", "Ada Fox")
        self.project: Project = tracker.project(KEYS[tracker.kind], "Acme", created=NOW - 900 * DAY)
        self.project.labels["shipped"] = Label(tracker.world.next_id(), "shipped")
        for n in range(4):
            self._past(f"v{n}", NOW - 28 * (4 - n) * DAY - 14 * DAY)
        self.running: Milestone = tracker.milestone(self.project, "v9", at=BEGAN, due=(NOW + 10 * DAY).date())
        self.items = [self._item(f"Task {n} of v9", self.running, BEGAN) for n in range(10)]

    def _past(self, title: str, start: datetime) -> None:
        made = self.tracker.milestone(self.project, title, at=start, due=(start + 28 * DAY).date())
        for n in range(8):
            item = self._item(f"Task {n} of {title}", made, start)
            self.close(item, start + (n + 1) * 3 * DAY)
        self.tracker.close_milestone(self.project, made, start + 28 * DAY)

    def _item(self, title: str, milestone: Milestone, at: datetime) -> Issue:
        item = self.tracker.issue(self.project, title, self.ada, at=at)
        self.tracker.move(self.project, item, [milestone.id], self.ada, at)
        return item

    def close(self, item: Issue, at: datetime, resolution: str | None = None, status: str = "Done") -> None:
        word = FINISHED[self.tracker.kind] if resolution is None else resolution
        self.tracker.close(item, self.ada, at, resolution=word, status=status)

    def ship(self, items: list[Issue], at: datetime) -> None:
        """Give items the label that says done; they stay open in the tracker."""
        for item in items:
            self.tracker.label(item, ["shipped"], [], self.ada, at)

    def set_status(self, items: list[Issue], status: str, at: datetime) -> None:
        for item in items:
            self.tracker.change(item, "status", item.status, status, self.ada, at, "")
            item.status = status


@pytest.fixture(params=list(KEYS))
def team(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Team, Path]]:
    world = World()
    tracker = next(tracker for tracker in world.trackers if tracker.kind == request.param)
    team = Team(tracker)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=(tracker.kind,)):
        config.write_text(configuration(world))
        yield team, config


def named(config: Path, text: str, team: Team) -> None:
    """Add the names of a team to the configuration."""
    name = NAMES[team.tracker.kind]
    config.write_text(f"{config.read_text()}\n{text.format(name=name)}")


def running(config: Path) -> dict[str, Any]:
    """Return the row of the milestone that runs."""
    rows = milesync("status", "--json", config=config).document["milestones"]
    (row,) = [row for row in rows if row["title"] == "v9"]
    return dict(row)


def counts(row: dict[str, Any]) -> tuple[int, int, int]:
    """Return the numbers of items that are done, in scope, and removed."""
    done = row["closed"] - row["removed"]
    return done, row["open"] + done, row["removed"]


def run(config: Path, *words: str) -> None:
    done = milesync("run", *words, config=config)
    assert done.code == 0, done.err


def test_a_label_says_done_while_the_tracker_says_open(team: tuple[Team, Path]) -> None:
    side, config = team
    side.ship(side.items[:6], NOW - 2 * DAY)
    run(config, "--first-run")
    before, comments = running(config), ours(side.tracker)
    named(config, BY_LABEL, side)
    run(config)
    after = running(config)
    assert len(ours(side.tracker)) == len(comments), "new names are no news: an edit in place, no notification"
    assert ours(side.tracker) != comments
    words = "0 closed on the tracker's page; 6 more count as done by label or state."
    assert words in str(ours(side.tracker)).replace("\\'", "'")
    assert words in " ".join(milesync("status", config=config).out.split())
    run(config)
    assert len(ours(side.tracker)) == len(comments)
    assert (counts(before), counts(after)) == ((0, 10, 0), (6, 10, 0))
    assert after["probability"] > before["probability"]


@pytest.mark.parametrize("team", ["jira", "jira-cloud"], indirect=True)
def test_a_column_says_done_while_the_tracker_says_in_progress(team: tuple[Team, Path]) -> None:
    side, config = team
    side.tracker.statuses["Ready for Release"] = "indeterminate"
    side.set_status(side.items[:6], "Ready for Release", NOW - 2 * DAY)
    named(config, BY_COLUMN, side)
    run(config, "--first-run")
    assert counts(running(config)) == (6, 10, 0)


@pytest.mark.parametrize("team", ["jira", "jira-cloud"], indirect=True)
def test_a_resolution_that_usually_removes_may_say_done(team: tuple[Team, Path]) -> None:
    side, config = team
    for item in side.items[:6]:
        side.close(item, NOW - 2 * DAY, "Cannot Reproduce")
    run(config, "--first-run")
    before = running(config)
    named(config, '[connections.{name}.done]\nresolutions = ["cannot reproduce"]\n', side)
    run(config)
    after = running(config)
    assert (counts(before), counts(after)) == ((0, 4, 6), (6, 10, 0))


@pytest.mark.parametrize("team", ["jira", "jira-cloud"], indirect=True)
def test_what_is_back_in_progress_with_its_old_resolution_is_open_and_named(team: tuple[Team, Path]) -> None:
    side, config = team
    for item in side.items[:8]:
        side.close(item, NOW - 3 * DAY)
    side.set_status(side.items[5:8], "In Progress", NOW - DAY)
    run(config, "--first-run")
    row = running(config)
    assert counts(row) == (5, 10, 0)
    (finding,) = [finding for finding in row["findings"] if finding["kind"] == "contradiction"]
    assert finding["items"] == [item.key for item in side.items[5:8]]
    assert finding["words"].startswith("The states of 3 issues contradict their resolutions or labels")
    table = milesync("status", config=config)
    assert ", ".join(item.key for item in side.items[5:8]) in " ".join(table.out.split())
    if side.tracker.kind == "jira-cloud":  # Data Center cannot fold, so its comments have no details
        assert "States that contradict themselves: 3 issues" in str(ours(side.tracker))


def test_doctor_warns_of_a_name_that_no_issue_has(team: tuple[Team, Path]) -> None:
    side, config = team
    side.ship(side.items[:1], NOW - 2 * DAY)
    run(config, "--first-run")
    named(config, BY_LABEL.replace("Shipped", "Shippd"), side)
    found = milesync("doctor", "--json", config=config).document["findings"]
    (warning,) = [finding for finding in found if "Shippd" in finding["words"]]
    assert warning["level"] == "warning"
    assert warning["words"].startswith("done.labels[0]: no issue that was read has or had")
    assert warning["remedy"] == "is 'shipped' meant?"
