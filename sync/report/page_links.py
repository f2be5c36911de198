"""Links to the pages of the report: file name and address of a milestone's page, and how long the page exists."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from msgspec import Struct

from sync.assess.milestone import AssessedMilestone
from sync.model.audience import Audience

__all__ = ["PAGE_LIFETIME", "Pages", "has_page", "page_name"]

PAGE_LIFETIME = timedelta(days=90)
"""Time for which an ended milestone keeps its own page."""


def page_name(uid: str) -> str:
    """Return the file of a milestone's page. It depends on the uid only, so links survive a new title or number."""
    return f"m/{hashlib.blake2b(uid.encode(), digest_size=6).hexdigest()}.html"


def has_page(running: bool, ended: datetime | None, at: datetime) -> bool:
    """Return whether a milestone has a page of its own: it runs, or it ended less than `PAGE_LIFETIME` ago."""
    return running or (ended is not None and at - ended <= PAGE_LIFETIME)


class Pages(Struct, frozen=True):
    """The published report: the address of its folder, and its audience."""

    base_url: str
    audience: Audience

    def url(self, milestone: AssessedMilestone, at: datetime) -> str:
        """Return the address of a milestone's page at a time (UTC); empty when the report of this audience has none."""
        connection = milestone.written.partition(":")[0]
        is_shown = self.audience.is_shown(milestone.written, *milestone.other_ids)
        if not (is_shown and self.audience.may_read(connection, milestone.project)) or not has_page(
            milestone.is_running, milestone.milestone.closed_at, at
        ):
            return ""
        return f"{self.base_url.rstrip('/')}/{page_name(milestone.uid)}"
