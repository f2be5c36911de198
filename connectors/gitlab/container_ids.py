"""Native ids of iterations and epics: GitLab numbers each kind separately, and an epic within its group."""

from __future__ import annotations

__all__ = ["EPIC", "ITERATION", "epic_id", "group_number"]

ITERATION, EPIC = "iteration-", "epic-"
"""Beginnings of the ids."""


def epic_id(group: int | str | None, number: int | str) -> str:
    """The id of an epic of a group, ``epic-12.7``, by the group's number or GraphQL's id."""
    return f"{EPIC}{str(group).rpartition('/')[2]}.{number}"


def group_number(epic: str) -> str:
    """The number of the group in the id of an epic."""
    return epic.removeprefix(EPIC).partition(".")[0]
