"""The job queue in PostgreSQL: Procrastinate, in a schema of its own next to the store's tables."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException, UniqueViolation
from procrastinate.schema import SchemaManager, migrations_path
from procrastinate.sql import queries
from psycopg import sql
from sqlalchemy import make_url

from sync.store.database import IDLE_LIMIT, UnusableDatabase
from sync.telemetry.log import events as log

__all__ = ["SCHEMA", "app", "install", "is_lost", "libpq", "refresh"]

T = TypeVar("T")

SCHEMA = "milesync_queue"
_LOCK = 5_461_837_202_312
"""Key of the advisory lock under which the queue's tables are created; any constant does."""


RETRY = 1.0
"""Seconds between two attempts to reach a database that has gone away."""
POOL: dict[str, Any] = {"timeout": 2.0, "reconnect_timeout": 1.0}
"""Seconds after which the pool of connections reports an outage: its own attempts become rare within a minute."""


class NoQueueError(UnusableDatabase):
    """Workers need PostgreSQL: set `database` to a PostgreSQL URL, or use `milesync run`."""


def libpq(url: str) -> str:
    """Return the store's URL in the form of libpq. Raises `NoQueueError` when it is not PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise NoQueueError(parsed.render_as_string())
    return parsed.set(drivername="postgresql").render_as_string(hide_password=False)


class PatientConnector(PsycopgConnector):
    """Connector that waits for a database that has gone away, so that the queue goes on when it is back.

    Only the query that takes a job raises `ConnectorException`: the job may have been taken by an answer that was lost.
    One that the database refused, because another process took a job of the same lock at that moment, is sent again.
    """

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Execute a statement without result."""
        await _patiently(partial(super().execute_query_async, query, **arguments))

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Execute a query with one row."""
        ask = partial(super().execute_query_one_async, query, **arguments)
        return await (_after_others(ask) if query == queries["fetch_job"] else _patiently(ask))

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Execute a query with any number of rows."""
        return await _patiently(partial(super().execute_query_all_async, query, **arguments))

    async def listen_notify(self, on_notification: Any, channels: Any) -> None:
        """Listen for new jobs."""
        await _patiently(partial(super().listen_notify, on_notification, list(channels)))


async def _after_others(ask: Callable[[], Awaitable[T]]) -> T:
    """Await the result; try again if another process was faster, whose job then holds the lock."""
    while True:
        with suppress(UniqueViolation):
            return await ask()


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Await the result; wait and try again as long as the database is lost."""
    is_reported = False
    while True:
        try:
            return await ask()
        except ConnectorException as error:
            if not isinstance(error.__cause__, psycopg.OperationalError):
                raise
        if not is_reported:
            log.warning("the queue's database is not available; waiting for it")
            is_reported = True
        await asyncio.sleep(RETRY)


def is_lost(error: ConnectorException) -> bool:
    """Return whether the database was lost, or others removed this process from the queue while it was."""
    return isinstance(error.__cause__, psycopg.OperationalError | psycopg.errors.ForeignKeyViolation)


def app(url: str, *, threads: bool = False, patient: bool = False) -> App:
    """Return the queue of a database that has its tables.

    ``threads``: for threads instead of an event loop. ``patient``: an event loop's queries wait for a lost database.
    The server ends the transactions of a paused process, on which the others would wait.
    """
    idle_limit = IDLE_LIMIT // timedelta(milliseconds=1)
    options = (
        f"-c search_path={SCHEMA} -c idle_in_transaction_session_timeout={idle_limit}"
        " -c datestyle=ISO -c default_transaction_isolation=read\\ committed"  # instead of those of role or server
    )
    kwargs = {"options": options, "application_name": "milesync", "client_encoding": "utf8"}
    if threads:
        return App(connector=SyncPsycopgConnector(conninfo=libpq(url), kwargs=kwargs))
    connector = PatientConnector if patient else PsycopgConnector
    return App(connector=connector(conninfo=libpq(url), kwargs=kwargs, **(POOL if patient else {})))


def refresh(queue: App, instance: str, connection: str, *, after: int) -> None:
    """Queue the refresh of a connection in ``after`` seconds, unless one waits already.

    Raises `UnusableDatabase`.
    """
    task = queue.configure_task(
        "refresh",
        queue=instance,
        lock=connection,
        queueing_lock=f"{connection} refresh",
        schedule_in={"seconds": after},
    )
    try:
        with suppress(AlreadyEnqueued):
            task.defer(connection=connection)
    except ConnectorException as error:
        raise UnusableDatabase("queue", type(error).__name__) from error


def install(url: str) -> None:
    """Create the queue's tables, or migrate them to the version of the library. Processes may do so at once.

    A new queue gets the library's schema; an older one gets each migration that it lacks. Raises `UnusableDatabase`.
    """
    shipped = sorted(path.name for path in migrations_path.glob("*.sql"))
    try:
        with closing(psycopg.connect(libpq(url))) as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            schema = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchone()
            identifier = sql.Identifier(SCHEMA)
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(identifier))
            connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(identifier))
            connection.execute("CREATE TABLE IF NOT EXISTS milesync_applied (name text PRIMARY KEY)")
            applied = {row[0] for row in connection.execute("SELECT name FROM milesync_applied")}
            if schema is None:
                connection.execute(SchemaManager.get_schema())
            else:
                for migration in shipped:
                    if migration not in applied:
                        connection.execute((migrations_path / migration).read_bytes())
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO milesync_applied VALUES (%s) ON CONFLICT DO NOTHING",
                    [(migration,) for migration in shipped],
                )
    except psycopg.Error as error:
        raise UnusableDatabase(make_url(url).render_as_string(), type(error).__name__) from error
