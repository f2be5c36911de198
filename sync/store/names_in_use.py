"""Names that the stored issues of a tracker have or had: states, labels and resolutions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Engine, Select, select

from sync.model.item_state import StateNames, fold_names
from sync.model.tracker_data import EventKind
from sync.store import tables as schema
from sync.store.database import reading

__all__ = ["names_in_use"]


def names_in_use(engine: Engine, source: str) -> StateNames:
    """Return the names (folded) of all states, labels and resolutions of a tracker's issues, also of the past.

    All three are empty where no issue is stored.
    """
    issue, event = schema.issue, schema.event
    number = select(schema.source.c.n).where(schema.source.c.url == source).scalar_subquery()

    def of_issues(column: Column[Any]) -> Select[Any]:
        return select(column).where(issue.c.source == number).distinct()

    def of_events(kind: EventKind) -> Select[Any]:
        return select(event.c.value).where(event.c.source == number, event.c.kind == kind).distinct()

    with reading(engine) as connection:
        states = [*connection.scalars(of_issues(issue.c.raw_state)), *connection.scalars(of_events(EventKind.STATUS))]
        labels = [label for own in connection.scalars(of_issues(issue.c.labels)) for label in own]
        labels += connection.scalars(of_events(EventKind.LABELED))
        resolutions = connection.scalars(of_issues(issue.c.resolution)).all()
    return StateNames(fold_names(states), fold_names(labels), fold_names(resolutions))
