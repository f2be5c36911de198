"""Pull requests in a GitHub milestone: no issues of it, but open work, in what people read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Milestone, Tracker, World
from tests.e2e.in_process import milesync

NOW = datetime.now(UTC).replace(microsecond=0)
MIXED, LATE, ONLY, MERGED = "acme/app#1", "acme/app#2", "acme/app#3", "acme/app#4"


class Repository:
    """A repository with issues and pull requests in its milestones."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.ada = tracker.user("ada", "Ada Fox")
        self.project = tracker.project("acme/app", "Acme", created=NOW - timedelta(days=300))
        self.by_id: dict[str, Milestone] = {}

    def milestone(self, title: str, due: int, *, issues: int, pulls: int, merged: int = 0) -> None:
        """Add a milestone that is due in ``due`` days, with closed issues, open and closed pull requests."""
        begun = NOW - timedelta(days=20)
        made = self.tracker.milestone(self.project, title, at=begun, due=(NOW + timedelta(days=due)).date())
        self.by_id[f"acme/app#{made.number}"] = made
        for n in range(issues + pulls + merged):
            is_pull = n >= issues
            item = self.tracker.issue(self.project, f"Item {n} of {title}", self.ada, at=begun, pull=is_pull)
            self.tracker.move(self.project, item, [made.id], self.ada, begun)
            if n < issues or n >= issues + pulls:
                self.tracker.close(item, self.ada, begun + timedelta(days=2 + n), resolution="completed")

    def merge(self, id_: str) -> None:
        """Close the pull requests of a milestone."""
        for item in self.project.issues.values():
            if item.pull and item.closed is None and self.by_id[id_].id in item.milestones:
                self.tracker.close(item, self.ada, NOW)

    def comments(self, title: str) -> str:
        """Return the texts on the status issue of a milestone."""
        (issue,) = [item for item in self.project.issues.values() if item.title == f"Health of milestone: {title}"]
        return "\n".join(comment.body for comment in issue.comments)


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[tuple[Repository, Path]]:
    world = World()
    repository = Repository(world.github)
    repository.milestone("v1", 5, issues=2, pulls=10)
    repository.milestone("v2", -3, issues=4, pulls=1)
    repository.milestone("v3", 5, issues=0, pulls=8)
    repository.milestone("v4", 5, issues=3, pulls=0, merged=6)
    config = tmp_path / "milesync.toml"
    with Sandbox(world, only=("github",)):
        config.write_text(configuration(world))
        yield repository, config


def rows(command: str, config: Path) -> dict[str, Any]:
    """Return the milestones of a command's JSON document, by id without the connection."""
    document = milesync(*command.split(), "--json", config=config).document
    return {row["id"].partition(":")[2]: row for row in document["milestones"]}


def test_open_pull_requests_are_open_work_on_every_surface(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    assert milesync("run", "--first-run", config=config).code == 0
    found = rows("status --all", config)
    assert {key: row["pull_requests"] for key, row in found.items()} == {
        MIXED: {"open": 10, "closed": 0},
        LATE: {"open": 1, "closed": 0},
        ONLY: {"open": 8, "closed": 0},
        MERGED: {"open": 0, "closed": 6},
    }
    assert {key: row["status"] for key, row in found.items()} == {
        MIXED: "on_track",
        LATE: "overdue",
        ONLY: "unknown",
        MERGED: "on_track",
    }
    assert found[MIXED]["reasons"] == ["All its issues are closed; 10 pull requests are still open."]
    assert found[ONLY]["reasons"] == ["Only pull requests: 8 open."]
    assert found[MERGED]["reasons"][0].endswith("close the milestone to end it.")
    assert "It has no issues" not in str(found)

    assert "**2 of 2 issues done.** 10 open pull requests are not counted." in github.comments("v1")
    assert "close the milestone to end it" not in github.comments("v1")
    assert "Overdue by 3 days: 1 pull request open" in github.comments("v2")
    assert "Only pull requests: 8 open." in github.comments("v3")
    assert "pull request" not in github.comments("v4")

    table = milesync("status", config=config).out
    assert "1 open pull request is not counted." in table
    assert "Only pull requests: 8 open." in table
    assert "1 pull request open" in milesync("explain", f"gh:{LATE}", config=config).out


def test_merging_the_last_pull_request_ends_what_is_overdue(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    assert rows("plan", config)[LATE]["status"] == "overdue"
    github.merge(LATE)
    after = rows("plan", config)[LATE]
    assert after["status"] == "done"
    assert after["pull_requests"] == {"open": 0, "closed": 1}


def test_the_past_has_no_pull_requests(repository: tuple[Repository, Path]) -> None:
    _, config = repository
    assert milesync("pull", config=config).code == 0
    yesterday = (NOW - timedelta(days=1)).date()
    assert rows(f"status --all --as-of {yesterday}", config)[MIXED]["pull_requests"] == {"open": 0, "closed": 0}
