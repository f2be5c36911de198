"""Milestones of projects and of the groups above them.

System notes name them by reference: ``changed milestone to /group/project%3``, ``removed milestone /group%"Title"``. A
reference that is not certain is no history, so that the events of the issue are read by REST.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from connectors.gitlab import api_types
from connectors.gitlab.containers.kind import GitLabContainers
from connectors.gitlab.moves import ActivityNote, Move
from connectors.gitlab.normalize import group_of, milestone_of, unread_milestone
from connectors.gitlab.session import Session
from connectors.shared.containers import ContainerRows
from connectors.shared.paths import path_of
from sync.model.tracker_data import Milestone, Project

__all__ = ["Milestones"]

WITH_GROUPS = {"include_parent_milestones": "true"}
"""Parameter that includes the milestones of groups. GitLab has called it ``include_ancestors`` since 16.7; it takes
either name and refuses both. An older GitLab ignores the new name and leaves the milestones of groups out.
"""

_MOVED = re.compile(
    r'(?P<action>changed milestone to|removed milestone) (?P<owner>[^%"]*)%(?:"(?P<title>.*)"|(?P<number>\d+))'
)


class Milestones(GitLabContainers):
    """The milestones that the issues of one project can be in."""

    word = "milestones"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.rows = ContainerRows()
        self._by_reference: dict[tuple[str, str], Milestone] = {}
        self._titles: dict[str, str] = {}

    def read(self, projects: Sequence[Project]) -> ContainerRows:
        """Read the milestones that each of these projects can use. Raises an error of a project."""
        self.rows = ContainerRows().join([self._read_project(project) for project in projects])
        for project in projects:
            for milestone in self.rows.milestones[project.id]:
                group = group_of(milestone.url)
                end = f'"{milestone.title}"' if group else milestone.url.rpartition("/")[2]
                self._by_reference[group or project.key, end] = milestone
                self._titles[milestone.id] = milestone.title
        return self.rows

    def _read_project(self, project: Project) -> ContainerRows:
        describe = partial(unread_milestone, project=project.id)
        path = path_of("/projects/{}/milestones", project.id)
        rows = self.session.readable_rows(api_types.Milestone, path, project.key, describe, **WITH_GROUPS)
        return ContainerRows({project.id: [milestone_of(row, project.id) for row in rows.read]}, unread=rows.unread)

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The milestone of an issue."""
        if row.milestone is not None:
            yield str(row.milestone.id)

    def move(self, note: ActivityNote) -> tuple[bool, str] | None:
        """Read ``changed milestone to ...`` and ``removed milestone ...``."""
        if note.action != "milestone":
            return None
        match = _MOVED.fullmatch(note.body)
        if match is None:
            return True, ""
        end = f'"{match["title"]}"' if match["title"] is not None else match["number"]
        milestone = self._by_reference.get((match["owner"].strip("/"), end))
        return match["action"].startswith("changed"), milestone.id if milestone else ""

    def title(self, container: str) -> str:
        """The present title of a milestone."""
        return self._titles.get(container, "")

    def explains(self, row: api_types.Issue, history: Sequence[Move]) -> bool:
        """Return whether each move is certain, and the last one leads to the present milestone."""
        is_certain = all(move.container for move in history if move.word == self.word)
        return is_certain and super().explains(row, history)

    def fetch_moves(self, item_path: str, project: str) -> list[Move]:
        """Fetch the milestone events of an issue or merge request."""
        events = self.session.rows(api_types.MilestoneEvent, f"{item_path}/resource_milestone_events", project)
        return [
            Move(
                self.word,
                event.created_at,
                event.action == "add",
                str(event.milestone.id) if event.milestone else "",
                event.milestone.title if event.milestone else "",
                event.user,
            )
            for event in events
        ]
