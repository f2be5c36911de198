"""The GitLab component's script, with a shell against the sandbox: state, pages, log and exit codes."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from connectors.sandbox.world import World
from tests.e2e.small_world import ours, served, small_world
from tests.e2e.subprocesses import ENVIRONMENT

ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
PROGRAM = f'#!/bin/sh\nexec {sys.executable} -m milesync "$@"\n'


@dataclass
class Project:
    """A project whose schedule runs the component's job. The cache is a folder of its checkout."""

    folder: Path
    world: World
    visibility: str = "private"

    @property
    def state(self) -> Path:
        return self.folder / ".milesync-state" / "milesync.sealed"

    @property
    def comments(self) -> list[str]:
        return [*ours(self.world.github), *ours(self.world.gitlab)]

    def run(self, env: dict[str, str] | None = None, **inputs: str) -> subprocess.CompletedProcess[str]:
        """Run the script of the job with these inputs."""
        head, jobs = yaml.safe_load_all((ROOT / "templates" / "milesync.yml").read_text(encoding="utf-8"))
        job = jobs["milesync"]
        given = {name: inputs.get(name, row.get("default", "x")) for name, row in head["spec"]["inputs"].items()}
        variables = {
            name: re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda found: given[found[1]], value)
            for name, value in job["variables"].items()
        }
        environ = {
            **ENVIRONMENT,
            "PATH": f"{self.folder.parent / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "CI_PROJECT_ID": "7",
            "CI_COMMIT_REF_NAME": "main",
            "CI_PROJECT_VISIBILITY": self.visibility,
            "MILESYNC_STATE_KEY": KEY,
            **variables,
            **(env or {}),
        }
        (script,) = job["script"]
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script],
            cwd=self.folder,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=280,
        )


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    for name in ("checkout", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "bin" / "milesync").write_text(PROGRAM)
    (tmp_path / "bin" / "milesync").chmod(0o755)
    world = small_world()
    next(iter(world.gitlab.projects.values())).private = True
    with served(tmp_path / "checkout", world):
        yield Project(tmp_path / "checkout", world)


def test_a_state_is_kept_sealed_and_a_lost_or_changed_one_makes_no_second_comment(project: Project) -> None:
    first = project.run()
    assert first.returncode == 0, first.stdout
    assert "No state of an earlier run was found" in first.stdout
    assert "acme/api" in first.stdout
    assert not re.search(rb"SQLite|acme", project.state.read_bytes())
    assert not list(project.folder.glob("*.db"))
    comments = project.comments
    assert len(comments) == 2
    second = project.run()
    assert second.returncode == 0, second.stdout
    assert "Database written" in second.stdout
    assert '"applied": 0' in second.stdout
    project.state.write_bytes(project.state.read_bytes()[:-1] + b"x")
    third = project.run()
    assert third.returncode == 0, third.stdout
    assert "The state of the last run is not used" in third.stdout
    assert '"applied": 0' in third.stdout
    assert project.comments == comments


def test_a_public_project_shows_nothing_private(project: Project) -> None:
    project.visibility = "public"
    done = project.run(env={"MILESYNC_STATE_KEY": ""}, pages="public")
    assert done.returncode == 0, done.stdout
    assert not project.state.exists()
    site = project.folder / "public"
    shown = done.stdout + "".join(path.read_text("utf-8", "replace") for path in site.rglob("*") if path.is_file())
    assert "acme/app" in shown
    assert not re.search(r"acme/api|gl:", shown)
    assert site.stat().st_mode & 0o777 == 0o755
    partly = project.run(env={"GITLAB_TOKEN": "wrong"})
    assert partly.returncode == 3, partly.stdout
    assert "acme/api" not in partly.stdout


def test_a_run_without_a_configuration_says_so(project: Project) -> None:
    project.visibility = "public"
    done = project.run(config="other.toml")
    assert done.returncode == 1
    assert "other.toml" in done.stdout
