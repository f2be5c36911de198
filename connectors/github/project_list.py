"""List the repositories of an owner with the number of their open milestones: one query for 100 repositories."""

from __future__ import annotations

from datetime import UTC, datetime

from connectors.github.api_types import Wire
from connectors.github.session import Session
from sync.tracker.project_list import ListedProject

__all__ = ["OWNED_MILESTONES", "list_repositories"]

OWNED_MILESTONES = """query OwnedMilestones($owner: String!, $after: String) {
  repositoryOwner(login: $owner) {
    repositories(first: 100, after: $after, ownerAffiliations: [OWNER], orderBy: {field: NAME, direction: ASC}) {
      pageInfo { hasNextPage endCursor } nodes {
        nameWithOwner hasIssuesEnabled isArchived
        milestones(first: 1, states: [OPEN], orderBy: {field: UPDATED_AT, direction: DESC}) {
          totalCount nodes { updatedAt }
        }
      }
    }
  }
}"""
"""Document for the repositories of an owner, each with its open milestones and the last update of these."""

_NEVER = datetime.min.replace(tzinfo=UTC)


class _Updated(Wire, frozen=True):
    updated_at: datetime


class _Milestones(Wire, frozen=True):
    total_count: int = 0
    nodes: tuple[_Updated | None, ...] = ()


class _Repository(Wire, frozen=True):
    name_with_owner: str
    has_issues_enabled: bool
    is_archived: bool
    milestones: _Milestones | None = None


def list_repositories(session: Session, pattern: str) -> list[ListedProject]:
    """Return the repositories of the owner in ``owner/*`` that are not archived and have issues.

    The one whose open milestone was updated last is the first.
    """
    owner = pattern.partition("/")[0]
    found: list[tuple[datetime, ListedProject]] = []
    for row in session.pages(OWNED_MILESTONES, {"owner": owner}, _Repository, pattern, on_error=lambda _: None):
        if row.has_issues_enabled and not row.is_archived:
            milestones = row.milestones or _Milestones()
            updated = max((node.updated_at for node in milestones.nodes if node is not None), default=_NEVER)
            found.append((updated, ListedProject(key=row.name_with_owner, open_milestones=milestones.total_count)))
    found.sort(key=lambda pair: pair[0], reverse=True)
    return [project for _, project in found]
