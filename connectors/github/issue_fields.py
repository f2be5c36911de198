"""Organisation issue fields: the target date and the effort of an issue, which come with the issue itself.

They are a preview, so they are read only if the option ``issue_fields`` is set. A server that lacks them names the
field, see `connectors.github.schema`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from connectors.github import api_types
from sync.model.tracker_data import Issue

__all__ = ["IssueFields"]


class IssueFields(Struct, frozen=True):
    """Names of the fields to read, in any case; empty: not read."""

    date: str = ""
    effort: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> IssueFields:
        """Read the options of a connection."""
        if not options.get("issue_fields"):
            return cls()
        return cls(options.get("date_field") or "Target date", options.get("effort_field") or "Effort")

    def fill(self, issue: Issue, row: api_types.Issue | api_types.PullRequest) -> Issue:
        """Return an issue with the due date and the points of its row."""
        values = row.item_fields if isinstance(row, api_types.Issue) else None
        if values is None:
            return issue
        named = {value.field.name.casefold(): value for value in values.visible if value.field}
        target, effort = named.get(self.date.casefold()), named.get(self.effort.casefold())
        due = _day(target.date) if target else None
        points = effort.number if effort else None
        return replace(issue, due=due, points=points) if due or points is not None else issue


def _day(text: str | None) -> date | None:
    """Parse the date of a field, which a server may send with a time of day."""
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
