"""`milesync db`: each of its commands through the command line, on a file that a run has filled."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.sandbox.world import World
from sync.store import tables as schema
from tests.e2e.in_process import milesync
from tests.e2e.small_world import served


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path]]:
    with served(tmp_path_factory.mktemp("db")) as (world, config):
        done = milesync("pull", "--json", "--config", str(config))
        assert done.code == 0, done.err
        yield world, config


@pytest.fixture
def config(filled: tuple[World, Path], tmp_path: Path) -> Path:
    """A copy of the configuration in the folder of a copy of the database."""
    for name in ("milesync.toml", "milesync.db"):
        shutil.copy(filled[1].with_name(name), tmp_path)
    return tmp_path / "milesync.toml"


def test_check_reads_everything_and_says_how_much(config: Path) -> None:
    done = milesync("db", "check", "--json", "--config", str(config))
    assert (done.code, done.document["problems"]) == (0, [])
    assert done.document["rows"]["issue"] == 32
    assert "tables read" in milesync("db", "check", "--config", str(config)).out


def test_check_fails_on_a_value_that_cannot_be_read(config: Path) -> None:
    with sqlite3.connect(config.with_name("milesync.db")) as raw:
        raw.execute("UPDATE issue SET state = 'half open'")
    raw.close()
    done = milesync("db", "check", "--config", str(config))
    assert done.code == 1
    assert "the table issue holds a value that cannot be read" in done.err


def test_upgrade_says_what_it_did(config: Path) -> None:
    done = milesync("db", "upgrade", "--json", "--config", str(config))
    assert (done.code, done.document) == (0, {"before": schema.HEAD, "now": schema.HEAD})
    assert "up to date" in milesync("db", "upgrade", "--config", str(config)).out


def test_upgrade_makes_no_database(config: Path) -> None:
    config.with_name("milesync.db").unlink()
    done = milesync("db", "upgrade", "--config", str(config))
    assert (done.code, config.with_name("milesync.db").exists()) == (1, False)
    assert "is its volume mounted" in done.err


def test_a_database_of_a_later_version_is_left_alone(config: Path) -> None:
    with sqlite3.connect(config.with_name("milesync.db")) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    for command in (["upgrade"], ["check"], ["vacuum"], ["export", str(config.with_name("x"))], ["forget", "ada"]):
        done = milesync("db", *command, "--config", str(config))
        assert done.code == 1, command
        assert "9999" in done.err or "later version" in done.err


def test_export_writes_a_new_file_only(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.jsonl"
    done = milesync("db", "export", str(out), "--json", "--config", str(config))
    assert done.code == 0
    assert sum(done.document["rows"].values()) == len(out.read_text().splitlines()) - 1
    assert json.loads(out.read_text().splitlines()[0])["revision"] == schema.HEAD
    assert milesync("db", "export", str(out), "--config", str(config)).code == 1
    assert milesync("db", "export", str(tmp_path / "none" / "x"), "--config", str(config)).code == 1


def test_forget_asks_who_is_meant_where_two_trackers_know_the_name(config: Path, tmp_path: Path) -> None:
    with sqlite3.connect(config.with_name("milesync.db")) as raw:  # GitHub returns logins, not names
        raw.execute("UPDATE event SET actor_name = 'Ada Fox'")
    raw.close()
    forget = ["db", "forget", "Ada Fox", "--config", str(config)]
    done = milesync(*forget)
    assert done.code == 1
    assert done.err.count("(Ada Fox)") == 2
    for word in (["--connection", "gl"], ["--all"]):
        done = milesync(*forget, *word, "--json", env={"GITLAB_TOKEN": None})
        assert done.code == 0
        assert len(done.document["forgotten"]) == 1, "the other one is gone, or was left out"
        assert done.document["forgotten"][0]["events"] > 0
    assert "no person in the database" in milesync(*forget).err
    milesync("db", "export", str(tmp_path / "left"), "--config", str(config))
    assert "Ada Fox" not in (tmp_path / "left").read_text()
    assert milesync(*forget, "--connection", "nope").code == 1


def test_vacuum_reports_what_it_deleted(config: Path) -> None:
    with sqlite3.connect(config.with_name("milesync.db")) as raw:
        raw.executemany("INSERT INTO run VALUES (?, 0, 0, ?)", [(f"r{n}", "x" * 900) for n in range(500)])
    raw.close()
    done = milesync("db", "vacuum", "--json", "--config", str(config))
    assert (done.code, done.document["runs"], done.document["assessments"]) == (0, 500, 0)
    assert done.document["bytes"] < done.document["bytes_before"]
    assert "0 runs" in milesync("db", "vacuum", "--config", str(config)).out
