"""Read since when the issues and merge requests of a project have the labels that say that they are finished.

A system note names labels by number: ``added ~12 ~7 labels and removed ~3 label``, ``added ~12 + 1 deleted labels``.
Their present names are read once for each project, and only when such a note appears. By REST its label events are
one further request; the label of an event is missing after its deletion.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property

from connectors.gitlab import api_types
from connectors.gitlab.moves import ActivityNote, event_time
from connectors.gitlab.normalize import person_of
from connectors.gitlab.session import Session
from connectors.shared.paths import path_of
from sync.model.tracker_data import Event, Issue

__all__ = ["LabelHistory"]


class LabelHistory:
    """Reader of the changes of recorded labels in one project (path)."""

    def __init__(self, session: Session, project: str) -> None:
        self._session, self._project = session, project
        self.is_needed = bool(session.recorded.labels)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """The present name of each label of the project and its groups, by number."""
        path = path_of("/projects/{}/labels", self._project)
        rows = self._session.rows(api_types.Label, path, self._project, include_ancestor_groups="true")
        return {str(row.id): row.name for row in rows}

    def events_of(self, issue: Issue, notes: Iterable[ActivityNote]) -> Iterator[Event]:
        """Yield the events of an issue from the system notes of its thread."""
        for note in notes:
            if note.action != "label" or not self.is_needed:
                continue
            is_added = True
            for word in note.body.split():
                if word in ("added", "removed"):
                    is_added = word == "added"
                elif "~" in word and (name := self._names.get(word.rpartition("~")[2])):
                    yield from self._event(issue, note.at, name, note.user, added=is_added)

    def fetch(self, issue: Issue, path: str) -> Iterator[Event]:
        """Fetch the events of an issue, whose path this is, by REST. Raises a `TrackerError`."""
        if not self.is_needed:
            return
        for row in self._session.rows(api_types.LabelEvent, f"{path}/resource_label_events", self._project):
            if row.label is not None:
                yield from self._event(issue, row.created_at, row.label.name, row.user, added=row.action == "add")

    def _event(
        self, issue: Issue, at: datetime, name: str, user: api_types.User | None, *, added: bool
    ) -> Iterator[Event]:
        when = event_time(at, issue.created_at)
        return self._session.recorded.label_change(issue.id, when, name, added=added, actor=person_of(user))
