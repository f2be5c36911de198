"""Where an issue is and was: versions, and if wanted sprints and epics, which Jira keeps in three different ways.

A version is in the field ``fixVersions``. Of the sprints in the sprint field only one counts, the last: closed ones
stay in it, so an issue that is carried over leaves one sprint for the next. An epic is a parent (Cloud) or an epic link
(Data Center); epics of projects that are not read do not count. Jira numbers each kind by itself, hence the prefixes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from connectors.jira.api_types import Change
from sync.model.tracker_data import Event, EventKind, Person

__all__ = ["KINDS", "MilestoneFields", "epic_id", "sprint_id"]

KINDS = ("versions", "sprints", "epics")
"""What the option ``containers`` may name."""

_PARENTS = ("parent", "IssueParentAssociation", "Epic Link")
_SPRINT = re.compile(r"\[.*?\bid=(?P<id>\d+)")
_STATE = re.compile(r"\bstate=(?P<state>[A-Za-z]+)")


def sprint_id(number: str) -> str:
    """The id of a sprint among a Jira's milestones."""
    return f"sprint-{number}"


def epic_id(number: str) -> str:
    """The id of an epic (an issue's id) among a Jira's milestones."""
    return f"epic-{number}"


class MilestoneFields(Struct, frozen=True):
    """What counts as a milestone. ``sprint`` and ``epic_link`` are ids of fields; ``epics`` maps keys to ids."""

    versions: bool = True
    sprints: bool = False
    sprint: str = ""
    epic_link: str = ""
    epics: Mapping[str, str] = {}
    epic_ids: frozenset[str] = frozenset()
    picked: Mapping[str, tuple[str, ...]] = {}
    """By issue id, the milestones whose query finds it."""

    def now(self, fields: Any, issue: str = "") -> tuple[str, ...]:
        """Where an issue with this id and these fields is."""
        found = [version.id for version in fields.fixVersions or ()] if self.versions else []
        if self.sprints and (sprint := _current(fields.sprints)):
            found.append(sprint_id(sprint))
        parent = fields.parent.key if fields.parent else fields.epic or ""
        if parent in self.epics:
            found.append(epic_id(self.epics[parent]))
        return (*found, *self.picked.get(issue, ()))

    def moves(self, issue: str, at: datetime, change: Change, who: Person | None) -> Iterator[Event]:
        """What one change of a field means."""
        name = change.fieldId or change.field
        if name in ("fixVersions", "Fix Version") and self.versions:
            sides = (change.from_, change.fromString), (change.to, change.to_string)
        elif self.sprints and (name == self.sprint or change.field == "Sprint"):
            sides = (_last(change.from_), ""), (_last(change.to), "")
        elif name in (*_PARENTS, self.epic_link) or change.field in _PARENTS:
            sides = (self._epic(change.from_), ""), (self._epic(change.to), "")
        else:
            return
        (left, was), (joined, becomes) = sides
        if left == joined:
            return
        for kind, place, title in ((EventKind.LEFT, left, was), (EventKind.JOINED, joined, becomes)):
            if place:
                yield Event(issue=issue, at=at, kind=kind, milestone=place, milestone_title=title or "", actor=who)

    def _epic(self, number: str | None) -> str:
        return epic_id(number) if number and number in self.epic_ids else ""


def _last(numbers: str | None) -> str:
    """The last of ``12, 34``."""
    last = (numbers or "").rpartition(",")[2].strip()
    return sprint_id(last) if last else ""


def _current(sprints: Any) -> str:
    """The sprint that is not closed, else the last: from Cloud's objects or Data Center's texts."""
    found = ""
    for one in sprints if isinstance(sprints, list) else ():
        if isinstance(one, dict):
            number, state = str(one.get("id", "")), str(one.get("state", ""))
        else:
            told, stands = _SPRINT.search(str(one)), _STATE.search(str(one))
            number, state = told["id"] if told else "", stands["state"] if stands else ""
        if number and state.lower() != "closed":
            return number
        found = number or found
    return found
