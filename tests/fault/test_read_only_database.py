"""A database that this account may only read: what reads works, what writes says which right is missing."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.e2e.in_process import milesync
from tests.e2e.small_world import served
from tests.e2e.subprocesses import ENVIRONMENT

ROOT = Path(__file__).parents[2]
READING = (
    ("status",),
    ("explain", "gh:acme/app#2"),
    ("whatif", "gh:acme/app#2", "--due", "2099-01-01"),
    ("timeline",),
    ("report", "--out", "../site"),
    ("db", "check"),
    ("db", "export", "../rows.jsonl"),
)
_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE = 24, 1


def _drop_rights() -> None:
    """Let the superuser fail where an ordinary user does."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, _CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        raise OSError("the right to write everything cannot be dropped")


_PROGRAM = """
import json, sys
from pathlib import Path
from tests.e2e.in_process import milesync
ends = [milesync(*words, config=Path(sys.argv[1])) for words in json.loads(sys.argv[2])]
print(json.dumps([(end.code, end.err) for end in ends]))
"""


def run_all(config: Path, calls: Sequence[Sequence[str]]) -> list[tuple[int, str]]:
    """Exit code and errors of each command, run by an account without special rights."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(config), json.dumps(calls)],
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT)},
        cwd=config.parent,
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=_drop_rights,
    )
    ends: list[tuple[int, str]] = json.loads(done.stdout)
    return ends


@pytest.fixture(params=["file", "file and folder", "folder"])
def config(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    with served(folder) as (_, config):
        assert milesync("run", "--first-run", config=config).code == 0
        if "file" in request.param:
            (folder / "milesync.db").chmod(0o444)
        if "folder" in request.param:
            folder.chmod(0o555)
        yield config
        folder.chmod(0o755)


def test_reading_needs_no_right_to_write(config: Path) -> None:
    before = sorted(path.name for path in config.parent.iterdir())
    *readers, (code, error) = run_all(config, [*READING, ("plan",)])
    assert dict(zip(READING, [code for code, _ in readers], strict=True)) == dict.fromkeys(READING, 0), readers
    assert sorted(path.name for path in config.parent.iterdir()) == before
    assert code == 1
    assert "This account may only read the database; this command writes to it." in error
