"""Base of Jira's kinds of containers: their connection, and reading several projects at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

from connectors.jira import api_types
from connectors.jira.normalize import person_of, to_utc
from connectors.jira.session import PROJECT_ERRORS, Session
from connectors.shared.containers import ContainerKind, ContainerRows, moved
from connectors.shared.rows import Rows
from sync.model.tracker_data import Event, Milestone
from sync.tracker.errors import TrackerError

if TYPE_CHECKING:
    from connectors.jira.search import Search

__all__ = ["JiraContainers"]


class JiraContainers(ContainerKind[api_types.Project, api_types.Issue, api_types.History]):
    """One of Jira's kinds. A changelog names the containers before and after each change.

    ``has_titles``: it names their titles, too.
    """

    has_titles: ClassVar[bool] = False

    def __init__(self, session: Session, search: Search) -> None:
        self._session, self._search = session, search

    @classmethod
    def fields(cls, session: Session) -> tuple[str, ...]:
        """The ids of further fields of an issue that this kind needs."""
        del session
        return ()

    @classmethod
    def history_fields(cls, session: Session) -> tuple[str, ...] | None:
        """The ids of the fields whose changes this kind needs; None: of all fields."""
        return cls.fields(session)

    def change(self, change: api_types.Change) -> tuple[str, str] | None:
        """The ids of the containers before and after a change, empty for none; None if it concerns another field."""
        raise NotImplementedError

    def events(self, row: api_types.Issue, history: Sequence[api_types.History]) -> Iterable[Event]:
        """The joins and leaves of an issue by its changelog."""
        for entry in history:
            for change in entry.items:
                if ends := self.change(change):
                    titles = (change.fromString or "", change.to_string or "") if self.has_titles else ("", "")
                    yield from moved(row.id, to_utc(entry.created), person_of(entry.author), *ends, titles)

    def read_each(
        self, projects: Sequence[api_types.Project], fetch: Callable[[api_types.Project], Rows[Milestone]]
    ) -> ContainerRows:
        """Fetch the containers of all projects at the same time."""

        def fetch_or_error(project: api_types.Project) -> Rows[Milestone] | TrackerError:
            try:
                return fetch(project)
            except PROJECT_ERRORS as error:
                return error

        results = zip(projects, self._session.caller.map_all(fetch_or_error, projects), strict=True)
        return ContainerRows().join(_rows_of(project.id, result) for project, result in results)


def _rows_of(project: str, result: Rows[Milestone] | TrackerError) -> ContainerRows:
    if isinstance(result, TrackerError):
        return ContainerRows(failed={project: result})
    return ContainerRows({project: result.read}, unread=result.unread)
