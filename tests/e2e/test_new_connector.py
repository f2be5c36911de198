"""`milesync new-connector`: the package is green at once, against milesync as it is installed from its wheel."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from sync.installation import requirement
from tests.contract.test_docs import block_lines
from tests.e2e.in_process import milesync

ROOT = Path(__file__).parents[2]


def run(*command: str, cwd: Path, site: Path) -> str:
    env = {**os.environ, "PYTHONPATH": str(site), "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=280
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def next_commands() -> list[str]:
    """The commands of the page after `cd`, with the requirement of milesync as it is installed here."""
    lines = block_lines("docs/how-to/write-a-connector.md")
    after = next(at for at, line in enumerate(lines) if line.startswith("cd ")) + 1
    return [line.replace("MILESYNC", shlex.quote(requirement())) for line in lines[after : after + 3]]


def test_a_new_connector_is_installed_and_passes_the_contract(tmp_path: Path) -> None:
    site = tmp_path / "site"
    run("hatchling", "build", "-t", "wheel", "-d", str(tmp_path), cwd=ROOT, site=site)
    (wheel,) = tmp_path.glob("milesync-*.whl")
    zipfile.ZipFile(wheel).extractall(site)

    done = milesync("new-connector", "our_tracker", "--out", str(tmp_path))
    assert done.code == 0, done.err
    folder = tmp_path / "milesync-our-tracker"
    assert str(folder) in done.out
    assert [f"  {line}" for line in next_commands()] == [line for line in done.out.splitlines() if line[0] == " "]
    assert "xample" not in "".join(path.read_text() for path in folder.rglob("*.*"))
    install = ("install", "--no-build-isolation", "--no-deps", "--target", str(site), str(folder))
    run("pip", *install, cwd=tmp_path, site=site)

    told = run("pytest", "-q", "-p", "no:cacheprovider", cwd=folder, site=site)
    assert " passed" in told
    where = "import connectors.testing as suite; print(suite.__file__)"
    (tmp_path / "where.py").write_text(where)
    assert str(site) in run("where", cwd=tmp_path, site=site), "the suite of the wheel"

    config = tmp_path / "milesync.toml"
    config.write_text(
        'instance = "x"\n[connections.ours]\ntype = "our_tracker"\nurl = "https://127.0.0.1:9"\n'
        'token = { env = "OURS" }\nprojects = ["APP"]\n'
    )
    (tmp_path / "known.py").write_text(
        "from config import load; from pathlib import Path; "
        "print(load(Path('milesync.toml'), {}).connections['ours'].type)"
    )
    assert run("known", cwd=tmp_path, site=site).strip() == "our_tracker"


@pytest.mark.parametrize(
    "name", ["", "Linear", "2fast", "a-b", "a__b", "_a", "a_", "class", "../x", "a/b", "ünï", "a b", "x" * 41, "github"]
)
def test_a_name_that_cannot_be_a_type_is_refused(tmp_path: Path, name: str) -> None:
    done = milesync("new-connector", "--out", str(tmp_path), "--", name)
    assert done.code == 1
    assert len(done.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("existing", ["folder", "file", "link"])
def test_nothing_is_overwritten(tmp_path: Path, existing: str) -> None:
    folder = tmp_path / "milesync-linear"
    if existing == "folder":
        folder.mkdir()
    elif existing == "file":
        folder.write_text("mine")
    else:
        folder.symlink_to(tmp_path / "nowhere")
    done = milesync("new-connector", "linear", "--out", str(tmp_path))
    assert done.code == 1
    assert "exists already" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["milesync-linear"]
    assert existing != "folder" or list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    done = milesync("new-connector", "linear", "--out", str(tmp_path / "missing"))
    assert done.code == 1
    assert "missing/milesync-linear: No such file or directory" in done.err
