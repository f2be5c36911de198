"""Two processes that take jobs of one lock from the queue at the same moment."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from procrastinate.sql import queries

from sync.worker.queue import SCHEMA, app, install, libpq
from tests import postgres


@pytest.fixture
def url() -> str:
    database = postgres.database()
    if database is None:
        pytest.skip("no PostgreSQL is installed")
    install(database)
    return database


def test_a_process_that_loses_a_lock_to_another_goes_on(url: str) -> None:
    assert asyncio.run(both_take(url)) == (1, None)


async def both_take(url: str) -> tuple[int, object]:
    """Return the id of the first process's job, and the job of the second, which waits for the first to commit."""
    queue = app(url, patient=True)

    @queue.task(name="work")
    def work() -> None: ...

    async with queue.open_async(), await psycopg.AsyncConnection.connect(libpq(url)) as first:
        await first.execute(f"SET search_path TO {SCHEMA}")
        await first.commit()
        await queue.configure_task("work", lock="gitlab").defer_async()
        workers = [await queue.job_manager.register_worker() for _ in range(2)]
        taken = await first.execute(queries["fetch_job"], {"queues": None, "worker_id": workers[0]})
        row = await taken.fetchone()
        assert row is not None
        await queue.configure_task("work", lock="gitlab", priority=1).defer_async()
        second = asyncio.create_task(queue.job_manager.fetch_job(None, workers[1]))
        await waits_for_a_lock(url)
        await first.commit()
        return row[0], await second


async def waits_for_a_lock(url: str) -> None:
    """Return when a statement of the database waits for another transaction."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    async with await psycopg.AsyncConnection.connect(libpq(url), autocommit=True) as connection:
        while True:
            found = await (await connection.execute(query)).fetchone()
            if found is not None and found[0]:
                return
