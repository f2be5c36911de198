"""Carry-over: the same for objects and columns, known when it happens, and the same at every hour of the click."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sync.forecast.history_tables import DUE as DUE_COLUMN
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.track_record import outcomes_of
from sync.health.closing import FinishedMilestone, closing_record
from sync.history import memberships as history
from sync.history.carry_over import NEAR, with_carry_over
from sync.history.counting import merged_counts
from sync.history.ledger import Ledger
from sync.history.membership_table import MembershipTable, ledger_of
from sync.model.health import Health, Status
from sync.model.membership import Container, Membership
from tests.property.test_history import END, SOURCE, TITLES, Life, box, moment, told, worlds

T0 = datetime(2026, 1, 1, tzinfo=UTC)
MOMENTS = st.integers(0, 24).map(lambda n: T0 + timedelta(hours=12 * n, microseconds=n))


@st.composite
def boxes(draw: st.DrawFn) -> list[Container]:
    """Containers a to c with any dates, in one or two streams."""
    return [
        Container(
            id=name,
            kind=draw(st.sampled_from(["milestone", "sprint", "iteration"])),
            stream=draw(st.sampled_from("st")),
            start=draw(st.none() | MOMENTS),
            due=draw(st.none() | MOMENTS),
            ended=draw(st.none() | MOMENTS),
            is_end_estimated=draw(st.booleans()),
        )
        for name in "abc"
    ]


@st.composite
def stays(draw: st.DrawFn) -> list[Membership]:
    """Memberships of a few items in any order, also some that no tracker gives."""
    rows = []
    for item in range(draw(st.integers(0, 5))):
        for name in draw(st.lists(st.sampled_from("abcd"), max_size=4)):
            joined, ends = draw(MOMENTS), [draw(st.none() | MOMENTS) for _ in range(3)]
            left, closed, reopened = (end if end is None or end >= joined else None for end in ends)
            rows.append(
                Membership(
                    container=name,
                    item=str(item),
                    joined=joined,
                    left=left,
                    closed=closed,
                    reopened=reopened,
                    removed=closed is not None and draw(st.booleans()),
                )
            )
    return rows


@given(boxes(), stays(), MOMENTS)
def test_columns_carry_over_what_objects_do(containers: list[Container], rows: list[Membership], at: datetime) -> None:
    table = MembershipTable.of((row, row.joined) for row in rows).with_carry_over(containers)
    settled = with_carry_over(containers, rows)
    of = {name: [row for row in settled if row.container == name] for name in "abcd"}
    assert {name: list(own) for name, own in table.by_container().items()} == {n: own for n, own in of.items() if own}
    columns, objects = ledger_of(containers, [table]), Ledger.of(containers, rows)
    for name in ("joined", "left", "closed", "carried_at", "open_until"):
        np.testing.assert_array_equal(getattr(columns, name), getattr(objects, name))


@given(boxes(), stays())
def test_carrying_over_again_changes_nothing(containers: list[Container], rows: list[Membership]) -> None:
    settled = with_carry_over(containers, rows)
    assert with_carry_over(containers, settled) == settled
    table = MembershipTable.of((row, row.joined) for row in rows).with_carry_over(containers)
    again = table.with_carry_over(containers)
    assert list(again.by_container().items()) == list(table.by_container().items())


# --- known when it happens --------------------------------------------------------------------------------------------


@st.composite
def series(draw: st.DrawFn) -> list[Container]:
    """Containers of one stream, none of which is closed before its due moment."""
    found = []
    kind = draw(st.sampled_from(["milestone", "sprint", "iteration"]))
    for key in "abc":
        start = draw(st.integers(0, END // 2))
        due = start + draw(st.integers(1, END))
        ended = draw(st.none() | st.integers(due, 3 * END))
        found.append(
            Container(
                id=box(key),
                kind=kind,
                stream="s",
                start=moment(start),
                due=moment(due),
                ended=None if ended is None else moment(ended),
            )
        )
    return found


def known(containers: list[Container], at: datetime) -> list[Container]:
    return [replace(c, ended=c.ended if c.ended is not None and c.ended <= at else None) for c in containers]


@given(worlds, series(), st.integers(0, 2 * END))
def test_a_replay_carries_over_what_was_carried_over_then(
    world: list[Life], containers: list[Container], n: int
) -> None:
    issues, events = told(world)
    at = moment(n / 2)
    whole = list(history.memberships(issues, events, TITLES, source=SOURCE))
    then = list(history.memberships(issues, events, TITLES, source=SOURCE, at=at))
    mine, theirs = with_carry_over(containers, whole), with_carry_over(known(containers, at), then)
    for container in containers:
        parts = [[row for row in rows if row.container == container.id] for rows in (mine, theirs)]
        one, other = (merged_counts([(container, rows)], at) for rows in parts)
        assert one == other


# --- the hour of the click --------------------------------------------------------------------------------------------

LENGTH = timedelta(days=16)
DUE = (T0 + LENGTH - timedelta(days=1)).date()


@given(
    st.lists(st.none() | st.integers(0, 15 * 24), min_size=1, max_size=12),
    st.integers(-48 * 60, 48 * 60),
    st.integers(-48 * 60, 48 * 60) | st.none(),
    st.booleans(),
    st.lists(st.integers(0, 240), max_size=12),
)
def test_the_hour_of_the_click_changes_no_outcome(
    closed: list[int | None], moved: int, ended: int | None, is_moved_on: bool, closed_later: list[int]
) -> None:
    """Items are closed ``closed`` hours after the start; those that are not are moved on together, and closed later.

    ``moved`` and ``ended`` are minutes from the due moment. The milestone is closed at ``ended``, or when the items are
    moved, as a tracker does that completes a sprint.
    """
    due = T0 + LENGTH
    moved_at = due + timedelta(minutes=moved)
    end = moved_at if ended is None else max(moved_at, due + timedelta(minutes=ended))
    containers = [
        Container(id="v1", kind="k", stream="s", start=T0, due=due, ended=end),
        Container(id="v2", kind="k", stream="s", start=due, due=due + LENGTH),
    ]
    rows = []
    for n, hours in enumerate(closed):
        is_open = hours is None
        done = None if hours is None else T0 + timedelta(hours=hours)
        later = closed_later[n] if n < len(closed_later) else None
        if is_open and later is not None:
            done = max(due, end) + timedelta(hours=later + 1)
        rows.append(Membership(container="v1", item=str(n), joined=T0, left=moved_at if is_open else None, closed=done))
        if is_open and is_moved_on:
            rows.append(Membership(container="v2", item=str(n), joined=moved_at, closed=done))
    open_items = closed.count(None)
    at = due + timedelta(days=30)
    own = [row for row in with_carry_over(containers, rows) if row.container == "v1"]
    counts = merged_counts([(containers[0], own)], at)
    assert (counts.open, counts.carried, counts.done) == (0, open_items, len(closed) - open_items)
    record = closing_record(
        FinishedMilestone(
            health=Health(
                container="v1",
                at=at,
                status=Status.at_end(counts),
                band=Status.at_end(counts),
                since=at,
                start=T0.date(),
                due=DUE,
                counts=counts,
            ),
            title="v1",
            memberships=own,
            issues={},
        )
    )
    assert (record.counts, record.items_at_start, record.items_joined, record.items_left) == (
        counts,
        len(closed),
        0,
        0,
    )
    assert Status.at_end(record.counts) is (Status.ENDED if open_items else Status.DONE)
    assert record.done == (
        max((own.closed for own in rows if own.closed), default=due).date() if not open_items else DUE
    )
    ledger = Ledger.of(containers, rows)
    assert (outcomes_of(ledger, {}, at)["v1"].done is None) == (open_items > 0)
    tables = HistoryTables(ledger, Rules(tolerance=0.0))
    assert tables.joined_by[0, DUE_COLUMN] - tables.gone_by[0, DUE_COLUMN] == open_items
    assert tables.finished_by[0].tolist() == [open_items == 0] * len(tables.finished_by[0])
    assert timedelta(minutes=abs(moved)) < NEAR
