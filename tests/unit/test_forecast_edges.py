"""Edge cases: events at the moment itself, at the ends of windows, before joining or after leaving."""

from __future__ import annotations

import numpy as np
import pytest

from sync.forecast.history_tables import DUE, GRID, HistoryTables, SortedEvents
from sync.forecast.parameters import Rules
from sync.forecast.pooled import forecast
from sync.forecast.simulation import Sample, _per_day, _thinned, sample, simulate
from sync.history.calendar import Calendar
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases
from tests.unit.test_forecast import asked, made

RULES = Rules()
PLAIN = Calendar.plain()
FIRST = np.array([0])
MOMENT = day(100).timestamp() / 86400
AT = np.array([MOMENT])


def sampled(memberships: list[MembershipDays], *more: Given) -> Sample:
    """As of day 100, of a container that runs from day 0 to day 120; the window reaches back to day 10."""
    history = ledger([(container("mine", 0, 120), memberships), *more])
    (given,) = sample(HistoryTables(history, RULES), FIRST, AT, PLAIN)
    return given


# --- events of a stream ---------------------------------------------------------------------------------------------


def test_a_window_holds_its_end_and_not_its_beginning() -> None:
    given = sampled([(0, 10.0), (0, 10.5), (0, 100.0), (0, 100.5), (10.0, None), (10.5, None), (100.0, None)])
    assert given.out_per_day is not None
    assert given.in_per_day is not None
    assert (len(given.out_per_day), len(given.in_per_day)) == (90, 90)
    assert {int(n): int(given.out_per_day[n]) for n in np.flatnonzero(given.out_per_day)} == {0: 1, 89: 1}
    assert {int(n): int(given.in_per_day[n]) for n in np.flatnonzero(given.in_per_day)} == {0: 1, 89: 1}


def test_what_was_finished_before_it_joined_or_after_it_left_is_not_the_streams_work() -> None:
    history = ledger([(container("x", 0, 120), [(50, 40), (10, 60, 50), (10, 60, 60), (10, 60, 70), (10, None, 5)])])
    tables = HistoryTables(history, RULES)
    assert tables.closures.count(FIRST, AT * 0, AT).tolist() == [2]


def test_days_of_events_are_counted_oldest_first_and_no_days_have_none() -> None:
    times = MOMENT - np.array([0.0, 0.5, 1.0, 2.9, 3.0])
    assert _per_day(times, MOMENT, 3).tolist() == [2, 1, 2]  # the oldest takes what lies on its edge
    none = _per_day(np.zeros(0), MOMENT, 0)
    assert none.tolist() == []
    assert none.dtype == np.int64


def test_a_timeline_leaves_out_the_moment_after_which_it_counts() -> None:
    line = SortedEvents(np.array([0, 0, 0]), np.array([1.0, 2.0, 3.0]), 1)
    assert line.count(FIRST, np.array([1.0]), np.array([3.0])).tolist() == [2]
    assert line.before(FIRST, np.array([2.0])).tolist() == [1]
    assert line.before(FIRST, np.array([2.0]), inclusive=True).tolist() == [2]


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_each_event_of_a_crowded_day_is_thinned(share: float) -> None:
    sums = _thinned(np.random.default_rng(5), np.array([40, 3, 0, 16, 17]), share, 4_000)
    kept = np.diff(sums, axis=1)
    assert (sums[:, 0] == 0).all()
    assert kept.mean(axis=0) == pytest.approx(share * np.array([40, 3, 0, 16, 17]), abs=0.25)
    assert kept.var(axis=0) == pytest.approx(share * (1 - share) * np.array([40, 3, 0, 16, 17]), abs=0.6)


def test_only_what_could_be_sampled_has_paths() -> None:
    sure = Sample(np.ones(90, dtype=np.int64), np.zeros(90, dtype=np.int64), 1.0, 1, 90)
    blank = Sample(None, None, 0.0, 1, 0)
    later = np.tile(np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0]), (2, 1))
    steady = Rules(rate_drift=0.0)
    paths = simulate(["a", "b"], [blank, sure], np.array([10.0, 10.0]), later, np.array([10.0, 10.0]), steady)
    assert paths.is_sampled.tolist() == [False, True]
    for need, p in ((10.0, 1.0), (10.1, 0.0)):  # one a day: ten in ten days, not more
        assert paths.probability(np.array([need, need]), np.array([10.0, 10.0])).tolist() == [0.0, p]
    assert paths.curve(np.array([35.0, 35.0])).tolist() == [[0.0] * 6, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]]


# --- one container --------------------------------------------------------------------------------------------------


def test_what_is_closed_after_it_left_was_never_done_there() -> None:
    tables = HistoryTables(ledger([(container("x", 0, 10), [(0, 8, 5), (0, 4, 6), (0, None)])]), RULES)
    done = {round(float(GRID[g]), 2): int(tables.done_by[0, g]) for g in range(len(GRID))}
    assert (done[0.35], done[0.4], done[0.5], done[0.6], done[0.7]) == (0, 1, 1, 0, 0)
    assert tables.done_by[0, DUE] == 0
    assert tables.joined_by[0, DUE] - tables.gone_by[0, DUE] == 1


def test_an_item_closed_at_the_moment_is_done_and_one_of_eight_days_ago_is_not_of_this_week() -> None:
    memberships: list[MembershipDays] = [
        (0, 100.0),
        (0, None),
        (93.5, None),
        (92.5, None),
        (100.0, None),
        (100.5, None),
    ]
    batch = asked(ledger([*releases(), (container("x", 0, 120), memberships)]), "x", 100)
    assert [int(v[0]) for v in (batch.open, batch.done, batch.added, batch.added_week)] == [4, 1, 3, 2]


def test_without_a_due_date_no_sentence_needs_one() -> None:
    found = made(ledger([*releases(), (container("x", 336, None), [(336, None), (336, 340)])]), "x", 350)
    assert (found.phase, found.p, found.raw, found.survival, found.reference) == (None, None, None, None, None)
    assert (found.times, found.cdf, found.expected_left, found.simulation) == ((), (), None, None)
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


def test_a_date_that_capacity_gives_is_not_before_a_due_date_that_will_hardly_hold() -> None:
    """Every earlier release was left unfinished, but ten items a month are closed: by pace alone it would be done."""
    history: list[Given] = []
    for n in range(12):
        start = 28.0 * n
        memberships: list[MembershipDays] = [*[(start, start + 2.0 * k + 1) for k in range(10)], *[(start, None)] * 3]
        history.append((container(f"r{n}", start, start + 28, ended=start + 30), memberships))
    running: list[MembershipDays] = [*[(336, 336.2 + k) for k in range(10)], *[(336, None)] * 3]
    found = made(ledger([*history, (container("now", 336, 364), running)]), "now", 350)
    assert found.p is not None
    assert found.p < 0.2
    assert found.dates.capacity
    assert (found.capacity.p50, found.dates.p50) == (day(358).date(), day(364).date())
    assert (found.capacity.p85, found.capacity.p95) == (found.dates.p85, found.dates.p95)
