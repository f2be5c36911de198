"""A reason's effect has the sign that a reader expects of its numbers, on random histories."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import assess
from sync.history.calendar import Calendar
from sync.history.ledger import moment
from sync.model.health import Reason, ReasonKind, Value
from tests.random_history import FIRST, history

TOWARDS: Mapping[ReasonKind, Callable[[Mapping[str, Value]], float]] = {
    ReasonKind.PACE: lambda values: number(values, "share") - number(values, "usual"),
    ReasonKind.SCOPE_ADDED: lambda values: round(number(values, "usual")) - number(values, "added"),
    ReasonKind.HIT_RATE: lambda values: 2 * number(values, "hits") - number(values, "of"),
    ReasonKind.DUE_MOVED: lambda values: number(values, "days"),
    ReasonKind.PACE_CHANGE: lambda values: _longer(values),
}
"""Kinds that speak for a milestone where this is above 0, and against it below; all others only speak against it."""


def number(values: Mapping[str, Value], name: str) -> float:
    value = values[name]
    assert isinstance(value, int | float)
    return float(value)


def _longer(values: Mapping[str, Value]) -> float:
    """Return by how much the usual time exceeds the last one. None, a time that never came, is longer than any."""
    days, usual = values["days"], values["usual"]
    if usual is None or days is None:
        return 1.0 if usual is None else -1.0
    return number(values, "usual") - number(values, "days")


def agrees(reason: Reason) -> bool:
    towards = TOWARDS.get(reason.kind)
    return reason.effect * (-1.0 if towards is None else towards(reason.values)) > 0


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    messy=st.booleans(),
    tolerance=st.sampled_from([0.0, 0.1]),
    day=st.integers(60, 170),
    off=st.booleans(),
)
def test_numbers_and_effect_never_contradict_each_other(
    seed: int, messy: bool, tolerance: float, day: int, off: bool
) -> None:
    ledger = history(seed, 40, messy)
    at = FIRST + day + 0.4
    running = np.flatnonzero((ledger.start < at) & (ledger.due > at - 5)).tolist()
    calendar = Calendar.plain()
    if off:
        calendar = calendar.with_days_off(date.fromordinal(moment(at).date().toordinal() + n) for n in range(3, 8))
    targets = [ledger.containers[i].id for i in running]
    found = assess(HistoryTables(ledger, Rules(tolerance=tolerance)), targets, moment(at), calendar)
    wrong = [(name, own) for name, health in found.items() for own in health.reasons if not agrees(own)]
    assert wrong == []
