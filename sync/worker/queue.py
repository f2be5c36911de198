"""The queue of work in PostgreSQL: Procrastinate, in a schema of its own beside the store's tables."""

from __future__ import annotations

from contextlib import closing, suppress

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.schema import SchemaManager, migrations_path
from psycopg import sql
from sqlalchemy import make_url

from sync.store.database import UnusableDatabase

__all__ = ["SCHEMA", "app", "install", "libpq", "refresh"]

SCHEMA = "milesync_queue"
_LOCK = 5_461_837_202_312
"""The key of the advisory lock under which the queue's tables are made; any constant does."""


class NoQueueError(UnusableDatabase):
    """Work can be shared on PostgreSQL only: name one with `database`, or use `milesync run`."""


def libpq(url: str) -> str:
    """The store's URL as libpq takes it. Raises `NoQueueError` when it is not PostgreSQL."""
    where = make_url(url)
    if where.get_backend_name() != "postgresql":
        raise NoQueueError(where.render_as_string())
    return where.set(drivername="postgresql").render_as_string(hide_password=False)


def app(url: str, *, threads: bool = False) -> App:
    """The queue over a database that has its tables: for an event loop, or with ``threads`` for these."""
    kwargs = {"options": f"-c search_path={SCHEMA}", "application_name": "milesync"}
    made = SyncPsycopgConnector if threads else PsycopgConnector
    return App(connector=made(conninfo=libpq(url), kwargs=kwargs))


def refresh(queue: App, instance: str, connection: str, *, after: int) -> None:
    """Have a connection refreshed after some seconds, unless that is about to happen anyway."""
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
    """Make the queue's tables, or bring them forward to the version of the library. Several may try at once.

    A new queue gets the library's whole schema; an older one each of its migrations that it has not had.
    """
    shipped = sorted(path.name for path in migrations_path.glob("*.sql"))
    try:
        with closing(psycopg.connect(libpq(url))) as connection, connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [SCHEMA]).fetchone()
            name = sql.Identifier(SCHEMA)
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(name))
            connection.execute(sql.SQL("SET LOCAL search_path TO {}").format(name))
            connection.execute("CREATE TABLE IF NOT EXISTS milesync_applied (name text PRIMARY KEY)")
            had = {row[0] for row in connection.execute("SELECT name FROM milesync_applied")}
            if there is None:
                connection.execute(SchemaManager.get_schema())
            else:
                for one in shipped:
                    if one not in had:
                        connection.execute((migrations_path / one).read_bytes())
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO milesync_applied VALUES (%s) ON CONFLICT DO NOTHING", [(one,) for one in shipped]
                )
    except psycopg.Error as error:
        raise UnusableDatabase(make_url(url).render_as_string(), type(error).__name__) from error
