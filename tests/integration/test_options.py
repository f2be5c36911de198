"""Options of commands: what a command prints about its configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.cli.options import load_settings

FORMER = """
instance = "acme"
[connections.gh]
type = "github"
projects = ["acme/app"]
also = { picture = true }
"""


def test_a_command_prints_the_warnings_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "milesync.toml"
    path.write_text(FORMER)
    load_settings(path)
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (
        "",
        f"{path}:connections.gh.also: this key is now called 'optional_outputs'; rename it\n",
    )
