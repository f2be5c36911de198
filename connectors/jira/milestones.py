"""Read the milestones of projects: versions, and optionally the sprints of their boards and their epics.

A change of a sprint updates no issue, and epics come and go, so each pull lists all of them: one request for the boards
of a project, one for each board's sprints, and one search for the epics of all projects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from functools import partial
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Raw, Struct, structs

from connectors.jira import api_types, jql
from connectors.jira.issue_milestones import KINDS, MilestoneFields, epic_id, sprint_id
from connectors.jira.normalize import is_done, milestone_of, person_of, project_of, to_utc, unread_milestone
from connectors.jira.search import Search
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row
from connectors.shared.rows import Rows, read_rows
from connectors.shared.rule_milestones import Rule, RuleMilestones
from sync.model.dates import day_of
from sync.model.tracker_data import DueDate, Milestone, MilestoneKind, State, UnreadKind, UnreadRow
from sync.tracker.errors import RefusedError, TrackerError

__all__ = ["MilestoneReader", "container_kinds", "due_dates"]

_BOARDS = ("scrum", "simple")
"""Types of boards that may have sprints."""


def container_kinds(option: Sequence[str]) -> frozenset[str]:
    """Read the option ``containers``. Raises ValueError for an unknown word."""
    if not set(option) <= set(KINDS):
        raise ValueError(f"containers must be some of {', '.join(KINDS)}")
    return frozenset(option) or frozenset(KINDS[:1])


class MilestoneReader(Struct):
    """Milestones and errors by project id, and the fields that make an issue a member.

    ``query_matches`` maps project id and the id of a rule milestone to the issues that its query finds. ``unread`` are
    the milestones that could not be read.
    """

    milestones: dict[str, list[Milestone]]
    failed: dict[str, TrackerError]
    fields: MilestoneFields
    query_matches: dict[str, dict[str, tuple[str, ...]]] = {}
    unread: list[UnreadRow] = []

    @classmethod
    def read(
        cls, session: Session, search: Search, projects: Sequence[api_types.Project], rules: RuleMilestones
    ) -> MilestoneReader:
        """Read the milestones of these projects. Raises an error of the whole connection."""
        kinds = container_kinds(session.list_option("containers"))
        custom = session.custom_fields
        reader = cls({project.id: [] for project in projects}, {}, MilestoneFields(), {})
        if "versions" in kinds:
            reader._add(session, projects, _versions)
        if "sprints" in kinds:
            reader._add(session, projects, _sprints)
            reader._drop_duplicates()
        epics = reader._add_epics(session, search, projects) if "epics" in kinds else {}
        reader._add_rule_milestones(session, search, projects, rules)
        reader.fields = MilestoneFields(
            versions="versions" in kinds,
            sprints="sprints" in kinds,
            sprint=custom.sprint,
            epic_link=custom.epic_link,
            epics=epics,
            epic_ids=frozenset(epics.values()),
            query_matches=reader._matches_by_issue(),
        )
        return reader

    def _add(
        self,
        session: Session,
        projects: Sequence[api_types.Project],
        fetch: Callable[[Session, api_types.Project], Rows[Milestone]],
    ) -> None:
        """Fetch milestones of all projects at the same time, and add them."""

        def fetch_or_error(project: api_types.Project) -> Rows[Milestone] | TrackerError:
            try:
                return fetch(session, project)
            except PROJECT_ERRORS as error:
                return error

        results = session.caller.map_all(fetch_or_error, projects)
        for project, result in zip(projects, results, strict=True):
            if isinstance(result, TrackerError):
                self.failed[project.id] = result
            else:
                self.milestones[project.id] += result.read
                self.unread += result.unread

    def _drop_duplicates(self) -> None:
        """Keep each milestone in its first project only: a board may show several projects."""
        ids: set[str] = set()
        for project, milestones in self.milestones.items():
            self.milestones[project] = [milestone for milestone in milestones if milestone.id not in ids]
            ids.update(milestone.id for milestone in milestones)

    def _add_rule_milestones(
        self, session: Session, search: Search, projects: Sequence[api_types.Project], rules: RuleMilestones
    ) -> None:
        """Run each rule's query once for all its projects, and add a milestone to each project."""
        by_query: dict[str, list[tuple[api_types.Project, Rule]]] = {}
        for project in projects:
            for rule in rules.of(project.key) if project.id not in self.failed else ():
                query = rule.text if rule.sign == "?" else f"labels = {jql.literal(rule.text)}"
                by_query.setdefault(query, []).append((project, rule))
        for query, pairs in by_query.items():
            self._add_matches(session, search, query, pairs)

    def _add_matches(
        self, session: Session, search: Search, query: str, pairs: Sequence[tuple[api_types.Project, Rule]]
    ) -> None:
        """Run a rule's query for these projects; if that fails, for each of them alone."""
        where = f"({query}) AND {jql.any_of('project', [project.key for project, _ in pairs])}"
        try:
            issues = search.keys(where)
        except PROJECT_ERRORS as error:
            if len(pairs) == 1:
                self.failed[pairs[0][0].id] = for_project(error, pairs[0][0].key)
            for pair in pairs if len(pairs) > 1 else ():
                self._add_matches(session, search, query, [pair])
        else:
            for project, rule in pairs:
                matches = tuple(sorted(issue.id for issue in issues if issue.key.rpartition("-")[0] == project.key))
                milestone = rule.milestone(project_of(project, session.site))
                self.milestones[project.id].append(milestone)
                self.query_matches.setdefault(project.id, {})[milestone.id] = matches

    def _matches_by_issue(self) -> dict[str, tuple[str, ...]]:
        milestones: dict[str, tuple[str, ...]] = {}
        for matches in self.query_matches.values():
            for milestone, issues in matches.items():
                milestones |= {issue: (*milestones.get(issue, ()), milestone) for issue in issues}
        return milestones

    def _add_epics(self, session: Session, search: Search, projects: Sequence[api_types.Project]) -> dict[str, str]:
        """Add the epics of all projects. Return their issue ids by key."""
        types = session.list_option("epic_types") or ("Epic",)
        readable = [project for project in projects if project.id not in self.failed]
        ids: dict[str, str] = {}
        if not readable:
            return ids
        where = f"{jql.any_of('project', [project.key for project in readable])} AND {jql.any_of('issuetype', types)}"
        try:
            issues = search.without_histories(where)
        except PROJECT_ERRORS as error:
            if len(readable) > 1:
                for project in readable:
                    ids |= self._add_epics(session, search, [project])
            else:
                self.failed[readable[0].id] = for_project(error, readable[0].key)
            return ids
        keys = {project.key: project.id for project in readable}
        for row in issues.unread:
            project_id = row.project or keys.get(row.key.rpartition("-")[0], readable[0].id)
            self.unread.append(
                structs.replace(row, project=project_id, kind=UnreadKind.MILESTONE, id=row.id and epic_id(row.id))
            )
        for issue in issues.read:
            ids[issue.key] = issue.id
            if issue.fields.project.id in self.milestones:
                self.milestones[issue.fields.project.id].append(_epic(issue, session.site))
        return ids


# --- versions and sprints -------------------------------------------------------------------------------------------


def _versions(session: Session, project: api_types.Project) -> Rows[Milestone]:
    versions = project.versions
    if versions is None:
        versions = session.read(list[Raw], path_of("project/{}/versions", project.id), project=project.key)

    def read(row: Raw) -> Milestone:
        version = decode_row(row, api_types.Version, session.name, project.key)
        return milestone_of(version, project, session.site)

    return read_rows(versions, read, partial(unread_milestone, project=project.id))


def _sprints(session: Session, project: api_types.Project) -> Rows[Milestone]:
    sprints: dict[int, Milestone] = {}
    unread: list[UnreadRow] = []

    def skip(row: Raw, reason: str) -> None:
        unread.append(unread_milestone(row, reason, project.id, sprint_id("")))

    for board in session.pages(api_types.Board, "board", {"projectKeyOrId": project.key}, project.key):
        if board.type not in _BOARDS:
            continue
        try:
            for sprint in session.pages(api_types.Sprint, path_of("board/{}/sprint", board.id), {}, project.key, skip):
                sprints.setdefault(sprint.id, _sprint(sprint, board, project, session))
        except RefusedError:  # Jira answers 400 for a board of a team-managed project without sprints
            continue
    return Rows(list(sprints.values()), unread)


def _sprint(
    sprint: api_types.Sprint, board: api_types.Board, project: api_types.Project, session: Session
) -> Milestone:
    """Convert a sprint. Its dates are in the account's time zone; it closed when it was completed."""
    is_closed = sprint.state.lower() == "closed"
    return Milestone(
        id=sprint_id(str(sprint.id)),
        project=project.id,
        kind=MilestoneKind.SPRINT,
        key=sprint.name,
        written=f"/sprint:{sprint.name}",
        title=sprint.name,
        url=f"{session.site}/secure/RapidBoard.jspa?rapidView={board.id}&sprint={sprint.id}",
        state=State.CLOSED if is_closed else State.OPEN,
        description=sprint.goal or "",
        start=_day(sprint.startDate, session.time_zone),
        due=_day(sprint.endDate, session.time_zone),
        created_at=sprint.createdDate and to_utc(sprint.createdDate),
        closed_at=to_utc(sprint.completeDate) if is_closed and sprint.completeDate else None,
    )


def _day(at: datetime | None, zone: ZoneInfo) -> date | None:
    return day_of(at, zone) if at else None


# --- epics ----------------------------------------------------------------------------------------------------------


def _epic(issue: api_types.Issue, site: str) -> Milestone:
    """Convert an epic. It is closed if its status is, as every issue."""
    fields: Any = issue.fields
    ended = fields.resolutiondate or fields.statuscategorychangedate or fields.updated if is_done(fields) else None
    return Milestone(
        id=epic_id(issue.id),
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


def due_dates(created: datetime, due: date | None, histories: Sequence[api_types.History]) -> tuple[DueDate, ...]:
    """The due dates of an epic over time and who set them, from its changelog; the first since its creation."""
    changes = sorted(
        (
            (to_utc(entry.created), _date(change.from_), _date(change.to), person_of(entry.author))
            for entry in histories
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
