"""Parents: issues whose sub-issues are the items of a milestone, in any repository and on any level.

A parent is a milestone if the option ``parents`` names it, or if it has a due date: that of the organisation's date
field, of its own milestone, or of a line of its text, such as ``Due: 2026-12-15``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.github import normalize
from connectors.github.sub_issues.reader import Parent
from connectors.shared.containers import ContainerKind
from sync.model.tracker_data import LISTED_ID_PREFIX, Milestone, MilestoneKind, State

__all__ = ["Parents"]


class Parents(ContainerKind[Any, Parent, Any]):
    """The parents of a connection. ``named`` are those that its options name, as ``owner/name#12``."""

    word = "parents"

    def __init__(self, options: Mapping[str, Any]) -> None:
        is_on = self.word in (options.get("containers") or ())
        self.named = tuple(options.get("parents") or ()) if is_on else ()
        self._date_field = options.get("date_field") or "Target date"

    def includes(self, repository: str, row: Parent, *, has_sub_issues: bool) -> bool:
        """Return whether an issue is a milestone. ``repository`` is ``owner/name``."""
        is_dated_parent = has_sub_issues and row.due(self._date_field) is not None
        return is_dated_parent or f"{repository}#{row.number}" in self.named

    def milestone(self, row: Parent, project: str) -> Milestone:
        """Convert a parent of the project with this id. Its assignees are its owners."""
        is_closed = row.state == "CLOSED"
        return Milestone(
            id=f"{LISTED_ID_PREFIX}{row.id}",
            project=project,
            kind=MilestoneKind.PARENT,
            key=str(row.number),
            written=f"/parent:{row.number}",
            title=row.title,
            url=row.url,
            state=State.CLOSED if is_closed else State.OPEN,
            description=row.body,
            due=row.due(self._date_field),
            created_at=row.created_at,
            updated_at=row.updated_at,
            closed_at=row.closed_at if is_closed else None,
            owners=tuple(normalize.person(actor) for actor in row.assignees.visible),
        )
