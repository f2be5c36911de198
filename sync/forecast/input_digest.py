"""Digests of what the forecasts of a batch are computed from: with equal digests, every question has the same answer.

A forecast depends on its own container, on containers whose due date had passed by its moment, and on what all streams
had closed by then. So a digest stays the same when an item of another running container is closed today.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec
import numpy as np

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.history.calendar import Calendar
from sync.history.ledger import NEVER

__all__ = ["container_digest", "history_digest"]

_SIZE = 16


def history_digest(tables: HistoryTables, until: float, calendar: Calendar) -> bytes:
    """Return a digest of rules, calendar, and the history known by ``until``, the batch's ``at`` (days since 1970 UTC).

    Containers that were due by then are included with everything that happened to them since.
    """
    ledger, closures = tables.ledger, tables.closures
    past = np.flatnonzero(ledger.due <= until)
    rows, _ = ledger.rows_of(past)
    streams = np.arange(len(ledger.streams))
    closed = closures.before(streams, np.full(len(streams), until), inclusive=True) - closures.first[:-1]
    known = np.arange(len(closures.time)) - np.repeat(closures.first[:-1], np.diff(closures.first)) < np.repeat(
        closed, np.diff(closures.first)
    )
    columns = (ledger.joined, ledger.left, ledger.closed, ledger.carried_at, tables.first_joined)
    digest = blake2b(digest_size=_SIZE)
    for part in (
        [tables.rules, calendar.describe(), until],
        [ledger.containers[i] for i in past.tolist()],
        [tables.is_usable[past].tolist(), ledger.streams, ledger.kinds],
    ):
        digest.update(msgspec.json.encode(part))
    for column in (ledger.offsets[past + 1] - ledger.offsets[past], *(column[rows] for column in columns)):
        digest.update(column.tobytes())
    for column in (tables.stream_start, closed, closures.time[known]):
        digest.update(column.tobytes())
    return digest.digest()


def container_digest(batch: ForecastBatch, k: int) -> bytes:
    """Return a digest of the k-th container and of its items, as they are known when they are counted."""
    ledger, i, at = batch.tables.ledger, int(batch.index[k]), float(batch.counted_at[k])
    rows = np.arange(ledger.offsets[i], ledger.offsets[i + 1])
    rows = rows[ledger.joined[rows] <= at]
    ends = (np.where(column[rows] <= at, column[rows], NEVER) for column in (ledger.left, ledger.closed))
    carried = np.where(ledger.carried_at[rows] <= at, ledger.carried_at[rows], NEVER)
    items = [ledger.items[code] for code in ledger.item[rows].tolist()] if ledger.items else ledger.item[rows].tolist()
    counts = [int(column[k]) for column in (batch.open, batch.done, batch.carried, batch.added, batch.added_week)]
    digest = blake2b(msgspec.json.encode([ledger.containers[i], items, counts]), digest_size=_SIZE)
    for column in (batch.start[k], ledger.joined[rows], batch.tables.first_joined[rows], *ends, carried):
        digest.update(column.tobytes())
    return digest.digest()
