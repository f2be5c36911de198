"""A process that pauses in the middle of a write keeps nothing from the others."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update

from sync.store import database
from sync.store import tables as schema
from sync.store.database import UnusableDatabase, reading, writing
from sync.worker.queue import app
from tests.contract.store_rows import url_of


def test_postgresql_ends_a_write_that_pauses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paused = database.open_engine(url_of("postgresql", tmp_path), create=True)
    other = database.open_engine(paused.url.render_as_string(hide_password=False), create=False)
    table = schema.lease
    with writing(paused) as connection:
        connection.execute(insert(table).values(source=1, holder="first", term=1, until=0))

    def pause_in_a_write() -> None:
        with writing(paused) as connection:
            connection.execute(update(table).values(holder="paused"))
            with writing(other) as unhindered:  # waits for the row until the server has ended the paused write
                unhindered.execute(update(table).values(holder="other"))

    try:
        with monkeypatch.context() as short:
            short.setattr(database, "IDLE_LIMIT", timedelta(milliseconds=50))
            with pytest.raises(UnusableDatabase):
                pause_in_a_write()
        with reading(other) as connection:
            assert connection.scalar(select(table.c.holder)) == "other"
        with writing(paused) as connection:
            connection.execute(update(table).values(holder="awake again"))
    finally:
        paused.dispose()
        other.dispose()


def test_transactions_of_the_queue_are_limited_in_the_same_way(tmp_path: Path) -> None:
    queue = app(url_of("postgresql", tmp_path), threads=True)
    with queue.open():
        shown = queue.connector.get_sync_connector().execute_query_one("SHOW idle_in_transaction_session_timeout")
    assert shown == {"idle_in_transaction_session_timeout": "30s"}
