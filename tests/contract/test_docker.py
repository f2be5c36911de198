"""The image: pinned, small, without rights; and its own steps make a program that runs."""

from __future__ import annotations

import fnmatch
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.contract.command_lines import unknown_words

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def instructions() -> list[tuple[str, str]]:
    """Each instruction with its arguments, continued lines joined, comments left out."""
    plain = "\n".join(line for line in DOCKERFILE.splitlines() if not line.lstrip().startswith("#"))
    return [
        (word, rest)
        for line in plain.replace("\\\n", " ").splitlines()
        for word, _, rest in [line.partition(" ")]
        if word
    ]


def test_hadolint_finds_nothing() -> None:
    hadolint = BIN / "hadolint"
    if not hadolint.exists():
        pytest.skip("hadolint is not installed next to this Python")
    command = [str(hadolint), "--no-color", "--failure-threshold", "style", str(ROOT / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_base_images_are_pinned_to_one_exact_version() -> None:
    bases = [rest.split()[0] for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", bases[0])


def test_the_last_stage_has_no_rights_and_writes_to_its_volume_only() -> None:
    last = instructions()[max(i for i, (word, _) in enumerate(instructions()) if word == "FROM") :]
    said = dict(last)
    assert said["USER"] == "10001:10001"
    assert said["VOLUME"] == said["WORKDIR"] == "/data"
    assert "MILESYNC_DATABASE=sqlite:////data/" in said["ENV"]
    assert "PYTHONDONTWRITEBYTECODE=1" in said["ENV"]
    assert "HEALTHCHECK" in said
    assert not [rest for word, rest in instructions() if word == "ADD"]
    assert not re.search(r"curl|wget|apt-get|sudo|chmod 777", DOCKERFILE)


def test_its_commands_exist() -> None:
    lists = re.findall(r'(?:CMD|ENTRYPOINT) (\[".*"\])', DOCKERFILE)
    words = [[part.strip('" ') for part in instruction.strip("[]").split(",")] for instruction in lists]
    healthcheck, entrypoint, command = words
    assert entrypoint == ["milesync"]
    assert unknown_words(command) == []
    assert healthcheck[0] == "milesync"
    assert unknown_words(healthcheck[1:]) == []


def test_everything_that_is_copied_is_there_and_not_ignored_and_little_else() -> None:
    rules = [
        line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")
    ]
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        source
        for word, rest in instructions()
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert rules[0] == "*"
    assert copied == allowed
    for source in copied:
        assert (ROOT / source).exists(), source
    assert any(fnmatch.fnmatch("milesync.db", rule.removeprefix("**/")) for rule in rules if not rule.startswith("!"))


def test_dependencies_are_installed_by_hash_and_nothing_else_is_fetched() -> None:
    installs = [
        part for word, rest in instructions() if word == "RUN" for part in rest.split("&&") if "pip install" in part
    ]
    assert len(installs) == 2
    for install in installs:
        assert ("--require-hashes" in install) or ("--no-deps" in install and "--no-build-isolation" in install)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image's last step: the wheel, built without a network from what .dockerignore lets through, and unpacked."""
    folder = tmp_path_factory.mktemp("image")
    source = folder / "src"
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split() if line[0] == "!"]
    for name in allowed:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", ROOT / name, source / name], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--wheel-dir", folder, source], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_all_three_packages_and_their_files(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if path.is_dir() and "dist-info" not in path.name} == {
        "sync",
        "connectors",
        "config",
    }
    for name in ("sync", "connectors", "config"):
        assert (installed / name / "py.typed").exists(), "type information is part of the package"
    assert list((installed / "sync").rglob("versions/*.py")) or list((installed / "sync" / "migrations").rglob("*.py"))
    assert (installed / "config" / "example.toml").exists()


def test_the_installed_program_runs_and_says_when_its_database_is_missing(installed: Path, tmp_path: Path) -> None:
    """As in the container: no checkout in sight, and nothing is written before the first run."""
    config = tmp_path / "milesync.toml"
    config.write_text((installed / "config" / "example.toml").read_text(encoding="utf-8"), encoding="utf-8")
    tokens = dict.fromkeys(("GITHUB_TOKEN", "GITLAB_TOKEN", "JIRA_TOKEN", "JIRA_EMAIL"), "sandbox")
    environ = {
        **tokens,
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join((str(installed), sysconfig.get_path("purelib"))),
        "MILESYNC_DATABASE": f"sqlite:///{tmp_path}/data.db",
    }
    command = [sys.executable, "-S", "-m", "milesync"]
    version = [sys.executable, "-S", "-c", "import sync; print(sync.__file__)"]
    found = subprocess.run(version, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert str(installed) in found.stdout
    done = subprocess.run(
        [*command, "status", "--config", config, "--json"],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "--first-run" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["milesync.toml"]
