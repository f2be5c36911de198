"""Modes of files that milesync writes: for their owner alone, with any umask."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.in_process import milesync
from tests.e2e.small_world import served


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("open_umask")
def test_no_file_can_be_read_by_others(tmp_path: Path) -> None:
    with served(tmp_path) as (_, config):
        files = {
            name: tmp_path / name for name in ("plan.json", "dates.ics", "rows.jsonl", "rows.jsonl.gz", "milesync.db")
        }
        assert milesync("run", "--first-run", config=config).code == 0
        assert milesync("plan", "--out", str(files["plan.json"]), config=config).code in (0, 2)
        assert milesync("timeline", "--ics", str(files["dates.ics"]), config=config).code == 0
        for name in ("rows.jsonl", "rows.jsonl.gz"):
            assert milesync("db", "export", str(files[name]), config=config).code == 0
        assert milesync("report", "--out", str(tmp_path / "site"), config=config).code == 0
        assert {name: mode(path) for name, path in files.items()} == dict.fromkeys(files, 0o600)
        assert mode(tmp_path / "site") == 0o700
        assert not any(mode(path) & 0o077 for path in tmp_path.glob("milesync.db*"))


@pytest.mark.usefixtures("open_umask")
def test_a_mode_that_a_person_set_stays(tmp_path: Path) -> None:
    """A web server that reads the calendar or the pages keeps its right."""
    with served(tmp_path) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
        dates, site = tmp_path / "dates.ics", tmp_path / "site"
        dates.write_bytes(b"")
        dates.chmod(0o640)
        site.mkdir(mode=0o755)
        assert milesync("timeline", "--ics", str(dates), config=config).code == 0
        assert milesync("report", "--out", str(site), config=config).code == 0
        assert (mode(dates), mode(site)) == (0o640, 0o755)
