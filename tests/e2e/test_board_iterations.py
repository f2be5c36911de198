"""Iterations of a GitHub board, from the first run to the next sprint: what their readers see, and who may see what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Board, BoardItem, Column, Iteration, Project
from tests.e2e.in_process import milesync

NOW = datetime.now(UTC).replace(microsecond=0)
SPRINTS = [Iteration(f"s{n}", f"Sprint {n}", (NOW - timedelta(days=14 * (8 - n) + 6)).date(), 14) for n in range(1, 10)]
RUNNING, RUNNING_ID = SPRINTS[7], "acme/app/iteration:Sprint 8"


class Planned:
    """A public repository and a private one with items on the public board acme/7, in nine sprints of two weeks."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.ada = tracker, tracker.user("ada", "Ada Fox")
        tracker.scopes = ("repo", "read:project")
        begun = NOW - timedelta(days=300)
        self.app = tracker.project("acme/app", "Acme", created=begun)
        self.vault = tracker.project("acme/vault", "Vault", private=True, created=begun)
        self.board: Board = tracker.board("acme/7", public=True)
        self.column: Column = tracker.column(self.board, "Sprint", "ITERATION", list(SPRINTS))
        for sprint in SPRINTS:
            begin = datetime.combine(sprint.start, datetime.min.time(), UTC)
            for n in range(6):
                item = self.card(self.app, f"Item {n} of {sprint.title}", sprint, begin - timedelta(days=1))
                closed = begin + timedelta(days=2 * n + 1)
                if closed < NOW and item.issue is not None:
                    tracker.close(item.issue, self.ada, closed)
        self.card(self.vault, "Rotate the secret key", RUNNING, NOW - timedelta(days=9))
        self.board.updated = NOW - timedelta(days=9)

    def card(self, project: Project, title: str, sprint: Iteration | None, at: datetime) -> BoardItem:
        """Add a new issue to the board."""
        issue = self.tracker.issue(project, title, self.ada, at=at - timedelta(days=3), assignees=[self.ada])
        item = self.tracker.put_on_board(self.board, project, issue)
        if sprint is not None:
            self.board.set_value(item, self.column, sprint.id, at)
        return item

    def comments(self, title: str) -> str:
        """The texts on the status issue of a milestone."""
        issues = [item for item in self.app.issues.values() if item.title == f"Health of iteration: {title}"]
        return "\n".join(comment.body for issue in issues for comment in issue.comments)


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[tuple[Planned, Path]]:
    world = World()
    made = Planned(world.github)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=("github",)):
        text = configuration(world)
        config.write_text(text + OPTIONS)
        yield made, config


OPTIONS = """
[connections.gh.options]
containers = ["milestones", "iterations"]
boards = ["acme/7"]
"""


def rows(command: str, config: Path) -> dict[str, Any]:
    """Return the milestones of a command's JSON document, by id without the connection."""
    document = milesync(*command.split(), "--json", config=config).document
    return {row["id"].partition(":")[2]: row for row in document["milestones"]}


def test_the_first_comment_says_that_its_history_begins_today(planned: tuple[Planned, Path]) -> None:
    board, config = planned
    assert milesync("run", "--first-run", config=config).code == 0
    text = board.comments("Sprint 8")
    assert "**3 of 6 done.**" in text, "the private item is no member of a public milestone"
    assert len(re.findall(r"The history of this iteration begins on .{10,11}: the tracker has none\.", text)) == 1
    assert "no earlier milestones of this series" in text, (
        "nothing is learnt from sprints whose growth was not recorded"
    )
    assert "Burn-up" not in text, "no burn-up reaches back before the first observation"
    assert "secret" not in text + milesync("status", "--all", config=config).out
    assert "added" not in text
    again = milesync("run", "--json", config=config).document
    assert (again["writes"]["planned"], again["errors"]) == (0, [])


def test_a_board_that_is_configured_again_changes_no_verdict_and_is_named_once(planned: tuple[Planned, Path]) -> None:
    board, config = planned
    before = rows("plan", config)[RUNNING_ID]
    renewed = [Iteration(f"new{n}", sprint.title, sprint.start, 14) for n, sprint in enumerate(SPRINTS)]
    values = {item.id: value for item in board.board.items for value, _ in item.values.values()}
    board.board.configure(board.column, renewed, NOW)
    document = milesync("plan", "--json", config=config).document
    assert ["gone at once" in str(error) for error in document["errors"]] == [True]
    after = next(row for row in document["milestones"] if row["id"].endswith(RUNNING_ID))
    assert (after["status"], after["open"], after["closed"]) == (before["status"], before["open"], before["closed"])
    for item in board.board.items:
        place = int(str(values[item.id]).removeprefix("s")) - 1
        board.board.set_value(item, board.column, renewed[place].id, NOW)
    document = milesync("plan", "--json", config=config).document
    assert document["errors"] == []
    again = next(row for row in document["milestones"] if row["id"].endswith(RUNNING_ID))
    assert (again["status"], again["open"], again["added"]) == (before["status"], before["open"], before["added"])


def test_check_reads_a_board_without_a_configuration(planned: tuple[Planned, Path]) -> None:
    board, _ = planned
    env = {"GITHUB_API_URL": board.tracker.url}
    done = milesync("check", "github:acme/projects/7", "--json", env=env)
    running = [row["id"] for row in done.document["milestones"] if row["status"] != "done"]
    assert running == ["github:acme/app/iteration:Sprint 8", "github:acme/app/iteration:Sprint 9"]
    board.tracker.scopes = ("repo",)
    assert milesync("check", "github:acme/projects/7", env=env).code == 1


def test_a_board_without_access_costs_its_iterations_alone(planned: tuple[Planned, Path]) -> None:
    board, config = planned
    milestone = board.tracker.milestone(board.app, "v1", due=(NOW + timedelta(days=9)).date())
    for item in list(board.app.issues.values())[-4:]:
        board.tracker.move(board.app, item, [milestone.id], board.ada)
    board.tracker.scopes = ("repo",)
    lines = milesync("doctor", config=config).out.splitlines()
    assert len([line for line in lines if "board acme/7" in line]) == 1
    done = milesync("plan", "--json", config=config)
    assert done.code == 3
    assert [row["title"] for row in done.document["milestones"]] == ["v1"]
    (error,) = done.document["errors"]
    assert "board acme/7: Your token has not been granted the required scopes" in str(error)
    assert milesync("run", "--first-run", config=config).code == 3
    after = milesync("doctor", config=config).out.splitlines()
    assert len([line for line in after if "board acme/7" in line]) == 1, "not the stored fault too"
