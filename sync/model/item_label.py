"""Labels that milesync puts on items, and how to ignore them as activity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from sync.model.tracker_data import Issue, uid

__all__ = ["ItemLabel", "undo_own_touches"]

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Largest difference between the tracker's time of our own change and ours."""


class ItemLabel(Struct, frozen=True, kw_only=True):
    """A label that milesync put on an item (native id) of a project, for a milestone (uid), ``at`` a time (UTC).

    ``touched`` is the time of the last change by somebody else.
    """

    project: str
    issue: str
    label: str
    milestone: str
    at: datetime
    touched: datetime


def undo_own_touches(issues: Mapping[str, Issue], labels: Sequence[ItemLabel], source: str) -> dict[str, Issue]:
    """Return the issues (by uid) that only our own labels changed last, with the time of the change before."""
    restored: dict[str, Issue] = {}
    for label in sorted(labels, key=lambda label: label.at, reverse=True):
        name = uid(source, "issue", label.issue)
        issue = restored.get(name) or issues.get(name)
        if issue is not None and abs(issue.updated_at - label.at) <= CLOCK_TOLERANCE:
            restored[name] = msgspec.structs.replace(issue, updated_at=label.touched)
    return restored
