"""When issues joined and left milestones, were closed and reopened; and which open issues block them.

Many issues at once by GraphQL (`connectors.gitlab.history_graphql`), where GitLab lets us; else issue by issue by
REST: one
request for each issue that can ever have been in a milestone (it was touched after the first milestone came to be), a
second for those that were. ``burndown_events`` would be one request per milestone, but it holds times, weights and
actions without saying whose, so no membership can be made of it.

Blocking links are asked for issue by issue, of open issues that are blocked: GraphQL tells which are. Where it may not
be asked, or does not know, of every open issue. Without a licence for them there are none, which the issues themselves
show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, structs

from connectors.gitlab import api_types
from connectors.gitlab.history_graphql import (
    AT_ONCE,
    LINKS,
    QUERY,
    QUERY_WITH_LINKS,
    Activity,
    Answer,
    Milestones,
    read,
)
from connectors.gitlab.normalize import events_of
from connectors.gitlab.session import Session, TooHeavyError
from connectors.shared.responses import decode
from sync.model.tracker_data import Event, EventKind, Issue, State
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError
from sync.tracker.protocol import find_marker

__all__ = ["HISTORY", "Asked", "Histories", "Told", "could_tell"]

HISTORY = ("full", "members", "none")
"""The setting ``history``: of every issue that can have been in a milestone; on the first pull only of those that are
in one now (who left before is then not known); of none, nor what blocks them."""

SMALLEST = 10
"""Issues below which a request that was too heavy is not halved once more."""
_NOT_HERE = (AuthError, GoneError, MalformedError, RefusedError)


class Told(Struct, frozen=True):
    """An issue's events and the keys of what blocks it, or that it no longer exists."""

    issue: str
    events: tuple[Event, ...] = ()
    gone: bool = False
    blocked_by: tuple[str, ...] = ()


class Asked(Struct, frozen=True):
    """An issue's number in the project, its row, and whether it may be blocked."""

    number: int
    issue: Issue
    linked: bool = False

    @classmethod
    def of(cls, read: api_types.Issue, issue: Issue) -> Asked:
        """About an issue as it was read."""
        return cls(read.iid, issue, issue.state is State.OPEN and read.blocking_issues_count is not None)


def could_tell(
    read: api_types.Issue, first_milestone: datetime | None, status_labels: frozenset[str], history: str, *, first: bool
) -> bool:
    """Whether this issue's history, or what blocks it, is worth its requests."""
    if history == "none" or (first and history == "members" and read.milestone is None):
        return False
    ours = not status_labels.isdisjoint(read.labels) and bool(find_marker(read.description or ""))
    moved = first_milestone is not None and read.updated_at >= first_milestone
    linked = read.state == "opened" and read.blocking_issues_count is not None
    return read.milestone is not None or (not ours and (moved or linked))


class Histories:
    """Tells the histories of one project's issues; asks no more by GraphQL for what was refused."""

    def __init__(self, session: Session, project: str, milestones: Iterable[api_types.Milestone]) -> None:
        self._session, self._project = session, project
        self._milestones = Milestones(project, milestones)

    def tell(self, issues: Sequence[Asked]) -> list[Told]:
        """The histories of some issues and what blocks them, in their order."""
        known: dict[int, Activity] = {}
        counts: dict[int, int] = {}
        for some in _chunks(issues):
            activities, blocked = self._together(some, QUERY_WITH_LINKS if any(a.linked for a in some) else QUERY)
            known.update(activities)
            counts.update(blocked)
        told = [_told(asked.issue, known[asked.number]) if asked.number in known else None for asked in issues]
        rest = [asked for asked, forecast in zip(issues, told, strict=True) if forecast is None]
        alone = iter(self._session.map_all(self._alone, rest))
        blockers = self._blockers(issues, counts)
        return [
            structs.replace(forecast or next(alone), blocked_by=blockers.get(asked.number, ()))
            for asked, forecast in zip(issues, told, strict=True)
        ]

    def blocked(self, issues: Sequence[Asked]) -> Mapping[str, tuple[str, ...]]:
        """What blocks each of these issues (by id), without their histories."""
        linked = [asked for asked in issues if asked.linked]
        counts: dict[int, int] = {}
        for some in _chunks(linked):
            counts.update(self._together(some, LINKS)[1])
        blockers = self._blockers(linked, counts)
        return {asked.issue.id: blockers[asked.number] for asked in linked if asked.number in blockers}

    def waiting(self, project: str, blockers: Sequence[api_types.Issue]) -> list[api_types.Issue]:
        """The issues of the same project that these block: whether something blocks them changes without a trace."""
        found = self._session.map_all(lambda issue: self._links(issue.iid, project), blockers)
        there = {x.iid for links in found for x in links if x.link_type == "blocks" and str(x.project_id) == project}
        numbers = sorted(there - {issue.iid for issue in blockers})
        waiting: list[api_types.Issue] = []
        for n in range(0, len(numbers), AT_ONCE):
            asked = {"iids[]": numbers[n : n + AT_ONCE], "state": "all", "scope": "all"}
            waiting += self._session.rows(api_types.Issue, f"/projects/{project}/issues", self._project, **asked)
        return waiting

    def _blockers(self, issues: Sequence[Asked], counts: Mapping[int, int]) -> Mapping[int, tuple[str, ...]]:
        """What blocks these issues, by number. Those of which no count was told may be blocked."""
        asked = [answer for answer in issues if answer.linked and counts.get(answer.number, 1)]
        links = self._session.map_all(lambda answer: self._links(answer.number, answer.issue.project), asked)
        return {
            answer.number: tuple(x.key for x in found if x.link_type == "is_blocked_by" and x.state != "closed")
            for answer, found in zip(asked, links, strict=True)
        }

    def _links(self, number: int, project: int | str) -> list[api_types.Linked]:
        try:
            return self._session.rows(api_types.Linked, f"/projects/{project}/issues/{number}/links", self._project)
        except (GoneError, RefusedError):
            return []

    def _together(self, issues: Sequence[Asked], query: str) -> tuple[Mapping[int, Activity], Mapping[int, int]]:
        """What GraphQL tells of at most `AT_ONCE` issues: maybe not of all."""
        if not self._session.counts_blockers:
            query = QUERY if query != LINKS else ""
        if not self._session.graphql or not query:
            return {}, {}
        asked = {"project": self._project, "numbers": [str(one.number) for one in issues]}
        try:
            answer = decode(self._session.query(query, asked, self._project), Answer, self._session.name, self._project)
        except TooHeavyError:
            half = len(issues) // 2
            if half < SMALLEST:
                return {}, {}
            (some, few), (more, others) = self._together(issues[:half], query), self._together(issues[half:], query)
            return {**some, **more}, {**few, **others}
        except _NOT_HERE:
            self._session.graphql = False
            return {}, {}
        if answer.without_links and query != QUERY:
            self._session.counts_blockers = False
            return self._together(issues, query)
        if answer.refused:
            self._session.graphql = False
        return read(answer, self._milestones), answer.blocked()

    def _alone(self, asked: Asked) -> Told:
        issue = asked.issue
        path = f"/projects/{issue.project}/issues/{asked.number}"
        session, project = self._session, self._project
        try:
            moves = session.rows(api_types.MilestoneEvent, f"{path}/resource_milestone_events", project)
            if not moves and not issue.milestones:
                return Told(issue.id)
            states = session.rows(api_types.StateEvent, f"{path}/resource_state_events", project)
        except GoneError:
            try:
                session.get(path, project)
            except GoneError:
                return Told(issue.id, gone=True)
            return Told(issue.id)
        return Told(issue.id, events_of(issue, moves, states))


def _chunks(issues: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    return (issues[n : n + AT_ONCE] for n in range(0, len(issues), AT_ONCE))


def _told(issue: Issue, activity: Activity) -> Told | None:
    """The history, unless it does not end where the issue stands: who may not read notes gets empty threads."""
    events = events_of(issue, activity.moves, activity.states) if activity.moves else ()
    inside = None
    for event in events:
        if event.kind is EventKind.JOINED:
            inside = event.milestone
        elif event.kind is EventKind.LEFT and event.milestone == inside:
            inside = None
    return Told(issue.id, events) if issue.milestones == ((inside,) if inside else ()) else None
