"""Histories of counts: the memberships give any counts back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from sync.backtest.counts_history import ItemCounts, memberships_of_counts
from sync.history.ledger import Ledger, days
from sync.model.membership import Container

START = datetime(2020, 1, 1, tzinfo=UTC)

counts = st.tuples(
    st.integers(0, 30), st.integers(0, 30), st.none() | st.integers(0, 60), st.none() | st.integers(0, 60)
)


@settings(max_examples=200, deadline=None)
@given(st.lists(counts, min_size=1, max_size=8))
def test_any_counts_are_given_back_at_their_times(rows: list[tuple[int, int, int | None, int | None]]) -> None:
    container = Container(id="c", kind="k", stream="s", start=START, due=None)
    times = [START + timedelta(days=1 + k) for k in range(len(rows))]
    given_counts = [ItemCounts(at, *row) for at, row in zip(times, rows, strict=True)]
    ledger = Ledger.of([container], memberships_of_counts(container, given_counts))
    for each in given_counts:
        for later in (timedelta(0), timedelta(hours=23)):
            at, own = days(each.at + later), ledger.rows(0)
            assert (ledger.is_open(at, own).sum(), ledger.is_done(at, own).sum()) == (each.open, each.done)
