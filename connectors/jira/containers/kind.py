"""Bases of Jira's kinds of containers, and all kinds of one pull together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from msgspec import structs

from connectors.jira import api_types, jql
from connectors.jira.issue_milestones import due_dates, milestone_of
from connectors.jira.normalize import person_of, to_utc
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerKind, ContainerRows, Containers, moved
from connectors.shared.rows import Rows
from sync.model.tracker_data import DueDate, Event, Milestone, MilestoneKind, UnreadKind
from sync.tracker.errors import RefusedError, TrackerError

if TYPE_CHECKING:
    from connectors.jira.search import Batch, Search

__all__ = ["IssueContainers", "JiraContainers", "JiraKinds"]

Matches = Mapping[str, tuple[str, ...]]
"""Ids of issues by the id of a milestone."""


class JiraContainers(ContainerKind[api_types.Project, api_types.Issue, api_types.History]):
    """One of Jira's kinds. A changelog names the containers before and after each change.

    ``has_titles``: it names their titles, too. ``prefix`` begins the ids of its milestones: Jira numbers each kind
    separately. ``asks_for_each_batch``: `prepare` sends requests. ``matches`` are, by project id, the issues on which
    memberships depend although their changes update no member; see `stale`.
    """

    has_titles: ClassVar[bool] = False
    prefix: ClassVar[str] = ""
    asks_for_each_batch: ClassVar[bool] = False

    def __init__(self, session: Session, search: Search) -> None:
        self._session, self._search = session, search
        self.matches: dict[str, dict[str, tuple[str, ...]]] = {}

    @classmethod
    def fields(cls, session: Session) -> tuple[str, ...]:
        """The ids of further fields of an issue that this kind needs."""
        del session
        return ()

    @classmethod
    def history_fields(cls, session: Session) -> tuple[str, ...] | None:
        """The ids of the fields whose changes this kind needs; None: of all fields."""
        return cls.fields(session)

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The ids of the containers before and after a change, empty for none; None if it concerns another field."""
        del change
        return None

    def events(self, row: api_types.Issue, history: Sequence[api_types.History]) -> Iterable[Event]:
        """The joins and leaves of an issue by its changelog."""
        events: list[Event] = []
        for entry in history:
            for change in entry.items:
                if ends := self.change(change):
                    titles = (change.fromString or "", change.to_string or "") if self.has_titles else ("", "")
                    events += moved(row.id, to_utc(entry.created), person_of(entry.author), *ends, titles)
        return events

    def prepare(self, batch: Batch) -> None:
        """Read what the conversion of these issues needs."""

    def stale(self, project: str, before: Matches) -> set[str]:
        """The ids that `matches` of a project has and the last pull did not have, or the other way round."""
        now = self.matches.get(project, {})
        milestones = now.keys() | {id_ for id_ in before if self.prefix and id_.startswith(self.prefix)}
        return {issue for id_ in milestones for issue in set(now.get(id_, ())) ^ set(before.get(id_, ()))}

    def affected(self, ids: Sequence[str]) -> str:
        """The query for the issues whose memberships depend on these."""
        return jql.any_of("id", ids)

    def read_each(
        self, projects: Sequence[api_types.Project], fetch: Callable[[api_types.Project], Rows[Milestone]]
    ) -> ContainerRows:
        """Fetch the containers of all projects at the same time."""

        def fetch_or_error(project: api_types.Project) -> Rows[Milestone] | TrackerError:
            try:
                return fetch(project)
            except PROJECT_ERRORS as error:
                return error

        results = zip(projects, self._session.caller.map_all(fetch_or_error, projects), strict=True)
        return ContainerRows().join(_rows_of(project.id, result) for project, result in results)


class IssueContainers(JiraContainers):
    """A kind whose containers are issues of some types. ``ids`` maps the key of each to its issue id.

    Issues with a security level are left out, because a status issue would show their title and description.
    """

    kind: ClassVar[MilestoneKind]

    def __init__(self, session: Session, search: Search) -> None:
        super().__init__(session, search)
        self.ids: dict[str, str] = {}
        self._known: set[str] = set()

    @classmethod
    def history_fields(cls, session: Session) -> None:
        """All: the field that holds a change of parent differs between sites."""
        del session

    @classmethod
    def types(cls, session: Session) -> list[str]:
        """The names of the issue types of these containers that this Jira has."""
        raise NotImplementedError

    def milestone_id(self, issue: str) -> str:
        """The milestone id of a container, from its issue id; empty for any other issue."""
        return f"{self.prefix}{issue}" if issue in self._known else ""

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the containers of these projects by one search; by one for each half if that fails.

        Jira refuses to search for a type that it had yesterday: then the types are read again.
        """
        rows = self._search_types(projects)
        is_refused = any(isinstance(error, RefusedError) for error in rows.failed.values())
        if is_refused and self._session.refresh_types():
            rows = self._search_types(projects)
        self._known = set(self.ids.values())
        return rows

    def _search_types(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        types = self.types(self._session)
        return self._search_in(projects, types) if types else ContainerRows()

    def _search_in(self, projects: Sequence[api_types.Project], types: Sequence[str]) -> ContainerRows:
        keys = {project.key: project.id for project in projects}
        where = f"{jql.any_of('project', keys)} AND {jql.any_of('issuetype', types)}"
        try:
            issues = self._search.containers(where)
        except PROJECT_ERRORS as error:
            if len(projects) > 1:
                return ContainerRows().join(self._search_in(half, types) for half in jql.halves(projects))
            return ContainerRows(failed={projects[0].id: for_project(error, projects[0].key)})
        unread = [
            structs.replace(
                row,
                project=row.project or keys.get(row.key.rpartition("-")[0], projects[0].id),
                kind=UnreadKind.MILESTONE,
                id=row.id and f"{self.prefix}{row.id}",
            )
            for row in issues.unread
        ]
        milestones: dict[str, list[Milestone]] = {project.id: [] for project in projects}
        for issue in issues.read:
            if issue.fields.security is not None:
                continue
            self.ids[issue.key] = issue.id
            if issue.fields.project.id in milestones:
                milestone = milestone_of(issue, self.kind, self.prefix, self._session.site)
                milestones[milestone.project].append(milestone)
        return ContainerRows(milestones, unread=unread)

    def due_dates(
        self, row: api_types.Issue, history: Sequence[api_types.History]
    ) -> Mapping[str, tuple[DueDate, ...]]:
        """The due dates of a container over time."""
        milestone = self.milestone_id(row.id)
        return {milestone: due_dates(row, history)} if milestone else {}


class JiraKinds(Containers[api_types.Project, api_types.Issue, api_types.History]):
    """All kinds of containers of one pull."""

    kinds: Sequence[JiraContainers]

    def matches(self, project: str) -> dict[str, tuple[str, ...]]:
        """Return the issues on which the memberships of a project depend, for its cursor."""
        return {id_: issues for kind in self.kinds for id_, issues in kind.matches.get(project, {}).items()}

    def prepare(self, batch: Batch) -> None:
        """Read what the conversion of these issues needs."""
        for kind in self.kinds:
            kind.prepare(batch)


def _rows_of(project: str, result: Rows[Milestone] | TrackerError) -> ContainerRows:
    if isinstance(result, TrackerError):
        return ContainerRows(failed={project: result})
    return ContainerRows({project: result.read}, unread=result.unread)
