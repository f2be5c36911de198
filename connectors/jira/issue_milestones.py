"""Read an issue's present and past milestones: versions, and optionally sprints and epics.

Jira stores the three in different ways. A version is in the field ``fixVersions``. Only the last sprint in the sprint
field counts: closed sprints stay in it, so an issue that is carried over leaves one sprint and joins the next. An epic
is a parent (Cloud) or an epic link (Data Center); epics of projects that are not read do not count. Jira numbers each
kind separately, so the ids of sprints and epics have a prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from connectors.jira import api_types
from sync.model.tracker_data import Event, EventKind, Person

__all__ = ["KINDS", "MilestoneFields", "epic_id", "sprint_id"]

KINDS = ("versions", "sprints", "epics")
"""Values of the option ``containers``."""

_PARENTS = ("parent", "IssueParentAssociation", "Epic Link")
_SPRINT = re.compile(r"\[.*?\bid=(?P<id>\d+)")
_STATE = re.compile(r"\bstate=(?P<state>[A-Za-z]+)")


def sprint_id(number: str) -> str:
    """The milestone id of a sprint."""
    return f"sprint-{number}"


def epic_id(number: str) -> str:
    """The milestone id of an epic, from its issue id."""
    return f"epic-{number}"


class MilestoneFields(Struct, frozen=True):
    """Fields and values that make an issue a member of a milestone.

    ``versions`` and ``sprints`` say whether these count. ``sprint`` and ``epic_link`` are ids of custom fields.
    ``epics`` maps the keys of epics to their issue ids, ``epic_ids`` are those ids. ``query_matches`` maps an issue id
    to the rule milestones whose query finds the issue.
    """

    versions: bool = True
    sprints: bool = False
    sprint: str = ""
    epic_link: str = ""
    epics: Mapping[str, str] = {}
    epic_ids: frozenset[str] = frozenset()
    query_matches: Mapping[str, tuple[str, ...]] = {}

    def now(self, fields: Any, issue: str = "") -> tuple[str, ...]:
        """The present milestones of an issue with these fields and this id."""
        milestones = [version.id for version in fields.fixVersions or ()] if self.versions else []
        if self.sprints and (sprint := _current_sprint(fields.sprints)):
            milestones.append(sprint_id(sprint))
        parent = fields.parent.key if fields.parent else fields.epic or ""
        if parent in self.epics:
            milestones.append(epic_id(self.epics[parent]))
        return (*milestones, *self.query_matches.get(issue, ()))

    def moves(self, issue: str, at: datetime, change: api_types.Change, actor: Person | None) -> Iterator[Event]:
        """Yield the events of one change of a field."""
        name = change.fieldId or change.field
        if name in ("fixVersions", "Fix Version") and self.versions:
            before, after = (change.from_, change.fromString), (change.to, change.to_string)
        elif self.sprints and (name == self.sprint or change.field == "Sprint"):
            before, after = (_last_sprint(change.from_), ""), (_last_sprint(change.to), "")
        elif name in (*_PARENTS, self.epic_link) or change.field in _PARENTS:
            before, after = (self._epic(change.from_), ""), (self._epic(change.to), "")
        else:
            return
        if before[0] == after[0]:
            return
        for kind, (milestone, title) in ((EventKind.LEFT, before), (EventKind.JOINED, after)):
            if milestone:
                yield Event(
                    issue=issue, at=at, kind=kind, milestone=milestone, milestone_title=title or "", actor=actor
                )

    def _epic(self, number: str | None) -> str:
        return epic_id(number) if number and number in self.epic_ids else ""


def _last_sprint(numbers: str | None) -> str:
    """The milestone id of the last sprint in ``12, 34``; empty without one."""
    last = (numbers or "").rpartition(",")[2].strip()
    return sprint_id(last) if last else ""


def _current_sprint(sprints: Any) -> str:
    """The id of the sprint that is not closed, else of the last sprint; empty without one.

    Cloud sends objects, Data Center sends texts.
    """
    last = ""
    for sprint in sprints if isinstance(sprints, list) else ():
        if isinstance(sprint, dict):
            number, state = str(sprint.get("id", "")), str(sprint.get("state", ""))
        else:
            number_match, state_match = _SPRINT.search(str(sprint)), _STATE.search(str(sprint))
            number, state = number_match["id"] if number_match else "", state_match["state"] if state_match else ""
        if number and state.lower() != "closed":
            return number
        last = number or last
    return last
