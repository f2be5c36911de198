"""`check` and `plan` of the same project: the same figures from the same history, and otherwise the history of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from sync.cli import wiring
from sync.engine.engine import Engine
from sync.pull.pull import Puller
from tests.contract.dialect_facts import NOW, enter, random_facts
from tests.e2e.in_process import milesync

AS_OF = ("--as-of", NOW.isoformat())
TARGETS = {"github": "github:acme/app", "gitlab": "gitlab:acme/api", "jira": "jira:APP"}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World(lambda: NOW)
    for n, tracker in enumerate((world.github, world.gitlab, world.jira)):
        enter(tracker, random_facts(Random(n)))
    with Sandbox(world, only=("github", "gitlab", "jira")), mock.patch.object(wiring, "clock", return_value=NOW):
        yield world


def check(world: World, *words: str) -> Any:
    env = {"GITHUB_API_URL": world.github.url, "GITLAB_URL": world.gitlab.url, "JIRA_URL": world.jira.url}
    return milesync("check", *words, *AS_OF, env={**env, "JIRA_EMAIL": None})


def config_for(world: World, folder: Path, *types: str) -> Path:
    """Write the sandbox's configuration with the connections of these types only."""
    head, *connections = configuration(world).split("[connections.")
    kept = [part for part in connections if any(f'"{kind}"' in part.partition("url")[0] for kind in types)]
    path = folder / "milesync.toml"
    path.write_text("[connections.".join([head, *kept]))
    return path


def figures(document: Any) -> list[dict[str, Any]]:
    """The rows without the names of connections."""
    return [{**row, "id": row["id"].partition(":")[2]} for row in document["milestones"]]


@pytest.mark.parametrize("kind", list(TARGETS))
def test_the_same_history_gives_the_same_figures(world: World, tmp_path: Path, kind: str) -> None:
    alone = check(world, TARGETS[kind], "--json")
    planned = milesync("plan", "--json", *AS_OF, config=config_for(world, tmp_path, kind))
    assert (alone.code, planned.code) == (0, 2), alone.err + planned.err
    assert any(row["probability"] is not None for row in alone.document["milestones"])
    assert figures(alone.document) == figures(planned.document)
    assert list(alone.document["history"]["projects"].values()) == [12]
    assert list(planned.document["history"]["projects"].values()) == [12]


def test_another_history_is_named(world: World, tmp_path: Path) -> None:
    config = config_for(world, tmp_path, "github", "gitlab")
    alone, planned = check(world, TARGETS["github"], "--json"), milesync("plan", "--json", *AS_OF, config=config)
    assert alone.document["history"] == {"projects": {"github:acme/app": 12}}
    assert planned.document["history"] == {"projects": {"gh:acme/app": 12, "gl:acme/api": 12}}
    running = [row["history"] for row in alone.document["milestones"] if row["status"] != "done"]
    assert {"own": 6, "others": 6} in running
    other = [row["history"] for row in planned.document["milestones"] if row["id"].startswith("gh:")]
    assert {"own": 6, "others": 18} in other
    said = check(world, TARGETS["github"]).out
    assert "The forecasts learn from 12 finished milestones of github:acme/app (12)." in said
    assert "A configured run also learns from its other projects" in said
    planned_words = milesync("plan", *AS_OF, config=config).out
    assert "The forecasts learn from 24 finished milestones of gh:acme/app (12) and gl:acme/api (12)." in planned_words
    assert "other projects" not in planned_words


@pytest.mark.parametrize("command", ["check", "plan", "run"])
def test_the_trackers_are_asked_before_the_engine_is_built(world: World, tmp_path: Path, command: str) -> None:
    order = []
    pull, build = Puller.start_early, Engine.__post_init__

    def pull_noted(puller: Puller) -> None:
        order.append("asked")
        pull(puller)

    def build_noted(engine: Engine) -> None:
        order.append("built")
        build(engine)

    with (
        mock.patch.object(Puller, "start_early", pull_noted),
        mock.patch.object(Engine, "__post_init__", build_noted),
    ):
        if command == "check":
            check(world, TARGETS["github"])
        else:
            first = ("--first-run",) if command == "run" else ()
            milesync(command, *first, config=config_for(world, tmp_path, "github"))
    assert order == ["asked", "built"]
