"""The milestones of projects: their versions, and if wanted the sprints of their boards and their epics.

Sprints and their dates change without a word in any issue, and epics come and go, so all of them are listed at each
pull: a request for the boards of a project, one for each board's sprints, and one search for the epics of all projects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

from connectors.jira import jql
from connectors.jira.api_types import Board, History, Item, ProjectOf, Sprint, Version
from connectors.jira.issue_milestones import KINDS, MilestoneFields, epic_id, sprint_id
from connectors.jira.normalize import milestone_of, moment_of, person_of, project_of
from connectors.jira.search import Search
from connectors.jira.session import OWN, Session, of_project
from connectors.shared.rule_milestones import Rule, RuleMilestones
from sync.model.tracker_data import DueDate, Milestone, MilestoneKind, State
from sync.tracker.errors import RefusedError, TrackerError

__all__ = ["MilestoneReader", "due_dates", "kinds"]

_BOARDS = ("scrum", "simple")
"""Kinds of boards that may have sprints."""


def kinds(option: Sequence[str]) -> frozenset[str]:
    """The option ``containers``. Raises ValueError for a word that it does not know."""
    if not set(option) <= set(KINDS):
        raise ValueError(f"containers are some of {', '.join(KINDS)}")
    return frozenset(option) or frozenset(KINDS[:1])


class MilestoneReader(Struct):
    """The milestones found and the failures, by project id, and where issues may be."""

    milestones: dict[str, list[Milestone]]
    failed: dict[str, TrackerError]
    places: MilestoneFields

    picked: dict[str, dict[str, tuple[str, ...]]] = {}
    """By project id and the id of a milestone by rule, the issues that its query finds."""

    @classmethod
    def read(
        cls, session: Session, search: Search, projects: Sequence[ProjectOf], rules: RuleMilestones
    ) -> MilestoneReader:
        """Read the milestones of these projects. A failure of the whole connection is raised."""
        wanted = kinds(session.listed("containers"))
        _, epic_link, sprint = session.custom
        made = cls({project.id: [] for project in projects}, {}, MilestoneFields(), {})
        if "versions" in wanted:
            made._side_by_side(session, projects, _versions)
        if "sprints" in wanted:
            made._side_by_side(session, projects, _sprints)
            made._once()
        epics = made._epics(session, search, projects) if "epics" in wanted else {}
        made._pick(session, search, projects, rules)
        made.places = MilestoneFields(
            versions="versions" in wanted,
            sprints="sprints" in wanted,
            sprint=sprint,
            epic_link=epic_link,
            epics=epics,
            epic_ids=frozenset(epics.values()),
            picked=made._by_issue(),
        )
        return made

    def _side_by_side(
        self,
        session: Session,
        projects: Sequence[ProjectOf],
        work: Callable[[Session, ProjectOf], list[Milestone]],
    ) -> None:
        def one(project: ProjectOf) -> list[Milestone] | TrackerError:
            try:
                return work(session, project)
            except OWN as problem:
                return problem

        for project, found in zip(projects, session.caller.map_all(one, projects), strict=True):
            if isinstance(found, TrackerError):
                self.failed[project.id] = found
            else:
                self.milestones[project.id] += found

    def _once(self) -> None:
        """A board may show several projects: its sprints are the first one's."""
        seen: set[str] = set()
        for project, found in self.milestones.items():
            self.milestones[project] = [milestone for milestone in found if milestone.id not in seen]
            seen.update(milestone.id for milestone in found)

    def _pick(self, session: Session, search: Search, projects: Sequence[ProjectOf], rules: RuleMilestones) -> None:
        """Ask each query about all projects that it is for, and give each its own milestone."""
        asked: dict[str, list[tuple[ProjectOf, Rule]]] = {}
        for project in projects:
            for rule in rules.of(project.key) if project.id not in self.failed else ():
                query = rule.text if rule.sign == "?" else f"labels = {jql.literal(rule.text)}"
                asked.setdefault(query, []).append((project, rule))
        for query, pairs in asked.items():
            where = f"({query}) AND {jql.any_of('project', [project.key for project, _ in pairs])}"
            try:
                found = search.names(where)
            except OWN as problem:
                self.failed |= {project.id: of_project(problem, project.key) for project, _ in pairs}
                continue
            for project, rule in pairs:
                mine = tuple(sorted(issue.id for issue in found if issue.key.rpartition("-")[0] == project.key))
                made = rule.milestone(project_of(project, session.site))
                self.milestones[project.id].append(made)
                self.picked.setdefault(project.id, {})[made.id] = mine

    def _by_issue(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for rules in self.picked.values():
            for milestone, issues in rules.items():
                found |= {issue: (*found.get(issue, ()), milestone) for issue in issues}
        return found

    def _epics(self, session: Session, search: Search, projects: Sequence[ProjectOf]) -> dict[str, str]:
        """The epics of all projects; key -> id."""
        types = session.listed("epic_types") or ("Epic",)
        there = [project for project in projects if project.id not in self.failed]
        keys: dict[str, str] = {}
        if not there:
            return keys
        where = f"{jql.any_of('project', [project.key for project in there])} AND {jql.any_of('issuetype', types)}"
        try:
            items = search.light(where)
        except OWN as problem:
            self.failed |= {project.id: of_project(problem, project.key) for project in there}
            return keys
        for item in items:
            keys[item.key] = item.id
            if item.fields.project.id in self.milestones:
                self.milestones[item.fields.project.id].append(_epic(item, session.site))
        return keys


# --- versions and sprints -------------------------------------------------------------------------------------------


def _versions(session: Session, project: ProjectOf) -> list[Milestone]:
    found = project.versions
    if found is None:
        found = session.read(list[Version], f"project/{project.id}/versions", project=project.key)
    return [milestone_of(version, project, session.site) for version in found]


def _sprints(session: Session, project: ProjectOf) -> list[Milestone]:
    found: dict[int, Milestone] = {}
    for board in session.pages(Board, "board", {"projectKeyOrId": project.key}, project.key):
        if board.type not in _BOARDS:
            continue
        try:
            for sprint in session.pages(Sprint, f"board/{board.id}/sprint", {}, project.key):
                found.setdefault(sprint.id, _sprint(sprint, board, project, session))
        except RefusedError:  # a board of a team-managed project without sprints says so with 400
            continue
    return list(found.values())


def _sprint(sprint: Sprint, board: Board, project: ProjectOf, session: Session) -> Milestone:
    """A sprint. Its days are those of the account's zone; it ended when it was completed."""
    done = sprint.state.lower() == "closed"
    return Milestone(
        id=sprint_id(str(sprint.id)),
        project=project.id,
        kind=MilestoneKind.SPRINT,
        key=sprint.name,
        written=f"/sprint:{sprint.name}",
        title=sprint.name,
        url=f"{session.site}/secure/RapidBoard.jspa?rapidView={board.id}&sprint={sprint.id}",
        state=State.CLOSED if done else State.OPEN,
        description=sprint.goal or "",
        start=_day(sprint.startDate, session.zone),
        due=_day(sprint.endDate, session.zone),
        created_at=sprint.createdDate and moment_of(sprint.createdDate),
        closed_at=moment_of(sprint.completeDate) if done and sprint.completeDate else None,
    )


def _day(at: datetime | None, zone: ZoneInfo) -> date | None:
    return at.astimezone(zone).date() if at else None


# --- epics ----------------------------------------------------------------------------------------------------------


def _epic(item: Item, site: str) -> Milestone:
    """An epic. It is closed when its status is in the category done, or it is resolved."""
    fields: Any = item.fields
    done = fields.status.statusCategory.key == "done"
    ended = fields.resolutiondate or (fields.statuscategorychangedate or fields.updated if done else None)
    return Milestone(
        id=epic_id(item.id),
        project=fields.project.id,
        kind=MilestoneKind.EPIC,
        key=item.key,
        written=f"/epic:{item.key}",
        title=fields.summary,
        url=f"{site}/browse/{item.key}",
        state=State.CLOSED if ended else State.OPEN,
        due=fields.duedate,
        created_at=moment_of(fields.created),
        updated_at=moment_of(fields.updated),
        closed_at=moment_of(ended) if ended else None,
    )


def due_dates(created: datetime, due: date | None, histories: Sequence[History]) -> tuple[DueDate, ...]:
    """Every due date that an epic has had and who set it, by its change log; the first one stood at its creation."""
    changes = sorted(
        (
            (moment_of(entry.created), _date(change.from_), _date(change.to), person_of(entry.author))
            for entry in histories
            for change in entry.items
            if (change.fieldId or change.field) == "duedate"
        ),
        key=lambda change: change[0],
    )
    told = [DueDate(created, changes[0][1] if changes else due)]
    told += (DueDate(at, to, by) for at, _, to, by in changes)
    return tuple(
        due_date for before, due_date in pairwise([DueDate(created, None), *told]) if due_date.due != before.due
    )


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None
