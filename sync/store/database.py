"""Open the database, SQLite in WAL mode or PostgreSQL, and migrate it to the revision that this code needs."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import (
    URL,
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    QueuePool,
    String,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from sync.installation import missing_extra
from sync.model.errors import PlainError
from sync.store.tables import HEAD, METADATA
from sync.telemetry.redaction import error_words

__all__ = [
    "DamagedDatabase",
    "DataVersion",
    "FullDisk",
    "LostDatabase",
    "MissingDatabase",
    "MissingDriver",
    "NewerDatabase",
    "ReadOnlyDatabase",
    "StoreError",
    "UnusableDatabase",
    "one_state",
    "open_engine",
    "reading",
    "revision_of",
    "snapshot",
    "structure_problems",
    "unmigrated",
    "upgrade",
    "writing",
]

_HELD: ContextVar[Connection | None] = ContextVar("held", default=None)
"""The connection of `one_state`, which all that reads in its body uses."""

_LOCK = 5_461_837_202_311
"""Key of the advisory lock under which PostgreSQL databases are migrated; any constant does."""

IDLE_LIMIT = timedelta(seconds=30)
"""Time without a statement after which PostgreSQL ends a transaction, so that a paused process blocks no other one."""

_READ_ONLY = ("25006", "42501")
"""PostgreSQL's codes for a transaction that may only read, and for a missing right."""

_FULL = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, "53100")
"""Codes for files that cannot grow: SQLite's database, with its journal and the index of it, and PostgreSQL's files."""

_COMPARED_SIZE, _CHECKED_SIZE = 4 << 20, 64 << 20
"""Bytes of a SQLite file up to which its indexes, and its structure, are checked whenever it is opened.

Measured on one core: 23 milliseconds for each MiB with the indexes, 2 without, so at most 0.1 and 0.13 seconds.
"""

_VERSION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""The same table as Alembic creates."""


class StoreError(PlainError):
    """The database could not be used."""

    def __init__(self, where: str, detail: str = "") -> None:
        self.detail = error_words(detail) if detail else ""
        suffix = f" ({self.detail})" if detail else ""
        super().__init__(f"{where}: {' '.join((type(self).__doc__ or '').split())}{suffix}")


class MissingDatabase(StoreError):  # noqa: N818 - the name is the message
    """The database is not there; is its volume mounted? `milesync run --first-run` makes a new one."""


class NewerDatabase(StoreError):  # noqa: N818
    """The database was made by a later version of milesync; upgrade this one."""


class LostDatabase(StoreError):  # noqa: N818
    """The database's file was deleted or replaced while it was open; restore the backup, then run again."""


class UnusableDatabase(StoreError):  # noqa: N818
    """The database cannot be used."""


class MissingDriver(UnusableDatabase):
    """The driver of this database is not installed."""


class FullDisk(UnusableDatabase):
    """The disk of the database is full or fails. Free space on it, then run again."""


class ReadOnlyDatabase(UnusableDatabase):
    """This account may only read the database; this command writes to it. Allow it to write the file and its folder."""


class DamagedDatabase(UnusableDatabase):
    """The database is damaged, or is no SQLite database. Restore a backup; or move it away and run
    `milesync run --first-run`. Then the track record of forecasts is lost, and summaries that people deleted are posted
    again.
    """


def open_engine(url: str, *, create: bool) -> Engine:
    """Open an existing database and migrate it; with `create`, a missing one is created. Raises `StoreError`."""
    with unmigrated(url, create=create) as engine:
        _check_structure(engine)
        _migrate(engine, engine.url.render_as_string(), create=create)
        return engine


@contextmanager
def unmigrated(url: str, *, create: bool = False) -> Iterator[Engine]:
    """Open a database without migrating it; it is closed when the body fails. Raises `StoreError`."""
    where = _parse(url)
    try:
        engine = _sqlite(where, create=create) if where.get_backend_name() == "sqlite" else _postgresql(where)
        try:
            yield engine
        except BaseException:
            engine.dispose()
            raise
    except (DBAPIError, OSError, ImportError) as error:
        raise _unusable(where, error) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open one short transaction that reads. Raises `UnusableDatabase` when the database fails."""
    held = _HELD.get()
    try:
        if held is not None and held.engine.pool is engine.pool:
            yield held
        else:
            with engine.connect() as connection:
                yield connection
    except DBAPIError as error:
        raise _unusable(engine.url, error) from error


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """Open one transaction that reads the state of the database at its first statement. Raises as `reading`."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with reading(engine.execution_options(**level)) as connection:
        yield connection


@contextmanager
def one_state(engine: Engine) -> Iterator[None]:
    """Let each `reading` in the body, in this thread, see the state at the first of them. Raises as `reading`.

    What the body writes, as the cache of memberships, it does not read. A database in memory has one connection and no
    other process.
    """
    if isinstance(engine.pool, QueuePool) and engine.pool.size() == 1:
        yield
        return
    with snapshot(engine) as connection:
        token = _HELD.set(connection)
        try:
            yield
        finally:
            _HELD.reset(token)


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open one transaction that writes, all or nothing. SQLite takes its one write lock at the start.

    Raises `UnusableDatabase` when the database fails.
    """
    try:
        with engine.execution_options(milesync_writes=True).begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _unusable(engine.url, error) from error


class DataVersion:
    """The version of the data in a database, which every process that writes changes.

    Holds one connection, because SQLite compares versions of one connection only.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None

    def read(self) -> str:
        """Return the present version: an equal text means that nothing was written in between.

        Raises `UnusableDatabase`, and `LostDatabase` after the file was replaced.
        """
        query = "PRAGMA data_version" if self._engine.dialect.name == "sqlite" else "SELECT pg_current_snapshot()::text"
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
            version = str(self._connection.scalar(text(query)))
            self._connection.rollback()
        except DBAPIError as error:
            self.close()
            raise _unusable(self._engine.url, error) from error
        return version

    def close(self) -> None:
        """Return the connection to the pool."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _parse(url: str) -> URL:
    try:
        where = make_url(url)
        if where.drivername in ("postgresql", "postgres"):
            where = where.set(drivername="postgresql+psycopg")
        where.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise UnusableDatabase("database", "not a URL such as sqlite:///milesync.db") from error
    if where.get_backend_name() not in ("sqlite", "postgresql"):
        raise UnusableDatabase(where.get_backend_name(), "only SQLite and PostgreSQL are supported")
    return where


def _unusable(where: URL, error: Exception) -> UnusableDatabase:
    """Return the error of the database at ``where`` that says what to do."""
    cause = getattr(error, "orig", None) or error
    extended, state = getattr(cause, "sqlite_errorcode", 0), getattr(cause, "sqlstate", "")
    code = extended & 0xFF
    kind: type[UnusableDatabase] = UnusableDatabase
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        kind = DamagedDatabase
    elif code == sqlite3.SQLITE_READONLY or state in _READ_ONLY:
        kind = ReadOnlyDatabase
    elif extended in _FULL or state in _FULL:
        kind = FullDisk
    return kind(where.render_as_string(), _words(error))


def _words(error: Exception) -> str:
    """Return the reason of an error without any row's data: the driver's text only on its operation, not on values."""
    if isinstance(error, DBAPIError):
        cause = error.orig or error
        return str(cause).strip().split("\n")[0] if isinstance(error, OperationalError) else type(cause).__name__
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().split("\n")[0] or type(error).__name__


# --- SQLite -----------------------------------------------------------------------------------------------------


def _sqlite(where: URL, *, create: bool) -> Engine:
    shown = where.render_as_string()
    if where.database in (None, "", ":memory:"):
        # The database is one connection that stays open; its uses are short and never nested.
        engine = create_engine(
            where,
            hide_parameters=True,
            poolclass=QueuePool,
            pool_size=1,
            max_overflow=0,
            connect_args={"check_same_thread": False},
        )
    else:
        path = Path(str(where.database))
        if not path.exists():
            if not create:
                raise MissingDatabase(shown)
            if not path.parent.is_dir():
                raise UnusableDatabase(shown, "its folder does not exist; make it first")
            # The file will hold titles of private issues: only its owner may read it.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        is_writable = _is_writable(path)
        engine = create_engine(where, hide_parameters=True, **_connect_options(path, is_writable=is_writable))
        _watch_file(engine, path, shown)
        if not is_writable:
            _watch_content(engine, path, shown)
            event.listen(engine, "connect", _prepare_reading)
            event.listen(engine, "begin", _begin)
            return engine
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _is_writable(path: Path) -> bool:
    """Return whether SQLite can write the file and the journal next to it."""
    journal = _journal_of(path)
    return os.access(path, os.W_OK) and os.access(journal if journal.exists() else path.parent, os.W_OK)


def _connect_options(path: Path, *, is_writable: bool) -> dict[str, Any]:
    """Options of the engine. A file that cannot be written and has no journal is read as one that never changes.

    SQLite would create a journal of this account, which the account that writes could not use.
    """
    if is_writable:
        return {"connect_args": {"timeout": 30}}
    mode = "mode=ro" if _journal_of(path).exists() else "immutable=1"
    address = f"file:{quote(str(path.absolute()))}?{mode}"
    return {"creator": lambda: sqlite3.connect(address, uri=True, timeout=30, check_same_thread=False)}


def _watch_content(engine: Engine, path: Path, shown: str) -> None:
    """Raise `UnusableDatabase` at the end of each transaction after another account has written the file.

    SQLite itself does not notice, because it reads the file as one that never changes.
    """
    journal, opened = _journal_of(path), path.stat()
    if journal.exists():
        return  # SQLite reads it

    def check(_: Connection) -> None:
        present = path.stat()
        if journal.exists() or (present.st_mtime_ns, present.st_size) != (opened.st_mtime_ns, opened.st_size):
            raise UnusableDatabase(shown, "a run is writing it; try again after the run")

    event.listen(engine, "rollback", check)


def _watch_file(engine: Engine, path: Path, shown: str) -> None:
    """Raise `LostDatabase` in each new transaction after the file was deleted or replaced.

    Without this check, open connections would write to the deleted file, and new ones would create an empty file.
    """
    opened = path.stat()

    def check(*_: Any) -> None:
        try:
            present = path.stat()
        except FileNotFoundError:
            raise LostDatabase(shown) from None
        if (present.st_dev, present.st_ino) != (opened.st_dev, opened.st_ino):
            raise LostDatabase(shown)

    event.listen(engine, "do_connect", check)
    event.listen(engine, "begin", check)


def _prepare(dbapi_connection: Any, _record: Any) -> None:
    """Set WAL, so that readers and a writer do not block each other; with WAL, NORMAL survives a killed process."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL"):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    _prepare_reading(dbapi_connection, None)


def _prepare_reading(dbapi_connection: Any, _record: Any) -> None:
    dbapi_connection.isolation_level = None  # `_begin` begins transactions, not the driver
    dbapi_connection.execute("PRAGMA temp_store=MEMORY")


def _begin(connection: Connection) -> None:
    """Begin a transaction. One statement that reads is one for SQLite, without `BEGIN` and `ROLLBACK`."""
    options = connection.get_execution_options()
    if not options.get("milesync_one_statement"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("milesync_writes") else "BEGIN")


def _check_structure(engine: Engine) -> None:
    """Check a SQLite file of moderate size. Raises `DamagedDatabase`.

    Damaged pages can change answers without an error. `milesync db check` checks a file of any size, with its indexes.
    """
    if engine.dialect.name != "sqlite":
        return
    with reading(engine) as connection:
        size = connection.exec_driver_sql(
            "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        ).scalar_one()
        pragma = "integrity_check" if size <= _COMPARED_SIZE else "quick_check"
        problem = "" if size > _CHECKED_SIZE else next(structure_problems(connection, pragma), "")
    if problem:
        raise DamagedDatabase(engine.url.render_as_string(), problem)


def structure_problems(connection: Connection, pragma: str) -> Iterator[str]:
    """Yield what SQLite finds wrong in its file. ``pragma`` is ``quick_check`` or ``integrity_check``.

    Before 3.41, SQLite reports each null in a table without rowids, allowed or not: such a message is no problem.
    """
    for (words,) in connection.exec_driver_sql(f"PRAGMA {pragma}(1000)"):
        yield from (line for line in words.splitlines() if not line.startswith(("ok", "NULL value in", "*** in")))


# --- PostgreSQL -------------------------------------------------------------------------------------------------


def _postgresql(where: URL) -> Engine:
    """Open PostgreSQL with the session settings that the code relies on, instead of those of server, role or address.

    Without prepared statements: a plan from the time of an empty table would always scan it.
    """
    try:
        engine = create_engine(
            where,
            hide_parameters=True,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            connect_args={"prepare_threshold": None, "client_encoding": "utf8"},
        )
    except ImportError:
        raise MissingDriver(where.render_as_string(), missing_extra("PostgreSQL", "postgresql")) from None
    event.listen(engine, "connect", _set_formats)
    event.listen(engine, "begin", _limit_idle_time)
    return engine


def _set_formats(dbapi_connection: Any, _record: Any) -> None:
    """Set how times and bytes are written, which a role may have changed: the driver reads and writes these only."""
    dbapi_connection.autocommit = True
    dbapi_connection.execute("SET datestyle = 'ISO'; SET standard_conforming_strings = on")
    dbapi_connection.autocommit = False


def _check_encoding(connection: Connection, shown: str) -> None:
    """Raise `UnusableDatabase` for a PostgreSQL database that cannot hold every character of a tracker."""
    encoding = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise UnusableDatabase(shown, f"its encoding is {encoding}; create one with ENCODING 'UTF8' TEMPLATE template0")


def _limit_idle_time(connection: Connection) -> None:
    """Let the server end a transaction that writes and is idle: a paused process keeps no row from the others."""
    if connection.get_execution_options().get("milesync_writes"):
        milliseconds = IDLE_LIMIT // timedelta(milliseconds=1)
        connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}")


# --- revisions --------------------------------------------------------------------------------------------------


def _migrate(engine: Engine, shown: str, *, create: bool) -> None:
    with engine.connect() as connection:
        revision = revision_of(connection)
    if revision is None and not create:
        raise MissingDatabase(shown)
    if revision == HEAD:
        return
    with writing(engine) as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if revision_of(connection) is None:
            if engine.dialect.name == "postgresql":
                _check_encoding(connection, shown)
            METADATA.create_all(connection)
            _VERSION.create(connection)
            connection.execute(_VERSION.insert().values(version_num=HEAD))
        else:
            upgrade(connection, shown)


def upgrade(connection: Connection, shown: str) -> None:
    """Run the revisions that the database lacks. Raises `NewerDatabase`.

    A new database gets today's tables at once; a test compares both ways.
    """
    from alembic import command  # late: most runs find the database up to date
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise NewerDatabase(shown) from error


def revision_of(connection: Connection) -> str | None:
    """Return the revision of an open database; None when it has no tables of milesync."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return revision
