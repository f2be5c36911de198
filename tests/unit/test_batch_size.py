"""The size of requests: halved when the tracker gives up, and grown again."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest

from connectors.shared.batch_size import PATIENCE, BatchSize


def sizes_until(batch: BatchSize, capacity: int, requests: int) -> list[int]:
    """The sizes of some requests to a tracker that answers at most ``capacity`` items."""
    sizes = []
    for _ in range(requests):
        sizes.append(batch.size)
        if batch.size > capacity:
            batch.shrink(batch.size)
        else:
            batch.grow(batch.size)
    return sizes


def test_it_halves_until_the_tracker_answers() -> None:
    assert sizes_until(BatchSize(100), capacity=30, requests=4) == [100, 50, 25, 25]


@pytest.mark.parametrize("capacity", [1, 3, 25, 99])
def test_a_lasting_capacity_costs_fewer_and_fewer_requests(capacity: int) -> None:
    sizes = sizes_until(BatchSize(100), capacity, requests=1000)
    failed = [n for n, size in enumerate(sizes) if size > capacity]
    assert len(failed) < 20
    later = [b - a for a, b in pairwise(failed) if b - a > 1]
    assert later == sorted(later), "each trial comes after a longer wait than the one before"


def test_after_an_outage_it_grows_back_to_its_maximum() -> None:
    batch = BatchSize(100)
    for _ in range(10):
        batch.shrink(batch.size)
    assert batch.size == 1
    sizes = sizes_until(batch, capacity=100, requests=7 * PATIENCE + 1)
    assert sizes[-1] == 100


@pytest.mark.parametrize("failures", [(100,), (100, 100, 100), (100, 100, 60)])
def test_requests_that_ran_together_count_once(failures: Sequence[int]) -> None:
    batch = BatchSize(100)
    for number in failures:
        batch.shrink(number)
    assert batch.size == (50 if 60 not in failures else 30)


def test_an_answer_to_a_smaller_request_proves_nothing() -> None:
    batch = BatchSize(100)
    batch.shrink(100)
    for _ in range(100):
        batch.grow(10)
    assert batch.size == 50
