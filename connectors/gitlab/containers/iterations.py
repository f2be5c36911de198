"""Iterations of a group's cadences: time boxes that GitLab closes on the day after their last.

The iterations of an automatic cadence have no title: they are named by the cadence and their first day. REST does not
know cadences. With ``roll over``, the open issues of an iteration move to the next one after its end. That end is a
day (`sync.history.containers`), so they count as carried over, not as removed (`sync.history.carry_over`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC

from msgspec import Raw, Struct

from connectors.gitlab import api_types
from connectors.gitlab.container_ids import ITERATION
from connectors.gitlab.containers.kind import LicensedContainers
from connectors.gitlab.group_lists import Day, GroupQuery, day_at
from connectors.gitlab.moves import ActivityNote, Move
from connectors.gitlab.normalize import group_of
from connectors.shared.responses import Number, Time, decode_row
from sync.model.dates import end_of_utc_day
from sync.model.tracker_data import Milestone, MilestoneKind, State

__all__ = ["Iterations"]

_QUERY = """
listed: iterations(state: all, includeAncestors: true, first: $first, after: $after) {
  pageInfo { hasNextPage endCursor }
  nodes {
    id title description state start_date: startDate due_date: dueDate
    created_at: createdAt updated_at: updatedAt web_url: webUrl<iterationCadence>
  }
}"""
"""The names are those of REST."""

_CHANGED = re.compile(
    r"(?:(?P<join>changed iteration to)|removed iteration)(?: \S*\*iteration:(?P<id>\d+))?\b.*", re.DOTALL
)

_CLOSED = (3, "closed")
"""The state of an ended iteration; REST sends a number."""


class _Cadence(Struct):
    title: str = ""


class _Iteration(Struct):
    """Iteration. ``id`` is a number, by GraphQL ``gid://gitlab/Iteration/12``."""

    id: Number | str
    state: Number | str
    start_date: Day
    due_date: Day
    created_at: Time
    updated_at: Time
    web_url: str
    title: str | None = None
    description: str | None = None
    cadence: _Cadence | None = None


class _Ref(Struct):
    id: Number


class _Event(Struct):
    """Change of an issue's iteration. ``action`` is ``add`` or ``remove``."""

    created_at: Time
    action: str
    iteration: _Ref | None = None
    user: api_types.User | None = None


class Iterations(LicensedContainers):
    """The iterations of groups."""

    word = "iterations"
    prefix = ITERATION
    query = GroupQuery(_QUERY, {"iterationCadence": " cadence: iterationCadence { title }"})
    path = "/groups/{}/iterations"

    def convert(self, row: Raw) -> Milestone:
        """Convert a row of either list."""
        iteration = decode_row(row, _Iteration, self.session.name)
        number = str(iteration.id).rpartition("/")[2]
        cadence = iteration.cadence.title if iteration.cadence else ""
        start, due = day_at(iteration.start_date), day_at(iteration.due_date)
        title = iteration.title or f"{cadence or 'Iteration'} {start}"
        is_closed = iteration.state in _CLOSED
        return Milestone(
            id=f"{self.prefix}{number}",
            project="",
            kind=MilestoneKind.ITERATION,
            key=title,
            written=f"{group_of(iteration.web_url)}/iteration:{title}",
            title=title,
            url=iteration.web_url,
            state=State.CLOSED if is_closed else State.OPEN,
            description=iteration.description or "",
            start=start,
            due=due,
            created_at=iteration.created_at.astimezone(UTC),
            updated_at=iteration.updated_at.astimezone(UTC),
            closed_at=end_of_utc_day(due) if is_closed else None,
        )

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The iteration of an issue."""
        if row.iteration is not None:
            yield f"{self.prefix}{row.iteration.id}"

    def move(self, note: ActivityNote) -> tuple[bool, str] | None:
        """Read ``changed iteration to *iteration:12`` and ``removed iteration``."""
        changed = _CHANGED.fullmatch(note.body) if note.action == "iteration" else None
        if changed is None:
            return None
        return changed["join"] is not None, f"{self.prefix}{changed['id']}" if changed["id"] else ""

    def fetch_moves(self, item_path: str, project: str) -> list[Move]:
        """Fetch the iteration events of an issue."""
        events = self.session.rows(_Event, f"{item_path}/resource_iteration_events", project)
        return [
            Move(
                self.word,
                event.created_at,
                event.action == "add",
                f"{self.prefix}{event.iteration.id}" if event.iteration else "",
                user=event.user,
            )
            for event in events
        ]
