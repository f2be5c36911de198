"""Maintain the database: inspect it, check its integrity, delete outdated rows, compact it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace
from sqlalchemy import (
    BigInteger,
    Connection,
    Engine,
    Table,
    and_,
    bindparam,
    delete,
    func,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.exc import DBAPIError

from sync.model.settings import Retention
from sync.store import tables as schema
from sync.store.database import (
    DamagedDatabase,
    UnusableDatabase,
    reading,
    revision_of,
    structure_problems,
    unmigrated,
    writing,
)

__all__ = [
    "Condition",
    "IntegrityReport",
    "PruneCounts",
    "check_integrity",
    "condition",
    "open_as_it_is",
    "prune",
    "vacuum",
]

_DAY = timedelta(days=1)


# --- condition ----------------------------------------------------------------------------------------------------


class Condition(Struct, frozen=True, kw_only=True):
    """The condition of a database, read without changing it. ``size`` is in bytes, ``clock`` its own time in UTC.

    ``revision`` is None before the first run. ``problem`` is the reason why the database cannot be written, or empty.
    ``journal`` is SQLite's journal mode, which should be ``wal``; empty on PostgreSQL. ``unfinished`` is the number of
    writes without a recorded end; the next run looks them up.
    """

    where: str
    server: str = ""
    revision: str | None = None
    problem: str = ""
    journal: str = ""
    size: int = 0
    clock: datetime | None = None
    unfinished: int = 0

    @property
    def behind(self) -> bool:
        """Return whether an earlier version of milesync migrated it; opening it migrates it again."""
        return self.revision is not None and self.revision < schema.HEAD

    @property
    def ahead(self) -> bool:
        """Return whether a later version migrated it; this version must not write to it."""
        return self.revision is not None and self.revision > schema.HEAD


def condition(url: str) -> Condition:
    """Return the condition of a database. Raises `StoreError` when it is missing or cannot be opened."""
    with open_as_it_is(url) as engine:
        with reading(engine) as connection:
            state = _condition(engine, connection)
        return replace(state, problem=_write_problem(engine, empty=state.revision is None))


def _condition(engine: Engine, connection: Connection) -> Condition:
    revision, sqlite = revision_of(connection), engine.dialect.name == "sqlite"
    number = connection.scalar(text("SELECT sqlite_version()" if sqlite else "SHOW server_version"))
    return Condition(
        where=engine.url.render_as_string(),
        server=f"{'SQLite' if sqlite else 'PostgreSQL'} {str(number).split()[0]}",
        revision=revision,
        journal=str(connection.scalar(text("PRAGMA journal_mode"))) if sqlite else "",
        size=_size(connection),
        clock=None if sqlite else connection.scalar(text("SELECT clock_timestamp()")).astimezone(UTC),
        unfinished=_unfinished(connection) if revision == schema.HEAD else 0,
    )


@contextmanager
def open_as_it_is(url: str) -> Iterator[Engine]:
    """Open a database without migrating it, and close it at the end."""
    with unmigrated(url) as engine:
        yield engine
        engine.dispose()


def _size(connection: Connection) -> int:
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    sqlite = connection.dialect.name == "sqlite"
    return int(connection.scalar(text(pages if sqlite else "SELECT pg_database_size(current_database())")) or 0)


def _unfinished(connection: Connection) -> int:
    table = schema.journal
    return connection.scalar(select(func.count()).select_from(table).where(table.c.finished_at.is_(None))) or 0


def _write_problem(engine: Engine, *, empty: bool) -> str:
    """Try a change and roll it back; return the error, or an empty text."""
    try:
        with engine.execution_options(milesync_writes=True).connect() as connection:
            if empty:
                connection.execute(text("CREATE TABLE milesync_probe (n INTEGER)"))
            else:
                connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
            connection.rollback()
    except DBAPIError as error:
        return str(error.orig).strip().split("\n")[0]
    return ""


# --- integrity ------------------------------------------------------------------------------------------------------


class IntegrityReport(Struct):
    """Number of rows by table, and the problems, one line each."""

    rows: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def check_integrity(engine: Engine) -> IntegrityReport:
    """Read every row of every table as its types say, and let the database look at itself. Changes nothing."""
    report = IntegrityReport()
    with reading(engine) as connection:
        names = set(inspect(connection).get_table_names())
    for table in schema.METADATA.sorted_tables:
        if table.name in names:
            _read_all(engine, table, report)
        else:
            report.problems.append(f"the table {table.name} is missing")
    try:
        with reading(engine) as connection:
            if engine.dialect.name == "sqlite":
                report.problems += [f"SQLite: {words}" for words in structure_problems(connection, "integrity_check")]
            if not report.problems:
                report.problems += _loose(connection)
    except UnusableDatabase as error:
        report.problems.append(f"SQLite: {error.detail}" if isinstance(error, DamagedDatabase) else str(error))
    return report


def _read_all(engine: Engine, table: Table, report: IntegrityReport) -> None:
    """Count the rows of a table, and report values that do not fit their columns."""
    words = f"the table {table.name} holds a value that cannot be read"
    try:
        with (
            reading(engine) as connection,
            connection.execution_options(yield_per=1000).execute(select(table)) as rows,
        ):
            needed = [n for n, column in enumerate(table.columns) if not column.nullable]
            count = empty = 0
            for row in rows:
                count += 1
                empty += any(row[n] is None for n in needed)
            report.rows[str(table.name)] = count
            if empty:
                report.problems.append(f"{words} (empty in {empty} rows)")
    except (ValueError, KeyError) as error:
        report.problems.append(f"{words} ({type(error).__name__})")
    except UnusableDatabase as error:
        report.problems.append(f"{words} ({error.detail})")


def _loose(connection: Connection) -> Iterator[str]:
    """Yield the tables with rows that refer to a missing row."""
    issue, source = schema.issue, schema.source
    for table in (schema.event, schema.member):
        home = and_(issue.c.source == table.c.source, issue.c.id == table.c.issue)
        if count := connection.scalar(_without(table, issue, home)):
            yield f"{count} rows of {table.name} belong to no issue"
    for table in (schema.issue, schema.milestone, schema.project):
        if count := connection.scalar(_without(table, source, source.c.n == table.c.source)):
            yield f"{count} rows of {table.name} belong to no source"


def _without(table: Table, other: Table, home: Any) -> Any:
    first = next(iter(other.primary_key))
    return select(func.count()).select_from(table.outerjoin(other, home)).where(first.is_(None))


# --- retention -----------------------------------------------------------------------------------------------------


class PruneCounts(Struct, frozen=True):
    """Number of deleted rows."""

    assessments: int
    runs: int
    writes: int


def prune(engine: Engine, now: datetime, retention: Retention) -> PruneCounts:
    """Delete the rows that are older than the retention. `now` is in UTC.

    Assessments that changed the status or the due date, and the last one of each milestone, are always kept: status
    changes and their durations are the same before and after. Of equal finished writes that are older than a day, such
    as the daily edits of a summary, the last one is kept.
    """
    old = now - timedelta(days=retention.journal)
    run, journal = schema.run, schema.journal
    done = journal.c.finished_at.is_not(None)
    arrived = done & journal.c.error.is_(None)
    last = select(func.max(journal.c.n)).where(arrived).group_by(journal.c.source, journal.c.action)
    repeated = arrived & (journal.c.begun_at < now - _DAY) & journal.c.n.not_in(last)
    with writing(engine) as connection:
        assessments = _thin(
            connection, now - timedelta(days=retention.every), now - timedelta(days=retention.daily), _DAY
        )
        assessments += _thin(connection, now - timedelta(days=retention.daily), None, 7 * _DAY)
        runs = connection.execute(delete(run).where(run.c.started_at < old)).rowcount
        telling = schema.telling
        connection.execute(delete(telling).where(telling.c.begun_at < old, telling.c.told == ""))
        writes = connection.execute(delete(journal).where((done & (journal.c.begun_at < old)) | repeated)).rowcount
    return PruneCounts(assessments, runs, writes)


def _thin(connection: Connection, before: datetime, since: datetime | None, span: timedelta) -> int:
    """Keep one assessment in each ``span``; return the number of deleted ones."""
    table = schema.health
    whose = (table.c.container, table.c.audience)
    # 1970 began on a Thursday; three days on, weeks begin on Mondays.
    step = int(span / timedelta(microseconds=1))
    period = (type_coerce(table.c.at, BigInteger) + 3 * int(_DAY / timedelta(microseconds=1))) // step
    ranked = select(
        table.c.container,
        table.c.audience,
        table.c.at,
        func.lag(table.c.at).over(partition_by=whose, order_by=table.c.at).label("before"),
        func.lead(period).over(partition_by=whose, order_by=table.c.at).label("next_period"),
        period.label("period"),
    ).subquery()
    last = table.alias()
    key = (ranked.c.container, ranked.c.audience, ranked.c.at)
    own_row = and_(*(table.c[column.name] == column for column in key))
    previous = and_(last.c.container == ranked.c.container, last.c.audience == ranked.c.audience)
    outdated = (
        select(*key)
        .join(table, own_row)
        .join(last, previous & (last.c.at == ranked.c.before))
        .where(
            ranked.c.period == ranked.c.next_period,
            ranked.c.at < before,
            table.c.status == last.c.status,
            table.c.due.is_not_distinct_from(last.c.due),
            table.c.latest.is_(False),
        )
    )
    if since is not None:
        outdated = outdated.where(ranked.c.at >= since)
    rows = [{"c": row.container, "a": row.audience, "t": row.at} for row in connection.execute(outdated)]
    if rows:  # one statement per key: SQLite scans the whole table for a list of such keys
        mine = (table.c.container == bindparam("c")) & (table.c.audience == bindparam("a"))
        connection.execute(delete(table).where(mine, table.c.at == bindparam("t")), rows)
    return len(rows)


def vacuum(engine: Engine) -> tuple[int, int]:
    """Compact the file; return its size in bytes before and after. On SQLite no other process may write meanwhile."""
    with reading(engine) as connection:
        before = _size(connection)
    with reading(engine.execution_options(isolation_level="AUTOCOMMIT")) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("COMMIT")  # ends the transaction that the connection began
        connection.exec_driver_sql("VACUUM" if engine.dialect.name == "sqlite" else "VACUUM (ANALYZE)")
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    with reading(engine) as connection:
        return before, _size(connection)
