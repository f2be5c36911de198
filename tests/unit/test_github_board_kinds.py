"""Kinds of containers of GitHub's boards, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime

import msgspec
import pytest

from connectors.github.boards.api_types import BoardField
from connectors.github.boards.state import ColumnState, KnownContainer
from connectors.github.containers.iterations import Iterations
from connectors.github.containers.target_dates import TargetDates
from sync.model.tracker_data import State


@pytest.mark.parametrize(
    ("start", "days", "ended"),
    [
        ("2026-03-02", 14, datetime(2026, 3, 16, tzinfo=UTC)),
        ("9999-12-20", 14, datetime(9999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_completed_iteration_ends_with_its_last_day_also_at_the_end_of_the_calendar(
    start: str, days: int, ended: datetime
) -> None:
    row = {"id": "a1", "title": "Sprint 1", "startDate": start, "duration": days}
    column = {"id": "F1", "name": "Sprint", "configuration": {"completedIterations": [row]}}
    kind = Iterations("B1", "", ColumnState())
    assert kind.choose([msgspec.json.decode(msgspec.json.encode(column), type=BoardField)]) == []
    assert [known.closed_at for known in kind.column.known] == [ended]


def test_a_date_far_ahead_is_open_although_all_its_items_are_closed() -> None:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    kind = TargetDates("B1", "Target date", ColumnState())
    for due, state in ((date(2026, 3, 1), State.CLOSED), (date(2026, 3, 2), State.OPEN), (date.max, State.OPEN)):
        known = KnownContainer(milestone="list-1", key=str(due), title="Target date", due=due, closed_at=at)
        assert kind.milestone(known, "R1", "", at).state is state
