"""A small world with two trackers, served in this process so that tests can reach into it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.sandbox.server import Sandbox
from connectors.sandbox.serving import configuration
from connectors.sandbox.world import Tracker, World

KEYS = {"github": "acme/app", "gitlab": "acme/api", "jira": "PAY", "jira-cloud": "WEB"}
"""The project of each kind of tracker."""


def small_world() -> World:
    """One project with one finished and one running milestone in GitHub and in GitLab."""
    world = World()
    now = datetime.now(UTC).replace(microsecond=0)
    for tracker, key in ((world.github, "acme/app"), (world.gitlab, "acme/api")):
        author = tracker.user("ada", "Ada Fox")
        project = tracker.project(key, "Acme", created=now - timedelta(days=100))
        for title, begin, end in (("v1", 60, 30), ("v2", 30, -10)):
            start = now - timedelta(days=begin)
            milestone = tracker.milestone(project, title, at=start, due=(now - timedelta(days=end)).date())
            for n in range(8):
                issue = tracker.issue(project, f"Task {n} of {title}", author, at=start)
                tracker.move(project, issue, [milestone.id], author, start)
                if title == "v1" or n < 6:
                    tracker.close(issue, author, start + timedelta(days=3 * n + 1), resolution="completed")
            if title == "v1":
                tracker.close_milestone(project, milestone, now - timedelta(days=30))
    return world


@contextmanager
def served(folder: Path, world: World | None = None) -> Iterator[tuple[World, Path]]:
    """The world on loopback, and a configuration for it."""
    world = world or small_world()
    with Sandbox(world, only=("github", "gitlab")):
        config = folder / "milesync.toml"
        config.write_text(configuration(world))
        yield world, config


def ours(tracker: Tracker) -> list[str]:
    """Bodies of the comments by milesync."""
    return [
        comment.body
        for project in tracker.projects.values()
        for issue in project.issues.values()
        for comment in issue.comments
        if comment.author is tracker.bot
    ]


def one_tracker(kind: str) -> tuple[World, Tracker]:
    """Return a world in which one tracker has a finished and a running milestone."""
    world = World()
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    now = datetime.now(UTC).replace(microsecond=0)
    author = tracker.user("ada", "Ada Fox")
    project = tracker.project(KEYS[kind], "Acme", created=now - timedelta(days=100))
    for title, begin, end in (("v1", 60, 30), ("v2", 30, -10)):
        start = now - timedelta(days=begin)
        milestone = tracker.milestone(project, title, at=start, due=(now - timedelta(days=end)).date())
        for n in range(8):
            issue = tracker.issue(project, f"Task {n} of {title}", author, at=start)
            tracker.move(project, issue, [milestone.id], author, start)
            if title == "v1" or n < 6:
                resolution = "Done" if kind.startswith("jira") else "completed"
                tracker.close(issue, author, start + timedelta(days=3 * n + 1), resolution=resolution)
        if title == "v1":
            tracker.close_milestone(project, milestone, now - timedelta(days=30))
    return world, tracker


def contents(tracker: Tracker) -> Counter[str]:
    """Return the number of issues and of our comments in a tracker."""
    issues = [issue for project in tracker.projects.values() for issue in project.issues.values()]
    comments = [comment for issue in issues for comment in issue.comments if comment.author is tracker.bot]
    return Counter(issues=len(issues), comments=len(comments))
