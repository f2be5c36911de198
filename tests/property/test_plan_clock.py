"""The clock of a plan over any sequence of due dates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from sync.history.plan_clock import KnownPlan, plan_clock
from sync.model.tracker_data import DueDate
from tests.days import ORIGIN, day

UTC = ZoneInfo("UTC")


def on(value: int) -> date:
    """The day ``value`` days after the origin's."""
    return ORIGIN.date() + timedelta(days=value)


MOVES = st.lists(st.tuples(st.floats(0.1, 40), st.none() | st.integers(0, 300)), min_size=1, max_size=12)


def timed(moves: Sequence[tuple[float, int | None]]) -> list[DueDate]:
    """The moves, each so many days after the one before; equal dates in a row are one note."""
    found: list[DueDate] = []
    at = 0.0
    for gap, due in moves:
        at += gap
        noted = DueDate(day(at), None if due is None else on(due))
        if not found or found[-1].due != noted.due:
            found.append(noted)
    return found


@given(MOVES, st.data())
def test_from_run_to_run_the_clock_is_that_of_the_whole_history(
    moves: Sequence[tuple[float, int | None]], data: st.DataObject
) -> None:
    """A published clock is enough for the next assessment, also where the history before it is lost."""
    history = timed(moves)
    cut = data.draw(st.integers(1, len(history)))
    before, whole = plan_clock(history[:cut], None, UTC), plan_clock(history, None, UTC)
    if before is None:
        return
    known = KnownPlan(history[cut - 1].seen, history[cut - 1].due, before)
    assert plan_clock(history, known, UTC) == whole
    assert plan_clock(history[cut - 1 :], known, UTC) == whole


@given(MOVES)
def test_no_later_move_changes_the_time_of_the_first(moves: Sequence[tuple[float, int | None]]) -> None:
    history = timed(moves)
    clocks = [found for n in range(len(history)) if (found := plan_clock(history[: n + 1], None, UTC)) is not None]
    assert len({found.moved_at for found in clocks}) <= 1
