"""GraphQL documents of a pull. A function of ``lacking`` leaves out the optional fields that the server lacks.

``labelEvents`` counts as lacking unless labels decide when an issue was finished, and ``itemFields`` unless the
option ``issue_fields`` is set.

Numbers and cursors are variables, so the same text is sent again and again and both sides can cache it parsed.
A hundred issues or pull requests with their histories cost about ten points of the hourly 5,000.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

__all__ = [
    "IN_MILESTONES",
    "MORE_IN_MILESTONE",
    "REPOSITORIES",
    "changed",
    "changed_pull_requests",
    "later",
    "numbered",
    "opening",
    "visibility",
]

_EXTRAS: Mapping[str, str] = {
    "parent": "parent { number url repository { nameWithOwner } }",
    "issueType": "issueType { name }",
    "blockedBy": "blockedBy(first: 50) { nodes { number url state repository { nameWithOwner } } }",
    "labelEvents": """labelEvents: timelineItems(last: 100, itemTypes: [LABELED_EVENT, UNLABELED_EVENT]) { nodes {
    __typename
    ... on LabeledEvent { createdAt label { name } actor { login ... on Node { id } } }
    ... on UnlabeledEvent { createdAt label { name } actor { login ... on Node { id } } }
  } }""",
    "itemFields": """itemFields: issueFieldValues(first: 30) { nodes {
    ... on IssueFieldDateValue { date: value field { ... on IssueFieldDate { name } } }
    ... on IssueFieldNumberValue { number: value field { ... on IssueFieldNumber { name } } }
  } }""",
    "blocking": "blocking(first: 50) { nodes { number url repository { nameWithOwner } } }",
}
_REVIEWS: Mapping[str, str] = {
    "reviewDecision": "reviewDecision",
    "closingIssuesReferences": "closingIssuesReferences(first: 25) { nodes { id } }",
    "reviewRequests": """reviewRequests(first: 25) { nodes { requestedReviewer {
    __typename
    ... on User { id login }
    ... on Team { id combinedSlug }
  } } }""",
    "latestOpinionatedReviews": "latestOpinionatedReviews(first: 25) { nodes { state } }",
    "labelEvents": _EXTRAS["labelEvents"],
}
_REVIEW_KINDS = "[REVIEW_REQUESTED_EVENT, READY_FOR_REVIEW_EVENT, PULL_REQUEST_REVIEW]"
_PAGE = "pageInfo { hasNextPage endCursor }"
_KINDS = "[MILESTONED_EVENT, DEMILESTONED_EVENT, CLOSED_EVENT, REOPENED_EVENT]"
_ACTOR = "actor { login ... on Node { id } }"
_EVENTS = f"""{{ {_PAGE} nodes {{
  __typename
  ... on MilestonedEvent {{ createdAt milestoneTitle {_ACTOR} }}
  ... on DemilestonedEvent {{ createdAt milestoneTitle {_ACTOR} }}
  ... on ClosedEvent {{ createdAt {_ACTOR} }}
  ... on ReopenedEvent {{ createdAt {_ACTOR} }}
}} }}"""

REPOSITORIES = f"""query Repositories($owner: String!, $after: String) {{
  repositoryOwner(login: $owner) {{
    repositories(first: 100, after: $after, ownerAffiliations: [OWNER], orderBy: {{field: NAME, direction: ASC}}) {{
      {_PAGE} nodes {{ nameWithOwner hasIssuesEnabled isArchived }}
    }}
  }}
}}"""

IN_MILESTONES = f"""query InMilestones($owner: String!, $name: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    milestones(first: 50, after: $after, orderBy: {{field: NUMBER, direction: ASC}}) {{
      {_PAGE} nodes {{ id pullRequests(first: 100) {{ {_PAGE} nodes {{ id number }} }} }}
    }}
  }}
}}"""
"""Document for a page of milestones, each with the first page of its pull requests' ids and numbers."""

MORE_IN_MILESTONE = f"""query MoreInMilestone($milestone: ID!, $after: String) {{
  node(id: $milestone) {{
    ... on Milestone {{ pullRequests(first: 100, after: $after) {{ {_PAGE} nodes {{ id number }} }} }}
  }}
}}"""
"""Document for a later page of the pull requests of one milestone."""


def visibility(lacking: frozenset[str]) -> str:
    """The field for the visibility of a repository."""
    return "isPrivate" if "visibility" in lacking else "visibility"


@cache
def opening(lacking: frozenset[str]) -> str:
    """Document for a repository with its numbers of issues and pull requests and the newest of each."""
    return f"""query Open($owner: String!, $name: String!) {{
  repository(owner: $owner, name: $name) {{
    {_repository(lacking)}
    newest: issues(first: 1, orderBy: {{field: CREATED_AT, direction: DESC}}) {{ totalCount nodes {{ number }} }}
    newestPullRequest: pullRequests(first: 1, orderBy: {{field: CREATED_AT, direction: DESC}}) {{
      totalCount nodes {{ number }}
    }}
  }}
}}"""


@cache
def numbered(count: int, lacking: frozenset[str]) -> str:
    """Document for issues and pull requests ``$n0 ... $n{count-1}`` with their histories, as ``n0 ...``.

    A missing number is null.
    """
    variables = ", ".join(f"$n{i}: Int!" for i in range(count))
    selection = "\n".join(f"    n{i}: issueOrPullRequest(number: $n{i}) {{ ...Item ...Change }}" for i in range(count))
    return f"""query Numbered($owner: String!, $name: String!, {variables}) {{
  repository(owner: $owner, name: $name) {{
{selection}
  }}
}}
{_item(lacking)}
{_change(lacking)}"""


@cache
def changed(lacking: frozenset[str]) -> str:
    """Document for a page of issues that changed since ``$since``, oldest first.

    An issue that changes during the pull comes again at the end.
    """
    return f"""query Changed($owner: String!, $name: String!, $since: DateTime, $after: String, $first: Int!) {{
  repository(owner: $owner, name: $name) {{
    {_repository(lacking)}
    issues(
      first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: ASC}}, filterBy: {{since: $since}}
    ) {{ {_PAGE} nodes {{ ...Item }} }}
  }}
}}
{_item(lacking)}"""


@cache
def changed_pull_requests(lacking: frozenset[str]) -> str:
    """Document for a page of pull requests, latest change first: GitHub cannot leave out those before a time."""
    return f"""query ChangedPullRequests($owner: String!, $name: String!, $after: String, $first: Int!) {{
  repository(owner: $owner, name: $name) {{
    pullRequests(first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: DESC}}) {{
      {_PAGE} nodes {{ ...Change }}
    }}
  }}
}}
{_change(lacking)}"""


@cache
def later(count: int) -> str:
    """Document for more events of issues and pull requests ``$n0 ...``, from the cursors ``$c0 ...`` on."""
    variables = ", ".join(f"$n{i}: Int!, $c{i}: String!" for i in range(count))
    selection = "\n".join(
        f"""    n{i}: issueOrPullRequest(number: $n{i}) {{
      ... on Issue {{ timelineItems(first: 100, after: $c{i}, itemTypes: {_KINDS}) {_EVENTS} }}
      ... on PullRequest {{ timelineItems(first: 100, after: $c{i}, itemTypes: {_KINDS}) {_EVENTS} }}
    }}"""
        for i in range(count)
    )
    return f"""query Later($owner: String!, $name: String!, {variables}) {{
  repository(owner: $owner, name: $name) {{
{selection}
  }}
}}"""


def _repository(lacking: frozenset[str]) -> str:
    return f"id name nameWithOwner url {visibility(lacking)}"


def _item(lacking: frozenset[str]) -> str:
    reason = "stateReason" if "enableDuplicate" in lacking else "stateReason(enableDuplicate: true)"
    lacking |= {"itemFields"} if "issueFieldValues" in lacking else set()
    optional = "\n  ".join(text for name, text in _EXTRAS.items() if name not in lacking)
    return f"""fragment Item on Issue {{
  __typename id number title url state {"" if "stateReason" in lacking else reason} createdAt updatedAt closedAt
  milestone {{ id }}
  assignees(first: 10) {{ nodes {{ id login }} }}
  labels(first: 100) {{ nodes {{ name }} }}
  timelineItems(first: 100, itemTypes: {_KINDS}) {_EVENTS}
  {optional}
}}"""


def _change(lacking: frozenset[str]) -> str:
    """Fields of a pull request. Its state has another type than that of an issue, so it needs another name."""
    optional = "\n  ".join(text for name, text in _REVIEWS.items() if name not in lacking)
    return f"""fragment Change on PullRequest {{
  __typename id number title url pullState: state isDraft createdAt updatedAt closedAt
  milestone {{ id }}
  assignees(first: 10) {{ nodes {{ id login }} }}
  labels(first: 100) {{ nodes {{ name }} }}
  timelineItems(first: 100, itemTypes: {_KINDS}) {_EVENTS}
  reviewEvents: timelineItems(last: 50, itemTypes: {_REVIEW_KINDS}) {{ nodes {{
    __typename
    ... on ReviewRequestedEvent {{ createdAt requestedReviewer {{ ... on Node {{ id }} }} }}
    ... on ReadyForReviewEvent {{ createdAt }}
    ... on PullRequestReview {{ submittedAt state }}
  }} }}
  {optional}
}}"""
