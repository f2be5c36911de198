"""The pool and its parts, against numbers worked by hand."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

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


def test_every_vote_of_the_pool_by_hand() -> None:
    """Half way through a sprint with two open items, 200 days after four sprints of four items, all open at half time.

    Of the four, G = 4, 4, 2, 2 (the oldest first) were gone by the due date; nothing joined later. r = 2^(-k/8),
    k = 0 for the newest. The reference class knows one need only, 4: its distance to 2 is ln 2.
    """
    from scipy.stats import betabinom, norm  # late: slow to load, and every worker collects this file

    r, gone, met = [2 ** (-k / 8) for k in range(4)], [2, 2, 4, 4], [0, 0, 1, 1]
    q0 = (12 + 2) / (16 + 4)
    q = (sum(w * g for w, g in zip(r, gone, strict=True)) + 6 * q0) / (sum(4 * w for w in r) + 6)
    share = [(g + 1.5 * q) / (4 + 1.5) for g in gone]
    base = (2 + 1) / (4 + 2)
    left = [float(betabinom.pmf(0, 2, 12 * (1 - s), 12 * s)) for s in share]
    survival = (sum(w * p for w, p in zip(r, left, strict=True)) + 2 * base) / (sum(r) + 2)

    w = [2 ** (-k / 10) for k in range(4)]
    rate = (sum(a * b for a, b in zip(w, met, strict=True)) + 2 * base) / (sum(w) + 2)
    kernel = math.exp(-0.5 * (math.log(2) / 0.7) ** 2)
    reference = (sum(a * b * kernel for a, b in zip(w, met, strict=True)) + 2 * rate) / (sum(w) * kernel + 2)

    enough = [float(norm.cdf((0.5 - (2 - g * math.sqrt(2 / 4))) / (0.35 * math.sqrt(2) + 0.3))) for g in gone]
    closures = (sum(enough) + base) / 5

    now: Given = (container("now", 200, 210), [(200, None), (200, None)])
    found = made(ledger([*four_sprints(), now]), "now", 205)
    assert found.survival == pytest.approx(survival)
    assert found.reference == pytest.approx(reference, abs=0.01)  # read between 17 needs, and made to fall
    assert found.closures == pytest.approx(closures)
    pool = 0.5 * logit(survival) + 0.35 * logit(found.reference or 0.5) + 0.15 * logit(closures)
    assert found.raw == pytest.approx(1 / (1 + math.exp(-pool)))
    assert found.phase == pytest.approx(0.5)
    assert (found.open, found.done) == (2, 0)
    assert (found.basis.stream_finished, found.basis.kind_finished, found.basis.closures_84d) == (4, 4, 0)


def test_without_any_history_every_vote_is_even() -> None:
    history = ledger([(container("only", 0, 10), [(0, None)] * 3)])
    found = made(history, "only", 5)
    assert (found.survival, found.reference, found.closures) == (0.5, 0.5, 0.5)
    assert found.raw == pytest.approx(0.5)
    assert (found.leftover, found.usual) == (None, None)


def test_other_streams_of_the_kind_speak_until_there_are_four_of_its_own() -> None:
    other = [
        (container(f"other-{n}", 10.0 * n, 10.0 * n + 10, stream="web/Sprint"), [(10.0 * n, 10.0 * n + 9)] * 3)
        for n in range(10)
    ]
    own = [(container(f"own-{n}", 30.0 * n, 30.0 * n + 10), [(30.0 * n, 30.0 * n + 90.0)] * 3) for n in range(4)]
    now: Given = (container("now", 200, 210), [(200, None)] * 3)
    three, four = (made(ledger([*other, *own[:count], now]), "now", 205) for count in (3, 4))
    assert (three.basis.stream_finished, three.basis.kind_finished) == (3, 13)
    for vote in ("survival", "reference", "closures"):
        assert getattr(four, vote) < getattr(three, vote)
    assert four.closures == pytest.approx(11 / 16 / 5, abs=0.01)  # none of its own closed anything
    assert three.usual is not None
    assert four.usual is not None
    assert (three.usual.own, three.usual.of, four.usual.own, four.usual.of) == (False, 13, True, 4)


def test_only_the_last_twenty_of_the_stream_count() -> None:
    bad = [(container(f"bad-{n}", n, n + 0.5), [(float(n), None)] * 5) for n in range(15)]
    good = [(container(f"good-{n}", 100.0 + n, 100.5 + n), [(100.0 + n, 100.4 + n)] * 5) for n in range(20)]
    now: Given = (container("now", 200, 210), [(200, None)] * 5)
    found, alone = (made(ledger([*history, now]), "now", 205) for history in ([*bad, *good], good))
    assert (found.survival, found.reference, found.closures) == (alone.survival, alone.reference, alone.closures)
    assert found.basis.stream_finished == 35


def test_a_holiday_ahead_makes_the_phase_later() -> None:
    closed: list[MembershipDays] = [(336, 337 + n / 2) for n in range(6)]
    history = ledger([*releases(), (container("now", 336, 364), [*closed, *[(336, None)] * 8])])
    week_off = Calendar.plain().with_days_off([day(352 + n).date() for n in range(7)])
    free, busy = made(history, "now", 350, calendar=week_off), made(history, "now", 350)
    assert busy.p is not None
    assert free.p is not None
    assert free.p < busy.p


def test_work_beyond_all_experience_is_not_likely() -> None:
    """Six milestones of twenty issues in 28 days, all in time; now a thousand are open."""
    history: list[Given] = [
        (container(f"r{n}", 28.0 * n, 28.0 * n + 28), [(28.0 * n, 28.0 * n + 1 + k) for k in range(20)])
        for n in range(6)
    ]
    for count, most in ((1000, 0.05), (100, 0.25)):
        found = made(ledger([*history, (container("now", 168, 196), [(168, None)] * count)]), "now", 176)
        assert found.p is not None
        assert found.p <= most
        assert found.leftover is not None
        assert found.leftover.usually >= count - 1.5 * 20 - 2  # 20 is the most ever closed in as many days
    usual = made(ledger([*history, (container("now", 168, 196), [(168, None)] * 18)]), "now", 169)
    assert usual.p is not None
    assert usual.p > 0.6


def test_a_series_that_never_finishes_in_full_says_what_is_usual() -> None:
    history: list[Given] = [
        (container(f"r{n}", 28.0 * n, 28.0 * n + 28), [*[(28.0 * n, 28.0 * n + 20)] * 8, *[(28.0 * n, None)] * 2])
        for n in range(8)
    ]
    found = made(ledger([*history, (container("now", 224, 252), [(224, None)] * 10)]), "now", 238)
    assert found.usual is not None
    assert (found.usual.share, found.usual.in_full, found.usual.of, found.usual.own) == (0.2, 0, 8, True)
    assert found.usual.probability > 0.5
    assert found.p is not None
    assert found.p < 0.3
    assert found.leftover is not None
    assert found.leftover.low <= found.leftover.usually <= found.leftover.high <= 10
    assert (found.dates.p85, found.dates.capacity) == (None, False)


def test_a_milestone_counts_as_history_a_day_after_its_due_date() -> None:
    history = ledger([*four_sprints(), (container("now", 35, 60), [(35, None)] * 4)])
    assert made(history, "now", 41.0).basis.stream_finished == 3
    assert made(history, "now", 41.1).basis.stream_finished == 4


def test_an_overdue_milestone_is_no_history_of_its_own() -> None:
    history = ledger(four_sprints())
    found = made(history, "sprint-3", 41.5)
    assert (found.open, found.basis.stream_finished) == (2, 3)
    assert found.p == RULES.clip


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
