"""Count the kinds of containers that projects use: one search for open issues."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from connectors.jira import api_types, jql
from connectors.jira.containers import KINDS
from connectors.jira.projects import resolve
from connectors.jira.search import Search
from connectors.jira.session import Session
from sync.tracker.container_use import ContainerUse

__all__ = ["containers_in_use"]


def containers_in_use(session: Session, keys: Sequence[str]) -> list[ContainerUse]:
    """Return the number of issues in each kind. Keys are those of `connectors.jira.projects.resolve`."""
    projects, _ = resolve(session, keys)
    if not projects:
        return []
    where = f"{jql.any_of('project', [project.key for project, _ in projects])} AND statusCategory != Done"
    fields = tuple(name for kind in KINDS for name in kind.fields(session))
    issues = Search(session, history=False, fields=fields).begin_newest(where).first.issues
    counts = Counter(word for issue in issues for word in _words(issue))
    return [ContainerUse(word=kind.word, issues=counts[kind.word]) for kind in KINDS]


def _words(issue: api_types.Issue) -> list[str]:
    fields: Any = issue.fields
    members = {
        "versions": fields.fixVersions,
        "sprints": fields.sprints,
        "epics": fields.parent or fields.epic,
    }
    return [word for word, container in members.items() if container]
