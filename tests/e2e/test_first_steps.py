"""The tutorial as its reader does it: its blocks one after the other, in a shell, with the program on the path."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.serving import PORTS
from tests.contract.test_docs import block_lines

PAGE = "docs/tutorial/first-steps.md"
INSTALL = "uv tool install"
"""`test_installed` runs what begins with this; here the program is installed already."""
LINES = [line for line in block_lines(PAGE) if not line.startswith(INSTALL)]
START = next(line for line in LINES if line.startswith("milesync sandbox"))
EXPORTS = [line for line in LINES if line.startswith("export ")]
STEPS = [line for line in LINES if line not in (START, *EXPORTS)]
SHOWS = re.compile("milesync (plan|retire)(?!.*--yes)")
"""What only shows changes says so by its exit code."""


def environment() -> dict[str, str]:
    """A reader's: no variable of milesync or of a tracker."""
    ours = ("MILESYNC_", "GITHUB_", "GITLAB_", "JIRA_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Return where the reader works, while the trackers run in the other terminal."""
    if any(map(is_taken, PORTS.values())):
        pytest.skip("a sandbox runs on the usual ports")
    sandbox = subprocess.Popen(
        ["bash", "-c", f"exec {START}"], cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert sandbox.stdout is not None
        while "Interrupt to stop" not in sandbox.stdout.readline():
            assert sandbox.poll() is None
        yield tmp_path
    finally:
        sandbox.terminate()  # SIGINT would stay ignored where the parent ignores it
        sandbox.communicate(timeout=120)


def test_the_steps_work_as_they_are_written(folder: Path) -> None:
    said: list[str] = []
    for step in STEPS:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join([*EXPORTS, step])],
            cwd=folder,
            # GitHub asks for a second between writes, which this test need not wait for.
            env={**environment(), "MILESYNC_POLICY_GH": "plan"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (2 if SHOWS.match(step) else 0), f"{step}: {done.stdout}{done.stderr}"
        assert done.stdout.strip()
        said.append(done.stdout)
    assert (folder / "portfolio" / "index.html").is_file()
    doctor, explained = (
        next(text for step, text in zip(STEPS, said, strict=True) if step.startswith(f"milesync {name}"))
        for name in ("doctor", "explain")
    )
    assert doctor.splitlines()[-1] == "Nothing would fail."
    assert "✘" not in doctor
    assert explained.startswith("▲ At risk")
    assert "Needs someone: " in explained
    first, second = (text for step, text in zip(STEPS, said, strict=True) if step.startswith("milesync run"))
    assert re.search(r"; [1-9]\d* writes", first)
    assert "; nothing written" in second, "nothing has changed"
