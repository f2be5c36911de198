"""Where a milestone's page of the report stands: its name in the folder, its address, and for how long it is there."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sync.model.audience import Audience
from sync.model.tracker_data import Project

__all__ = ["FINISHED", "Pages", "has_page", "page_name"]

FINISHED = timedelta(days=90)
"""How long a milestone that is over keeps its own page."""


def page_name(uid: str) -> str:
    """The file of a milestone's page. It outlives a new title or number, so that links to it hold."""
    return f"m/{hashlib.blake2b(uid.encode(), digest_size=6).hexdigest()}.html"


def has_page(running: bool, ended: datetime | None, at: datetime) -> bool:
    """Whether a milestone has a page of its own: it runs, or ended lately."""
    return running or (ended is not None and at - ended <= FINISHED)


@dataclass(frozen=True)
class Pages:
    """The report as it is published: ``base_url`` is the address of its folder, ``audience`` whom it is made for."""

    base_url: str
    audience: Audience

    def url(
        self, uid: str, written: str, project: Project, *, running: bool, ended: datetime | None, at: datetime
    ) -> str:
        """The address of a milestone's page at a time (UTC); empty when this audience's report has none."""
        connection = written.partition(":")[0]
        there = self.audience.sees(connection, project) and self.audience.shown(written)
        if not there or not has_page(running, ended, at):
            return ""
        return f"{self.base_url.rstrip('/')}/{page_name(uid)}"
