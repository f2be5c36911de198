"""Probe many repositories in one request, and list what exists in one repository.

A batch probe costs two points. It shows the newest update and the number of issues, pull requests and milestones of
each repository, to the second. A second change within the same second does not show, and replicas lag. So a result
counts only if its newest update was at least `SETTLING_TIME` ago by GitHub's clock: everything that is read after it
holds that update, and every later change has a later time.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import msgspec

from connectors.github import api_types
from connectors.github.queries import IN_MILESTONES, MORE_IN_MILESTONE, visibility
from connectors.github.session import PROJECT_ERRORS, Session, TooHeavyError
from connectors.shared.responses import Number, Time

__all__ = ["BATCH", "current_name", "existing_issues", "probe_many", "pull_requests_in_milestones"]

BATCH = 50
"""Repositories in one request."""

SETTLING_TIME = timedelta(minutes=2)
"""Age from which the newest update of a repository is final: GitHub's replicas differ by less."""

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


class _Update(api_types.Wire, frozen=True):
    """Issue, pull request or milestone with the time of its last update."""

    id: str
    updated_at: Time


class _Latest(api_types.Wire, frozen=True):
    """Number of issues, pull requests or milestones, and the one that was updated last."""

    total_count: Number
    nodes: tuple[_Update | None, ...]


class _State(api_types.Wire, frozen=True):
    """Result of a batch probe for one repository. Older servers have ``isPrivate`` instead of ``visibility``."""

    id: str
    name_with_owner: str
    issues: _Latest
    pull_requests: _Latest
    milestones: _Latest
    visibility: str = ""
    is_private: bool = False

    def is_settled(self, until: datetime) -> bool:
        """Return whether every last update is shown, and was before a time (UTC)."""
        updates = [update for latest in (self.issues, self.pull_requests, self.milestones) for update in latest.nodes]
        return all(update is not None and update.updated_at < until for update in updates)


@cache
def _document(count: int, lacking: frozenset[str]) -> str:
    state = f"{{ id nameWithOwner {visibility(lacking)}{_STATE} }}"
    variables = ", ".join(f"$o{i}: String!, $n{i}: String!" for i in range(count))
    fields = "\n".join(f"  r{i}: repository(owner: $o{i}, name: $n{i}) {state}" for i in range(count))
    return f"query Glance({variables}) {{\n{fields}\n}}"


def probe_many(session: Session, names: Mapping[str, str]) -> dict[str, str]:
    """Probe repositories. Return a checksum per configured name that differs when something changed.

    ``names`` maps the configured name to the current name. A repository that cannot be read, or that changed less than
    `SETTLING_TIME` ago, is left out; so is one whose last update is null, as a later one would be, too.
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
    sent_at = session.clock()
    try:
        document = partial(_document, len(batch))
        type_ = dict[str, _State | None]
        reply = session.query(document, variables, type_, "", divisible=True)
    except (*PROJECT_ERRORS, TooHeavyError):
        return {}
    ahead = session.caller.clock_ahead
    if ahead is None:
        return {}
    settled, repositories = sent_at + ahead - SETTLING_TIME, reply.data or {}
    states = ((name, repositories.get(f"r{i}")) for i, name in enumerate(batch))
    return {name: _checksum(state) for name, state in states if state and state.is_settled(settled)}


def _checksum(state: _State) -> str:
    encoded = msgspec.json.encode(state)
    return f"{zlib.crc32(encoded):08x}{zlib.adler32(encoded):08x}"


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
