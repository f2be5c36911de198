"""The GitHub Action, step by step with bash against the sandbox: state, summary, pages, log and exit codes."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.sandbox.world import World
from tests.action_runner import ActionResult, run_action, stub_programs
from tests.e2e.small_world import ours, served, small_world
from tests.e2e.subprocesses import ENVIRONMENT

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
KEY = base64.b64encode(bytes(range(32))).decode()
HERE = "acme/plan/.github/workflows/milesync.yml@refs/heads/main"
GH = f"""#!{sys.executable}
import os, re, subprocess, sys
from pathlib import Path
words = sys.argv[1:]
(path,) = [word for word in words if word.startswith("repos/acme/plan")]
file = Path(os.environ["GITHUB_API"]) / re.sub(r"[/?=]", "-", path)
is_list = "artifacts-name" in file.name
if not file.exists() and not is_list:
    sys.exit(1)
answer = file.read_bytes() if file.exists() else b'{{"artifacts": []}}'
if "--jq" in words:
    answer = subprocess.run(["jq", "-r", words[words.index("--jq") + 1]], input=answer, stdout=-1, check=True).stdout
sys.stdout.buffer.write(answer)
"""
"""GitHub's program: an answer is the file that is named as the path of its request."""

pytestmark = pytest.mark.skipif(not shutil.which("jq"), reason="jq is not installed: apt-get install jq")


def workflow_run(number: int, event: str = "schedule", branch: str = "main", repository: str = "acme/plan") -> Any:
    return {"id": number, "event": event, "head_branch": branch, "head_repository": {"full_name": repository}}


@dataclass
class Repository:
    """A repository with a workflow that uses the action, the runs before, and what they uploaded."""

    folder: Path
    world: World
    path: str
    visibility: str = "private"
    runs: list[Any] = field(default_factory=list)
    jobs: int = 0

    @property
    def comments(self) -> list[str]:
        return [*ours(self.world.github), *ours(self.world.gitlab)]

    def run(
        self, env: dict[str, str] | None = None, last: str = "", *, in_same_job: bool = False, **inputs: str
    ) -> ActionResult:
        """Run the action in a new job, up to the ``last`` step. Its upload becomes an artifact of a finished run."""
        self.jobs += not in_same_job
        api, temp = self.folder / "api", self.folder / f"job-{self.jobs}"
        temp.mkdir(exist_ok=in_same_job)
        (api / "repos-acme-plan").write_text(json.dumps({"visibility": self.visibility}))
        (api / "repos-acme-plan-actions-workflows-milesync.yml-runs").write_text(
            json.dumps({"workflow_runs": self.runs})
        )
        environ = {
            **{name: value for name, value in ENVIRONMENT.items() if name != "GITHUB_TOKEN"},
            "PATH": self.path,
            "PYTHONPATH": str(ROOT),
            "GITHUB_API": str(api),
            "GITHUB_REPOSITORY": "acme/plan",
            "GITHUB_REF_NAME": "main",
            "GITHUB_WORKFLOW_REF": HERE,
            "GITHUB_TOKEN_OF_THE_JOB": "sandbox",
            **(env or {}),
        }
        words = {name.replace("_", "-"): value for name, value in inputs.items()}
        result = run_action(ACTION, self.folder / "checkout", temp, words, environ, last)
        for name, path in result.uploads.items():
            self.upload(workflow_run(self.jobs), {"milesync.sealed": path.read_bytes()}, name)
        return result

    def upload(self, run: Any, members: dict[str, bytes], artifact: str = "milesync-state") -> None:
        """Add a run that is over, with an artifact."""
        self.runs.insert(0, run)
        start = self.folder / "api" / "repos-acme-plan-actions"
        listed = {"artifacts": [{"id": run["id"] + 100, "expired": False}]}
        Path(f"{start}-runs-{run['id']}-artifacts-name-{artifact}").write_text(json.dumps(listed))
        with zipfile.ZipFile(f"{start}-artifacts-{run['id'] + 100}-zip", "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)

    def document(self) -> Any:
        """Return the document of the last run."""
        return json.loads(
            (self.folder / f"job-{self.jobs}" / "milesync-files" / "run.json").read_text(encoding="utf-8")
        )

    def stored_runs(self, files: str = "milesync-files") -> int:
        """Return how many runs the database of the last job knows."""
        path = self.folder / f"job-{self.jobs}" / files / "milesync.db"
        with closing(sqlite3.connect(path)) as database:
            return int(database.execute("SELECT count(*) FROM run").fetchone()[0])


def made(folder: Path) -> Iterator[Repository]:
    """A repository whose configuration has a public and a private project of two trackers."""
    world = small_world()
    next(iter(world.gitlab.projects.values())).private = True
    for name in ("checkout", "api"):
        (folder / name).mkdir()
    with served(folder / "checkout", world):
        yield Repository(folder, world, stub_programs(folder / "bin", gh=GH))


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    yield from made(tmp_path)


@pytest.fixture(scope="module")
def after_a_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Repository, ActionResult]]:
    """A repository in which the action has run once, and the outcome."""
    for repository in made(tmp_path_factory.mktemp("action")):
        yield repository, repository.run(state_key=KEY)


def test_a_run_writes_the_summary_and_a_state_that_others_cannot_read(
    after_a_run: tuple[Repository, ActionResult],
) -> None:
    repository, first = after_a_run
    assert (first.code, first.outputs["exit-code"]) == (0, "0"), first.log
    assert "No state of an earlier run" in first.log
    assert len(repository.comments) == 2
    assert "acme/app" in first.summary
    assert "acme/api" in first.summary
    assert not re.search(rb"SQLite|acme|Task", first.uploads["milesync-state"].read_bytes())


@pytest.mark.parametrize("state", ["kept", "changed", "lost"])
def test_the_next_run_takes_the_state_and_a_lost_one_makes_no_second_comment(
    after_a_run: tuple[Repository, ActionResult], state: str
) -> None:
    repository, first = after_a_run
    sealed = first.uploads["milesync-state"].read_bytes()
    comments = repository.comments
    repository.runs.clear()
    if state != "lost":
        repository.upload(workflow_run(500), {"milesync.sealed": sealed if state == "kept" else bent(sealed)})
    done = repository.run(state_key=KEY)
    assert done.code == 0, done.log
    assert ("::warning::The state of the last run is not used" in done.log) == (state == "changed")
    assert repository.stored_runs() == (2 if state == "kept" else 1)
    assert repository.document()["writes"]["applied"] == 0
    assert repository.comments == comments
    assert len(comments) == 2


def bent(sealed: bytes) -> bytes:
    """Return a sealed file with one other bit."""
    middle = len(sealed) // 2
    return bytes([*sealed[:middle], sealed[middle] ^ 1, *sealed[middle + 1 :]])


PLANTED: dict[str, dict[str, bytes]] = {
    "not sealed": {"milesync.sealed": b"x" * 5_000},
    "a folder": {"milesync.sealed/x": b""},
    "another file": {"other": b"", "../../checkout/milesync.toml": b"planted"},
}


@pytest.mark.parametrize("members", PLANTED.values(), ids=PLANTED.keys())
def test_a_planted_state_is_not_used_and_changes_no_file(repository: Repository, members: dict[str, bytes]) -> None:
    config = (repository.folder / "checkout" / "milesync.toml").read_bytes()
    repository.upload(workflow_run(500), members)
    done = repository.run(state_key=KEY, last="state")
    assert done.code == 0, done.log
    assert "::warning::The state of the last run is not used" in done.log
    assert not list(repository.folder.glob("job-1/*.db"))
    assert [path.name for path in (repository.folder / "checkout").iterdir()] == ["milesync.toml"]
    assert (repository.folder / "checkout" / "milesync.toml").read_bytes() == config


def test_no_state_comes_from_other_repositories_branches_and_pull_requests(repository: Repository) -> None:
    others = (
        ("pull_request", "main", "acme/plan"),
        ("pull_request_target", "main", "acme/plan"),
        ("schedule", "other", "acme/plan"),
        ("schedule", "main", "stranger/plan"),
    )
    for number, (event, branch, home) in enumerate(others):
        repository.upload(workflow_run(600 + number, event, branch, home), {"milesync.sealed": b"planted"})
    done = repository.run(state_key=KEY, last="state")
    assert done.code == 0, done.log
    assert "No state of an earlier run" in done.log


def test_two_uses_in_one_job_share_no_state(repository: Repository) -> None:
    assert repository.run(state_key=KEY).code == 0
    again = repository.run(state_key=KEY, in_same_job=True)
    assert again.code == 1
    assert "give each use a state-name of its own" in again.log
    other = repository.run(state_key=KEY, state_name="b", in_same_job=True)
    assert (other.code, set(other.uploads)) == (0, {"milesync-state-b"})
    assert [repository.stored_runs(), repository.stored_runs("milesync-files-b")] == [1, 1]
    later = repository.run(state_key=KEY, state_name="b")
    assert later.code == 0
    assert repository.stored_runs("milesync-files-b") == 2, "it took its own state"
    repository.upload(workflow_run(9), {"milesync.sealed": other.uploads["milesync-state-b"].read_bytes()})
    assert "is not used" in repository.run(state_key=KEY).log, "the state of another name does not open"


@pytest.mark.parametrize("name", ["../b", "b/c", "b c", "ä", "$(id)"])
def test_a_name_of_a_state_is_no_path(repository: Repository, name: str) -> None:
    done = repository.run(state_key=KEY, state_name=name)
    assert done.code == 1
    assert "state-name: use letters" in done.log


def test_without_a_key_nothing_is_kept_and_what_others_may_not_read_is_not_shown(repository: Repository) -> None:
    repository.visibility = "public"
    first = repository.run(pages="public=site/all")
    assert first.code == 0, first.log
    assert "No state is kept" in first.log
    assert first.uploads == {}
    assert "acme/app" in first.summary
    site = repository.folder / "checkout" / "site" / "all"
    shown = first.summary + first.log.replace("acme/plan", "")
    shown += "".join(path.read_text("utf-8", "replace") for path in site.rglob("*") if path.is_file())
    assert not re.search(r"acme/api|gl:", shown)
    assert (site.stat().st_mode & 0o777, (site / "index.html").stat().st_mode & 0o777) == (0o755, 0o644)
    comments = repository.comments
    second = repository.run(env={"GITLAB_TOKEN": "wrong"})
    assert (second.code, second.outputs["exit-code"]) == (0, "3"), second.log
    assert "::warning::A part of the projects" in second.log
    assert "The log is hidden" in second.log
    assert "acme/api" not in second.log
    assert repository.comments == comments


def test_a_run_without_a_configuration_says_so(repository: Repository) -> None:
    repository.visibility = "public"
    done = repository.run(config="other.toml")
    assert (done.code, done.outputs["exit-code"]) == (1, "1")
    assert "other.toml" in done.log
    assert "::error::milesync ended with exit code 1" in done.log
    log = done.log.splitlines()
    (start,) = [n for n, line in enumerate(log) if line.startswith("::stop-commands::")]
    assert any("other.toml" in line for line in log[start : log.index(f"::{log[start].split('::')[2]}::")])


def test_a_log_of_everything_is_hidden_with_a_database_of_its_own_too(repository: Repository) -> None:
    repository.visibility = "public"
    done = repository.run(env={"MILESYNC_DATABASE": "postgresql://user@127.0.0.1:1/acme"}, config="other.toml")
    assert (done.code, done.outputs["exit-code"]) == (1, "1")
    assert "other.toml" not in done.log
    assert "The log is hidden" in done.log
    shown = repository.run(
        env={"MILESYNC_DATABASE": "postgresql://user@127.0.0.1:1/acme"}, config="other.toml", log="true"
    )
    assert "other.toml" in shown.log


def test_pages_need_an_audience_and_a_folder_of_its_own(after_a_run: tuple[Repository, ActionResult]) -> None:
    repository, _ = after_a_run
    steps = {step["name"]: step for step in yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]}
    temp = repository.folder / "job-1"
    environ = {
        **ENVIRONMENT,
        "AUDIENCE": "",
        "CONFIG": "milesync.toml",
        "FILES": str(temp / "milesync-files"),
        "GITHUB_STEP_SUMMARY": str(temp / "summary.md"),
        "PROGRAM": str(temp / "milesync" / "bin" / "milesync"),
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(temp),
    }

    def write(pages: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", steps["Write the summary, and the pages"]["run"]],
            cwd=repository.folder / "checkout",
            env={**environ, "PAGES": pages},
            capture_output=True,
            text=True,
            check=False,
        )

    together = ("public=site\npublic = ./site/ ", "public=site\nnowhere=site/inner", "public=site/inner\nnowhere=site")
    for pages in ("site", "=site", "public=", "nowhere=site", *together):
        done = write(pages)
        assert done.returncode == 1
        assert "::error::" in done.stdout
        assert not (repository.folder / "checkout" / "site").exists()
    done = write("public=-R\npublic=two words=$(touch x);*")
    assert (done.returncode, done.stderr) == (0, "")
    for folder in ("-R", "two words=$(touch x);*"):
        site = repository.folder / "checkout" / folder
        assert (site.stat().st_mode & 0o777, (site / "index.html").stat().st_mode & 0o777) == (0o755, 0o644)
    assert not (repository.folder / "checkout" / "x").exists()


def test_the_state_is_found_by_the_whole_name_of_the_workflow(repository: Repository) -> None:
    """Both names may have an @, and gh would read a file for a field that begins with one."""
    name, words = "sync @ night.yml", repository.folder / "words"
    gh = repository.folder / "bin" / "gh"
    gh.write_text(
        gh.read_text().replace(
            "words = sys.argv[1:]", f"words = sys.argv[1:]\nopen({str(words)!r}, 'a').write(repr(words))"
        )
    )
    api = repository.folder / "api" / f"repos-acme-plan-actions-workflows-{name}-runs"
    api.write_text(json.dumps({"workflow_runs": [workflow_run(1, branch="@refs/odd")]}))
    listed = api.with_name("repos-acme-plan-actions-runs-1-artifacts-name-milesync-state")
    listed.write_text(json.dumps({"artifacts": []}))
    env = {
        "GITHUB_REF_NAME": "@refs/odd",
        "GITHUB_WORKFLOW_REF": f"acme/plan/.github/workflows/{name}@refs/heads/@refs/odd",
    }
    done = repository.run(env=env, last="state", state_key=KEY)
    assert (done.code, "No state of an earlier run" in done.log) == (0, True), done.log
    assert "'--raw-field', 'branch=@refs/odd'" in words.read_text()
    assert "'--field'" not in words.read_text()


def test_the_installation_takes_hashes_and_its_own_checkout(repository: Repository) -> None:
    assert repository.run(last="install").code == 0
    locked, own = (repository.folder / "job-1" / "milesync" / "pip.txt").read_text(encoding="utf-8").splitlines()
    assert locked.endswith(f"--require-hashes --requirement {ROOT}/requirements/run.txt")
    assert own.endswith(f"--no-deps --no-build-isolation {ROOT}")


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 1), (3, 0), (4, 4), (130, 130), (143, 143)])
def test_exit_codes(code: int, ends: int) -> None:
    *_, last = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", last["run"]],
        env={"CODE": str(code), "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ends
    assert bool(done.stdout) == (code != 0)
