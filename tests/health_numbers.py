"""Every number behind the health of one container, assessed on its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sync.forecast.batch import daily_batches
from sync.forecast.history_tables import HistoryTables
from sync.health.assess import AssessmentInputs, assess, explain_batch
from sync.history.calendar import Calendar

__all__ = ["explain"]


_NO_INPUTS = AssessmentInputs()


def explain(
    history: HistoryTables, target: str, at: datetime, calendar: Calendar, inputs: AssessmentInputs = _NO_INPUTS
) -> dict[str, Any]:
    """Return the numbers behind the health of a container (id) as of ``at`` (UTC). Raises KeyError without history."""
    health = assess(history, [target], at, calendar, inputs)[target]
    (batch,) = daily_batches(history, [history.ledger.index[target]], at, calendar)
    (numbers,) = explain_batch(batch, [health], inputs)
    return numbers
