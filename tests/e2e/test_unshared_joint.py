"""Notes of `plan` and `doctor` on joint milestones whose members do not show their status."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.demo_story import DemoStory
from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from tests.e2e.in_process import milesync

WORDS = 'To show status, probability and dates (no names, no numbers), set share = "aggregate" in '


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    world = World()
    story = DemoStory(world)
    with Sandbox(world):
        for tracker in world.trackers:
            for project in tracker.projects.values():
                project.private = True
        path = tmp_path / "milesync.toml"
        settings = {kind: lines.replace('share = "aggregate"\n', "") for kind, lines in story.settings.items()}
        path.write_text(f"{configuration(world, settings=settings)}\n{story.configuration()}")
        yield path


def text(command: str, config: Path) -> str:
    return " ".join(milesync(command, config=config).out.split())


def test_plan_and_doctor_say_what_to_set(config: Path) -> None:
    missing = f"{WORDS}[connections.gh] and [connections.gl] and [connections.jira]"
    assert missing in text("plan", config)
    assert missing in text("doctor", config)
    config.write_text(config.read_text().replace('type = "', 'share = "aggregate"\ntype = "'))
    assert WORDS not in text("plan", config)
    assert WORDS not in text("doctor", config)
