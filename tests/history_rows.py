"""Issues, events and memberships of one small history: for the tests of `sync.history`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sync.history.memberships import Titles, memberships
from sync.model.item_state import StateRules
from sync.model.membership import Membership
from sync.model.tracker_data import (
    Event,
    EventKind,
    Issue,
    State,
    StatusCategory,
)

SOURCE = "https://tracker.test"
UTC_ZONE = ZoneInfo("UTC")
ITEM = f"{SOURCE}/issue/1"


def day(n: float) -> datetime:
    """Noon, n days after the first of January."""
    return datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=n)


def midnight(month: int, of: int, hour: int = 0) -> datetime:
    return datetime(2026, month, of, hour, tzinfo=UTC)


def box(milestone: str) -> str:
    return f"{SOURCE}/milestone/{milestone}"


def issue(**changes: Any) -> Issue:
    fields: dict[str, Any] = {
        "id": "1",
        "project": "p",
        "key": "#1",
        "title": "T",
        "url": "u",
        "state": State.OPEN,
        "raw_state": "open",
        "category": StatusCategory.TODO,
        "created_at": day(0),
        "updated_at": day(90),
    }
    return Issue(**fields | changes)


def joined(at: datetime, milestone: str = "m", title: str = "") -> Event:
    return Event(issue="1", at=at, kind=EventKind.JOINED, milestone=milestone, milestone_title=title)


def left(at: datetime, milestone: str = "m", title: str = "") -> Event:
    return Event(issue="1", at=at, kind=EventKind.LEFT, milestone=milestone, milestone_title=title)


def closed(at: datetime) -> Event:
    return Event(issue="1", at=at, kind=EventKind.CLOSED)


def reopened(at: datetime) -> Event:
    return Event(issue="1", at=at, kind=EventKind.REOPENED)


def stay(milestone: str = "m", **fields: Any) -> Membership:
    return Membership(container=box(milestone), item=ITEM, **fields)


def member(item: str, **fields: Any) -> Membership:
    return Membership(container=box("m"), item=item, **fields)


def replay(
    item: Issue,
    *events: Event,
    at: datetime | None = None,
    titles: Titles | None = None,
    rules: StateRules = StateRules(),  # noqa: B008  # frozen
) -> list[Membership]:
    return list(memberships([item], events, titles or {}, source=SOURCE, rules=rules, at=at))
