"""Probe many repositories in one request, and list what exists in one repository.

A batch probe costs two points. It shows the newest update and the number of issues, pull requests and milestones of
each repository.
Its result counts as "unchanged" only after conditional requests, which see more, have confirmed the same result once.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any

import msgspec

from connectors.github import api_types
from connectors.github.queries import IN_MILESTONES, MORE_IN_MILESTONE, visibility
from connectors.github.session import PROJECT_ERRORS, Session, TooHeavyError

__all__ = ["BATCH", "current_name", "existing_issues", "probe_many", "pull_requests_in_milestones"]

BATCH = 50
"""Repositories in one request."""

_STATE = """
    issues(first: 1, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id updatedAt } }
    pullRequests(first: 1, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id updatedAt } }
    milestones(first: 1, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id updatedAt } }"""

_NAME = """query Name($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { nameWithOwner }
}"""

_ISSUE_IDS = """query There($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    issues(first: 100, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor } nodes { id number }
    }
  }
}"""


@cache
def _document(count: int, lacking: frozenset[str]) -> str:
    state = f"{{ id nameWithOwner {visibility(lacking)}{_STATE} }}"
    variables = ", ".join(f"$o{i}: String!, $n{i}: String!" for i in range(count))
    fields = "\n".join(f"  r{i}: repository(owner: $o{i}, name: $n{i}) {state}" for i in range(count))
    return f"query Glance({variables}) {{\n{fields}\n}}"


def probe_many(session: Session, names: Mapping[str, str]) -> dict[str, str]:
    """Probe repositories. Return a checksum per configured name that differs only when something changed.

    ``names`` maps the configured name to the current name. A repository that cannot be read is left out.
    """
    configured = list(names)
    batches = [configured[i : i + BATCH] for i in range(0, len(configured), BATCH)]
    states: dict[str, str] = {}
    for batch_states in session.caller.map_all(lambda batch: _probe_batch(session, names, batch), batches):
        states |= batch_states
    return states


def _probe_batch(session: Session, names: Mapping[str, str], batch: Sequence[str]) -> dict[str, str]:
    variables: dict[str, Any] = {}
    for i, name in enumerate(batch):
        variables[f"o{i}"], _, variables[f"n{i}"] = names[name].partition("/")
    try:
        document = partial(_document, len(batch))
        reply = session.query(document, variables, dict[str, dict[str, Any] | None], "", divisible=True)
    except (*PROJECT_ERRORS, TooHeavyError):
        return {}
    repositories = reply.data or {}
    return {name: _checksum(state) for i, name in enumerate(batch) if (state := repositories.get(f"r{i}"))}


def _checksum(state: Mapping[str, Any]) -> str:
    """Checksum of a repository's state, independent of the order of its fields."""
    ordered = msgspec.json.encode(state, order="sorted")
    return f"{zlib.crc32(ordered):08x}{zlib.adler32(ordered):08x}"


def current_name(session: Session, name: str, project: str) -> str:
    """Fetch the repository's current name, which differs from ``name`` after a rename."""
    owner, short = session.split_name(name, project)
    reply = session.query(_NAME, {"owner": owner, "name": short}, dict[str, api_types.RepositoryRef | None], project)
    session.raise_errors(reply.errors, project)
    repository = (reply.data or {}).get("repository")
    return repository.name_with_owner if repository else name


def existing_issues(session: Session, name: str, project: str) -> dict[str, int]:
    """Fetch the numbers of all issues of a repository by id, a hundred per request.

    A deletion during the listing hides no other issue.
    """
    owner, short = session.split_name(name, project)
    issues = session.pages(_ISSUE_IDS, {"owner": owner, "name": short}, api_types.IssueId, project)
    return {issue.id: issue.number for issue in issues}


def pull_requests_in_milestones(session: Session, name: str, project: str) -> dict[str, int]:
    """Fetch the numbers of the pull requests of a repository that are in a milestone, by id.

    Fifty milestones take one request, and one more for each further hundred pull requests in one of them.
    """
    owner, short = session.split_name(name, project)
    variables = {"owner": owner, "name": short}
    found: dict[str, int] = {}
    for milestone in session.pages(IN_MILESTONES, variables, api_types.MilestonePullRequests, project):
        page = milestone.pull_requests
        found |= {row.id: row.number for row in page.nodes}
        if page.page_info.has_next_page:
            more = {"milestone": milestone.id, "after": page.page_info.end_cursor}
            found |= {row.id: row.number for row in session.pages(MORE_IN_MILESTONE, more, api_types.IssueId, project)}
    return found
