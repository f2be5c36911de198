"""On the oldest servers milesync has the same results, and status names the losses that the last pull met."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.versions import OLDEST, age
from connectors.sandbox.world import World
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served, small_world

LOSSES = {"no issue types", "no sub-issues", "no dependencies", "no duplicates"}


def named(config: Path) -> set[str]:
    (source,) = milesync("status", "--json", "--config", str(config)).document["sources"]
    return {loss for loss in LOSSES for line in source["limitations"] if loss in line}


def test_status_names_the_losses_until_the_server_is_upgraded(tmp_path: Path) -> None:
    world, config = World(), tmp_path / "milesync.toml"
    hub = world.github
    project, ada = hub.project("acme/app"), hub.user("ada")
    hub.milestone(project, "v1")
    issue = hub.issue(project, "work", ada)
    with Sandbox(world, only=("github",), versions={"github": "3.14"}):
        config.write_text(configuration(world, policy="plan"), encoding="utf-8")
        assert milesync("pull", "--config", str(config)).code == 0
        assert named(config) == LOSSES
        assert "this server has no issue types" in milesync("status", "--config", str(config)).out

        hub.version = "3.22"
        hub.label(issue, ["changed"], [], ada)
        assert milesync("pull", "--config", str(config)).code == 0
        assert named(config) == set()


def verdicts(config: Path) -> list[tuple[str, str, float | None]]:
    """Run twice; return each milestone with its status and probability. The second run writes nothing."""
    first = milesync("run", "--first-run", "--json", config=config)
    assert (first.code, first.document["errors"]) == (0, []), first.err
    assert first.document["writes"]["applied"] == first.document["writes"]["planned"] > 0
    assert milesync("run", "--json", config=config).document["writes"]["planned"] == 0
    rows = milesync("status", "--all", "--json", config=config).document["milestones"]
    return [(row["title"], row["status"], row["probability"]) for row in rows]


def test_the_oldest_servers_have_the_verdicts_of_the_newest(tmp_path: Path) -> None:
    found = []
    for versions in ({}, OLDEST):
        world, folder = small_world(), tmp_path / f"{len(versions)}"
        folder.mkdir()
        age(world, versions)
        with served(folder, world) as (_, config):
            found.append(verdicts(config))
    assert found[0] == found[1]
    assert len(found[0]) == 4


@pytest.mark.parametrize("written", ["github", "github=", "github=new", "gitea=1.0"])
def test_a_version_that_is_not_known_is_refused(written: str) -> None:
    done = milesync("sandbox", "--server-version", written)
    assert done.code == 1
    assert re.fullmatch(r"'\w*' is no version of github; write it as 3.14\n|gitea has no versions; .*\n", done.err)
