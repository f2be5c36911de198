"""A change of pace: when one is reported, and in which words."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.health.assess import assess
from sync.health.pace_change import PaceChange, lowered, pace_change
from sync.history.calendar import Calendar
from sync.history.ledger import days
from sync.model.health import Confidence, Health, Reason, ReasonKind, Value
from sync.report.reasons import reason_sentence
from tests.days import day
from tests.ledgers import Given, container, ledger

LATER = 5_000.0


def series(*halves: float | None, lengths: Sequence[float] = ()) -> list[Given]:
    """Milestones one after another, with four issues each: two are closed this many days after the start."""
    made: list[Given] = []
    start = 0.0
    for n, half in enumerate(halves):
        due = start + (lengths[n] if lengths else 28.0)
        closed = None if half is None else start + half
        made.append((container(f"m{n}", start, due, ended=due), [(start, closed)] * 2 + [(start, None)] * 2))
        start = due
    return made


def change(*halves: float | None, at: float = LATER, lengths: Sequence[float] = ()) -> PaceChange | None:
    history = HistoryTables(ledger(series(*halves, lengths=lengths)), Rules())
    return pace_change(history, 0, days(day(at)))


def test_three_that_took_twice_as_long_as_the_four_before_are_a_change() -> None:
    assert change(10, 10, 10, 10, 20, 20, 20) == PaceChange(days=20, usual=10, before=4)
    assert change(10, 10, 10, 10, 5, 5, 5) == PaceChange(days=5, usual=10, before=4)


@pytest.mark.parametrize(
    "halves",
    [
        (10, 10, 10, 20, 20, 20),
        (10, 10, 10, 10, 14.9, 14.9, 14.9),
        (10, 10, 10, 10, 6.7, 6.7, 6.7),
        (10, 10, 10, 10, 20, 20, 9),
        (10, 10, 10, 10, 5, 5, 11),
        (),
    ],
)
def test_too_few_too_little_or_not_all_of_them_are_none(halves: tuple[float, ...]) -> None:
    assert change(*halves) is None


def test_only_the_eight_before_the_last_three_count() -> None:
    assert change(*[1] * 20, *[10] * 8, 10, 10, 10) is None
    found = change(*[1] * 20, *[10] * 8, 20, 20, 20)
    assert found is not None
    assert found.before == 8


def test_a_time_that_never_came_is_longer_than_any_other() -> None:
    slower = change(10, 10, 10, 10, None, None, 20)
    assert slower is not None
    assert (slower.days, slower.ratio) == (math.inf, 2.0)
    faster = change(None, None, None, None, 10, 10, 10)
    assert faster is not None
    assert (faster.usual, faster.ratio) == (math.inf, 0.5)
    assert change(*[None] * 7) is None


def test_longer_milestones_are_no_change_of_pace() -> None:
    halves = (10, 10, 10, 10, 20, 20, 20)
    assert change(*halves, lengths=[28] * 4 + [56] * 3) is None
    assert change(*halves, lengths=[28] * 4 + [35] * 3) is not None


def test_nothing_after_the_moment_counts() -> None:
    halves = (10, 10, 10, 10, 20, 20, 20)
    assert change(*halves, at=7 * 28 + 2.0) is not None
    assert change(*halves, at=7 * 28 + 0.5) is None, "the last one is not settled yet"


def test_confidence_is_a_grade_lower() -> None:
    assert lowered(Confidence.HIGH) is Confidence.MEDIUM
    assert lowered(Confidence.MEDIUM) is Confidence.LOW
    assert lowered(Confidence.LOW) is Confidence.LOW
    assert lowered(None) is None


def test_a_change_lowers_the_confidence_and_is_a_reason() -> None:
    def health(*halves: float) -> Health:
        made = series(*halves)
        start = 28.0 * len(made)
        running = container("now", start, start + 28)
        history = HistoryTables(ledger([*made, (running, [(start, None)] * 10)]), Rules())
        return assess(history, ["now"], day(start + 14), Calendar.plain())["now"]

    before, after = health(*[10.0] * 12), health(*[10.0] * 9, 20.0, 20.0, 20.0)
    assert (before.confidence, after.confidence) == (Confidence.HIGH, Confidence.MEDIUM)
    assert ReasonKind.PACE_CHANGE not in {reason.kind for reason in before.reasons}
    (reason,) = [reason for reason in after.reasons if reason.kind is ReasonKind.PACE_CHANGE]
    assert reason.effect < 0


@pytest.mark.parametrize(
    ("now", "usual", "effect", "words"),
    [
        (
            21.0,
            10.0,
            -1.0,
            "The last 3 milestones took 21 days to close half of their issues; the 5 before them took 10 days.",
        ),
        (None, 10.0, -1.0, "The last milestones were much slower than the ones before them."),
        (10.0, None, 1.0, "The last milestones were much faster than the ones before them."),
    ],
)
def test_a_change_in_words(now: float | None, usual: float | None, effect: float, words: str) -> None:
    values: dict[str, Value] = {"last": 3, "before": 5, "days": now, "usual": usual}
    sentence = reason_sentence(Reason(kind=ReasonKind.PACE_CHANGE, effect=effect, values=values))
    assert sentence == words
