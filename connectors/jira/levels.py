"""Read the levels between a parent such as an initiative and its epics, in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.jira import api_types
from connectors.jira.parent_fields import child_parent
from connectors.jira.search import Search
from connectors.jira.session import Session
from sync.tracker.errors import RefusedError

__all__ = ["read_below"]

_BATCH = 100
"""Parents in one query."""


def read_below(session: Session, search: Search, parents: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Read what is below these issues (key -> id), down to the epics, each issue once.

    Return the ids of all issues by key, and the parents of those below by id.
    """
    ids, above = dict(parents), dict[str, str]()
    keys = list(parents)
    while keys:
        batches = [keys[n : n + _BATCH] for n in range(0, len(keys), _BATCH)]
        children = [pair for batch in batches for pair in _children(search, batch)]
        new = [(child, parent) for child, parent in children if child.id not in above]
        for child, parent in new:
            ids[child.key], above[child.id] = child.id, ids[parent]
        keys = [child.key for child, _ in new if child.key not in parents and not _ends(session, child)]
    return ids, above


def _ends(session: Session, child: api_types.Child) -> bool:
    """Return whether an issue is an epic, whose issues name it themselves, or a sub-task."""
    type_ = child.fields.issuetype
    return session.types.get(type_.name if type_ else "", 0) in (1, -1)


def _children(search: Search, keys: Sequence[str]) -> list[tuple[api_types.Child, str]]:
    """The children of these issues, each with the key of its parent.

    A Data Center may leave parent links out of a search. Then the query is split until it has one parent.
    """
    try:
        children = search.children(keys)
    except RefusedError:  # one of them was deleted meanwhile
        return [pair for half in _halves(keys) for pair in _children(search, half)]
    if len(keys) == 1:
        return [(child, keys[0]) for child in children]
    pairs = [(child, child_parent(child)) for child in children]
    if any(parent not in keys for _, parent in pairs):
        return [pair for half in _halves(keys) for pair in _children(search, half)]
    return pairs


def _halves(keys: Sequence[str]) -> list[Sequence[str]]:
    """Both halves of a list; nothing for a list of one."""
    middle = len(keys) // 2
    return [keys[:middle], keys[middle:]] if middle else []
