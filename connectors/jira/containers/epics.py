"""Epics: the issues whose parent (Cloud) or epic link (Data Center) is this one.

Epics come and go, so each pull lists all of them by one search for all projects. Epics of projects that are not read do
not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise

from msgspec import structs

from connectors.jira import api_types, jql
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.normalize import is_done, person_of, to_utc
from connectors.jira.search import Search
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerRows
from sync.model.tracker_data import DueDate, Milestone, MilestoneKind, State, UnreadKind

__all__ = ["Epics"]

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
        types = self._session.list_option("epic_types") or ("Epic",)
        keys = {project.key: project.id for project in projects}
        try:
            where = f"{jql.any_of('project', keys)} AND {jql.any_of('issuetype', types)}"
            issues = self._search.without_histories(where)
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
                milestones[issue.fields.project.id].append(_milestone_of(issue, self._session.site))
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
        return {_id(row.id): _due_dates(to_utc(row.fields.created), row.fields.duedate, history)}


def _id(number: str | None) -> str:
    """The id of the milestone, from its issue id: Jira numbers issues and versions separately."""
    return f"epic-{number}"


def _milestone_of(issue: api_types.Issue, site: str) -> Milestone:
    """Convert an epic. It is closed if its status is, as every issue."""
    fields = issue.fields
    ended = fields.resolutiondate or fields.statuscategorychangedate or fields.updated if is_done(fields) else None
    return Milestone(
        id=_id(issue.id),
        project=fields.project.id,
        kind=MilestoneKind.EPIC,
        key=issue.key,
        written=f"/epic:{issue.key}",
        title=fields.summary,
        url=f"{site}/browse/{issue.key}",
        state=State.CLOSED if ended else State.OPEN,
        due=fields.duedate,
        created_at=to_utc(fields.created),
        updated_at=to_utc(fields.updated),
        closed_at=to_utc(ended) if ended else None,
    )


def _due_dates(created: datetime, due: date | None, history: Sequence[api_types.History]) -> tuple[DueDate, ...]:
    """The due dates over time and who set them; the first since the creation."""
    changes = sorted(
        (
            (to_utc(entry.created), _date(change.from_), _date(change.to), person_of(entry.author))
            for entry in history
            for change in entry.items
            if (change.fieldId or change.field) == "duedate"
        ),
        key=lambda change: change[0],
    )
    dates = [DueDate(created, changes[0][1] if changes else due)]
    dates += (DueDate(at, to, by) for at, _, to, by in changes)
    return tuple(
        due_date for before, due_date in pairwise([DueDate(created, None), *dates]) if due_date.due != before.due
    )


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
