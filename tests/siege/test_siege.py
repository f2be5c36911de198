"""A siege: broken answers, lies, late and repeated requests on every dialect, seeded; what may never come of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from tests import postgres
from tests.e2e.in_process import Done
from tests.proof import TIMEOUT, Record, full
from tests.siege import planted
from tests.siege.commands import CommandResult, Commands
from tests.siege.mutations import MUTATIONS
from tests.siege.proxy import Plan
from tests.siege.siege import LARGEST, LONGEST, TITLE, TOKEN, Siege

pytestmark = TIMEOUT

PARTS = full(10, 1)
EPISODES = full(50, 1)
"""Of each part, with five attacked commands each."""


@pytest.mark.proof
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("part", range(PARTS))
def test_damaged_answers(part: int, database: str, tmp_path: Path, record_property: Record) -> None:
    """No untyped error, no hang, no printed or stored token, no flattered status, nothing written twice."""
    if database == "postgresql" and postgres.database() is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    new_database = (lambda: str(postgres.database())) if database == "postgresql" else None
    findings: list[str] = []
    counts: Counter[str] = Counter()
    for n in range(EPISODES):
        with Commands() as commands, Siege.start(tmp_path / str(n), commands, new_database) as siege:
            siege.episode(f"siege {database} {part} {n}")
        findings += siege.findings
        counts += siege.counts
    commands_run = sum(number for name, number in counts.items() if name.startswith("exit"))
    record_property("commands", commands_run)
    record_property("damaged answers and requests", counts.total() - commands_run)
    assert findings == []


# --- a siege finds what it is there for ---------------------------------------------------------------------------


def test_an_error_without_a_type_is_found(tmp_path: Path) -> None:
    with Commands(planted.let_errors_through) as commands, Siege.start(tmp_path, commands) as siege:
        _damage(siege, "cut")
        siege.command("pull", seed="planted")
    assert any("untyped" in finding for finding in siege.findings)


def test_a_second_status_issue_is_found(tmp_path: Path) -> None:
    with Commands(planted.forget_markers) as commands, Siege.start(tmp_path, commands) as siege:
        for _ in range(2):
            siege.change_database()
            siege.command("run", "--first-run", seed="planted")
        siege._judge_trackers("planted")
    assert any("2 of status" in finding for finding in siege.findings)


def _damage(siege: Siege, name: str) -> None:
    """Damage each answer so."""
    for proxy in siege.proxies:
        proxy.plan = Plan("planted", [mutation for mutation in MUTATIONS if mutation.name == name], rate=1.0)


class _Scripted:
    """Commands that end as a test says."""

    patience = 1.0

    def __init__(self, result: CommandResult | None) -> None:
        self.result = result

    def run(self, *_: object, **__: object) -> CommandResult | None:
        return self.result


def _result(*, err: str = "", code: int = 0, seconds: float = 1.0, memory: float = 100.0) -> CommandResult:
    out = '{"milestones": [{"id": "gh:acme/app#2", "status": "at_risk"}]}'
    return CommandResult(Done(code, out, err), seconds, memory)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (None, "hung"),
        (_result(seconds=LONGEST + 1), "61 s"),
        (_result(memory=LARGEST + 1), "301 MB"),
        (_result(err="Traceback (most recent call last)"), "untyped"),
        (_result(err="gh: KeyError: 'node'"), "untyped"),
        (_result(err=f"refused: {TOKEN}"), "the token is printed"),
        (_result(code=2), "exit 2"),
        (_result(), "is at_risk, and is off_track"),
    ],
)
def test_what_a_command_must_not_do_is_found(result: CommandResult | None, words: str, tmp_path: Path) -> None:
    siege = _idle(tmp_path, result)
    siege.command("run", seed="")
    siege._judge_statuses("")
    assert any(words in finding for finding in siege.findings)


@pytest.mark.parametrize(("file", "content"), [("last-run.json", TOKEN), ("milesync.db", TOKEN), ("x.prom", TITLE)])
def test_what_a_file_must_not_hold_is_found(file: str, content: str, tmp_path: Path) -> None:
    siege = _idle(tmp_path, _result())
    (tmp_path / file).write_text(f"some {content}")
    siege._judge_files("")
    assert len(siege.findings) == 1


def _idle(folder: Path, result: CommandResult | None) -> Siege:
    commands: Any = _Scripted(result)
    return Siege(folder, [], [], cast("Commands", commands), "", lambda: "")
