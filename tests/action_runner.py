"""Run a composite action as a runner of GitHub Actions does: its steps, one after the other, with bash and its files.

It knows what `action.yml` uses: expressions that are one name, comparisons with a text, `run` and `upload-artifact`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ActionResult", "run_action"]

_EXPRESSION = re.compile(r"\$\{\{ ([\w.-]+) \}\}")
_CONDITION = re.compile(r"([\w.-]+) == '(.*)'")


@dataclass
class ActionResult:
    """Outcome of one run: exit code of its last step, output of all, summary, outputs, and the files it uploaded."""

    code: int = 0
    log: str = ""
    summary: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, Path] = field(default_factory=dict)


def run_action(
    action: Path, workspace: Path, temp: Path, inputs: Mapping[str, str], environ: Mapping[str, str], last: str = ""
) -> ActionResult:
    """Run the steps of the action in ``workspace``, all or up to the ``last`` by its id.

    ``temp`` is the runner's folder of this job.
    """
    definition = yaml.safe_load(action.read_text(encoding="utf-8"))
    names = {"github.token": environ["GITHUB_TOKEN_OF_THE_JOB"]}
    unknown = inputs.keys() - definition["inputs"].keys()
    assert not unknown, f"the action has no input {unknown}"
    for name, row in definition["inputs"].items():
        names[f"inputs.{name}"] = inputs.get(name, _filled(row["default"], names))
    result = ActionResult()
    summary = temp / "summary.md"
    shared = {
        **environ,
        "GITHUB_ACTION_PATH": str(action.parent),
        "GITHUB_WORKSPACE": str(workspace),
        "GITHUB_STEP_SUMMARY": str(summary),
        "RUNNER_TEMP": str(temp),
    }
    for step in definition["runs"]["steps"]:
        if not _holds(step.get("if", ""), names):
            continue
        if "uses" in step:
            assert step["uses"].startswith("actions/upload-artifact@")
            path = Path(_filled(step["with"]["path"], names))
            assert path.exists()
            result.uploads[_filled(step["with"]["name"], names)] = path
            continue
        output = temp / "output"
        output.write_text("")
        env = {name: _filled(str(value), names) for name, value in step.get("env", {}).items()}
        result.code = _run(step, workspace, {**shared, **env, "GITHUB_OUTPUT": str(output)}, result)
        for line in output.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition("=")
            names[f"steps.{step['id']}.outputs.{name}"] = value
        if result.code or (last and step.get("id") == last):
            break
    result.summary = summary.read_text(encoding="utf-8") if summary.exists() else ""
    result.outputs = {name: _filled(row["value"], names) for name, row in definition["outputs"].items()}
    return result


def _run(step: Mapping[str, Any], workspace: Path, environ: Mapping[str, str], result: ActionResult) -> int:
    assert step["shell"] == "bash"
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]],
        cwd=workspace,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=280,
    )
    result.log += done.stdout
    return done.returncode


def _filled(text: str, names: Mapping[str, str]) -> str:
    """Return the text with its expressions replaced. An output that no step has set is empty."""
    filled = _EXPRESSION.sub(lambda found: names.get(found[1], "") if _is_known(found[1], names) else "?", text)
    assert "${{" not in filled, f"an expression that this runner does not know: {text}"
    return filled


def _is_known(name: str, names: Mapping[str, str]) -> bool:
    assert name in names or name.startswith("steps."), f"no runner knows {name}"
    return True


def _holds(condition: str, names: Mapping[str, str]) -> bool:
    if not condition:
        return True
    found = _CONDITION.fullmatch(condition)
    assert found, f"a condition that this runner does not know: {condition}"
    return names.get(found[1], "") == found[2]


PYTHON_STUB = f"""#!/bin/sh
# `-m venv DIR` makes an environment whose pip notes its words and whose milesync is that of the tests.
if [ "$1 $2" = "-m venv" ]; then
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\necho "$@" >> "%s/pip.txt"\\n' "$3" > "$3/bin/python"
    printf '#!/bin/sh\\nexec {sys.executable} -m milesync "$@"\\n' > "$3/bin/milesync"
    chmod +x "$3/bin/python" "$3/bin/milesync"
else
    exec {sys.executable} "$@"
fi
"""


def stub_programs(folder: Path, **scripts: str) -> str:
    """Write programs into a folder, with `python3` that installs nothing, and return the PATH that finds them first."""
    folder.mkdir()
    for name, script in {"python3": PYTHON_STUB, **scripts}.items():
        (folder / name).write_text(script, encoding="utf-8")
        (folder / name).chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"
