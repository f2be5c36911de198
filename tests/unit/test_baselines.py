"""The usual methods, each on a case small enough to work by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from sync.backtest import baselines
from sync.history.ledger import Ledger, days
from sync.model.membership import Container, Membership

DAY = timedelta(days=1)
START = datetime(2024, 1, 1, tzinfo=UTC)
BEGAN = days(START)
STEADY = np.ones(90)
SEEN = baselines.KnownState(
    id="m", scope=20, open=10, done=10, elapsed=10, remaining=10, closures=STEADY, arrivals=np.zeros(90), share=1.0
)


def test_linear_reaches_exactly_what_its_pace_gives() -> None:
    assert baselines.linear(SEEN, 0.0) == 1
    assert baselines.linear(replace(SEEN, open=11), 0.0) == 0
    assert baselines.linear(replace(SEEN, open=12, scope=20), 0.1) == 1, "two of twenty may stay open"


def test_jira_is_sure_outside_ten_percent_and_torn_inside() -> None:
    assert [baselines.jira(replace(SEEN, open=n), 0.0) for n in (9, 10, 11, 12)] == [1, 0.5, 0.5, 0]


def test_velocity_is_the_streams_and_not_the_milestones() -> None:
    assert baselines.velocity(replace(SEEN, done=0), 0.0) == 0.5
    assert baselines.velocity(replace(SEEN, closures=STEADY * 2), 0.0) == 1


def test_monte_carlo_of_an_even_stream_is_sure() -> None:
    assert baselines.monte_carlo(SEEN, 0.0) == 1
    assert baselines.monte_carlo(replace(SEEN, open=11), 0.0) == 0


def test_monte_carlo_of_an_uneven_stream_is_the_binomial_chance() -> None:
    """Every second day three closures: at least 15 in 10 days means at least 5 of 10 coins."""
    uneven = np.tile([0.0, 3.0], 45)
    p = baselines.monte_carlo(replace(SEEN, open=15, closures=uneven), 0.0)
    assert p == pytest.approx(0.623, abs=0.04)


def negative_binomial(*of: float) -> float:
    from scipy.stats import nbinom  # late: slow to load, and every worker collects this file

    return float(nbinom.sf(*of))


def test_gamma_poisson_is_the_negative_binomial() -> None:
    p = baselines.gamma_poisson(SEEN, 0.0)
    assert p == pytest.approx(negative_binomial(9, 84.5, 84 / 94))
    growing = replace(SEEN, arrivals=STEADY / 2)
    assert baselines.gamma_poisson(growing, 0.0) == pytest.approx(negative_binomial(14, 84.5, 84 / 94))


@pytest.mark.parametrize("items", [1, 7, 300, 20_000])
@pytest.mark.parametrize("remaining", [0.01, 30, 900])
@pytest.mark.parametrize("closed", [0, 3, 4000])
def test_gamma_poisson_at_the_ends_of_its_range(items: int, remaining: float, closed: int) -> None:
    closures = np.full(90, closed / 84)
    known = replace(SEEN, open=items, scope=items, remaining=remaining, closures=closures)
    want = negative_binomial(items - 1, closed + 0.5, 84 / (84 + remaining))
    assert baselines.gamma_poisson(known, 0.0) == pytest.approx(want, rel=1e-9, abs=1e-11)


def test_gamma_poisson_without_time_needs_to_be_done_already() -> None:
    assert baselines.gamma_poisson(replace(SEEN, remaining=0), 0.0) == 0
    assert baselines.gamma_poisson(replace(SEEN, remaining=0, open=0), 0.0) == 1


@pytest.mark.parametrize("method", baselines.BASELINES)
def test_more_open_items_never_help(method: str) -> None:
    told = [baselines.BASELINES[method](replace(SEEN, open=n, scope=n + 10), 0.0) for n in range(1, 30)]
    assert told == sorted(told, reverse=True)
    assert told[0] > 0.9
    assert told[-1] < 0.1


def ledger(*memberships: tuple[str, str, float, float | None]) -> Ledger:
    """Stays (container, item, joined, closed) in days after START; containers a and b run 10 days of one stream."""
    containers = [
        Container(id=name, kind="sprint", stream="s", start=START + shift * DAY, due=START + (10 + shift) * DAY)
        for name, shift in (("a", 0), ("b", 5))
    ]
    return Ledger.of(
        containers,
        [
            Membership(
                container=container,
                item=item,
                joined=START + joined * DAY,
                closed=None if closed is None else START + closed * DAY,
            )
            for container, item, joined, closed in memberships
        ],
    )


def test_a_carried_over_item_was_closed_once_and_arrived_once() -> None:
    (log,) = baselines.StreamLog.of(ledger(("a", "x", 1, 7), ("b", "x", 5, 7), ("b", "y", 6, None)))
    assert log.closed.tolist() == [BEGAN + 7]
    assert log.arrived.tolist() == [BEGAN + 1, BEGAN + 6]


def test_what_was_closed_before_it_joined_was_never_the_streams_work() -> None:
    (log,) = baselines.StreamLog.of(ledger(("a", "x", 3, 2)))
    assert log.closed.tolist() == []


def test_a_known_state_counts_what_is_known_and_nothing_later() -> None:
    history = ledger(("a", "x", 0, 2), ("a", "y", 0, 4.5), ("a", "z", 1, 8), ("a", "later", 6, 7), ("b", "w", 4, 4.2))
    (log,) = baselines.StreamLog.of(history)
    seen = baselines.known_state(history, log, 0, BEGAN + 5, active=1)
    assert (seen.scope, seen.open, seen.done, seen.elapsed, seen.remaining) == (3, 1, 2, 5, 5)
    assert seen.closures[-5:].tolist() == [0, 1, 0, 0, 2]
    assert seen.arrivals[-5:].tolist() == [1, 0, 0, 1, 0]
    assert seen.share == pytest.approx((2 + 3) / (3 + 3))
    assert seen.must_close(0.34) == 0


def test_base_rate_knows_only_milestones_due_more_than_a_day_before() -> None:
    due = np.array([1.0, 2.0, 3.0])
    hit = np.array([True, True, False])
    rate = baselines.base_rate(
        np.array([2.0, 2.1, 3.5, 4.1]), np.zeros(3, dtype=np.int64), due, hit, np.array([2, 2, 2, 2])
    )
    assert rate.tolist() == pytest.approx([1 / 2, 2 / 3, 3 / 4, 3 / 5])


def test_base_rate_does_not_mix_kinds() -> None:
    kinds = np.array([0, 1])
    rate = baselines.base_rate(np.array([9.0, 9.0]), kinds, np.zeros(2), np.array([True, False]), np.array([0, 1]))
    assert rate.tolist() == pytest.approx([2 / 3, 1 / 3])


def test_platt_learns_an_offset_from_resolved_forecasts_only() -> None:
    """All said .8, half came true. The first is passed through; the last is near one half."""
    n = 200
    asked = np.arange(n, dtype=np.float64)
    scaled = baselines.platt(np.full(n, 0.8), asked, asked + 5, np.arange(n) % 2 == 0)
    assert scaled[:6].tolist() == pytest.approx([0.8] * 6), "nothing resolved yet"
    assert scaled[-1] == pytest.approx(0.5, abs=0.03)


def test_platt_ignores_the_order_of_its_rows() -> None:
    random = np.random.default_rng(5)
    p, asked = random.uniform(0.1, 0.9, 60), random.uniform(0, 100, 60)
    hit = random.random(60) < p
    order = random.permutation(60)
    straight = baselines.platt(p, asked, asked + 3, hit)
    assert baselines.platt(p[order], asked[order], asked[order] + 3, hit[order]) == pytest.approx(
        straight[order], abs=1e-6
    )
