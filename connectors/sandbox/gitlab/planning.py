"""Sandbox GitLab: the iterations and epics of groups: changes of the world, and their REST entities.

Both belong to a group, and the projects below that group can use them. As in GitLab, the iterations of an automatic
cadence have no title, an issue that moves from one iteration to another has one ``add`` event, and a join of an epic is
a system note whose text depends on the version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

from connectors.sandbox.gitlab.formats import Json, group_id, stamp
from connectors.sandbox.versions import Kind, lacks, shown
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Change, Epic, Issue, Milestone, Project, User

__all__ = ["Planning", "add_epic", "add_iteration", "nest", "plan_epic", "plan_iteration", "roll_over"]


# --- changes of the world ----------------------------------------------------------------------------------------


def add_iteration(
    tracker: Tracker, group: str, start: date, due: date, *, cadence: str = "Cadence", title: str = ""
) -> Milestone:
    """Add an iteration of a group's cadence; without a title, as an automatic cadence does."""
    now = tracker.world.clock()
    number = sum(known.group == group for known in tracker.iterations.values()) + 1
    made = Milestone(
        tracker.world.next_id(), number, title, now, now, start=start, due=due, group=group, cadence=cadence
    )
    tracker.iterations[made.id] = made
    return made


def add_epic(tracker: Tracker, group: str, title: str, **fields: Any) -> Epic:
    """Add an epic of a group."""
    now = tracker.world.clock()
    number = max((known.number for known in tracker.epics.values() if known.group == group), default=0) + 1
    made = Epic(tracker.world.next_id(), number, group, title, now, now, **fields)
    tracker.epics[made.id] = made
    return made


def plan_iteration(
    tracker: Tracker, issue: Issue, iteration: Milestone | None, actor: User, at: datetime | None = None
) -> None:
    """Put an issue into an iteration, or take it out."""
    new = iteration.id if iteration else None
    if new != issue.iteration:
        tracker.change(issue, "iteration", issue.iteration, new, actor, at, "")
    issue.iteration = new


def plan_epic(tracker: Tracker, issue: Issue, epic: Epic | None, actor: User, at: datetime | None = None) -> None:
    """Put an issue into an epic, or take it out."""
    new = epic.id if epic else None
    if new != issue.epic:
        tracker.change(issue, "epic", issue.epic, new, actor, at, "")
    issue.epic = new


def nest(tracker: Tracker, epic: Epic, parent: Epic | None, actor: User, at: datetime | None = None) -> None:
    """Give an epic a parent epic, or none."""
    now, new = at or tracker.world.clock(), parent.id if parent else None
    if new != epic.parent:
        epic.changes.append(Change(tracker.world.next_id(), now, actor, "epic", epic.parent, new))
        epic.updated = max(epic.updated, now)
    epic.parent = new


def roll_over(tracker: Tracker, actor: User, at: datetime | None = None) -> None:
    """Move the open issues of ended iterations to the next iteration of their cadence, as GitLab does at night."""
    now = at or tracker.world.clock()
    for project in tracker.projects.values():
        for issue in project.issues.values():
            old = tracker.iterations.get(issue.iteration or 0)
            if old is None or issue.closed is not None or old.due is None or old.due >= now.date():
                continue
            later = [
                iteration
                for iteration in tracker.iterations.values()
                if iteration.cadence == old.cadence and iteration.start is not None and iteration.start > old.due
            ]
            following = min(later, key=lambda iteration: iteration.start or date.max, default=None)
            if following is not None:
                plan_iteration(tracker, issue, following, actor, now)


# --- entities -------------------------------------------------------------------------------------------------------


class Planning:
    """The iterations and epics of one tracker. ``event`` returns the common part of an event's entity."""

    def __init__(self, tracker: Tracker, event: Callable[[Change, Issue | Epic], Json]) -> None:
        self.tracker, self._event = tracker, event

    @property
    def is_licensed(self) -> bool:
        """True if there are iterations and epics."""
        return self.tracker.premium and not self.tracker.licence_ended

    def readable_epic(self, number: int | None) -> Epic | None:
        """Return an epic by id; None if there is none, or its group may not be read."""
        epic = self.tracker.epics.get(number or 0)
        return None if epic is None or epic.group in self.tracker.hidden_groups else epic

    def iterations(self, group: str, *, ancestors: bool) -> list[Milestone]:
        """Return the iterations of a group, and of the groups above it."""
        if not self.is_licensed:
            return []
        hidden = self.tracker.hidden_groups
        readable = [iteration for iteration in self.tracker.iterations.values() if iteration.group not in hidden]
        return [i for i in readable if i.group == group or (ancestors and _is_above(i.group, group))]

    def epics(self, group: str, *, ancestors: bool, descendants: bool) -> list[Epic]:
        """Return the epics of a group, and of the groups above and below it."""
        if not self.is_licensed:
            return []
        return [
            epic
            for epic in self.tracker.epics.values()
            if epic.group not in self.tracker.hidden_groups
            and (
                epic.group == group
                or (ancestors and _is_above(epic.group, group))
                or (descendants and _is_above(group, epic.group))
            )
        ]

    def is_closed(self, iteration: Milestone) -> bool:
        """Return whether an iteration is over: GitLab closes it on the day after its last."""
        return iteration.due is not None and iteration.due < self.tracker.world.clock().date()

    def iteration(self, iteration: Milestone) -> Json:
        """An iteration. Its state is a number: upcoming, current, closed."""
        today = self.tracker.world.clock().date()
        state = 3 if self.is_closed(iteration) else 1 if iteration.start and iteration.start > today else 2
        return {
            "id": iteration.id,
            "iid": iteration.number,
            "sequence": iteration.number,
            "group_id": group_id(iteration.group),
            "title": iteration.title or None,
            "description": iteration.description or None,
            "state": state,
            "created_at": stamp(iteration.created),
            "updated_at": stamp(iteration.updated),
            "start_date": iteration.start and iteration.start.isoformat(),
            "due_date": iteration.due and iteration.due.isoformat(),
            "web_url": self.iteration_url(iteration),
        }

    def iteration_url(self, iteration: Milestone) -> str:
        """The address of an iteration."""
        return f"{self.tracker.url}/groups/{iteration.group}/-/iterations/{iteration.id}"

    def epic(self, epic: Epic) -> Json:
        """An epic, as REST shows it: without assignees."""
        parent = self.readable_epic(epic.parent)
        row: Json = {
            "id": epic.id,
            "work_item_id": epic.id + 500_000,
            "iid": epic.number,
            "group_id": group_id(epic.group),
            "parent_id": parent.id if parent else None,
            "parent_iid": parent.number if parent else None,
            "title": epic.title,
            "description": epic.description or None,
            "confidential": epic.confidential,
            "start_date": epic.start and epic.start.isoformat(),
            "start_date_is_fixed": epic.has_fixed_dates,
            "due_date": epic.due and epic.due.isoformat(),
            "due_date_is_fixed": epic.has_fixed_dates,
            "state": "closed" if epic.closed else "opened",
            "web_url": self.epic_url(epic),
            "references": {"short": f"&{epic.number}", "full": f"{epic.group}&{epic.number}"},
            "created_at": stamp(epic.created),
            "updated_at": stamp(epic.updated),
            "closed_at": stamp(epic.closed),
            "labels": [],
        }
        return shown(self.tracker, "epic", row)

    def epic_url(self, epic: Epic) -> str:
        """The address of an epic."""
        return f"{self.tracker.url}/groups/{epic.group}/-/epics/{epic.number}"

    def of_issue(self, issue: Issue) -> Json:
        """The fields ``iteration`` and ``epic`` of an issue."""
        iteration, epic = self.tracker.iterations.get(issue.iteration or 0), self.tracker.epics.get(issue.epic or 0)
        fields: Json = {"iteration": self.iteration(iteration) if iteration else None, "epic_iid": None, "epic": None}
        if epic is not None:
            fields["epic_iid"] = epic.number
            fields["epic"] = {
                "id": epic.id,
                "iid": epic.number,
                "title": epic.title,
                "url": f"/groups/{epic.group}/-/epics/{epic.number}",
                "group_id": group_id(epic.group),
            }
        return fields

    def iteration_events(self, issue: Issue) -> list[Json]:
        """The issue's iteration events: a move from one iteration to another is one ``add``."""
        moves = [c for c in issue.changes if c.field == "iteration"]
        born = moves[0].old if moves else issue.iteration
        if born is not None:
            moves.insert(0, Change(issue.id, issue.created, issue.author, "iteration", None, born))
        return [
            self._event(move, issue)
            | {"action": "remove" if move.new is None else "add", "iteration": self.iteration(known) if known else None}
            for move in moves
            for known in [self.tracker.iterations.get(move.old if move.new is None else move.new)]
        ]

    # --- system notes ----------------------------------------------------------------------------------------------

    def epic_notes(self, item: Issue | Epic, project: Project | None) -> Iterator[tuple[Change, str, str]]:
        """Yield the moves of an issue (of ``project``) or epic from epic to epic, with text and action of each note."""
        moves = [change for change in item.changes if change.field == "epic"]
        if isinstance(item, Issue) and (born := moves[0].old if moves else item.epic) is not None:
            moves.insert(0, Change(item.id, item.created, item.author, "epic", None, born))
        is_old = lacks(self.tracker, Kind.RULE, "epics are work items")
        for move in moves:
            old, new = (self._reference(number, item, project, is_old=is_old) for number in (move.old, move.new))
            if is_old and isinstance(item, Issue):
                texts = (f"added to epic {new}", f"removed from epic {old}", f"changed epic to {new}")
                actions = ("issue_added_to_epic", "issue_removed_from_epic", "issue_changed_epic")
                which = 1 if move.new is None else 0 if move.old is None else 2
                yield move, texts[which], actions[which]
                continue
            word = "epic " if is_old else ""
            if move.old is not None:
                yield move, f"removed parent epic {old}", "unrelate_epic" if is_old else "unrelate_from_parent"
            if move.new is not None:
                yield move, f"added {word}{new} as parent epic", "relate_epic" if is_old else "relate_to_parent"

    def _reference(self, number: int | None, item: Issue | Epic, project: Project | None, *, is_old: bool) -> str:
        epic = self.tracker.epics.get(number or 0)
        if epic is None:
            return ""
        home = project.key.rpartition("/")[0] if project else item.group if isinstance(item, Epic) else ""
        is_short = epic.group == home and (is_old or project is None)
        return f"&{epic.number}" if is_short else f"{epic.group}&{epic.number}"


def _is_above(group: str, other: str) -> bool:
    return other.startswith(f"{group}/")
