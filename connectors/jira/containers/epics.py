"""Epics: the issues whose parent (Cloud) or epic link (Data Center) is this one.

Epics come and go, so each pull lists all of them by one search for all projects. Epics of projects that are not read do
not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from connectors.jira import api_types, jql
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.issue_milestones import due_dates, milestone_of
from connectors.jira.search import Search
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerRows
from sync.model.tracker_data import DueDate, Milestone, MilestoneKind, UnreadKind

__all__ = ["Epics", "epic_types"]

_PARENTS = ("parent", "IssueParentAssociation", "Epic Link")


class Epics(JiraContainers):
    """The epics of projects. ``ids`` maps the key of each to its milestone id."""

    word = "epics"

    def __init__(self, session: Session, search: Search) -> None:
        super().__init__(session, search)
        self.ids: dict[str, str] = {}
        self._known: set[str] = set()

    @classmethod
    def history_fields(cls, session: Session) -> None:
        """All: the field that holds a change of parent differs between sites."""
        del session

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the epics of these projects; of each alone if the search for all of them fails."""
        rows = self._search_in(projects)
        self._known = set(self.ids.values())
        return rows

    def _search_in(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        types = epic_types(self._session)
        if not types:
            return ContainerRows()
        keys = {project.key: project.id for project in projects}
        try:
            where = f"{jql.any_of('project', keys)} AND {jql.any_of('issuetype', types)}"
            issues = self._search.containers(where)
        except PROJECT_ERRORS as error:
            if len(projects) > 1:
                return ContainerRows().join(self._search_in([project]) for project in projects)
            return ContainerRows(failed={projects[0].id: for_project(error, projects[0].key)})
        unread = [
            structs.replace(
                row,
                project=row.project or keys.get(row.key.rpartition("-")[0], projects[0].id),
                kind=UnreadKind.MILESTONE,
                id=row.id and _id(row.id),
            )
            for row in issues.unread
        ]
        milestones: dict[str, list[Milestone]] = {project.id: [] for project in projects}
        for issue in issues.read:
            self.ids[issue.key] = _id(issue.id)
            if issue.fields.project.id in milestones:
                milestone = milestone_of(issue, MilestoneKind.EPIC, "epic", self._session.site)
                milestones[milestone.project].append(milestone)
        return ContainerRows(milestones, unread=unread)

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The epic of an issue."""
        parent = row.fields.parent.key if row.fields.parent else row.fields.epic or ""
        if parent in self.ids:
            yield self.ids[parent]

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The epic before and after a change of parent or epic link."""
        fields = (*_PARENTS, self._session.custom_fields.epic_link)
        if (change.fieldId or change.field) not in fields and change.field not in _PARENTS:
            return None
        before, after = (id_ if id_ in self._known else "" for id_ in map(_id, (change.from_, change.to)))
        return before, after

    def due_dates(
        self, row: api_types.Issue, history: Sequence[api_types.History]
    ) -> Mapping[str, tuple[DueDate, ...]]:
        """The due dates of an epic over time."""
        if _id(row.id) not in self._known:
            return {}
        return {_id(row.id): due_dates(row, history)}


def epic_types(session: Session) -> list[str]:
    """The names of the issue types that are epics: those of the option ``epic_types``, else all of the level of epics.

    A name that this Jira does not have is left out, as Jira refuses a query with it.
    """
    wanted = {name.lower() for name in session.list_option("epic_types")}
    return [name for name, level in session.types.items() if (name.lower() in wanted if wanted else level == 1)]


def _id(number: str | None) -> str:
    """The id of the milestone, from its issue id: Jira numbers issues and versions separately."""
    return f"epic-{number}"
