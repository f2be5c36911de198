"""List the projects of a site whose keys match a pattern."""

from __future__ import annotations

from connectors.jira.projects import resolve
from connectors.jira.session import Session
from sync.tracker.project_list import ListedProject

__all__ = ["list_site"]


def list_site(session: Session, pattern: str) -> list[ListedProject]:
    """Return the projects whose keys match ``PAY*``, by key: the list has no time of a change."""
    projects, failed = resolve(session, [pattern])
    if not projects and pattern in failed:
        raise failed[pattern]
    return [ListedProject(key=key) for key in sorted(project.key for project, _ in projects)]
