"""The line that installs milesync with one more extra: it loses neither other extras nor packages."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from sync import installation

CLONE = "file:///src/milesync"


@pytest.fixture(autouse=True)
def origin(monkeypatch: pytest.MonkeyPatch) -> None:
    """milesync is installed by pip from a folder."""
    texts = {"direct_url.json": json.dumps({"url": CLONE, "dir_info": {}}), "INSTALLER": "pip\n"}
    monkeypatch.setattr(installation, "distribution", lambda _: SimpleNamespace(read_text=texts.get))


def uv(prefix: Path, *rows: str) -> Path:
    (prefix / "uv-receipt.toml").write_text(f"[tool]\nrequirements = [{', '.join(rows)}]\n")
    return prefix


@pytest.mark.parametrize(
    ("own", "names"),
    [("", "mcp"), (', extras = ["site"]', "mcp,site"), (', extras = ["site", "mcp"]', "mcp,site")],
)
def test_a_tool_of_uv_keeps_the_extras_that_it_has(tmp_path: Path, own: str, names: str) -> None:
    prefix = uv(tmp_path, f'{{ name = "milesync", directory = "/src/milesync"{own} }}')
    command = installation.install_command(("mcp",), prefix)
    assert command == f"uv tool install --force 'milesync[{names}] @ {CLONE}'"


@pytest.mark.parametrize(
    ("row", "option"),
    [
        ('name = "milesync-linear", editable = "/src/my linear"', "--with-editable '/src/my linear'"),
        ('name = "milesync-linear", directory = "/src/linear"', "--with /src/linear"),
        ('name = "milesync-linear", path = "/src/linear.whl"', "--with /src/linear.whl"),
        ('name = "linear", url = "https://me:secret@acme.example/l.whl"', "--with https://acme.example/l.whl"),
        ('name = "linear", git = "https://me:secret@acme.example/l?rev=v1"', "--with git+https://acme.example/l@v1"),
        ('name = "linear", specifier = ">=5"', "--with 'linear>=5'"),
        ('name = "linear"', "--with linear"),
    ],
)
def test_a_tool_of_uv_keeps_the_packages_next_to_it(tmp_path: Path, row: str, option: str) -> None:
    prefix = uv(tmp_path, '{ name = "milesync" }', f"{{ {row} }}")
    command = installation.install_command(("mcp",), prefix)
    assert command == f"uv tool install --force 'milesync[mcp] @ {CLONE}' {option}"


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ("/src/milesync", "mcp"),
        ("/src/milesync[site]", "mcp,site"),
        (f"milesync[digest, site] @ {CLONE}", "digest,mcp,site"),
    ],
)
def test_pipx_keeps_the_extras_that_it_has(tmp_path: Path, asked: str, names: str) -> None:
    (tmp_path / "pipx_metadata.json").write_text(json.dumps({"main_package": {"package_or_url": asked}}))
    command = installation.install_command(("mcp",), tmp_path)
    assert command == f"pipx install --force 'milesync[{names}] @ {CLONE}'"


def test_pip_removes_nothing_and_needs_the_new_extra_alone(tmp_path: Path) -> None:
    assert installation.install_command(("mcp",), tmp_path) == f"pip install 'milesync[mcp] @ {CLONE}'"
