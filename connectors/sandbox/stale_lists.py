"""Stale lists: for some seconds after a write, a tracker may still show the state before it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from datetime import datetime, timedelta

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue

__all__ = ["LAG", "Lag"]

LAG = timedelta(seconds=20)
"""On the world's clock."""


class Lag:
    """State of a tracker some seconds ago: number of comments of each issue, by project."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.since: datetime | None = None
        self.stood: dict[str, dict[int, int]] = {}

    def note(self) -> None:
        """Keep the present state for lists during `LAG`, unless a lag is in progress."""
        now = self.tracker.world.clock()
        if self.since is None or now - self.since > LAG:
            self.since = now
            self.stood = {
                key: {number: len(issue.comments) for number, issue in project.issues.items()}
                for key, project in self.tracker.projects.items()
            }

    @contextmanager
    def shown(self, asked: str) -> Iterator[None]:
        """Hide newer comments during a lag, and newer issues unless ``asked`` names them."""
        named, projects = set(re.findall(r"[\w-]+", asked)), self.tracker.projects
        self.tracker.projects = {}
        for key, project in projects.items():
            stood, view = self.stood.get(key, {}), copy(project)
            view.issues = {
                number: _with_comments(issue, stood.get(number, 0))
                for number, issue in project.issues.items()
                if number in stood or {str(number), str(issue.id), issue.key} & named
            }
            self.tracker.projects[key] = view
        try:
            yield
        finally:
            self.tracker.projects = projects


def _with_comments(issue: Issue, count: int) -> Issue:
    shown = copy(issue)
    shown.comments = issue.comments[:count]
    return shown
