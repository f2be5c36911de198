"""Pull requests in a GitHub milestone, in what people read: the numbers are those of GitHub's own page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Milestone
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


NUMBERS = {MIXED: (10, 2), LATE: (1, 4), ONLY: (8, 0), MERGED: (0, 9)}
"""Open and closed on GitHub's own page of each milestone."""


def test_pull_requests_count_as_on_the_page_of_github(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    assert milesync("run", "--first-run", config=config).code == 0
    found = rows("status --all", config)
    assert {key: (row["open"], row["closed"]) for key, row in found.items()} == NUMBERS
    assert {key: (row["items"]["open"], row["items"]["closed"]) for key, row in found.items()} == NUMBERS
    assert {key: row["items"]["count"] for key, row in found.items()} == dict.fromkeys(NUMBERS, "issues and changes")
    assert {key: row["pull_requests"] for key, row in found.items()} == {
        MIXED: {"open": 10, "closed": 0},
        LATE: {"open": 1, "closed": 0},
        ONLY: {"open": 8, "closed": 0},
        MERGED: {"open": 0, "closed": 6},
    }
    assert {key: row["status"] for key, row in found.items()} == {
        MIXED: "off_track",
        LATE: "overdue",
        ONLY: "off_track",
        MERGED: "on_track",
    }
    assert found[ONLY]["probability"] is not None, "a milestone of pull requests only is a milestone"
    assert "**2 of 12 done.**" in github.comments("v1")
    assert "Overdue by 3 days: 1 of 5 items open" in github.comments("v2")
    assert "usually **7 of 8**" in github.comments("v3")
    assert "All its items are closed; close the milestone to end it." in github.comments("v4")
    for title in ("v1", "v2", "v3", "v4"):
        assert "not counted" not in github.comments(title)
    assert "0/8" in milesync("status", config=config).out


def test_a_team_that_counts_issues_reads_both_numbers(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    config.write_text(config.read_text().replace("[connections.gh]", '[connections.gh]\ncount = "issues"'))
    assert milesync("run", "--first-run", config=config).code == 0
    found = rows("status --all", config)
    assert {key: (row["open"], row["closed"]) for key, row in found.items()} == NUMBERS
    assert {key: (row["items"]["open"], row["items"]["closed"]) for key, row in found.items()} == {
        MIXED: (0, 2),
        LATE: (0, 4),
        ONLY: (0, 0),
        MERGED: (0, 3),
    }
    assert {key: row["status"] for key, row in found.items()} == {
        MIXED: "on_track",
        LATE: "overdue",
        ONLY: "unknown",
        MERGED: "on_track",
    }
    assert found[MIXED]["reasons"] == ["All its issues are closed; 10 pull requests are still open."]
    assert found[ONLY]["reasons"] == ["Only pull requests: 8 open."]
    both = "12 in the milestone; 10 pull requests are not counted."
    assert f"**2 of 12 items done.** {both}" in github.comments("v1")
    assert "close the milestone to end it" not in github.comments("v1")
    assert "Overdue by 3 days: 1 pull request open" in github.comments("v2")
    assert "Only pull requests: 8 open." in github.comments("v3")
    assert "9 in the milestone; 6 pull requests are not counted." in github.comments("v4")

    table = milesync("status", config=config).out
    assert both in table
    assert "Only pull requests: 8 open." in table
    late = milesync("explain", f"gh:{LATE}", config=config).out
    assert "1 pull request open" in late
    assert "5 in the milestone; 1 pull request is not counted." in late


def test_merging_the_last_pull_request_ends_what_is_overdue(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    assert rows("plan", config)[LATE]["status"] == "overdue"
    github.merge(LATE)
    after = rows("plan", config)[LATE]
    assert after["status"] == "done"
    assert after["pull_requests"] == {"open": 0, "closed": 1}


def test_the_past_has_its_pull_requests(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    github.merge(MIXED)
    assert milesync("pull", config=config).code == 0
    yesterday = (NOW - timedelta(days=1)).date()
    assert rows(f"status --all --as-of {yesterday}", config)[MIXED]["pull_requests"] == {"open": 10, "closed": 0}
    assert rows("status --all", config)[MIXED]["pull_requests"] == {"open": 0, "closed": 10}


def test_another_count_announces_nothing(repository: tuple[Repository, Path]) -> None:
    github, config = repository
    assert milesync("run", "--first-run", config=config).code == 0
    before = {title: github.comments(title).count("<!-- milesync") for title in ("v1", "v2", "v3", "v4")}
    config.write_text(config.read_text().replace("[connections.gh]", '[connections.gh]\ncount = "issues"'))
    assert milesync("run", config=config).code == 0
    assert {title: github.comments(title).count("<!-- milesync") for title in before} == before
    assert "The method of forecasting or counting changed on" in github.comments("v1")
    again = milesync("run", "--json", config=config).document
    assert again["writes"]["applied"] == 0
