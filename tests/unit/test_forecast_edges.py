"""Edge cases: events at the moment itself, at the ends of windows, before joining or after leaving."""

from __future__ import annotations

import numpy as np

from sync.forecast.history_tables import DUE, GRID, HistoryTables, SortedEvents
from sync.forecast.parameters import Rules
from sync.forecast.pooled import forecast
from sync.history.calendar import Calendar
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases
from tests.unit.test_forecast import asked, made

RULES = Rules()
PLAIN = Calendar.plain()
FIRST = np.array([0])
MOMENT = day(100).timestamp() / 86400
AT = np.array([MOMENT])


# --- events of a stream ---------------------------------------------------------------------------------------------


def test_what_was_finished_before_it_joined_or_after_it_left_is_not_the_streams_work() -> None:
    history = ledger([(container("x", 0, 120), [(50, 40), (10, 60, 50), (10, 60, 60), (10, 60, 70), (10, None, 5)])])
    tables = HistoryTables(history, RULES)
    assert tables.closures.count(FIRST, AT * 0, AT).tolist() == [2]


def test_a_timeline_leaves_out_the_moment_after_which_it_counts() -> None:
    line = SortedEvents(np.array([0, 0, 0]), np.array([1.0, 2.0, 3.0]), 1)
    assert line.count(FIRST, np.array([1.0]), np.array([3.0])).tolist() == [2]
    assert line.before(FIRST, np.array([2.0])).tolist() == [1]
    assert line.before(FIRST, np.array([2.0]), inclusive=True).tolist() == [2]


# --- one container --------------------------------------------------------------------------------------------------


def test_what_is_closed_after_it_left_was_never_done_there() -> None:
    tables = HistoryTables(ledger([(container("x", 0, 10), [(0, 8, 5), (0, 4, 6), (0, None)])]), RULES)
    done = {round(float(GRID[g]), 2): int(tables.scope_at[0, g] - tables.open_at[0, g]) for g in range(len(GRID))}
    assert (done[0.25], done[0.5], done[0.75], done[1.0]) == (0, 1, 0, 0)
    assert tables.open_at[0, DUE] == 1


def test_an_item_closed_at_the_moment_is_done_and_the_last_seven_days_begin_with_a_day() -> None:
    memberships: list[MembershipDays] = [
        (0, 100.0),
        (0, None),
        (94.5, None),
        (93.5, None),
        (100.0, None),
        (100.5, None),
    ]
    batch = asked(ledger([*releases(), (container("x", 0, 120), memberships)]), "x", 100)
    assert [int(v[0]) for v in (batch.open, batch.done, batch.added, batch.added_week)] == [4, 1, 3, 2]


def test_without_a_due_date_no_sentence_needs_one() -> None:
    found = made(ledger([*releases(), (container("x", 336, None), [(336, None), (336, 340)])]), "x", 350)
    assert (found.phase, found.p, found.raw, found.survival, found.reference) == (None, None, None, None, None)
    assert (found.times, found.cdf, found.leftover, found.closures) == ((), (), None, None)
    assert (found.open, found.done) == (1, 1)


def test_a_batch_says_of_each_what_it_says_of_it_alone() -> None:
    running: list[Given] = [
        (container("a", 336, 364), [(336, None)] * 3),
        (container("b", 336, None), [(336, None)] * 2),
        (container("c", 340, 380, stream="other"), [(340, 345), (341, None)]),
        (container("d", 300, 340), [(300, None)] * 2),
    ]
    history = ledger([*releases(), *running])
    names = ["a", "b", "c", "d"]
    together = forecast(history, [history.index[name] for name in names], day(350), RULES, PLAIN)
    assert together == [made(history, name, 350) for name in names]
