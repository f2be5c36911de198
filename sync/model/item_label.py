"""item label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from sync.model.tracker_data import Issue, uid

ABOUT = timedelta(minutes=5)
"""So far may a tracker's time for our own change be from ours."""


class ItemLabel(Struct, frozen=True, kw_only=True):
    """A label that we put on an item (native id) of a project, for a milestone (uid).

    ``at`` is when, ``touched`` when the item had last been touched by somebody else.
    """

    project: str
    issue: str
    label: str
    milestone: str
    at: datetime
    touched: datetime


def undo_own_touches(issues: Mapping[str, Issue], marks: Sequence[ItemLabel], source: str) -> dict[str, Issue]:
    """The issues (by uid) that only our own labels touched last, as they had been touched before that."""
    found: dict[str, Issue] = {}
    for mark in sorted(marks, key=lambda label: label.at, reverse=True):
        name = uid(source, "issue", mark.issue)
        issue = found.get(name) or issues.get(name)
        if issue is not None and abs(issue.updated_at - mark.at) <= ABOUT:
            found[name] = msgspec.structs.replace(issue, updated_at=mark.touched)
    return found
