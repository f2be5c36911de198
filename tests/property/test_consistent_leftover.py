"""Agreement of the published leftover with the published probability."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.health.leftover import consistent_leftover
from sync.model.health import Leftover

COUNTS = st.lists(st.integers(0, 30), min_size=3, max_size=3).map(sorted)


@pytest.mark.parametrize(
    ("left", "probability", "agreed"),
    [
        ((1, 3, 5), 0.28, (0, 3, 5)),
        ((2, 2, 2), 0.18, (0, 2, 2)),
        ((2, 2, 2), 0.10, (2, 2, 2)),
        ((0, 0, 0), 0.40, (0, 1, 1)),
        ((0, 2, 4), 0.56, (0, 0, 4)),
        ((0, 0, 0), 0.86, (0, 0, 0)),
        ((0, 0, 0), 0.80, (0, 0, 1)),
    ],
)
def test_chance_of_leaving_none_bounds_the_range(
    left: tuple[int, int, int], probability: float, agreed: tuple[int, int, int]
) -> None:
    low, usually, high = left
    found = consistent_leftover(Leftover(low=low, usually=usually, high=high), probability, 0)
    assert found is not None
    assert (found.low, found.usually, found.high) == agreed


@given(COUNTS, st.floats(0.01, 0.99), st.integers(0, 3))
def test_quantiles_agree_with_any_probability(counts: list[int], probability: float, allowed: int) -> None:
    low, usually, high = counts
    found = consistent_leftover(Leftover(low=low, usually=usually, high=high), probability, allowed)
    assert found is not None
    assert found.low <= found.usually <= found.high
    assert found.low <= allowed or probability < 0.15
    assert (found.usually <= allowed) is (probability >= 0.5)
    assert found.high > allowed or probability >= 0.85


def test_without_a_probability_nothing_is_changed() -> None:
    left = Leftover(low=1, usually=3, high=5)
    assert consistent_leftover(left, None, 0) is left
    assert consistent_leftover(None, 0.5, 0) is None
