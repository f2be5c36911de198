"""When issues joined and left milestones, were closed and reopened: GitLab tells it issue by issue.

``burndown_events`` would be one request per milestone, but it holds times, weights and actions without saying whose,
so no membership can be made of it. There is no bulk form. The requests are bounded: one for each issue that can ever
have been in a milestone (it was touched after the first milestone came to be), a second for those that were.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from connectors.gitlab import wire
from connectors.gitlab.rows import events_of
from connectors.gitlab.session import Session
from sync.connector import GoneError, find_marker
from sync.model import Event, Issue

__all__ = ["HISTORY", "Told", "could_tell", "tell"]

HISTORY = ("full", "members", "none")
"""The setting ``history``: of every issue that can have been in a milestone; on the first pull only of those that are
in one now (who left before is then not known); of none."""


class Told(Struct, frozen=True):
    """An issue's events, or that it no longer exists."""

    issue: str
    events: tuple[Event, ...] = ()
    gone: bool = False


def could_tell(
    read: wire.Issue, first_milestone: datetime | None, status_labels: frozenset[str], history: str, *, first: bool
) -> bool:
    """Whether this issue's history is worth its requests."""
    if history == "none" or first_milestone is None or (first and history == "members" and read.milestone is None):
        return False
    ours = not status_labels.isdisjoint(read.labels) and bool(find_marker(read.description or ""))
    return read.milestone is not None or (not ours and read.updated_at >= first_milestone)


def tell(session: Session, project: str, issues: Sequence[tuple[int, Issue]]) -> list[Told]:
    """The histories of issues (number in the project, row), a few at once."""
    return session.each(lambda pair: _tell(session, project, *pair), issues)


def _tell(session: Session, project: str, number: int, issue: Issue) -> Told:
    path = f"/projects/{issue.project}/issues/{number}"
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
    return Told(issue.id, events_of(issue.id, moves, states))
