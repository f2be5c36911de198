"""The commands of the page on backups, as they are written: the copy has every row, and can be restored."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sync.store.store import Store
from sync.tracker.protocol import Page
from tests import postgres
from tests.contract.store_rows import SOURCE, T0, everything, issue, milestone
from tests.contract.test_docs import blocks

COMMANDS = ("sqlite3", "pg_dump", "pg_restore")
CONFIGURATION = """
instance = "acme"
[connections.gh]
type = "github"
projects = ["acme/app"]
"""
SQLITE, POSTGRESQL, CHECK = blocks("docs/how-to/backup.md", "sh")


def shell(script: str, folder: Path, **env: str) -> str:
    """The output of a script as a reader would run it in this folder, with this installation of milesync."""
    programs = [Path(sys.executable).parent, *filter(None, [postgres.tools()])]
    path = os.pathsep.join([*map(str, programs), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(url: str) -> tuple[Any, ...]:
    with Store.open(url, create=True, clock=lambda: T0) as store:
        store.save(SOURCE, Page(milestones=(milestone(),), issues=(issue(),)), T0)
        return everything(store)


def held(url: str) -> tuple[Any, ...]:
    with Store.open(url, create=False, clock=lambda: T0) as store:
        return everything(store)


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3 here: apt-get install sqlite3")
def test_a_copy_of_sqlite_has_every_row_and_is_checked(tmp_path: Path) -> None:
    rows = fill(f"sqlite:///{tmp_path / 'milesync.db'}")
    with Store.open(f"sqlite:///{tmp_path / 'milesync.db'}", create=False, clock=lambda: T0):  # as a run that goes
        shell(SQLITE, tmp_path)
    assert held(f"sqlite:///{tmp_path / 'milesync-copy.db'}") == rows != ((), (), [], (), {}, {})
    (tmp_path / "milesync.toml").write_text(CONFIGURATION, encoding="utf-8")
    assert "tables read" in " ".join(shell(CHECK, tmp_path).split())


@pytest.mark.skipif(postgres.tools() is None, reason="no PostgreSQL is installed")
def test_a_dump_of_postgresql_brings_back_what_was_there(tmp_path: Path) -> None:
    url = str(postgres.database())
    rows = fill(url)
    dump, restore = POSTGRESQL.splitlines()
    shell(dump, tmp_path, DATABASE_URL=url)
    with Store.open(url, create=False, clock=lambda: T0) as store:
        store.save(SOURCE, Page(issues=(issue("2"),)), T0)
    assert held(url) != rows
    shell(restore, tmp_path, DATABASE_URL=url)
    assert held(url) == rows
