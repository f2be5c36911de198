"""`concurrency = 1`: no command waits for the request slot of its own thread. Each test ends by its timeout."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import World
from sync.cli.wiring import connect
from sync.tracker.errors import UnreachableError
from sync.tracker.preflight import Examiner
from sync.tracker.protocol import Setup
from tests.e2e.in_process import milesync

pytestmark = pytest.mark.timeout(120)
OUTPUTS = {
    "gh": 'item_labels = true\ndescription = true\nproject_status = "acme/7"',
    "gl": "item_labels = true\ndescription = true\nhealth_status = true",
    "jira": "item_labels = true\ndescription = true\npicture = true",
    "cloud": "item_labels = true\ndescription = true\npicture = true",
}


@pytest.fixture
def world() -> Iterator[World]:
    world, now = World(), datetime.now(UTC).replace(microsecond=0)
    world.github.board("acme/7", public=True)
    world.github.scopes = ("repo", "project")
    for tracker in world.trackers:
        ada, project = tracker.user("ada"), tracker.project("APP" if tracker.kind.startswith("jira") else "acme/app")
        project.admin = True
        begin, due = now - timedelta(days=60), now + timedelta(days=2)
        milestone = tracker.milestone(project, "1.0", at=begin, due=due.date())
        for n in range(8):
            issue = tracker.issue(project, f"item {n}", ada, at=begin, milestones=[milestone.id])
            if n % 2:
                tracker.close(issue, ada, begin + timedelta(days=7 * n), resolution="completed")
    with Sandbox(world):
        yield world


def writes(world: World) -> dict[str, int]:
    return {tracker.kind: len(tracker.writes) for tracker in world.trackers}


def test_every_command_ends_on_all_dialects(world: World, tmp_path: Path) -> None:
    """Preflight, first pull, observe, every kind of write, pull of changes, and the removal of everything."""
    config = tmp_path / "milesync.toml"
    text = re.sub(r"^type = .*", r"\g<0>\nconcurrency = 1", configuration(world), flags=re.MULTILINE)
    tables = (f"[connections.{name}.optional_outputs]\n{lines}\n" for name, lines in OUTPUTS.items())
    config.write_text("\n".join([text, *tables]))
    for command in (("run", "--first-run"), ("plan",), ("run",), ("doctor",)):
        done = milesync(*command, config=config)
        assert done.code in (0, 2), done.err
    assert all(writes(world).values())
    before = writes(world)
    assert milesync("retire", "--yes", config=config).code == 0
    assert all(writes(world)[kind] > before[kind] for kind in before)


@pytest.mark.parametrize("kind", ["github", "gitlab", "jira", "jira-cloud"])
def test_a_tracker_that_cannot_be_reached_is_told(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    connector = connect(
        kind.partition("-")[0],
        Setup(
            name="here",
            url=f"http://127.0.0.1:{port}",
            secrets={"token": "sandbox", "email": "bot@sandbox.invalid"},
            clock=lambda: datetime(2026, 3, 2, tzinfo=UTC),
            sleep=lambda _: None,
            concurrency=1,
        ),
    )
    assert isinstance(connector, Examiner)
    with pytest.raises(UnreachableError):
        connector.examine(["acme/app"])
