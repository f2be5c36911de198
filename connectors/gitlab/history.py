"""When issues joined and left milestones, were closed and reopened.

Many issues at once by GraphQL (`connectors.gitlab.activity`), where GitLab lets us; else issue by issue by REST: one
request for each issue that can ever have been in a milestone (it was touched after the first milestone came to be), a
second for those that were. ``burndown_events`` would be one request per milestone, but it holds times, weights and
actions without saying whose, so no membership can be made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from connectors.gitlab import wire
from connectors.gitlab.activity import AT_ONCE, QUERY, Activity, Answer, Milestones, read
from connectors.gitlab.rows import events_of
from connectors.gitlab.session import Session, TooHeavyError
from connectors.http import decode
from sync.connector import AuthError, GoneError, MalformedError, RefusedError, find_marker
from sync.model import Event, EventKind, Issue

__all__ = ["HISTORY", "Histories", "Told", "could_tell"]

HISTORY = ("full", "members", "none")
"""The setting ``history``: of every issue that can have been in a milestone; on the first pull only of those that are
in one now (who left before is then not known); of none."""

SMALLEST = 10
"""Issues below which a request that was too heavy is not halved once more."""
_NOT_HERE = (AuthError, GoneError, MalformedError, RefusedError)


class Told(Struct, frozen=True):
    """An issue's events, or that it no longer exists."""

    issue: str
    events: tuple[Event, ...] = ()
    gone: bool = False


Asked = tuple[int, Issue]
"""An issue's number in the project, and its row."""


def could_tell(
    read: wire.Issue, first_milestone: datetime | None, status_labels: frozenset[str], history: str, *, first: bool
) -> bool:
    """Whether this issue's history is worth its requests."""
    if history == "none" or first_milestone is None or (first and history == "members" and read.milestone is None):
        return False
    ours = not status_labels.isdisjoint(read.labels) and bool(find_marker(read.description or ""))
    return read.milestone is not None or (not ours and read.updated_at >= first_milestone)


class Histories:
    """Tells the histories of one project's issues; asks no more by GraphQL once that was refused."""

    def __init__(self, session: Session, project: str, milestones: Iterable[wire.Milestone]) -> None:
        self._session, self._project = session, project
        self._milestones = Milestones(project, milestones)

    def tell(self, issues: Sequence[Asked]) -> list[Told]:
        """The histories of some issues, in their order."""
        chunks = [issues[n : n + AT_ONCE] for n in range(0, len(issues), AT_ONCE)]
        known = {number: activity for chunk in chunks for number, activity in self._together(chunk).items()}
        told = [_told(issue, known[number]) if number in known else None for number, issue in issues]
        rest = [asked for asked, one in zip(issues, told, strict=True) if one is None]
        alone = iter(self._session.each(self._alone, rest))
        return [one or next(alone) for one in told]

    def _together(self, issues: Sequence[Asked]) -> Mapping[int, Activity]:
        """What GraphQL tells of at most `AT_ONCE` issues: maybe not of all."""
        if not self._session.graphql:
            return {}
        asked = {"project": self._project, "numbers": [str(number) for number, _ in issues]}
        try:
            answer = decode(self._session.query(QUERY, asked, self._project), Answer, self._session.name, self._project)
        except TooHeavyError:
            half = len(issues) // 2
            if half < SMALLEST:
                return {}
            return {**self._together(issues[:half]), **self._together(issues[half:])}
        except _NOT_HERE:
            self._session.graphql = False
            return {}
        if answer.errors and (answer.data is None or answer.data.project is None):
            self._session.graphql = False
        return read(answer, self._milestones)

    def _alone(self, asked: Asked) -> Told:
        number, issue = asked
        path = f"/projects/{issue.project}/issues/{number}"
        session, project = self._session, self._project
        try:
            moves = session.rows(wire.MilestoneEvent, f"{path}/resource_milestone_events", project)
            if not moves and not issue.milestones:
                return Told(issue.id)
            states = session.rows(wire.StateEvent, f"{path}/resource_state_events", project)
        except GoneError:
            try:
                session.get(path, project)
            except GoneError:
                return Told(issue.id, gone=True)
            return Told(issue.id)
        return Told(issue.id, events_of(issue, moves, states))


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
