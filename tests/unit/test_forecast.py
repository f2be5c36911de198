"""The pool and its parts, against numbers worked by hand."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from sync.forecast.batch import Assumptions, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast, forecast
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from tests.days import day
from tests.ledgers import Given, MembershipDays, container, ledger, releases

PLAIN = Calendar.plain()
RULES = Rules()
STEADY = Rules(rate_drift=0.0)


def made(history: Ledger, name: str, at: float, rules: Rules = RULES, calendar: Calendar = PLAIN) -> Forecast:
    (found,) = forecast(history, [history.index[name]], day(at), rules, calendar)
    return found


def asked(history: Ledger, name: str, at: float, rules: Rules = RULES) -> ForecastBatch:
    (found,) = forecast_batches(HistoryTables(history, rules), [history.index[name]], [day(at)], PLAIN)
    return found


def logit(p: float) -> float:
    return math.log(p / (1 - p))


def four_sprints() -> list[Given]:
    """Ten days each, four items open at half time: all four gone by the due date, twice; two of four, twice."""
    found: list[Given] = []
    for n, gone in enumerate((4, 4, 2, 2)):
        start = 10.0 * n
        closed: list[MembershipDays] = [*[(start, start + 8.0)] * gone, *[(start, start + 12.0)] * (4 - gone)]
        found.append((container(f"sprint-{n}", start, start + 10.0), closed))
    return found


def test_every_part_of_the_pool_by_hand() -> None:
    """Half way through a sprint with two open items, 200 days after four sprints, nothing closed for 90 days.

    Items: N = 16, K = 12; q0 = 14/20 = .7; q = (12 + 6 * .7)/22 = .73636. The K are 4, 4, 2, 2 against Nq = 2.94545:
    sum of squares 4.01190, Nq(1-q) over all 3.10612, times 3 = 9.31834: rho = .90579/9.31834 = .09720, shrunk with
    w = .4 to .15888. Growth .5/21 leaves 2 items. a + b = 5.29398, a = 3.89830:
    P_H = a(a+1)/((a+b)(a+b+1)) = .57309.
    Milestones: 2 of 4 were done, b0 = 3/6: P_F = (2 + 1.5)/7 = .5. Nothing closed: P_D = .02.
    Pool: .45 * .29456 + 0 + .25 * (-3.89182) = -.84040: P = .30144.
    """
    now: Given = (container("now", 200, 210), [(200, None), (200, None)])
    found = made(ledger([*four_sprints(), now]), "now", 205)
    assert found.survival == pytest.approx(0.57309, abs=1e-4)
    assert found.reference == pytest.approx(0.5)
    assert found.simulation == pytest.approx(0.02)
    assert found.raw == pytest.approx(0.30144, abs=1e-4)
    assert found.phase == pytest.approx(0.5)
    assert found.expected_left == pytest.approx(2 * (1 - 16.2 / 22))
    assert (found.open, found.done) == (2, 0)
    assert (found.basis.stream_finished, found.basis.kind_finished, found.basis.closures_84d) == (4, 4, 0)


def test_without_any_history_the_priors_speak() -> None:
    """q0 = q = .5, rho = .2: a = b = 2; growth .5/5 makes 3 of 3. P_H = 2*3*4/(4*5*6) = .2; P_F = .5; no sample."""
    history = ledger([(container("only", 0, 10), [(0, None)] * 3)])
    found = made(history, "only", 5)
    assert found.survival == pytest.approx(0.2)
    assert found.reference == pytest.approx(0.5)
    assert found.simulation is None
    assert found.raw == pytest.approx(1 / (1 + math.exp(-0.6 * logit(0.2))))
    assert found.p == pytest.approx(found.raw)


def test_with_three_earlier_ones_the_kind_is_asked() -> None:
    other = [
        (container(f"other-{n}", 10.0 * n, 10.0 * n + 10, stream="web/Sprint"), [(10.0 * n, 10.0 * n + 9)] * 3)
        for n in range(10)
    ]
    own = [(container(f"own-{n}", 30.0 * n, 30.0 * n + 10), [(30.0 * n, 30.0 * n + 90.0)] * 3) for n in range(3)]
    history = ledger([*other, *own, (container("now", 200, 210), [(200, None)] * 3)])
    found = made(history, "now", 205)
    assert (found.basis.stream_finished, found.basis.kind_finished) == (3, 13)
    # ten hits and three misses of the kind, at half time all unfinished: b0 = 11/15
    assert found.reference == pytest.approx((10 + 3 * 11 / 15) / 16)


def test_only_the_last_twenty_of_the_stream_count() -> None:
    bad = [(container(f"bad-{n}", n, n + 0.5), [(float(n), None)] * 5) for n in range(15)]
    good = [(container(f"good-{n}", 100.0 + n, 100.5 + n), [(100.0 + n, 100.4 + n)] * 5) for n in range(20)]
    history = ledger([*bad, *good, (container("now", 200, 210), [(200, None)] * 5)])
    found = made(history, "now", 205)
    # 20 hits of 20; of the kind 20 hits of 35
    assert found.reference == pytest.approx((20 + 3 * 21 / 37) / 23)
    assert found.basis.stream_finished == 35


def test_a_milestone_counts_as_history_a_day_after_its_due_date() -> None:
    history = ledger([*four_sprints(), (container("now", 35, 60), [(35, None)] * 4)])
    assert made(history, "now", 41.0).basis.stream_finished == 3
    assert made(history, "now", 41.1).basis.stream_finished == 4


def test_an_overdue_milestone_is_no_history_of_its_own() -> None:
    history = ledger(four_sprints())
    found = made(history, "sprint-3", 41.5)
    assert (found.open, found.basis.stream_finished) == (2, 3)
    assert found.p == RULES.clip


def test_one_item_a_day_with_certainty() -> None:
    """The stream closes one item a day, all of them this milestone's: seven days ahead close exactly seven."""
    closed: list[MembershipDays] = [(0, n + 0.5) for n in range(100)]
    for still_open, p in ((7, 0.98), (8, 0.02)):
        history = ledger([(container("now", 0, 107), [*closed, *[(0, None)] * still_open])])
        assert made(history, "now", 100, STEADY).simulation == pytest.approx(p)


def test_a_path_is_faster_or_slower_by_a_factor_of_its_own() -> None:
    """Ten closures expected in ten days of one a day: k items are done by the paths with a factor of k/10 or more."""
    closed: list[MembershipDays] = [(0, n + 0.5) for n in range(100)]
    batch = asked(ledger([(container("now", 0, 110), [*closed, (0, None)])]), "now", 100)
    for items in (6, 9, 10, 12, 16):
        need = np.array([items - 0.5])  # half way between whole numbers: nothing depends on rounding
        normal = stats.norm(-(0.45**2) / 2, 0.45)
        found = batch.simulation(need, need, batch.days_to_due)[0]
        assert found == pytest.approx(normal.sf(math.log(need[0] / 10)), abs=0.05)


def test_arrivals_count_against_it_until_the_due_date() -> None:
    """Two closed and one joining a day: one a day net, two when the scope is frozen."""
    closed: list[MembershipDays] = [(0, n / 2 + 0.1) for n in range(200)]
    joining: list[MembershipDays] = [(n + 0.6, None) for n in range(100)]
    batch = asked(ledger([(container("now", 0, 107), [*closed, *joining, (0, None)])]), "now", 100, STEADY)
    for need, p, frozen in ((7.0, 0.98, 0.98), (8.0, 0.02, 0.98), (14.0, 0.02, 0.98), (15.0, 0.02, 0.02)):
        items = np.array([need])
        assert batch.simulation(items, items, batch.days_to_due)[0] == pytest.approx(p)
        assert batch.simulation(items, items, batch.days_to_due, frozen=True)[0] == pytest.approx(frozen)


def test_a_stream_younger_than_a_fortnight_is_not_sampled() -> None:
    history = ledger([(container("now", 0, 60), [(0, float(n)) for n in range(1, 20)] + [(0, None)] * 5)])
    assert made(history, "now", 13.9).simulation is None
    assert made(history, "now", 14.1).simulation is not None


def test_holidays_ahead_take_working_days() -> None:
    closed: list[MembershipDays] = [(0, n + 0.5) for n in range(100)]
    history = ledger([(container("now", 0, 107), [*closed, *[(0, None)] * 6])])
    week_off = Calendar.plain().with_days_off([day(100 + n).date() for n in range(3)])
    assert made(history, "now", 100, STEADY).simulation == pytest.approx(0.98)
    assert made(history, "now", 100, STEADY, week_off).simulation == pytest.approx(0.02)


def test_the_tolerance_lets_a_share_stay_open() -> None:
    """At a tolerance of a tenth, 2 of 20 items may stay open: of 9 open, 7 must close in seven days."""
    closed: list[MembershipDays] = [(0, n + 0.5) for n in range(100)]
    for still_open, p in ((18, 0.98), (20, 0.02)):  # scope 118: 11 may stay; scope 120: 12 may
        history = ledger([(container("now", 0, 107), [*closed, *[(0, None)] * still_open])])
        assert made(history, "now", 100, Rules(tolerance=0.1, rate_drift=0.0)).simulation == pytest.approx(p)


@pytest.mark.parametrize(
    ("start", "due"), [(None, None), (0, None), (10, 10), (20, 10), (-700_000, 20), (0, 2_900_000)]
)
def test_dates_that_make_no_sense_give_no_number(start: float | None, due: float | None) -> None:
    history = ledger([*releases(), (container("odd", start, due), [(0, None)] * 5)])
    found = made(history, "odd", 5)
    assert (found.p, found.raw, found.survival, found.cdf) == (None, None, None, ())


def test_an_unknown_start_is_when_the_first_item_joined() -> None:
    given: list[MembershipDays] = [(202, None), (200, None), (204, None)]
    inferred = made(ledger([*four_sprints(), (container("now", None, 210), given)]), "now", 205)
    stated = made(ledger([*four_sprints(), (container("now", 200, 210), given)]), "now", 205)
    assert inferred == stated


def test_nothing_later_than_the_moment_is_used() -> None:
    history = releases()
    now: list[MembershipDays] = [(336, 340), (336, 345), (336, None), (338, None), (350, 351), (336, 350, 352)]
    known: list[MembershipDays] = [(336, 340), (336, 345), (336, None), (338, None), (336, None)]
    after = [(container("after", 346, 360), [(346.0, 350.0)])]
    seen = made(ledger([*history, (container("now", 336, 364, ended=365), now), *after]), "now", 345.5)
    blind = made(ledger([*history, (container("now", 336, 364), known)]), "now", 345.5)
    assert seen == blind


def test_the_completion_curve_rises_and_gives_the_dates() -> None:
    history = ledger([*releases(), (container("now", 336, 364), [(336, None)] * 6)])
    found = made(history, "now", 350)
    assert found.times == (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
    assert found.cdf[0] == found.p
    assert list(found.cdf) == sorted(found.cdf)
    dates = [found.dates.p50, found.dates.p85, found.dates.p95]
    assert all(date is not None for date in dates)
    assert dates == sorted(dates, key=str)
    assert found.dates.horizon == day(336 + 84 - 0.001).date()


def test_a_date_beyond_three_planned_times_is_not_given() -> None:
    stuck = [(container(f"s-{n}", 28.0 * n, 28.0 * n + 28), [(28.0 * n, None)] * 5) for n in range(10)]
    found = made(ledger([*stuck, (container("now", 280, 308), [(280, None)] * 5)]), "now", 294)
    assert (found.dates.p50, found.dates.p85, found.dates.p95) == (None, None, None)
    assert found.dates.horizon is not None


def test_the_same_input_gives_the_same_bytes_in_any_order() -> None:
    pairs = [*releases(), (container("now", 336, 364), [(336.0, None)] * 6)]
    one = made(ledger(pairs), "now", 350)
    other = made(ledger([(c, given[::-1]) for c, given in pairs[::-1]]), "now", 350)
    assert msgspec.json.encode(one) == msgspec.json.encode(other)


def test_many_at_once_are_as_each_alone() -> None:
    pairs = releases(6) + releases(6, stream="web/Release", missed=0)
    history = ledger(pairs)
    tables = HistoryTables(history, RULES)
    moments = [day(28.0 * (n % 6) + 14) for n in range(12)]
    together = forecast(tables, range(12), moments, RULES, PLAIN)
    alone = [forecast(history, [n], moments[n], RULES, PLAIN)[0] for n in range(12)]
    assert together == alone


def test_what_if_answers() -> None:
    history = ledger([*releases(), (container("now", 336, 364), [(336, 340.0)] * 4 + [(336, None)] * 6)])
    batch = asked(history, "now", 350)
    p = batch.probability()[0]
    assert batch.probability(np.array([3]), np.array([7]))[0] > p
    assert batch.probability(assumed=Assumptions(due=batch.due + 14))[0] >= p
    assert batch.probability(assumed=Assumptions(elapsed=7))[0] <= p
    assert batch.probability(assumed=Assumptions(elapsed=15))[0] == RULES.clip
    assert batch.probability(np.array([0]), np.array([10]), assumed=Assumptions(elapsed=15))[0] == 1 - RULES.clip
    assert batch.probability(assumed=Assumptions(frozen=True))[0] >= p
