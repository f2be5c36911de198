"""Merge requests of a project of the sandbox, and what of them was read."""

from __future__ import annotations

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Milestone, Project
from sync.model.tracker_data import Issue
from tests.contract.gitlab_side import Mirror, Side

KEY = "acme/app"


def team(side: Side) -> tuple[Tracker, Project, Milestone]:
    tracker = side.tracker
    project = tracker.project(KEY, "App")
    return tracker, project, tracker.milestone(project, "2.0")


def changes_of(got: Mirror) -> dict[str, Issue]:
    """The merge requests by key."""
    return {row.key: row for row in got.issues.values() if row.is_pull_request}


def asked(side: Side, since: int, word: str) -> list[str]:
    """The paths with this word that were requested since a length of the log."""
    return [path for _, path, _ in list(side.tracker.log)[since:] if word in path]
