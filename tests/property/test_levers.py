"""The search for the smallest change that is enough, for any line of probabilities."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sync.health.levers import LEAST_GAIN, best_offer


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40).map(sorted),
    st.floats(0.02, 0.9),
)
def test_the_best_offer_is_the_smallest_change_that_is_enough(line: list[float], base: float) -> None:
    most = np.array([len(line)])
    shown = np.array([base, *line])
    found = best_offer(most, np.array([base]), np.array([base]), 0.8, lambda size, _: shown[size])
    best = shown[-1]
    goal = 0.8 if best >= 0.8 else max(best - LEAST_GAIN, base + LEAST_GAIN)
    enough = [n for n in range(1, len(shown)) if shown[n] >= goal]
    assert bool(found.is_offered[0]) == bool(enough and shown[enough[0]] >= base + LEAST_GAIN)
    if enough:
        assert (found.size[0], found.p[0]) == (enough[0], shown[enough[0]])
