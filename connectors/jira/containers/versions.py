"""Versions: the issues whose field ``fixVersions`` names them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec import Raw, structs

from connectors.jira import api_types
from connectors.jira.containers.kind import JiraContainers
from connectors.jira.normalize import unread_milestone
from connectors.jira.people import drivers_of, owners_of
from connectors.jira.session import Session
from connectors.shared.containers import ContainerRows
from connectors.shared.paths import path_of
from connectors.shared.responses import decode_row
from connectors.shared.rows import Rows, read_rows
from sync.model.dates import end_of_utc_day
from sync.model.tracker_data import Milestone, MilestoneKind, State

__all__ = ["Versions"]

_NAMES = ("fixVersions", "Fix Version")


class Versions(JiraContainers):
    """The versions of projects: they come with the project, or by one request for each."""

    word = "versions"
    has_titles = True

    @classmethod
    def fields(cls, session: Session) -> tuple[str, ...]:
        """The field of the versions."""
        del session
        return ("fixVersions",)

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the versions of these projects."""
        return self.read_each(projects, self._of_project)

    def _of_project(self, project: api_types.Project) -> Rows[Milestone]:
        session, rows = self._session, project.versions
        if rows is None:
            rows = session.read(list[Raw], path_of("project/{}/versions", project.id), project=project.key)

        def read(row: Raw) -> Milestone:
            return _milestone_of(decode_row(row, api_types.Version, session.name, project.key), project, session.site)

        found = read_rows(rows, read, partial(unread_milestone, project=project.id))
        is_any_open = any(version.state is State.OPEN for version in found.read)
        drivers = drivers_of(session, project) if is_any_open else {}
        owned = [structs.replace(version, owners=owners_of(drivers.get(version.id))) for version in found.read]
        return Rows(owned, found.unread)

    def now(self, row: api_types.Issue) -> Iterator[str]:
        """The versions of an issue."""
        yield from (version.id for version in row.fields.fixVersions or ())

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
