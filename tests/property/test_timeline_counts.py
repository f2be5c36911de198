"""Moments in groups are counted as one would by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sync.forecast.history_tables import SortedEvents

GROUPS = 4
TIMES = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0, np.inf])
ENTRIES = st.lists(st.tuples(st.integers(0, GROUPS - 1), TIMES), max_size=30)


@given(ENTRIES, ENTRIES, st.booleans())
def test_what_lies_before_a_moment(
    entries: list[tuple[int, float]], asked: list[tuple[int, float]], inclusive: bool
) -> None:
    group, time = (np.array([entry[n] for entry in entries], dtype=kind) for n, kind in ((0, np.int64), (1, float)))
    where, moment = (
        np.array([question[n] for question in asked], dtype=kind) for n, kind in ((0, np.int64), (1, float))
    )
    line = SortedEvents(group, time, GROUPS)
    expected = [
        sum(g < which or (g == which and (t < at or (inclusive and t == at))) for g, t in entries)
        for which, at in asked
    ]
    assert line.before(where, moment, inclusive=inclusive).tolist() == expected
    assert line.time.tolist() == [t for _, t in sorted(entries)]
