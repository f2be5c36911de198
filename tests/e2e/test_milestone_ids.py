"""Two milestones of one title: each has an id of its own, and an ambiguous id is refused."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World
from tests.e2e.in_process import Done, milesync

NOW = datetime.now(UTC).replace(microsecond=0)
GROUP, OWN, PLAIN = "gl:acme%v1", "gl:acme/team/web%v1", "gl:acme/team/web%v3"
TABLES = {
    "override": '[[milestone]]\nid = "{id}"\nowner = "Zoe"\n',
    "joint": '[[joint]]\nname = "GA"\nmembers = ["{id}"]\n',
    "dependency": '[[dependency]]\nbefore = "{id}"\nafter = "gl:acme/team/web%v1"\n',
    "audience": '[audiences.board]\nreads = ["gl:acme/*"]\nmilestones = ["{id}"]\n',
}


def fill(tracker: Tracker) -> None:
    """Add a project that sees v1 and v2 of its group, and has a v1 and two v3 of its own."""
    ada = tracker.user("ada", "Ada Fox")
    project = tracker.project("acme/team/web", "web", created=NOW - timedelta(days=300))
    begun, due = NOW - timedelta(days=20), (NOW + timedelta(days=10)).date()
    made = [tracker.group_milestone("acme", title, at=begun, due=due) for title in ("v1", "v2")]
    made += [tracker.milestone(project, title, at=begun, due=due) for title in ("v1", "v3", "v3")]
    for milestone in made:
        for k in range(3):
            issue = tracker.issue(project, f"Item {k} of {milestone.id}", ada, at=begun)
            tracker.move(project, issue, [milestone.id], ada, begun)


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    world = World()
    fill(world.gitlab)
    path = tmp_path / "milesync.toml"
    with Sandbox(world, only=("gitlab",)):
        path.write_text(configuration(world))
        assert milesync("pull", config=path).code == 0
        yield path


def ids(config: Path) -> list[str]:
    return [row["id"] for row in milesync("status", "--json", config=config).document["milestones"]]


def configured(config: Path, table: str, milestone: str, *command: str) -> Done:
    """Run a command with one more table in the configuration."""
    before = config.read_text()
    config.write_text(f"{before}\n{TABLES[table].format(id=milestone)}")
    try:
        return milesync(*command, config=config)
    finally:
        config.write_text(before)


def test_every_milestone_has_an_id_of_its_own_that_commands_take(config: Path) -> None:
    found = ids(config)
    assert len(set(found)) == len(found) == 5
    assert {GROUP, "gl:acme%v2", OWN} < set(found)
    repeated = [text for text in found if text.startswith(f"{PLAIN}@")]
    assert len(repeated) == 2
    for text in (GROUP, OWN, *repeated):
        assert milesync("whatif", text, "--due", "2099-12-01", config=config).code == 0
        assert milesync("explain", text, config=config).code == 0
    pages = {text: milesync("explain", text, config=config).out for text in (GROUP, OWN)}
    assert "/groups/acme/-/milestones/" in pages[GROUP]
    assert "/acme/team/web/-/milestones/" in pages[OWN]
    timeline = milesync("timeline", "--json", config=config).document["milestones"]
    assert {row["id"] for row in timeline} == set(found)


def test_an_ambiguous_id_is_refused_with_the_full_ids_and_addresses(config: Path) -> None:
    repeated = [text for text in ids(config) if text.startswith(f"{PLAIN}@")]
    refused = [
        milesync("explain", PLAIN, config=config),
        milesync("whatif", PLAIN, "--due", "2099-12-01", config=config),
    ]
    refused += [configured(config, table, PLAIN, "status") for table in ("override", "joint", "dependency")]
    refused.append(
        configured(config, "audience", PLAIN, "report", "--audience", "board", "--out", str(config.parent / "site"))
    )
    for done in refused:
        assert done.code == 1, done
        assert all(text in done.err for text in (PLAIN, *repeated, "/acme/team/web/-/milestones/")), done.err


@pytest.mark.parametrize("milestone", ["gl:acme%v2", "gl:acme/team/web%v2"])
def test_a_groups_milestone_is_understood_with_the_project_too(config: Path, milestone: str) -> None:
    row = configured(config, "joint", milestone, "status", "--json").document["milestones"][-1]
    assert (row["members"], row["missing"]) == (["gl:acme%v2"], [])
    owned = configured(config, "override", milestone, "explain", "gl:acme%v2")
    assert "Owner: Zoe" in owned.out
    assert milesync("explain", milestone, config=config).code == 0
