"""Epics: the issues whose parent (Cloud) or epic link (Data Center) is this one.

Epics come and go, so each pull lists all of them by one search for all projects. Epics of projects that are not read do
not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.jira import api_types
from connectors.jira.containers.kind import IssueContainers
from connectors.jira.parent_fields import is_parent_field, parent_key
from connectors.jira.session import Session
from connectors.shared.containers import Finding
from sync.model.tracker_data import MilestoneKind
from sync.tracker.preflight import Limitation

__all__ = ["Epics"]


class Epics(IssueContainers):
    """The epics of projects."""

    word = "epics"
    prefix = "epic-"
    kind = MilestoneKind.EPIC

    @classmethod
    def types(cls, session: Session) -> list[str]:
        """The types that the option ``epic_types`` names, else all of the level of epics."""
        wanted = {name.lower() for name in session.list_option("epic_types")}
        return [name for name, level in session.types.items() if (name.lower() in wanted if wanted else level == 1)]

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The epic of an issue."""
        if epic := self.milestone_id(self.ids.get(parent_key(row), "")):
            yield epic

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The epic before and after a change of parent or epic link."""
        if not is_parent_field(change, self._session.custom_fields):
            return None
        return self.milestone_id(change.from_ or ""), self.milestone_id(change.to or "")

    def findings(self, projects: Sequence[api_types.Project]) -> list[Finding]:
        """A line if this Jira has no such issue type."""
        del projects
        if self.types(self._session):
            return []
        return [Limitation(words="this Jira has no issue type for epics", remedy="name one in epic_types")]
