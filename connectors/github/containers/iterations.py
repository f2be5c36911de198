"""Iterations of a board (Projects v2). GitHub keeps no history of their members.

GitHub may give an iteration a new id when the field's settings are saved: an iteration of the same title and first day
is then the same milestone. An iteration is completed when its last day has passed; GitHub moves it by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Raw
from msgspec.structs import replace

from connectors.github.boards.api_types import BoardField, BoardItem, Iteration
from connectors.github.boards.kind import BoardContainers, ColumnError
from connectors.github.boards.state import KnownContainer
from connectors.shared.responses import decode_row
from connectors.shared.rows import fields_of, read_rows, word_at
from sync.model.dates import end_of_utc_day
from sync.model.tracker_data import Milestone, MilestoneKind, State, UnreadKind, UnreadRow

__all__ = ["Iterations"]


class Iterations(BoardContainers):
    """The iterations of one field: that of the configured name, else that of the last pull, else the only one."""

    word = "iterations"
    selection = """iteration: fieldValueByName(name: $column) {
      ... on ProjectV2ItemFieldIterationValue { iterationId updatedAt }
    }"""

    def choose(self, fields: Sequence[BoardField]) -> list[UnreadRow]:
        """Choose the field and read its iterations."""
        field = self._field(fields)
        by_id = {known.key: known for known in self.column.known}
        by_content = {(known.title, known.start): known for known in self.column.known}
        configuration = field.configuration
        groups = (
            ((configuration.completed_iterations, True), (configuration.iterations, False)) if configuration else ()
        )
        found: list[KnownContainer] = []
        unread: list[UnreadRow] = []
        for rows, is_completed in groups:
            read = read_rows(rows, lambda row: decode_row(row, Iteration, ""), _unread)
            for row in read.read:
                before = by_id.get(row.id) or by_content.get((row.title, row.start_date))
                found.append(
                    KnownContainer(
                        milestone=before.milestone if before else self.milestone_id(row.id),
                        key=row.id,
                        title=row.title,
                        due=row.last_day,
                        start=row.start_date,
                        closed_at=end_of_utc_day(row.last_day) if is_completed else None,
                    )
                )
            for broken in read.unread:
                known = by_id.get(broken.key)
                found += [known] if known else []
                unread.append(replace(broken, id=known.milestone if known else self.milestone_id(broken.key)))
        self.update(id=field.id, name=field.name, known=tuple(found))
        return unread

    def _field(self, fields: Sequence[BoardField]) -> BoardField:
        candidates = [field for field in fields if field.configuration is not None]
        by_id = [field for field in candidates if field.id == self.column.id]
        by_name = [field for field in candidates if field.name == self.name]
        found = by_name or by_id if self.name else by_id or candidates
        if len(found) == 1:
            return found[0]
        names = ", ".join(field.name for field in candidates)
        lack = f"no iteration field {self.name}".rstrip() if self.name or not names else "several iteration fields"
        remedy = f"set iteration_field to one of {names}" if names else "add one to the board"
        raise ColumnError(f"it has {lack}: {remedy}")

    def key_of(self, item: BoardItem) -> str:
        """The id of an item's iteration."""
        return item.iteration.iteration_id if item.iteration else ""

    def since(self, item: BoardItem) -> datetime | None:
        """The time of the last change of the value."""
        return item.iteration.updated_at if item.iteration else None

    def milestone(self, known: KnownContainer, project: str, url: str, at: datetime) -> Milestone:
        """Convert an iteration. It ends with its last day: GitHub knows no moment of completion."""
        del at
        return Milestone(
            id=known.milestone,
            project=project,
            kind=MilestoneKind.ITERATION,
            key=known.title,
            written=f"/iteration:{known.title}",
            title=known.title,
            url=url,
            state=State.CLOSED if known.closed_at else State.OPEN,
            start=known.start,
            due=known.due,
            closed_at=known.closed_at,
        )


def _unread(row: Raw, reason: str) -> UnreadRow:
    return UnreadRow(project="", kind=UnreadKind.MILESTONE, reason=reason, key=word_at(fields_of(row), "id"))
