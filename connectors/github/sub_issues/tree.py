"""Trees of sub-issues: who is below an issue, and since when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

__all__ = ["MAX_LEVELS", "descendants"]

MAX_LEVELS = 8
"""Levels of sub-issues that GitHub allows below an issue."""

Children = Mapping[str, Mapping[str, datetime]]
"""The sub-issues of issues (native ids), each with the time (UTC) since when it is one."""


def descendants(root: str, children: Children) -> dict[str, datetime]:
    """Return the ids below an issue, without its own, each with the time (UTC) since when it is there.

    A sub-issue is below the root since the last link between both was made. Issues in a circle come once.
    """
    found: dict[str, datetime] = {}
    level: dict[str, datetime | None] = {root: None}
    for _ in range(MAX_LEVELS):
        below: dict[str, datetime | None] = {}
        for parent, since in level.items():
            for child, linked in children.get(parent, {}).items():
                if child != root and child not in found:
                    found[child] = below[child] = linked if since is None else max(since, linked)
        level = below
    return found
