"""The example configuration runs unchanged against the four trackers of the sandbox."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from connectors.sandbox.demo_world import demo_world
from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import PORTS
from tests.e2e.subprocesses import milesync

EXAMPLE = Path(__file__).parents[2] / "config" / "example.toml"


def document(folder: Path, *words: str, **env: str) -> tuple[int, dict[str, Any]]:
    done = milesync(*words, "--json", config=folder / "milesync.toml", cwd=folder, env=env)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_example_is_planned_and_written_but_for_the_connection_that_was_stopped(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [int(port) for port in re.findall(r"^url.*127\.0\.0\.1:(\d+)", text, re.MULTILINE)] == list(PORTS.values())
    with Sandbox(demo_world()) as sandbox:
        for tracker in sandbox.world.trackers:
            text = text.replace(f"http://127.0.0.1:{PORTS[tracker.kind]}", tracker.url)
        (tmp_path / "milesync.toml").write_text(text, encoding="utf-8")

        code, planned = document(tmp_path, "plan")
        assert (code, planned["errors"]) == (2, [])
        assert {row["id"].partition(":")[0] for row in planned["milestones"]} == {"gh", "gl", "jira", "cloud"}

        # GitHub asks for a second between writes, which this test need not wait for; so it shows the stop as well.
        code, written = document(tmp_path, "run", MILESYNC_POLICY_GH="plan")
        assert (code, written["errors"]) == (0, [])
        assert {row["milestone"].partition(":")[0] for row in written["written"]} == {"gl", "jira", "cloud"}
        elsewhere = [row for row in planned["actions"] if not row["milestone"].startswith(sandbox.world.github.url)]
        assert written["writes"]["applied"] == len(elsewhere)
