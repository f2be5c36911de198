"""Parents of any level above epics, such as initiatives: everything below them, over several levels and projects.

Each epic below an initiative and each issue below such an epic is an item of the initiative, once; sub-tasks belong to
their issue. One search finds the parents, and one for each 100 of them what is directly below; issues name their epic
themselves. If an epic joins or leaves a parent, Jira updates no issue below it, so these are read again (`stale`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectors.jira import api_types
from connectors.jira.containers.kind import IssueContainers
from connectors.jira.levels import LevelReader
from connectors.jira.normalize import person_of, to_utc
from connectors.jira.parent_fields import is_parent_field, parent_key
from connectors.jira.parent_history import ParentChange, ParentHistory
from connectors.jira.search import Batch, Search
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerRows, Finding, moved
from sync.model.tracker_data import Event, MilestoneKind
from sync.tracker.preflight import Limitation

__all__ = ["Parents"]


class Parents(IssueContainers):
    """The parents of projects. The chains of ancestors above epics are in ``_tree``."""

    word = "parents"
    prefix = "parent-"
    kind = MilestoneKind.PARENT
    asks_for_each_batch = True

    def __init__(self, session: Session, search: Search) -> None:
        super().__init__(session, search)
        self._tree = ParentHistory()
        self._levels = LevelReader(session, search)
        self._keys: dict[str, str] = {}
        self._asked: set[str] = set()

    @classmethod
    def types(cls, session: Session) -> list[str]:
        """The types that the option ``parent_types`` names by name or level, else all above epics."""
        wanted = {word.lower() for word in session.list_option("parent_types")}
        if not wanted and not session.is_cloud:
            wanted = {"initiative"}
        return [
            name
            for name, level in session.types.items()
            if ({name.lower(), str(level)} & wanted if wanted else level > 1)
        ]

    def read(self, projects: Sequence[api_types.Project]) -> ContainerRows:
        """Read the parents of these projects, and the levels below them down to the epics."""
        rows = super().read(projects)
        try:
            self._levels.read_below(self.ids)
        except PROJECT_ERRORS as error:
            return ContainerRows(failed={project.id: for_project(error, project.key) for project in projects})
        self._keys, self._tree.present = self._levels.ids, self._levels.above
        below: dict[str, list[str]] = {}
        for issue in sorted(self._tree.present):
            for milestone in self._milestones(self._tree.ancestors(issue)):
                below.setdefault(milestone, []).append(issue)
        for project, milestones in rows.milestones.items():
            self.matches[project] = {row.id: tuple(below.get(row.id, ())) for row in milestones}
        return rows

    def _milestones(self, issues: Iterable[str]) -> list[str]:
        return [milestone for milestone in map(self.milestone_id, issues) if milestone]

    def now(self, row: api_types.Issue) -> list[str]:
        """The parents of an issue on all levels."""
        parent = self._parent(row)
        above = dict.fromkeys((parent, *self._tree.ancestors(parent)))
        return self._milestones(issue for issue in above if issue != row.id)

    def _parent(self, row: api_types.Issue) -> str:
        """The id of an issue's parent, as far as Jira or an earlier answer said it."""
        own = row.fields.parent.id if row.fields.parent else ""
        return self._tree.present.get(row.id) or own or self._keys.get(parent_key(row), "")

    def prepare(self, batch: Batch) -> None:
        """Read the changelogs of all that is or was above these issues, each once in a pull."""
        if batch.histories is None or not self.ids:
            return
        wanted = {self._parent(row) or parent_key(row) for row in batch.issues}
        for entries in batch.histories.values():
            wanted |= {id_ for change in self._changes(entries) for id_ in (change.before, change.after)}
        while wanted := wanted - self._asked:
            self._asked |= wanted
            above: set[str] = set()
            for issue, key, entries in self._search.changelogs(sorted(wanted - {""})):
                self._keys |= {key: issue} if key else {}
                self._tree.changes[issue] = self._changes(entries)
                above |= self._tree.ever(issue)
            wanted = above

    def _changes(self, history: Iterable[api_types.History]) -> list[ParentChange]:
        """The changes of parent in a changelog, oldest first."""
        changes = [
            ParentChange(
                to_utc(entry.created),
                self._id(change.from_, change.fromString),
                self._id(change.to, change.to_string),
                person_of(entry.author),
            )
            for entry in history
            for change in entry.items
            if is_parent_field(change, self._session.custom_fields)
        ]
        return sorted(changes, key=lambda change: change.at)

    def _id(self, number: str | None, text: str | None) -> str:
        """The id of a parent in a changelog, which names it by id or key."""
        return number if number and number.isdecimal() else self._keys.get(number or text or "", "")

    def events(self, row: api_types.Issue, history: Sequence[api_types.History]) -> Iterator[Event]:
        """The joins and leaves of an issue by its own changelog and those of all above it."""
        for change, left, joined in self._tree.moves(row.id, self._parent(row), self._changes(history)):
            for milestone in self._milestones(sorted(left)):
                yield from moved(row.id, change.at, change.actor, left=milestone)
            for milestone in self._milestones(sorted(joined)):
                yield from moved(row.id, change.at, change.actor, joined=milestone)

    def affected(self, ids: Sequence[str]) -> str:
        """The query for what was moved below or away from a parent, and for the issues below that."""
        return f"{super().affected(ids)} OR {self._search.children_query(ids, of_epics=True)}"

    def findings(self, projects: Sequence[api_types.Project]) -> list[Finding]:
        """A line if this Jira has no such issue type or no field for what is above an epic, or hides that field."""
        session = self._session
        if not self.types(session):
            remedy = "levels above epics need Jira Premium or Data Center; parent_types can name other issue types"
            return [Limitation(words="this Jira has no issue type above epics", remedy=remedy)]
        if session.is_cloud:
            return []
        if not session.custom_fields.parent_link:
            remedy = "switch on Advanced Roadmaps, which is part of Jira Data Center"
            return [Limitation(words="this Jira has no parent links, so nothing is below a parent", remedy=remedy)]
        self.read(projects)
        if self._levels.is_refused:
            remedy = "Advanced Roadmaps needs a licence"
            return [Limitation(words="this Jira refuses to search by parent link", remedy=remedy)]
        if hidden := len(self._levels.hidden):
            words = f"this Jira's search leaves out the parent links of {hidden} issues, so parents are read one by one"
            return [Limitation(words=words)]
        return []
