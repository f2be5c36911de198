"""Target dates of a board (Projects v2): the items that have one date in a column. GitHub keeps no history of it.

The column may be a date field of the board, or an issue field of the organisation that the board shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime

from connectors.github.boards.api_types import BoardField, BoardItem
from connectors.github.boards.kind import BoardContainers, ColumnError
from connectors.github.boards.state import KnownContainer
from sync.model.dates import end_of_utc_day
from sync.model.tracker_data import Milestone, MilestoneKind, State, UnreadRow

__all__ = ["TargetDates"]

_OTHER_TYPES = frozenset(
    (
        "ASSIGNEES", "ITERATION", "LABELS", "LINKED_PULL_REQUESTS", "MILESTONE", "NUMBER", "PARENT_ISSUE", "REPOSITORY",
        "REVIEWERS", "SINGLE_SELECT", "SUB_ISSUES_PROGRESS", "TEXT", "TITLE", "TRACKED_BY", "TRACKS",
    )
)  # fmt: skip
"""Types of columns that hold no date. The type of an issue field's column is not documented, so it is not excluded."""


class TargetDates(BoardContainers):
    """The dates of one column: the one with the configured name, else the one of the last pull."""

    word = "target dates"
    selection = """target: fieldValueByName(name: $column) {
      ... on ProjectV2ItemFieldDateValue { date updatedAt }
    }"""
    optional_selection = """target: fieldValueByName(name: $column) {
      ... on ProjectV2ItemFieldDateValue { date updatedAt }
      ... on ProjectV2ItemIssueFieldValue { issueFieldValue { ... on IssueFieldDateValue { date: value } } }
    }"""

    def choose(self, fields: Sequence[BoardField]) -> list[UnreadRow]:
        """Choose the column. The dates in it are known after the walk."""
        candidates = [field for field in fields if field.id and field.data_type not in _OTHER_TYPES]
        found = [field for field in candidates if field.name == self.name]
        found = found or [field for field in candidates if field.id == self.column.id]
        if not found:
            names = ", ".join(field.name for field in candidates)
            remedy = f"set date_field to one of {names}" if names else "add one to the board"
            raise ColumnError(f"it has no date field {self.name}: {remedy}")
        self.update(id=found[0].id, name=found[0].name)
        return []

    def key_of(self, item: BoardItem) -> str:
        """The date of an item, as 2026-12-15."""
        return item.target.day.isoformat() if item.target and item.target.day else ""

    def since(self, item: BoardItem) -> datetime | None:
        """The time of the last change of the value; None for an issue field."""
        return item.target.updated_at if item.target else None

    def found(self, items: Iterable[BoardItem]) -> tuple[KnownContainer, ...]:
        """The dates that items have, in order; closed when no item of a date is open."""
        closed: dict[date, list[datetime | None]] = {}
        for item in items:
            if item.target and item.target.day and item.content:
                at = (item.content.closed_at or item.updated_at) if item.content.closed else None
                closed.setdefault(item.target.day, []).append(at)
        return tuple(
            KnownContainer(
                milestone=self.milestone_id(f"due-{day}"),
                key=day.isoformat(),
                title=f"{self.column.name} {day}",
                due=day,
                closed_at=None if None in times else max(at for at in times if at),
            )
            for day, times in sorted(closed.items())
        )

    def milestone(self, known: KnownContainer, project: str, url: str, at: datetime) -> Milestone:
        """Convert a date. It has ended when the day has passed (in UTC) and no item is open."""
        over = end_of_utc_day(known.due)
        ended = max(over, known.closed_at) if known.closed_at and over <= at else None
        return Milestone(
            id=known.milestone,
            project=project,
            kind=MilestoneKind.TARGET_DATE,
            key=known.key,
            written=f"/due:{known.key}",
            title=known.title,
            url=url,
            state=State.CLOSED if ended else State.OPEN,
            due=known.due,
            closed_at=ended,
        )
