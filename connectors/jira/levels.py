"""Read the levels between a parent such as an initiative and its epics, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.jira import api_types, jql
from connectors.jira.parent_fields import child_parent
from connectors.jira.search import Search
from connectors.jira.session import Session
from connectors.shared.rows import MANY
from sync.tracker.errors import RefusedError

__all__ = ["LevelReader"]

_BATCH = 100
"""Parents in one query."""


class LevelReader:
    """Reader of all levels below some parents.

    ``ids`` are the ids of all issues by key, ``above`` the parents of those below by id. ``hidden`` are the issues
    (ids) whose parent link a search left out. ``is_refused``: Jira refuses every such search, as without a licence.
    """

    def __init__(self, session: Session, search: Search) -> None:
        self._session, self._search = session, search
        self.ids: dict[str, str] = {}
        self.above: dict[str, str] = {}
        self.hidden: set[str] = set()
        self._refusals, self._has_answer = 0, False

    def read_below(self, parents: Mapping[str, str]) -> None:
        """Read what is below these issues (key -> id), down to the epics, each issue once."""
        self.ids |= parents
        keys = list(parents)
        while keys:
            batches = [keys[n : n + _BATCH] for n in range(0, len(keys), _BATCH)]
            children = [pair for batch in batches for pair in self._children(batch)]
            new = [(child, parent) for child, parent in children if child.id not in self.above]
            for child, parent in new:
                self.ids[child.key], self.above[child.id] = child.id, self.ids[parent]
            keys = [child.key for child, _ in new if child.key not in parents and not self._is_last(child)]

    @property
    def is_refused(self) -> bool:
        """Return whether `MANY` single parents were refused and none was answered."""
        return self._refusals >= MANY and not self._has_answer

    def _is_last(self, child: api_types.Child) -> bool:
        """Return whether an issue is an epic, whose issues name it themselves, or a sub-task."""
        type_ = child.fields.issuetype
        return self._session.types.get(type_.name if type_ else "", 0) in (1, -1)

    def _children(self, keys: Sequence[str]) -> list[tuple[api_types.Child, str]]:
        """The children of these issues, each with the key of its parent.

        A Data Center may leave parent links out of a search. Then the query is split until it has one parent.
        """
        if self.is_refused:
            return []
        halves = jql.halves(keys)
        try:
            children = self._search.children(keys)
        except RefusedError:  # one of them was deleted meanwhile
            self._refusals += not halves
            return [pair for half in halves for pair in self._children(half)]
        self._has_answer = True
        pairs = [(child, child_parent(child)) for child in children]
        hidden = {child.id for child, parent in pairs if parent not in keys}
        self.hidden |= hidden
        if hidden and halves:
            return [pair for half in halves for pair in self._children(half)]
        return [(child, parent if child.id not in hidden else keys[0]) for child, parent in pairs]
