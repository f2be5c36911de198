"""A small world with two trackers, served in this process so that tests can reach into it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.sandbox.cli import configuration
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import Tracker, World


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
