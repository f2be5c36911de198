"""A part of a batch has its containers only: no column is left out of the lists that `part` cuts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from msgspec import Struct
from msgspec.structs import asdict

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import GRID, HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.scope_votes import votes_from
from sync.history.calendar import Calendar
from tests.random_history import FIRST, history

SIZE = 61
"""Number of containers: unlike that of members, phases and every other axis."""


@pytest.mark.parametrize("moved", [False, True])
def test_a_part_has_every_column_of_its_containers(moved: bool) -> None:
    tables = HistoryTables(history(3, SIZE, messy=True), Rules())
    at, rows = np.full(SIZE, FIRST + 130.0), np.arange(5)
    due = tables.ledger.due + 9.0 if moved else None
    batch = ForecastBatch(tables, np.arange(SIZE), at, Calendar.plain(), due)
    per_row = votes_from(tables, batch.members, np.full(SIZE, len(GRID) // 2), at)
    for whole in (batch, batch.clocks, batch.members, batch.votes, batch.votes.counts, per_row, per_row.counts):
        part = whole.part(rows)
        lengths = {name: value.shape[:1] for name, value in _attributes(part).items() if isinstance(value, np.ndarray)}
        assert lengths, type(whole)
        assert (len(rows),) in lengths.values(), type(whole)
        assert not [name for name, length in lengths.items() if length == (SIZE,)], type(whole)


def _attributes(part: Any) -> dict[str, Any]:
    return asdict(part) if isinstance(part, Struct) else vars(part)
