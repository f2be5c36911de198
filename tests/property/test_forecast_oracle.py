"""The forecast in columns is the plain one of `tests.forecast_oracle`, on random histories."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.forecast.batch import AT_DUE, ForecastBatch, forecast_batches
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import LEVELS, Forecast, forecast, forecasts_of
from sync.history.calendar import Calendar
from sync.history.ledger import Ledger
from sync.model.membership import Container, Membership
from tests.days import day
from tests.forecast_oracle import Oracle, Question

few = settings(max_examples=min(60, settings().max_examples), deadline=None)

NEAR = 1e-9
BUSY = Calendar(country="US", off=[date(2024, 9, n) for n in (5, 6, 20)])


class World:
    """Milestones of a stream, of two other streams of its kind and of another kind, and one that runs.

    Items join late, leave, come back, are reopened, removed, closed before they joined, and shared by two milestones.
    """

    def __init__(self, seed: int, own: int, others: int, *, messy: bool) -> None:
        self.random, self.messy = random.Random(seed), messy
        self.containers: list[Container] = []
        self.memberships: list[Membership] = []
        for n in range(own):
            self._add(f"own-{n}", "app/Release", "milestone", self.random.uniform(0, 300))
        for n in range(others):
            stream, kind = self.random.choice([("web/R", "milestone"), ("api/R", "milestone"), ("app/S", "sprint")])
            self._add(f"other-{n}", stream, kind, self.random.uniform(0, 300))
        self._add("now", "app/Release", "milestone", 300.0)
        share = self.random.choice([-0.1, 0.0, 0.01, 0.3, 0.6, 0.93, 0.97, 0.99, 1.1, 1.6, 2.8, 3.5])
        self.at = day(300.0 + share * self.length)

    def _add(self, name: str, stream: str, kind: str, start: float) -> None:
        self.length = self.random.choice([4.0, 14.0, 30.0, 90.0]) * self.random.uniform(0.8, 1.2)
        has_start = not self.messy or self.random.random() < 0.9
        ended = start + self.length * self.random.uniform(0.7, 1.1) if self.random.random() < 0.2 else None
        self.containers.append(
            Container(
                id=name,
                kind=kind,
                stream=stream,
                start=day(start) if has_start else None,
                due=day(start + self.length),
                ended=None if ended is None or name == "now" else day(ended),
            )
        )
        for n in range(self.random.choice([0, 1, 3, 8, 8, 20, 60 if name == "now" else 8])):
            self._item(name, f"{self.random.choice(['shared', name])}/{n}", start)

    def _item(self, container: str, item: str, start: float) -> None:
        joined = start + self.length * max(0.0, self.random.uniform(-1.0, 0.9))
        while True:
            closed = self._after(joined, 0.75)
            if self.messy and closed is not None and self.random.random() < 0.1:
                closed = joined - 1.0
            left = self._after(joined, 0.15) if self.messy else None
            reopened = self._after(closed, 0.2) if self.messy and closed is not None and left is None else None
            self.memberships.append(
                Membership(
                    container=container,
                    item=item,
                    joined=day(joined),
                    closed=None if closed is None else day(closed),
                    left=None if left is None else day(left),
                    reopened=None if reopened is None else day(max(joined, reopened)),
                    removed=self.messy and closed is not None and self.random.random() < 0.1,
                )
            )
            if reopened is not None:
                joined = max(joined, reopened)
            elif left is not None and self.random.random() < 0.4:
                joined = left + self.random.uniform(0, 4)
            else:
                return

    def _after(self, begin: float, chance: float) -> float | None:
        return begin + self.random.expovariate(2.0) * self.length if self.random.random() < chance else None


def batch_of(world: World, tolerance: float) -> ForecastBatch:
    ledger = Ledger.of(world.containers, world.memberships)
    tables = HistoryTables(ledger, Rules(tolerance=tolerance))
    (batch,) = forecast_batches(tables, [ledger.index["now"]], [world.at], Calendar.plain())
    return batch


def near(values: Sequence[float] | float | None) -> object:
    return pytest.approx(values, rel=0, abs=NEAR)


@few
@given(
    st.integers(0, 10**9),
    st.sampled_from([0, 1, 3, 4, 8, 23]),
    st.sampled_from([0, 1, 6, 40]),
    st.sampled_from([0.0, 0.1, 0.2]),
    st.booleans(),
)
def test_forecast_is_that_of_the_plain_oracle(seed: int, own: int, others: int, tolerance: float, messy: bool) -> None:
    world = World(seed, own, others, messy=messy)
    batch = batch_of(world, tolerance)
    question = Oracle(world.containers, world.memberships, tolerance).question("now", world.at)
    if not batch.has_dates[0]:
        assert not question.plan.has_dates
        return
    assert (batch.open[0], batch.open[0] + batch.done[0]) == (question.open, question.scope)
    check_votes(batch, question)
    assert batch.probability(envelope=False, decided=False)[0] == near(question.raw())
    assert batch.probability()[0] == near(question.probability())
    check_dates(batch, question)
    check_leftover(batch, question)


def check_votes(batch: ForecastBatch, question: Question) -> None:
    still_open, scope = np.array([float(question.open)]), np.array([float(question.scope)])
    arrivals = batch.votes.arrivals(still_open, scope)
    survival = batch.votes.survival(still_open, scope, arrivals)
    reference = batch.votes.reference(still_open, scope)
    closures = batch.votes.closures(still_open, scope, arrivals)
    for g, votes in enumerate(question.at_nodes):
        votes_here = [survival[0, g], reference[0, g], closures[0, g]]
        assert votes_here == near([votes.survival, votes.reference, votes.closures])


def check_dates(batch: ForecastBatch, question: Question) -> None:
    curve = batch.completion()
    assert curve[0, AT_DUE:].tolist() == near(question.curve())
    for level in LEVELS:
        expected = question.moment_of(level)
        assert batch.moment_of(curve, level)[0] == pytest.approx(expected, abs=1e-6)


def check_leftover(batch: ForecastBatch, question: Question) -> None:
    (told,) = forecasts_of(batch)
    expected = question.leftover()
    if expected is None:
        assert told.leftover is None
        assert told.usual is None
        return
    assert told.leftover is not None
    assert told.usual is not None
    assert (told.leftover.low, told.leftover.usually, told.leftover.high) == expected
    assert told.usual.probability == near(question.usual())
    assert told.usual.share == near(question.usual_share())


@settings(few, max_examples=min(8, few.max_examples))
@given(st.integers(0, 10**9), st.sampled_from([3, 24]), st.sampled_from([0.0, 0.2]), st.randoms(use_true_random=False))
def test_figures_do_not_depend_on_what_else_is_forecast(
    seed: int, own: int, tolerance: float, shuffler: random.Random
) -> None:
    """Every digit is the same alone, in a batch of any order and size, and in another thread."""
    world = World(seed, own, 60, messy=True)
    tables = HistoryTables(Ledger.of(world.containers, world.memberships), Rules(tolerance=tolerance))
    index = list(range(len(world.containers)))
    at = [day(120 + 3 * k) for k in index[:-1]] + [world.at]
    whole = forecast(tables, index, at, tables.rules, BUSY)
    assert [forecast(tables, [k], at[k], tables.rules, BUSY)[0] for k in index] == whole
    shuffler.shuffle(index)
    with ThreadPoolExecutor(1) as pool:
        shuffled = pool.submit(_in_batches_of, 5, tables, index, [at[k] for k in index]).result()
    assert [shuffled[index.index(k)] for k in range(len(index))] == whole


def _in_batches_of(size: int, tables: HistoryTables, index: list[int], at: list[datetime]) -> list[Forecast]:
    return [found for batch in forecast_batches(tables, index, at, BUSY, size) for found in forecasts_of(batch)]
