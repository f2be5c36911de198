"""A damaged SQLite file is refused with what to do, and never answers differently."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from sync.model.tracker_data import EventKind
from sync.store.database import UnusableDatabase
from sync.store.store import Store
from sync.tracker.protocol import Page
from tests.contract.store_rows import SOURCE, T0, event, everything, issue, milestone
from tests.e2e.in_process import milesync

PAGE = 4096
Damage = Callable[[random.Random, bytes], bytes]


def random_page(rnd: random.Random, good: bytes) -> bytes:
    at = PAGE * rnd.randrange(1, len(good) // PAGE)
    return good[:at] + rnd.randbytes(PAGE) + good[at + PAGE :]


def empty_page(rnd: random.Random, good: bytes) -> bytes:
    at = PAGE * rnd.randrange(1, len(good) // PAGE)
    return good[:at] + bytes(PAGE) + good[at + PAGE :]


def page_of_elsewhere(rnd: random.Random, good: bytes) -> bytes:
    """A write that went astray: one page has the content of another."""
    to, of = (PAGE * n for n in rnd.sample(range(1, len(good) // PAGE), 2))
    return good[:to] + good[of : of + PAGE] + good[to + PAGE :]


def cut_off(rnd: random.Random, good: bytes) -> bytes:
    return good[: rnd.randrange(PAGE, len(good))]


def answers(path: Path) -> object:
    with Store.open(f"sqlite:///{path}", create=False, clock=lambda: T0) as store:
        return everything(store)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, object]:
    path = tmp_path_factory.mktemp("good") / "milesync.db"
    with Store.open(f"sqlite:///{path}", create=True, clock=lambda: T0) as store:
        names = [str(n) for n in range(300)]
        issues = tuple(issue(id=name, key=f"#{name}", title=f"Task {name} " * 8) for name in names)
        histories = {name: (event(EventKind.JOINED, T0, of=name),) for name in names}
        store.save(SOURCE, Page(issues=issues, histories=histories, cursors={"p": "1"}), T0)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return path.read_bytes(), answers(path)


@pytest.mark.parametrize("damage", [random_page, empty_page, page_of_elsewhere, cut_off])
def test_a_damaged_file_never_answers_differently(good: tuple[bytes, object], tmp_path: Path, damage: Damage) -> None:
    content, right = good
    refused = 0
    for seed in range(40):
        path = tmp_path / f"{seed}.db"
        path.write_bytes(damage(random.Random(seed), content))
        try:
            assert answers(path) == right, seed
        except UnusableDatabase:
            refused += 1
    assert refused >= 20


def test_a_damaged_file_names_both_ways_out(good: tuple[bytes, object], tmp_path: Path) -> None:
    (tmp_path / "milesync.db").write_bytes(good[0][: 5 * PAGE] + b"\xff" * 5 * PAGE + good[0][10 * PAGE :])
    config = tmp_path / "milesync.toml"
    config.write_text('instance = "acme"\n[connections.gh]\ntype = "github"\nprojects = ["acme/app"]\n')
    for command in ("run", "status", "plan"):
        done = milesync(command, config=config)
        assert done.code == 1
        assert "milesync.db: The database is damaged" in done.err
        assert "Restore a backup; or move it away and run `milesync run --first-run`. Then the track record" in done.err
        assert "Traceback" not in done.err
    checked = milesync("db", "check", config=config)
    assert checked.code == 1
    assert "the table cursor holds a value that cannot be read (" in checked.err
    assert checked.err.count("Restore a backup; or move it away and run `milesync run --first-run`.") == 1


@pytest.mark.parametrize("value", ["x'00ff'", "'abc'", "1e300"])
@pytest.mark.parametrize("column", ["milestone.due", "issue.created_at", "issue.state", "pull.good_at"])
def test_a_value_that_is_not_of_its_column_is_refused(column: str, value: str) -> None:
    refuse(column, value)


def test_bytes_in_place_of_a_text_that_many_rows_share_are_refused() -> None:
    refuse("issue.project", "x'00ff'")


def refuse(column: str, value: str) -> None:
    table, name = column.split(".")
    with Store.memory(lambda: T0) as store:
        store.save(SOURCE, Page(issues=(issue(),), milestones=(milestone(due=T0.date()),)), T0)
        store.note_pull(SOURCE, "a/b", T0, None)
        with store._engine.begin() as connection:
            connection.exec_driver_sql(f"UPDATE {table} SET {name} = {value}")
        with pytest.raises(UnusableDatabase, match="a value is not of its column"):
            (store.last_pulls(), everything(store))
