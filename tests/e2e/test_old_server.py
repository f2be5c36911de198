"""Losses with an old server's version are named by status as well, from what the last pull met."""

from __future__ import annotations

from pathlib import Path

from connectors.sandbox.cli import configuration
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from tests.e2e.in_process import milesync

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
