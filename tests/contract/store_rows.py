"""A store of each kind, and rows to put into it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from sync.model.tracker_data import Event, EventKind, Issue, Milestone, MilestoneKind, State, StatusCategory
from sync.store.store import Store
from tests import postgres

SOURCE = "https://tracker.test"
OTHER = "https://tracker.test/second"
DAY = timedelta(days=1)
T0 = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def url_of(kind: str, folder: Path) -> str:
    if kind == "memory":
        return "sqlite://"
    if kind == "sqlite":
        return f"sqlite:///{folder / 'milesync.db'}"
    found = postgres.database()
    if found is None:
        pytest.skip("no PostgreSQL is installed (initdb, pg_ctl)")
    return found


def issue(n: str = "1", **changes: Any) -> Issue:
    fields: dict[str, Any] = {
        "id": n,
        "project": "p",
        "key": f"#{n}",
        "title": "Title",
        "url": f"{SOURCE}/p/{n}",
        "state": State.OPEN,
        "raw_state": "open",
        "category": StatusCategory.TODO,
        "created_at": T0 - 10 * DAY,
        "updated_at": T0,
    }
    return Issue(**fields | changes)


def milestone(n: str = "m", **changes: Any) -> Milestone:
    fields: dict[str, Any] = {
        "id": n,
        "project": "p",
        "kind": MilestoneKind.MILESTONE,
        "key": n,
        "written": f"#{n}",
        "title": f"Milestone {n}",
        "url": f"{SOURCE}/m/{n}",
        "state": State.OPEN,
    }
    return Milestone(**fields | changes)


def closed(item: Issue, at: datetime) -> Issue:
    return replace(item, state=State.CLOSED, closed_at=at, updated_at=at)


def event(kind: EventKind, at: datetime, *, of: str = "1", **more: Any) -> Event:
    return Event(issue=of, at=at, kind=kind, **more)


def everything(store: Store) -> tuple[Any, ...]:
    """All that can be read of a source."""
    return (
        store.projects(SOURCE),
        store.milestones(deleted=True),
        list(store.histories(SOURCE)),
        store.due_dates(SOURCE),
        store.titles(SOURCE),
        store.cursors(SOURCE),
    )
