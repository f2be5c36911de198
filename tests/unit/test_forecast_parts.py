"""Beta-binomial, capacity dates, sampling and counting, each against numbers worked by hand or another library."""

from __future__ import annotations

import math
from hashlib import blake2b

import numpy as np
import pytest
from scipy import stats

from sync.forecast.history_tables import DUE, GRID, HistoryTables, SortedEvents
from sync.forecast.joint import seed
from sync.forecast.pace import share_of_stream, usual_gap
from sync.forecast.parameters import Rules
from sync.forecast.stats import beta_binomial, log_gamma
from sync.forecast.throughput import (
    capacity_days,
    capacity_moments,
    closures_by_week,
    median_and_scale,
)
from sync.history.calendar import Calendar
from tests.days import day
from tests.ledgers import MembershipDays, container, ledger

RULES = Rules()
AT = np.array([(day(100).timestamp()) / 86400])
FIRST = np.array([0])


@pytest.mark.parametrize(
    ("size", "left", "p"),
    [
        (2, 0, 0.375),  # a = b = .5; a(a+1)/((a+b)(a+b+1)) = .75/2
        (2, 1, 0.625),
        (2, 2, 1.0),
        (2, 5, 1.0),
        (0, 0, 1.0),
        (1, 0, 0.5),
    ],
)
def test_beta_binomial_by_hand(size: int, left: int, p: float) -> None:
    found = beta_binomial(np.array([float(size)]), np.array([float(left)]), np.array([0.5]), 1.0)
    assert found == pytest.approx(p)


def test_beta_binomial_as_scipy_has_it() -> None:
    rng = np.random.default_rng(3)
    size = rng.integers(0, 400, (30, 10)).astype(float)
    left = np.floor(size * rng.random((30, 10)) * 0.4)
    for scale in (1.5, 12.0, 20.0):
        gone = scale * rng.uniform(0.02, 0.98, (30, 10))
        expected = stats.betabinom.cdf(left, size, scale - gone, gone)
        assert beta_binomial(size, left, gone, scale) == pytest.approx(expected, abs=1e-9)
        assert beta_binomial(size, size * 0, gone, scale, log_gamma(gone)) == pytest.approx(
            stats.betabinom.pmf(0, size, scale - gone, gone), abs=1e-9
        )


def test_capacity_days_by_hand() -> None:
    """Two a week for twelve weeks: no variance, phi = (12 + 12)/16 = 1.5, rate 24/1.5 = 16; 1.5 items: shape 1.

    With shape 1 the quantile is (1 - q)^(-1/16) - 1: the median 84 * .044274 = 3.7190 days, the 85% one 10.574;
    s = ln of their ratio = 1.0449, clipped to 1.
    """
    days = capacity_days(np.array([1.5]), np.full((1, 12), 2), RULES)
    median = 84 * (0.5 ** (-1 / 16) - 1)
    assert median == pytest.approx(3.7190, abs=1e-3)
    assert days[0] == pytest.approx([median * math.exp(m) for m in (0.41, 1.6, 2.5)])


def test_capacity_is_a_beta_prime_stretched_by_the_variance() -> None:
    weeks = np.array([[9, 0, 4, 1, 12, 0, 3, 7, 2, 2, 5, 3]])
    ratio = weeks.var(ddof=1) / weeks.mean()
    phi = (12 * ratio + 12) / 16
    median, scale = median_and_scale(np.array([30.0]), weeks, RULES)
    exact = stats.betaprime(30 / phi, weeks.sum() / phi)
    assert median[0] == pytest.approx(84 * exact.ppf(0.5))
    assert scale[0] == pytest.approx(math.log(exact.ppf(0.85) / exact.ppf(0.5)))


def test_no_closures_give_no_capacity_date_and_no_items_none_to_wait_for() -> None:
    weeks = np.array([[0] * 12, [1] * 12])
    days = capacity_days(np.array([5.0, 0.0]), weeks, RULES)
    assert np.isinf(days[0]).all()
    assert days[1].tolist() == [0, 0, 0]


def test_weeks_are_counted_back_from_the_moment_and_holidays_put_back() -> None:
    closed: list[MembershipDays] = [(0, 99.9), (0, 100.0), (0, 93.1), (0, 92.9), (0, 15.9), (0, 100.1)]
    history = ledger([(container("one", 0, 120), closed)])
    weeks = closures_by_week(HistoryTables(history, RULES), FIRST, AT)[0]
    assert weeks.tolist() == [3, 1, *[0] * 10]
    calendar = Calendar.plain()
    soon = capacity_moments(HistoryTables(history, RULES), FIRST, np.array([2.0]), AT, calendar)[0]
    off = calendar.with_days_off([day(101).date()])
    later = capacity_moments(HistoryTables(history, RULES), FIRST, np.array([2.0]), AT, off)[0]
    assert later == pytest.approx(soon + 1)
    assert (np.diff(soon) > 0).all()


def test_an_item_carried_over_several_sprints_is_one_closure() -> None:
    names = ["a", "b", "c"]
    history = ledger([(container(n, 10.0 * k, 10.0 * k + 10), [(10.0 * k, 95.0)]) for k, n in enumerate(names)])
    history.item[:] = 0
    assert HistoryTables(history, RULES).closures.count(FIRST, AT * 0, AT).tolist() == [1]


def test_a_phase_table_by_hand() -> None:
    """Ten days: open all along, closed at half time, closed at due, joined late, moved out, reopened, closed early."""
    given: list[MembershipDays] = [
        (0, None),
        (0, 5),
        (0, 10),
        (6, 12),
        (0, None, 7),
        (0, 2, 4),  # reopened on day 4
        (4, 9),
        (3, 1),  # closed before it joined
        (30, 31),
    ]
    tables = HistoryTables(ledger([(container("x", 0, 10), given)]), RULES)

    def column(share: float) -> int:
        return int(np.flatnonzero(np.isclose(share, GRID))[0])

    half = column(0.5)
    assert tables.open_at[0, half] == 4  # two for ever or until due, the moved, the reopened
    assert tables.scope_at[0, half] == 4 + 2  # closed at half time; closed before it joined
    assert tables.open_at[0, DUE] == 2  # for ever, and the late one
    assert (tables.due_total[0], tables.joined_by[0, DUE]) == (2 + 4, tables.joined_by[0, half] + 1)
    assert tables.gone_by[0, DUE] - tables.gone_by[0, half] == 3
    assert tables.finished_by[0].tolist() == [False] * 6
    assert tables.open_at[0, column(1.25)] == 1


def test_a_timeline_answers_for_many_groups() -> None:
    line = SortedEvents(np.array([1, 0, 1, 2, 1]), np.array([5.0, 3.0, 1.0, 9.0, 5.0]), 4)
    assert line.count(np.array([0, 1, 1, 2, 3]), np.zeros(5), np.array([3.0, 4.9, 5.0, 8.0, 99.0])).tolist() == [
        1,
        1,
        3,
        0,
        0,
    ]
    assert (line.before(np.array([1]), np.array([5.0])) - line.first[1]).tolist() == [1]


def test_the_share_of_a_milestone_in_its_stream() -> None:
    """Four of ten closures since the start are its own, two milestones are active: (4 + 1.5)/(10 + 3)."""
    other: list[MembershipDays] = [(0, 91.5)] * 6
    mine: list[MembershipDays] = [(90, 95.0)] * 4
    history = ledger([(container("mine", 90, 120), mine), (container("other", 0, 120), other)])
    assert share_of_stream(HistoryTables(history, RULES), FIRST, AT) == pytest.approx(5.5 / 13)


def test_the_usual_gap_is_between_days_with_closures() -> None:
    """Three days with closures in the ninety before; a stream without closures, or of a week, has no gap."""
    closed: list[MembershipDays] = [(0, 20.2), (0, 20.7), (0, 60.5), (0, 99.5), (0, 5.0)]
    history = ledger([(container("x", 0, 120), closed), (container("new", 93, 120, stream="s"), [(93, 95.0)])])
    index = np.array([history.index["x"], history.index["new"]])
    assert usual_gap(HistoryTables(history, RULES), index, np.repeat(AT, 2)).tolist() == [30.0, np.inf]


def test_the_seed_is_the_containers_alone() -> None:
    assert seed("x") == int.from_bytes(blake2b(b"x").digest()[:8], "big")
    assert seed("x") != seed("y")
