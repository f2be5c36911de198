"""Sprints of a project's boards: the issues whose last sprint is this one.

Closed sprints stay in an issue's sprint field, so an issue that is carried over leaves one sprint and joins the next. A
change of a sprint updates no issue, so each pull lists all of them: one request for the boards of a project, and one
for each board's sprints.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from msgspec import Raw

from connectors.jira import api_types
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.normalize import to_utc, unread_milestone
from connectors.jira.search import Search
from connectors.jira.session import Session
from connectors.jira.sprint_field import current_sprint
from connectors.shared.containers import ContainerRows, Finding
from connectors.shared.paths import path_of
from connectors.shared.rows import Rows
from sync.model.dates import day_of
from sync.model.tracker_data import Milestone, MilestoneKind, State, UnreadKind, UnreadRow
from sync.tracker.errors import AuthError, GoneError, RefusedError
from sync.tracker.preflight import Unread

__all__ = ["Sprints"]

_BOARDS = ("scrum", "simple")
"""Types of boards that may have sprints."""

_REFUSALS = (AuthError, GoneError, RefusedError)
"""Errors of one list: Cloud answers 401 to a token without the scope for a single request, too."""


class Sprints(JiraContainers):
    """The sprints of all boards of projects. A board that refuses its list fails no project: its sprints are unread.

    The same holds for a project whose boards are refused: without a licence for Jira Software (403 or 404), or to a
    token without its scope (401). ``refused`` are the keys of these projects, after `read`.
    """

    word = "sprints"

    def __init__(self, session: Session, search: Search) -> None:
        super().__init__(session, search)
        self.refused: set[str] = set()

    @classmethod
    def fields(cls, session: Session) -> tuple[str, ...]:
        """The sprint field, if this Jira has one."""
        return tuple(filter(None, [session.custom_fields.sprint]))

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the sprints of these projects. A sprint on boards of several projects belongs to the first of them."""
        return self.read_each(projects, self._of_project)

    def _of_project(self, project: api_types.Project) -> Rows[Milestone]:
        session, sprints, unread = self._session, dict[int, Milestone](), list[UnreadRow]()

        def skip(row: Raw, reason: str) -> None:
            unread.append(unread_milestone(row, reason, project.id, _id("")))

        try:
            boards = list(session.pages(api_types.Board, "board", {"projectKeyOrId": project.key}, project.key))
        except _REFUSALS as error:
            if error.detail.startswith("HTTP 400"):
                raise  # no answer to a token or a licence
            self.refused.add(project.key)
            reason = f"the sprints of all boards: {error.detail}"
            return Rows([], [UnreadRow(project=project.id, kind=UnreadKind.MILESTONE, reason=reason)])
        for board in boards:
            if board.type not in _BOARDS:
                continue
            path = path_of("board/{}/sprint", board.id)
            try:
                for sprint in session.pages(api_types.Sprint, path, {}, project.key, skip):
                    sprints.setdefault(sprint.id, _milestone_of(sprint, board, project, session))
            except _REFUSALS as error:
                if board.type == "simple" and error.detail.startswith("HTTP 400"):
                    continue  # a team-managed project without sprints
                reason = f"the sprints of board {board.id}: {error.detail}"
                unread.append(UnreadRow(project=project.id, kind=UnreadKind.MILESTONE, reason=reason))
        return Rows(list(sprints.values()), unread)

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The present sprint of an issue."""
        if number := current_sprint(row.fields.sprints):
            yield _id(number)

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The last sprint before and after a change of the sprint field."""
        if (change.fieldId or change.field) != self._session.custom_fields.sprint and change.field != "Sprint":
            return None
        return _last_sprint(change.from_), _last_sprint(change.to)

    def findings(self, projects: Sequence[api_types.Project]) -> list[Finding]:
        """One line for each of these projects whose boards are refused."""
        self.read(projects)
        remedy = "they need Jira Software and a token that may read its boards; else remove them from `containers`"
        return [Unread(project=key, what=self.word, remedy=remedy) for key in sorted(self.refused)]


def _id(number: str) -> str:
    """The id of the milestone: Jira numbers sprints and versions separately."""
    return f"sprint-{number}"


def _last_sprint(numbers: str | None) -> str:
    """The milestone id of the last sprint in ``12, 34``; empty without one."""
    last = (numbers or "").rpartition(",")[2].strip()
    return _id(last) if last else ""


def _milestone_of(
    sprint: api_types.Sprint, board: api_types.Board, project: api_types.Project, session: Session
) -> Milestone:
    """Convert a sprint. Its dates are in the account's time zone; it closed when it was completed."""
    is_closed = sprint.state.lower() == "closed"
    return Milestone(
        id=_id(str(sprint.id)),
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
