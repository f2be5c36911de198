"""`milesync db`: each of its commands through the command line, on a file that a run has filled."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from unittest import mock

import pytest

from connectors.sandbox.world import World
from sync.store import tables as schema
from tests.e2e.in_process import Done, milesync
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
        assert "later version of milesync; upgrade this one" in " ".join(done.err.split())


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


KEY = base64.b64encode(bytes(range(32))).decode()
OTHER_KEY = base64.b64encode(bytes(32)).decode()


def sealed(config: Path, *words: str, key: str = KEY) -> Done:
    return milesync("db", *words, "--config", str(config), env={"MILESYNC_STATE_KEY": key})


def test_a_sealed_database_comes_back_with_its_last_changes_and_shows_nothing(config: Path, tmp_path: Path) -> None:
    """The last change is still in SQLite's second file."""
    database, file = config.with_name("milesync.db"), tmp_path / "state.sealed"
    with closing(sqlite3.connect(database)) as raw:
        raw.execute("PRAGMA wal_autocheckpoint=0")
        raw.execute("UPDATE project SET name = 'Renamed'")
        raw.commit()
        assert sealed(config, "seal", str(file), "--context", "here").code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    assert not re.search(rb"SQLite|Renamed|acme", file.read_bytes())
    for path in tmp_path.glob("milesync.db*"):
        path.unlink()
    done = sealed(config, "unseal", str(file), "--context", "here", "--json")
    assert done.code == 0, done.err
    assert done.document == {"database": str(database), "bytes": database.stat().st_size}
    assert milesync("db", "check", "--config", str(config)).code == 0
    with closing(sqlite3.connect(database)) as raw:
        assert raw.execute("SELECT DISTINCT name FROM project").fetchall() == [("Renamed",)]


def test_only_the_same_key_and_context_open_an_unchanged_file(config: Path, tmp_path: Path) -> None:
    database, file = config.with_name("milesync.db"), tmp_path / "state.sealed"
    assert sealed(config, "seal", str(file), "--context", "here").code == 0
    assert "exists already" in sealed(config, "unseal", str(file), "--context", "here").err
    database.unlink()
    whole = file.read_bytes()
    places = (0, 20, 30, 5_000, len(whole) - 1)
    bent = [bytes([*whole[:place], whole[place] ^ 1, *whole[place + 1 :]]) for place in places]
    attempts = [("here", OTHER_KEY, whole), ("there", KEY, whole), ("", KEY, whole)]
    attempts += [("here", KEY, body) for body in (*bent, whole[:-1], whole[:30], b"")]
    for context, key, body in attempts:
        file.write_bytes(body)
        done = sealed(config, "unseal", str(file), "--context", context, key=key)
        assert done.code == 1
        assert "was not sealed with this key and context" in done.err
        assert not database.exists()


@pytest.mark.parametrize("key", ["", "short", "x" * 44, base64.b64encode(bytes(31)).decode()])
def test_a_bad_key_says_how_to_make_a_good_one(config: Path, tmp_path: Path, key: str) -> None:
    done = sealed(config, "seal", str(tmp_path / "state.sealed"), key=key)
    assert done.code == 1
    assert "openssl rand -base64 32" in done.err
    assert not (tmp_path / "state.sealed").exists()


def test_only_a_sqlite_file_is_sealed(config: Path, tmp_path: Path) -> None:
    env = {"MILESYNC_STATE_KEY": KEY, "MILESYNC_DATABASE": "postgresql://user@127.0.0.1/milesync"}
    done = milesync("db", "seal", str(tmp_path / "state.sealed"), "--config", str(config), env=env)
    assert (done.code, "only a SQLite file" in done.err) == (1, True)


def test_sealing_overwrites_no_file_of_the_database(config: Path) -> None:
    database = config.with_name("milesync.db")
    with closing(sqlite3.connect(database)) as raw:
        raw.execute("UPDATE project SET name = 'Renamed'")
        raw.commit()
        for own in (database, database.with_name("milesync.db-wal")):
            done = sealed(config, "seal", str(own))
            assert (done.code, "is a file of the database" in " ".join(done.err.split())) == (1, True)
    assert milesync("db", "check", "--config", str(config)).code == 0


def test_what_cannot_be_sealed_leaves_the_earlier_file(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state.sealed"
    assert sealed(config, "seal", str(file)).code == 0
    whole = file.read_bytes()
    monkeypatch.setattr("sync.store.sealed._LARGEST", 1000)
    assert "more than 2 GiB" in sealed(config, "seal", str(file)).err
    monkeypatch.undo()
    monkeypatch.setattr("pathlib.Path.replace", mock.Mock(side_effect=OSError(28, "No space left on device")))
    assert "No space left on device" in sealed(config, "seal", str(file)).err
    assert file.read_bytes() == whole
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("suffix", ["-wal", "-journal", "-shm"])
def test_nothing_is_unsealed_next_to_what_a_database_left(config: Path, tmp_path: Path, suffix: str) -> None:
    """SQLite would add those changes to the new database."""
    database, file = config.with_name("milesync.db"), tmp_path / "state.sealed"
    assert sealed(config, "seal", str(file)).code == 0
    database.unlink()
    left = database.with_name(f"milesync.db{suffix}")
    left.write_bytes(b"changes")
    done = sealed(config, "unseal", str(file))
    assert (done.code, f"milesync.db{suffix} exists already" in " ".join(done.err.split())) == (1, True)
    assert not database.exists()


def test_a_folder_that_is_not_there_is_named(config: Path, tmp_path: Path) -> None:
    file, place = tmp_path / "state.sealed", tmp_path / "none" / "new.db"
    assert sealed(config, "seal", str(file)).code == 0
    env = {"MILESYNC_STATE_KEY": KEY, "MILESYNC_DATABASE": f"sqlite:///{place}"}
    done = milesync("db", "unseal", str(file), "--config", str(config), env=env)
    assert (done.code, f"{place}: No such file" in " ".join(done.err.split())) == (1, True)
