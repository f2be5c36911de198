"""A project of the sandbox's GitLab with one milestone."""

from __future__ import annotations

from datetime import date

from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Milestone, Project
from tests.contract.gitlab_side import Side


def team(side: Side) -> tuple[Tracker, Project, Milestone]:
    tracker = side.tracker
    project = tracker.project("acme/web/shop", "Shop")
    milestone = tracker.milestone(project, "2.0", due=date(2026, 4, 1), start=date(2026, 3, 1), description="- [x] it")
    return tracker, project, milestone
