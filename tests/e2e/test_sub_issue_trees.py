"""A tree of sub-issues in two repositories as a milestone: what the commands and the tracker's readers see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from connectors.sandbox.world_data import Issue
from tests.e2e.in_process import milesync

NOW = datetime.now(UTC).replace(microsecond=0)
BEGUN = NOW - timedelta(days=40)
OPTIONS = """
[connections.gh.options]
containers = ["milestones", "parents"]
"""


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    world = World()
    made = world.github
    with Sandbox(world, only=("github",)):
        yield made


@pytest.fixture
def checkout(tracker: Tracker) -> Issue:
    """Issue 1 of acme/app: two parts with six items each, of which half are in acme/web; seven of twelve are closed."""
    ada, ben = tracker.user("ada", "Ada Fox"), tracker.user("ben", "Ben Roe")
    app, web = (tracker.project(key, key.title(), created=BEGUN) for key in ("acme/app", "acme/web"))
    due = f"Due: {(NOW + timedelta(days=20)).date()}"
    root = tracker.issue(app, "Checkout in one step", ada, at=BEGUN, body=due, assignees=[ben])
    for part in ("Payment", "Delivery"):
        above = tracker.issue(app, part, ada, at=BEGUN)
        tracker.adopt(above, root, ada, BEGUN)
        for n in range(6):
            item = tracker.issue(web if n % 2 else app, f"{part} {n}", ada, at=BEGUN, assignees=[ben])
            tracker.adopt(item, above, ada, BEGUN + timedelta(hours=1))
            if n < (4 if part == "Payment" else 3):
                tracker.close(item, ben, BEGUN + timedelta(days=6 * n + 5))
    return root


def comment(tracker: Tracker) -> str:
    """The text of the only comment of milesync."""
    (found,) = (c for p in tracker.projects.values() for i in p.issues.values() for c in i.comments)
    text: str = found.body
    return text


def test_a_tree_is_a_milestone_from_the_comment_to_the_explanation(
    tracker: Tracker, checkout: Issue, tmp_path: Path
) -> None:
    config = tmp_path / "milesync.toml"
    config.write_text(configuration(tracker.world) + OPTIONS)
    assert milesync("run", "--first-run", config=config).code == 0
    text = comment(tracker)
    assert f"`{checkout.title}` in `acme/app`, due in 20 days. Owner: `ben`" in text
    assert "**7 of 14 done.**" in text, "both parts and their twelve items in two repositories"
    assert "`acme/web#3` `Payment 5`" in text, "an item of another repository is named with it"
    assert "- `#2` `Payment`: unassigned" in text
    assert "history of this" not in text, "the timelines have the times of the links"
    again = milesync("run", "--json", config=config).document
    assert (again["writes"]["planned"], again["errors"]) == (0, [])
    assert comment(tracker) == text
    explained = milesync("explain", "gh:acme/app/parent:1", config=config)
    assert explained.code == 0
    assert "Parent Checkout in one step in acme/app, due in 20 days. Owner: ben" in explained.out
    assert "7 of 14 done." in explained.out


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("target", "done", "total"),
    [
        pytest.param("github:acme/*:parents", 7, 14, id="both repositories"),
        pytest.param("github:acme/app:parents", 4, 8, id="one repository"),
        pytest.param("github:acme/web:parents", None, None, id="the parents are elsewhere"),
    ],
)
def test_check_reads_the_trees_of_the_repositories_that_it_names(
    tracker: Tracker, target: str, done: int | None, total: int | None
) -> None:
    read = milesync("check", target, "--json", env={"GITHUB_API_URL": tracker.url})
    assert read.code == 0
    found = [(row["id"], row["closed"], row["open"]) for row in read.document["milestones"]]
    assert found == ([("github:acme/app/parent:1", done, total - done)] if done and total else [])
