"""Iterations and epics of one pull: read for all its projects, with what the projects' cursors keep of them.

A server without a licence for a kind is asked again after `MAX_AGE`. Where the kind was read before, its containers
stay as unread ones until it can be read again, or is removed from ``containers``. When a kind can be read that
the last pull of a project did not read, the project is read again from its first issue.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import structs

from connectors.gitlab.containers.epics import Epics
from connectors.gitlab.containers.kind import LicensedContainers, group_path
from connectors.gitlab.cursor import ContainerMemory
from connectors.gitlab.session import Session
from connectors.shared.containers import ContainerRows
from sync.model.tracker_data import Milestone, Project, UnreadKind, UnreadRow
from sync.tracker.errors import TrackerError

__all__ = ["MAX_AGE", "GroupContainers"]

MAX_AGE = timedelta(days=7)
"""Time after which a kind that a server refused is asked for again."""


Memories = Mapping[str, ContainerMemory]
"""By the word of the kind."""


class GroupContainers:
    """The kinds of containers that belong to groups, in one pull. ``failed`` has the errors of projects (id)."""

    def __init__(self, session: Session, kinds: Sequence[type[LicensedContainers]], now: datetime) -> None:
        self._all, self._now = [kind(session) for kind in kinds], now
        self._rows: dict[str, ContainerRows] = {}
        self._before: dict[str, Memories] = {}
        self._readers: dict[str, set[str]] = {}
        self.failed: dict[str, TrackerError] = {}

    def read(self, projects: Sequence[Project], memories: Mapping[str, Memories]) -> None:
        """Read the containers of these projects. ``memories`` are those of the cursors, by project id."""
        self._before = dict(memories)
        for kind in self._all:
            if isinstance(kind, Epics):
                before = (memories.get(project.id, {}).get(kind.word) for project in projects)
                kind.had_parents = any(memory is not None and memory.parents for memory in before)
            self._rows[kind.word] = kind.read([project for project in projects if self._is_asked(kind, project)])
            self.failed |= self._rows[kind.word].failed
        read = [project for project in projects if project.id not in self.failed]
        self._readers = {project.key: {row.id for row in self.milestones(project)} for project in read}

    def _is_asked(self, kind: LicensedContainers, project: Project) -> bool:
        memory = self._memory(kind, project)
        if memory is None or memory.refused_at is None or memory.ids:
            return True
        return not timedelta(0) <= self._now - memory.refused_at < MAX_AGE

    def _memory(self, kind: LicensedContainers, project: Project) -> ContainerMemory | None:
        return self._before.get(project.id, {}).get(kind.word)

    def kinds(self, project: Project) -> list[LicensedContainers]:
        """The kinds that were read for a project."""
        group = group_path(project.key)
        return [kind for kind in self._all if group not in kind.refused and self._is_asked(kind, project)]

    def are_new(self, project: Project) -> bool:
        """Return whether a kind was read for a project that its last pull did not read."""
        memories = [self._memory(kind, project) for kind in self.kinds(project)]
        return any(memory is None or memory.refused_at is not None for memory in memories)

    # --- one project -------------------------------------------------------------------------------------------------

    def milestones(self, project: Project) -> list[Milestone]:
        """The containers that the issues of a project can be in."""
        return [row for rows in self._rows.values() for row in rows.milestones.get(project.id, ())]

    def may_hold(self, project: str, milestone: str) -> bool:
        """Return whether a project (path) may be the home of a container: it lists it, or is not read in this pull."""
        is_own = any(milestone.startswith(kind.prefix) for kind in self._all)
        return not is_own or project not in self._readers or milestone in self._readers[project]

    def unread(self, project: Project) -> Iterator[UnreadRow]:
        """The containers that could not be read, with those of a kind that can be read no more."""
        for rows in self._rows.values():
            yield from (row for row in rows.unread if row.project == project.id)
        readable = self.kinds(project)
        for kind in self._all:
            memory = None if kind in readable else self._memory(kind, project)
            reason = f"GitLab does not list {kind.word} any more: {kind.licence}, or the right to read the group, ended"
            for id_ in memory.ids if memory else ():
                yield UnreadRow(project=project.id, kind=UnreadKind.MILESTONE, reason=reason, id=id_, key=id_)

    def is_incomplete(self, project: Project) -> bool:
        """Return whether a kind that was read before cannot be read now: issues seem to have left its containers."""
        readable = self.kinds(project)
        memories = [self._memory(kind, project) for kind in self._all if kind not in readable]
        return any(memory is not None and memory.ids for memory in memories)

    def are_unchanged(self, project: Project, home: Iterable[Milestone]) -> bool:
        """Return whether the cursor of a project knows all of this already, and every container could be read."""
        is_read = project.id not in self.failed and not any(self.unread(project))
        is_known = self.memories(project, home) == dict(self._before.get(project.id, {}))
        return is_read and is_known and not self.moved_epics(project)

    def memories(self, project: Project, home: Iterable[Milestone]) -> dict[str, ContainerMemory]:
        """The memories for the cursor of a project; ``home`` are the containers that have their home there."""
        ids = [milestone.id for milestone in home]
        memories: dict[str, ContainerMemory] = {}
        for kind in self._all:
            before = self._memory(kind, project) or ContainerMemory()
            if kind in self.kinds(project):
                own = tuple(sorted(id_ for id_ in ids if id_.startswith(kind.prefix)))
                memories[kind.word] = ContainerMemory(own, None, self._parents(kind, project))
            elif self._is_asked(kind, project):
                memories[kind.word] = structs.replace(before, refused_at=self._now)
            else:
                memories[kind.word] = before
        return memories

    def moved_epics(self, project: Project) -> set[str]:
        """The epics that have other epics above them than at the last pull of a project."""
        moved: set[str] = set()
        for kind in self._all:
            memory = self._memory(kind, project)
            if memory is not None and kind in self.kinds(project):
                now = self._parents(kind, project)
                moved |= {epic for epic in {*now, *memory.parents} if now.get(epic) != memory.parents.get(epic)}
        return moved

    def _parents(self, kind: LicensedContainers, project: Project) -> dict[str, str]:
        if not isinstance(kind, Epics):
            return {}
        known = {row.id for row in self._rows[kind.word].milestones.get(project.id, ())}
        return {epic: parent for epic, parent in kind.parents.items() if epic in known}
