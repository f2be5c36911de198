"""Opening a database: a missing, newer or unusable one is an error, and the tables match the code."""

from __future__ import annotations

import random
import re
import sqlite3
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from msgspec import json
from msgspec.structs import replace
from sqlalchemy import Column, Connection, Engine, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import OperationalError

from sync.model.closing import ClosingRecord
from sync.model.health import Dates, Health, Status
from sync.model.tracker_data import Issue, Milestone, Project
from sync.store import tables as schema
from sync.store.database import (
    FullDisk,
    MissingDatabase,
    NewerDatabase,
    UnusableDatabase,
    open_engine,
    reading,
    unmigrated,
    upgrade,
    writing,
)
from sync.store.membership_cache import CacheEntry
from sync.store.store import Store
from sync.tracker.observed import StatusIssue
from sync.tracker.protocol import Page
from tests import postgres
from tests.contract.store_rows import SOURCE, T0, issue

UID = f"{SOURCE}/milestone/m"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ISSUE = StatusIssue(issue="#1", url=SOURCE, closed=False, labels=("health/off-track",), comments=())

# --- opening ------------------------------------------------------------------------------------------------------


def test_what_was_saved_is_there_after_opening_again(lasting: str) -> None:
    with Store.open(lasting, create=True, clock=lambda: T0) as store:
        store.save(SOURCE, Page(issues=(issue(),), cursors={"p": "1"}), T0)
    with Store.open(lasting, create=False, clock=lambda: T0) as store:
        assert list(store.issues(SOURCE)) == [issue()]
        assert store.cursors(SOURCE) == {"p": "1"}


def test_a_later_version_of_the_database_is_refused(lasting: str) -> None:
    with Store.open(lasting, create=True, clock=lambda: T0) as store, store._engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerDatabase, match="made by a later version"):
        Store.open(lasting, create=True, clock=lambda: T0)


def test_a_missing_file_is_not_made_unasked(tmp_path: Path) -> None:
    path = tmp_path / "absent.db"
    with pytest.raises(MissingDatabase, match="--first-run"):
        Store.open(f"sqlite:///{path}", create=False, clock=lambda: T0)
    assert not path.exists()
    Store.open(f"sqlite:///{path}", create=True, clock=lambda: T0).close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_file_without_tables_is_missing_too(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    with pytest.raises(MissingDatabase):
        Store.open(f"sqlite:///{tmp_path / 'empty.db'}", create=False, clock=lambda: T0)


def test_an_empty_server_is_missing_too() -> None:
    url = postgres.database(migrated=False)
    if url is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    with pytest.raises(MissingDatabase):
        Store.open(url, create=False, clock=lambda: T0)


SESSION = {"datestyle": "German", "timezone": "Asia/Kathmandu", "default_transaction_isolation": "serializable"} | {
    "client_encoding": "LATIN1",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "standard_conforming_strings": "off",
}
"""Settings that an administrator may give to a database or a role, other than the usual ones."""


def test_the_settings_of_a_server_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.database(settings=SESSION)
    if url is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    monkeypatch.setenv("PGTZ", "America/New_York")
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    saved = replace(issue(), title="Zahlung über 10 € 🎉")
    opened = (Store.open(url, create=False, clock=lambda: T0) for _ in range(2))
    with next(opened) as store, next(opened) as other:
        store.save(SOURCE, Page(issues=(saved,), cursors={"p": "1"}), T0)
        store.save_cache_entries(SOURCE, {"p": "k"}, {"p": CacheEntry(1, bytes(range(256)))})
        assert list(other.issues(SOURCE)) == [saved]
        assert other.cache_entries(SOURCE, {"p": "k"})["p"].body == bytes(range(256))
        for engine in (store._engine, other._engine):
            with reading(engine) as connection:
                assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
                assert connection.scalar(text("SELECT '2026-11-30 12:00Z'::timestamptz")) == datetime(
                    2026, 11, 30, 12, tzinfo=UTC
                )


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_server_that_cannot_hold_every_character_is_refused_at_once(encoding: str) -> None:
    url = postgres.database(encoding=encoding)
    if url is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    with pytest.raises(UnusableDatabase, match=f"its encoding is {encoding}; create one with ENCODING 'UTF8'"):
        Store.open(url, create=True, clock=lambda: T0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "not a URL"),
        ("mysql://x/y", "only SQLite and PostgreSQL|not a URL"),
        ("postgresql://user:hunter2@127.0.0.1:1/x", "cannot be used"),
        ("sqlite:////proc/no/such/folder/x.db", "folder does not exist"),
    ],
)
def test_an_unusable_url_is_explained_without_its_password(url: str, words: str) -> None:
    with pytest.raises(UnusableDatabase, match=words) as caught:
        Store.open(url, create=True, clock=lambda: T0)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("sqlite_errorcode", sqlite3.SQLITE_FULL),
        ("sqlite_errorcode", sqlite3.SQLITE_IOERR_WRITE),
        ("sqlite_errorcode", sqlite3.SQLITE_IOERR_SHMSIZE),
        ("sqlstate", "53100"),
    ],
)
def test_a_full_disk_is_named(tmp_path: Path, key: str, code: int | str) -> None:
    cause = sqlite3.OperationalError("disk I/O error")
    setattr(cause, key, code)
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}", create=True)
    with pytest.raises(FullDisk, match="Free space on it"), reading(engine):
        raise OperationalError("SELECT", None, cause)
    engine.dispose()


# --- the tables themselves ----------------------------------------------------------------------------------------


def test_the_revisions_add_up_to_the_tables(lasting: str, tmp_path: Path) -> None:
    """A new database has its tables at once; one that grew by the revisions has the very same."""
    made = _made(open_engine(lasting, create=True))
    file = f"sqlite:///{tmp_path / 'grown.db'}"
    with unmigrated(file if "sqlite" in lasting else str(postgres.database(migrated=False)), create=True) as engine:
        with writing(engine) as connection:
            upgrade(connection, "")
        grown = _made(engine)
    assert grown == made
    assert made["difference"] == []


def test_revision_0021_holds_no_table_in_memory(lasting: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'grown.db'}" if "sqlite" in lasting else str(postgres.database(migrated=False))
    table = Table("verdict", MetaData(), Column("container"), Column("audience"), Column("body"))
    text_of = random.Random(1).randbytes(10_000).hex
    with unmigrated(url, create=True) as engine:
        with writing(engine) as connection:
            _upgrade_to(connection, "0020")
            rows = ({"container": str(n), "audience": "", "body": f"{n} {text_of()}"} for n in range(1500))
            for row in rows:
                connection.execute(table.insert(), row)
        tracemalloc.start()
        try:
            with writing(engine) as connection:
                upgrade(connection, "")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        with reading(engine) as connection:
            assert connection.scalar(select(func.count()).select_from(table)) == 1500
            body = connection.scalar(select(schema.verdict.c.body).where(schema.verdict.c.container == "1499"))
        assert str(body).startswith("1499 ")
        engine.dispose()
    assert peak < 15_000_000, "the texts have 30 MB"


def _upgrade_to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def test_revision_0021_keeps_the_long_texts_and_the_dates(lasting: str, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'grown.db'}" if "sqlite" in lasting else str(postgres.database(migrated=False))
    before, due = (date(1969, 12, 31), date(2026, 12, 5), None), date(2026, 12, 5)
    off = Status.OFF_TRACK
    health = Health(container=UID, at=EPOCH, status=off, band=off, since=T0, due=due, dates=Dates(p50=due))
    record = ClosingRecord(container=UID, at=T0, title="v1", done=due)
    rows: dict[str, dict[str, Any]] = {
        "health": {"container": UID, "audience": "", "at": 0, "run": "r", "stream": "s", "status": "off_track"}
        | {"latest": True, "repeated": 60_000_000, "method": 2}
        | dict(zip(("start", "due", "p85"), before, strict=True)),
        "verdict": {"container": UID, "audience": "", "body": json.encode(health).decode()},
        "closing": {"container": UID, "at": 0, "body": json.encode(record).decode()},
        "observed": {"source": 1, "milestone": UID, "at": 0, "body": json.encode(ISSUE).decode()},
    }
    rows["other"] = rows["observed"] | {"milestone": f"{UID}2", "body": None}
    with unmigrated(url, create=True) as engine:
        with writing(engine) as connection:
            _upgrade_to(connection, "0020")
            for name, row in rows.items():
                table = Table("observed" if name == "other" else name, MetaData(), autoload_with=connection)
                connection.execute(table.insert().values(row))
        with writing(engine) as connection:
            upgrade(connection, "")
            columns = [schema.health.c[name] for name in ("start", "due", "p85")]
            assert connection.execute(select(*columns)).one() == before
        engine.dispose()
    with Store.open(url, create=False, clock=lambda: T0) as store:
        assert store.last_health() == {UID: replace(health, at=EPOCH + timedelta(minutes=1))}
        assert store.records([UID]) == {UID: record}
        assert store.last_observations() == {UID: (ISSUE, EPOCH), f"{UID}2": (None, EPOCH)}


_TABLES = {
    "sqlite": ("SELECT name, wr, strict FROM pragma_table_list", "SELECT name, sql FROM sqlite_master WHERE sql > ''"),
    "postgresql": ("SELECT tablename, '', '' FROM pg_tables", "SELECT indexname, indexdef FROM pg_indexes"),
}


def _made(engine: Engine) -> dict[str, Any]:
    """Describe the tables of a database, independent of the order of columns."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: dict[str, Any] = {"difference": compare_metadata(context, schema.METADATA)}
        found["version"] = connection.scalars(text("SELECT version_num FROM alembic_version")).all()
        tables, indexes = _TABLES[engine.dialect.name]
        found["tables"] = set(connection.execute(text(tables)).all())
        found["indexes"] = {(name, sql) for name, sql in connection.execute(text(indexes)) if "CREATE TABLE" not in sql}
        seen = inspect(connection)
        for table in seen.get_table_names():
            columns = {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in seen.get_columns(table)}
            found[table] = columns, seen.get_pk_constraint(table)["constrained_columns"]
    engine.dispose()
    return found


def test_the_newest_revision_is_the_one_the_code_expects() -> None:
    folder = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [schema.HEAD]
    assert all(re.fullmatch(r"\d{4}_\w+\.py|__init__\.py", file.name) for file in (folder / "versions").glob("*.py"))


@pytest.mark.parametrize(
    ("kind", "table"), [(Issue, schema.issue), (Milestone, schema.milestone), (Project, schema.project)]
)
def test_every_field_has_its_column(kind: Any, table: Any) -> None:
    assert set(kind.__struct_fields__) == {c.name for c in table.columns} - {"source", "deleted_at"}
