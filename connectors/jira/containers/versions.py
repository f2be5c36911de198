"""Versions: the issues whose field ``fixVersions`` names them.

Data Center lists the versions of fifty projects in one request. Its documentation does not say whether that list holds
archived versions. So a project's part of it is used if it has the versions of the project's own list, which was read at
the first pull, and otherwise the own list is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from hashlib import blake2b

from msgspec import Raw, structs

from connectors.jira import api_types
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.normalize import unread_milestone
from connectors.jira.people import drivers_of, owners_of
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.shared.containers import ContainerRows
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row
from connectors.shared.rows import Rows, read_rows
from sync.model.dates import end_of_utc_day
from sync.model.tracker_data import Milestone, MilestoneKind, State
from sync.tracker.errors import BusyError, MalformedError

__all__ = ["Versions"]

_NAMES = ("fixVersions", "Fix Version")
_PROJECTS, _VERSIONS = 50, 1000
"""Projects, and versions, in one request for the versions of several projects."""


class Versions(JiraContainers):
    """The versions of projects: they come with the project, or for several projects, or by one request for each."""

    word = "versions"
    has_titles = True

    @classmethod
    def fields(cls, session: Session) -> tuple[str, ...]:
        """The field of the versions."""
        del session
        return ("fixVersions",)

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the versions of these projects."""
        known = self._session.version_lists
        lists = self._lists([project for project in projects if project.versions is None and project.id in known])
        listed = [structs.replace(project, versions=lists.get(project.id, project.versions)) for project in projects]
        return self.read_each(listed, self._of_project)

    def _lists(self, projects: Sequence[api_types.Project]) -> dict[str, list[Raw]]:
        """The versions of several projects by project id, where they are those of the project's own list."""
        session, ids = self._session, [project.id for project in projects]
        if session.is_cloud or not session.lists_versions or len(ids) < 2:
            return {}
        batches = [ids[n : n + _PROJECTS] for n in range(0, len(ids), _PROJECTS)]
        lists = [pair for batch in session.caller.map_all(self._list, batches) for pair in batch.items()]
        return {project: rows for project, rows in lists if self._fingerprint(rows) == session.version_lists[project]}

    def _list(self, projects: Sequence[str]) -> dict[str, list[Raw]]:
        """The versions of these projects (ids); nothing from a Jira that does not list them."""
        session, rows = self._session, dict[str, list[Raw]]((project, []) for project in projects)
        guard, start, is_last = session.caller.guard(""), 0, False
        try:
            while not is_last:
                query = {"projectIds": projects, "startAt": start, "maxResults": _VERSIONS}
                page = session.read(api_types.RowPage, "version", query)
                for row in page.values:
                    rows[str(decode_row(row, api_types.VersionPlace, session.name).projectId)].append(row)
                start, is_last = start + len(page.values), page.isLast
                if not is_last:
                    guard.check(len(page.values), tuple(map(bytes, page.values)), start)
        except BusyError:
            return {}
        except (*PROJECT_ERRORS, KeyError):  # no such resource, or versions of other projects
            session.lists_versions = False
            return {}
        return rows

    def _fingerprint(self, rows: Sequence[Raw]) -> str:
        """The fingerprint of the ids of versions, in any order; empty if one cannot be read."""
        try:
            ids = sorted(decode_row(row, api_types.IdRef, self._session.name).id for row in rows)
        except MalformedError:
            return ""
        return blake2b(" ".join(ids).encode(), digest_size=6).hexdigest()

    def _of_project(self, project: api_types.Project) -> Rows[Milestone]:
        session, rows = self._session, project.versions
        if rows is None:
            rows = session.read(list[Raw], path_of("project/{}/versions", project.id), project=project.key)
        if not session.is_cloud:
            session.version_lists[project.id] = self._fingerprint(rows)

        def read(row: Raw) -> Milestone:
            return _milestone_of(decode_row(row, api_types.Version, session.name, project.key), project, session.site)

        found = read_rows(rows, read, partial(unread_milestone, project=project.id))
        is_any_open = any(version.state is State.OPEN for version in found.read)
        drivers = drivers_of(session, project) if is_any_open else {}
        owned = [structs.replace(version, owners=owners_of(drivers.get(version.id))) for version in found.read]
        return Rows(owned, found.unread)

    def now(self, row: api_types.Issue) -> list[str]:
        """The versions of an issue."""
        return [version.id for version in row.fields.fixVersions or ()]

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The version before and after a change of ``fixVersions``; each entry names one of them."""
        if (change.fieldId or change.field) not in _NAMES:
            return None
        return change.from_ or "", change.to or ""


def _milestone_of(row: api_types.Version, project: api_types.Project, site: str) -> Milestone:
    """Convert a version. A released version closed at the end of its release date in UTC."""
    return Milestone(
        id=row.id,
        project=project.id,
        kind=MilestoneKind.VERSION,
        key=row.name,
        written=f"/{row.name}",
        title=row.name,
        url=f"{site}/projects/{project.key}/versions/{row.id}",
        state=State.CLOSED if row.released or row.archived else State.OPEN,
        description=row.description or "",
        start=row.startDate,
        due=row.releaseDate,
        closed_at=end_of_utc_day(row.releaseDate) if row.released and row.releaseDate else None,
    )
