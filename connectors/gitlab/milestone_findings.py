"""Find out what the milestones of a GitLab hold that is not read: merge requests, and issues of other projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.gitlab import api_types
from connectors.gitlab.normalize import group_of
from connectors.gitlab.session import PROJECT_ERRORS, Session
from connectors.shared.paths import path_of
from sync.model.tracker_data import Project
from sync.tracker.errors import GoneError, RefusedError
from sync.tracker.preflight import Limitation, Unread

__all__ = ["find_unread_merge_requests", "find_unread_projects"]


def find_unread_merge_requests(session: Session, projects: Sequence[Project]) -> Iterator[Unread]:
    """Yield a finding for each project with merge requests that may not be read."""

    def is_refused(project: Project) -> bool:
        try:
            session.get(path_of("/projects/{}/merge_requests", project.id), project.key, scope="all", per_page=1)
        except (GoneError, RefusedError):
            return True
        except PROJECT_ERRORS:
            return False
        return False

    remedy = "they are not counted; give the token the right to read the code, or set `count` to `issues`"
    for project, refused in zip(projects, session.caller.map_all(is_refused, projects), strict=True):
        if refused:
            yield Unread(project=project.key, what="merge requests", remedy=remedy)


def find_unread_projects(session: Session, projects: Sequence[Project]) -> Iterator[Limitation]:
    """Yield a finding for each group whose open milestones hold issues of projects that are not read.

    GitLab's own page of such a milestone counts the issues of all projects of the group.
    """
    milestones = session.caller.map_all(lambda project: _group_milestones(session, project), projects)
    groups = sorted({group for found in milestones for group in found})
    read = {int(project.id) for project in projects}
    below = session.caller.map_all(lambda group: _project_ids(session, group), groups)
    for group, ids in zip(groups, below, strict=True):
        number = len(ids - read)
        if number:
            others = f"{number} projects that are not read" if number > 1 else "a project that is not read"
            yield Limitation(
                words=f"the milestones of the group {group} also hold the issues of {others}",
                remedy=f"name {group}/* under `projects` to count them as GitLab does",
            )


def _group_milestones(session: Session, project: Project) -> set[str]:
    """Return the paths of the groups whose open milestones the project has."""
    path = path_of("/projects/{}/milestones", project.id)
    try:
        rows = session.rows(api_types.Milestone, path, project.key, state="active", include_parent_milestones="true")
    except PROJECT_ERRORS:
        return set()
    return {group_of(row.web_url) for row in rows if row.group_id is not None} - {""}


def _project_ids(session: Session, group: str) -> set[int]:
    """Return the ids of the projects of a group and its subgroups, as far as the token may see them."""
    parameters = {"include_subgroups": "true", "with_shared": "false", "archived": "false"}
    try:
        rows = session.rows(api_types.Project, path_of("/groups/{}/projects", group), group, **parameters)
    except PROJECT_ERRORS:
        return set()
    return {row.id for row in rows}
