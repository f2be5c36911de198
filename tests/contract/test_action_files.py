"""The action and the component: no expression in a script, pinned actions, and what the linters say where they are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
COMPONENT = ROOT / "templates" / "milesync.yml"
BIN = Path(sys.executable).parent

SCHEMAS = {
    "vendor.github-actions": "action.yml",
    "vendor.github-workflows": "cron/github-actions.yml",
    "vendor.compose-spec": "cron/compose.yaml",
    "vendor.gitlab-ci": "cron/gitlab-ci.yml",
}
"""Files with the schema of `check-jsonschema` that they follow."""


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["runs"]["steps"]
    return found


def component() -> tuple[Any, Any]:
    """Return the inputs of the component and its jobs."""
    head, jobs = yaml.safe_load_all(COMPONENT.read_text(encoding="utf-8"))
    return head["spec"]["inputs"], jobs


def program(name: str) -> str:
    """Return the path of a linter, next to this Python or on the path; skip without it."""
    found = shutil.which(name, path=str(BIN)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed here: pip install {name}")
    return found


def lint(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def follows(schema: str, path: Path) -> None:
    """Check a file with `check-jsonschema` in this process: its imports take a hundred times as long as a check."""
    check = pytest.importorskip("check_jsonschema", reason="pip install check-jsonschema").main
    from click.testing import CliRunner  # late: click comes with it

    done = CliRunner().invoke(check, ["--builtin-schema", schema, str(path)])
    assert done.exit_code == 0, done.output


def test_scripts_of_the_action_take_inputs_from_the_environment() -> None:
    for step in steps():
        if "run" in step:
            assert step["shell"] == "bash"
            assert "${{" not in step["run"], "an expression in a script is an injection"


def test_the_key_is_given_to_the_steps_that_need_it_only() -> None:
    holders = [step["name"] for step in steps() if "inputs.state-key" in str(step.get("env", {}))]
    assert holders == ["Find the state of the last run", "Seal the state for the next run"]
    holders = [step["name"] for step in steps() if "inputs.token" in str(step.get("env", {}))]
    assert holders == ["Run"]


def test_each_input_of_the_action_is_used_and_explained() -> None:
    definition = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "how-to" / "run-on-github-actions.md").read_text(encoding="utf-8")
    for name, row in definition["inputs"].items():
        assert row["description"]
        assert f"inputs.{name} }}}}" in ACTION.read_text(encoding="utf-8")
        assert f"`{name}`" in page


def test_actions_are_pinned_as_in_our_own_workflow() -> None:
    used = re.findall(r"uses: (.*)", ACTION.read_text(encoding="utf-8"))
    ours = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
        assert action in ours


def test_scripts_of_the_component_take_inputs_from_variables() -> None:
    inputs, jobs = component()
    for job in jobs.values():
        for script in (*job.get("before_script", ()), *job["script"]):
            assert "$[[" not in script, "an input in a script is an injection"
            assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    text, page = COMPONENT.read_text(encoding="utf-8"), (ROOT / "docs/how-to/run-on-gitlab.md").read_text("utf-8")
    for name, row in inputs.items():
        assert row["description"]
        assert f"$[[ inputs.{name} ]]" in text
        assert f"`{name}`" in page


def test_the_component_runs_one_job_at_a_time_and_keeps_a_sealed_state_only() -> None:
    _, jobs = component()
    job = jobs["milesync"]
    assert job["resource_group"] == "milesync"
    assert job["cache"]["paths"] == [".milesync-state/"]
    assert job["artifacts"]["paths"] == jobs["pages"]["artifacts"]["paths"] == ["public"]
    assert job["allow_failure"] == {"exit_codes": [3]}


@pytest.mark.parametrize(("schema", "name"), SCHEMAS.items(), ids=SCHEMAS.values())
def test_files_follow_the_schema_of_their_kind(schema: str, name: str) -> None:
    follows(schema, ROOT / name)


def test_the_jobs_of_the_component_follow_the_schema(tmp_path: Path) -> None:
    """The linter cannot read the inputs, which are a document of their own."""
    jobs = tmp_path / "jobs.yml"
    jobs.write_text(COMPONENT.read_text(encoding="utf-8").split("\n---\n")[1], encoding="utf-8")
    follows("vendor.gitlab-ci", jobs)


@pytest.mark.parametrize("path", [ACTION, ROOT / "cron" / "github-actions.yml"], ids=lambda path: path.name)
def test_zizmor_finds_nothing(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / path.name
    text = path.read_text(encoding="utf-8").replace("OWNER/milesync@COMMIT", f"acme/milesync@{'0123456789' * 4}")
    copy.write_text(text, encoding="utf-8")
    lint(program("zizmor"), "--offline", "--no-progress", "--persona", "regular", str(copy))


def test_shellcheck_finds_nothing(tmp_path: Path) -> None:
    shellcheck = program("shellcheck")
    _, jobs = component()
    scripts = [("bash", step["run"]) for step in steps() if "run" in step]
    scripts += [("sh", script) for script in (*jobs["milesync"]["before_script"], *jobs["milesync"]["script"])]
    for number, (shell, script) in enumerate(scripts):
        file = tmp_path / f"{number}.sh"
        file.write_text(script, encoding="utf-8")
        # 2086: words that must split; 2154: variables that the runner sets
        lint(shellcheck, "--shell", shell, "--exclude", "2086,2154", str(file))
