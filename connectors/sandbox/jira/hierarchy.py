"""Sandbox Jira: issue types and their levels, which field holds a parent, and working time.

Cloud has levels above epics with Premium only, Data Center with Advanced Roadmaps: `Tracker.premium`.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue

__all__ = ["EPIC_LINK", "PARENT_LINK", "configuration", "level_of", "parent_field", "type_id", "types"]

Json = dict[str, Any]

EPIC_LINK, PARENT_LINK = "customfield_10008", "customfield_10300"
"""Data Center's fields of the parent: the epic of an issue, and what is above an epic."""

_LEVELS = {"Sub-task": -1, "Technical task": -1, "Epic": 1, "Initiative": 2, "Theme": 3}
_TYPES = ("Task", "Bug", "Story", "Epic", "Sub-task", "Improvement", "New Feature")


def type_id(name: str) -> str:
    """Return a stable id for an issue type."""
    return str(10000 + crc32(name.encode()) % 89999)


def level_of(name: str) -> int:
    """Return the level of an issue type: -1 sub-task, 0 issue, 1 epic, more above."""
    return next((level for known, level in _LEVELS.items() if known.lower() == name.lower()), 0)


def types(tracker: Tracker) -> list[Json]:
    """Every issue type; those above epics with the licence only."""
    used = {issue.type for project in tracker.projects.values() for issue in project.issues.values()}
    above = [name for name, level in _LEVELS.items() if level > 1 and tracker.premium]
    return [type_view(tracker, name) for name in dict.fromkeys([*_TYPES, *above, *sorted(used)])]


def type_view(tracker: Tracker, name: str) -> Json:
    """An issue type. Only Cloud says its level."""
    level = level_of(name)
    shown: Json = {"id": type_id(name), "name": name, "subtask": level < 0}
    return shown | ({"hierarchyLevel": level} if tracker.kind == "jira-cloud" else {})


def parent_field(tracker: Tracker, issue: Issue) -> str:
    """Return the id of the field with an issue's parent: ``parent``, the epic link or Data Center's parent link."""
    level = level_of(issue.type)
    if tracker.kind == "jira-cloud" or level < 0:
        return "parent"
    return EPIC_LINK if level == 0 else PARENT_LINK


def configuration(tracker: Tracker) -> Json:
    """``/configuration``: whether time is tracked, and how long a day and a week are."""
    shown: Json = {"votingEnabled": True, "timeTrackingEnabled": tracker.work_time is not None}
    if tracker.work_time is not None:
        hours, days = tracker.work_time
        shown["timeTrackingConfiguration"] = {
            "workingHoursPerDay": hours,
            "workingDaysPerWeek": days,
            "timeFormat": "pretty",
            "defaultUnit": "minute",
        }
    return shown
