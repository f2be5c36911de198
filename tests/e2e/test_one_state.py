"""Commands that read show one state of the database, also while a run writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from sync.store import database
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served

DIGEST = '[audiences.team]\nreads = ["*"]\n[audiences.team.digest]\nat = 00:00:00\nfile = "digest.md"\n'
COMMANDS = [
    ("status", "--json"),
    ("status", "--all", "--markdown"),
    ("status", "--audience", "team"),
    ("explain", "gh:acme/app#2"),
    ("explain", "gh:acme/app#2", "--json"),
    ("timeline", "--json"),
    ("report", "--out", "{folder}/pages", "--json"),
    ("whatif", "gh:acme/app#2", "--due", "2030-01-01", "--json"),
    ("digest",),
]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served(tmp_path_factory.mktemp("state")) as (_, config):
        config.write_text(config.read_text() + DIGEST)
        assert milesync("run", "--first-run", config=config).code == 0
        yield config


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_shows_nothing_that_was_written_after_its_first_statement(
    words: tuple[str, ...], config: Path
) -> None:
    (file,) = config.parent.glob("*.db")
    writes: list[str] = []

    def write(_: Any, __: Any, statement: str, *___: Any) -> None:
        if database._HELD.get() is not None and statement.startswith("SELECT") and not writes:
            writes.append(statement)
            with sqlite3.connect(file) as other:
                other.execute("UPDATE milestone SET title = title || ' overtaken', written = written || ' overtaken'")
            other.close()

    event.listen(Engine, "after_cursor_execute", write)
    try:
        shown = milesync(*(word.format(folder=config.parent) for word in words), config=config)
    finally:
        event.remove(Engine, "after_cursor_execute", write)
    assert shown.code == 0
    assert writes
    assert "FROM milestone" not in writes[0]
    assert "overtaken" not in shown.out
    assert not [page for page in config.parent.rglob("*.html") if "overtaken" in page.read_text(encoding="utf-8")]
    with sqlite3.connect(file) as other:
        for column in ("title", "written"):
            changed = other.execute(f"UPDATE milestone SET {column} = replace({column}, ' overtaken', '')")
            assert changed.rowcount > 0
    other.close()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_reads_nothing_after_its_one_state(words: tuple[str, ...], config: Path) -> None:
    """As the titles of issues, which are read when a text names them."""
    statements: list[tuple[bool, str]] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append((database._HELD.get() is not None, statement))

    event.listen(Engine, "after_cursor_execute", note)
    try:
        assert milesync(*(word.format(folder=config.parent) for word in words), config=config).code == 0
    finally:
        event.remove(Engine, "after_cursor_execute", note)
    begin = next(n for n, (is_held, _) in enumerate(statements) if is_held)
    assert [statement for is_held, statement in statements[begin:] if not is_held] == []
