"""Every number behind some forecasts, as `milesync explain` shows them: they change on purpose only.

``MILESYNC_GOLDEN=1`` writes them again.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from tests.days import day
from tests.health_numbers import explain
from tests.ledgers import Given, MembershipDays, container, ledger

NUMBERS = Path(__file__).parent / "forecasts.json"
NOW = 700.0
LEFT_OUT = ("items", "rules", "calendar")


def world() -> Ledger:
    """Two years of two streams and a third that is new, drawn with a fixed seed; five milestones still run."""
    draw = random.Random(4)
    pairs: list[Given] = []
    for stream, length, items, last in (
        ("app/Release", 35, 16, 19),
        ("app/Sprint", 14, 9, 49),
        ("new/Release", 35, 8, 1),
    ):
        first = NOW - length * (last + 0.6)
        for n in range(last + 1):
            begin, name = first + n * length, f"{stream}-{n}"
            due = begin + length
            over = None if n == last else due + draw.choice((0.5, 3.0))
            box = container(name, begin, due, stream=stream, kind=stream[4:], ended=over, first_due=due - n % 3)
            pairs.append((box, [one(draw, begin, length, n % 4) for _ in range(items + n % 5)]))
    pairs.append((container("late", NOW - 30, NOW - 2, stream="app/Release", kind="Release"), [(NOW - 30, None)] * 5))
    pairs.append((container("undated", NOW - 30, None, stream="app/Release", kind="Release"), [(NOW - 30, None)] * 5))
    return ledger(pairs)


def one(draw: random.Random, begin: float, length: float, late: int) -> MembershipDays:
    """A stay in a milestone: a fifth joins later, a tenth leaves, the rest is closed by about the due date."""
    joined = begin + (length * draw.random() if draw.random() < 0.2 else 0.0)
    if draw.random() < 0.1:
        return joined, None, joined + length * draw.random()
    closed = joined + length * draw.random() * (0.7 + 0.15 * late)
    return joined, closed if closed < NOW else None


def told(history: Ledger, name: str, calendar: Calendar, rules: Rules) -> dict[str, Any]:
    given = explain(HistoryTables(history, rules), name, day(NOW), calendar)
    del given["history"]["milestones"]
    return dict(flat({key: value for key, value in given.items() if key not in LEFT_OUT}))


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list | tuple):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from flat(inner, f"{path}/{key}")
    else:
        yield path, float(f"{value:.9g}") if isinstance(value, float) else value


HISTORY = world()
CASES = {
    f"{name} at {tolerance}": (name, calendar, Rules(tolerance=tolerance))
    for name in ("app/Release-19", "app/Sprint-49", "new/Release-1", "late", "undated")
    for tolerance, calendar in ((0.0, Calendar()), (0.1, Calendar.plain()))
}


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_those_of_the_last_time(case: str) -> None:
    found = json.loads(json.dumps(told(HISTORY, *CASES[case])))
    known = json.loads(NUMBERS.read_text("utf-8")) if NUMBERS.exists() else {}
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        known[case] = found
        NUMBERS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
    numbers, words = split(found)
    expected, expected_words = split(known[case])
    assert words == expected_words
    assert numbers == pytest.approx(expected, rel=1e-6)


def split(told: dict[str, Any]) -> tuple[dict[str, float], dict[str, Any]]:
    """The numbers, which may differ in the last digits from machine to machine, and the rest."""
    numbers = {name: value for name, value in told.items() if isinstance(value, float)}
    return numbers, {name: value for name, value in told.items() if name not in numbers}
