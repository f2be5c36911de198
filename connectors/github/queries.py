"""The GraphQL documents of a pull. Some fields are asked for only where the server says that it has them.

Numbers and cursors are variables, so that the same text is sent again and again and both sides can keep it parsed.
A hundred issues with their histories cost about four points of the hourly 5,000.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from connectors.github.api_types import Field

__all__ = ["OPEN", "REPOSITORIES", "changed", "extras", "later", "numbered"]

_EXTRAS: Mapping[str, str] = {
    "parent": "parent { number url repository { nameWithOwner } }",
    "issueType": "issueType { name }",
    "blockedBy": "blockedBy(first: 50) { nodes { number url state repository { nameWithOwner } } }",
    "blocking": "blocking(first: 50) { nodes { number url repository { nameWithOwner } } }",
}
_REPOSITORY = "id name nameWithOwner url visibility"
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

OPEN = f"""query Open($owner: String!, $name: String!) {{
  issue: __type(name: "Issue") {{ fields {{ name args {{ name }} }} }}
  repository(owner: $owner, name: $name) {{
    {_REPOSITORY}
    newest: issues(first: 1, orderBy: {{field: CREATED_AT, direction: DESC}}) {{ totalCount nodes {{ number }} }}
  }}
}}"""

REPOSITORIES = f"""query Repositories($owner: String!, $after: String) {{
  repositoryOwner(login: $owner) {{
    repositories(first: 100, after: $after, ownerAffiliations: [OWNER], orderBy: {{field: NAME, direction: ASC}}) {{
      {_PAGE} nodes {{ nameWithOwner hasIssuesEnabled isArchived }}
    }}
  }}
}}"""


def extras(fields: Collection[Field]) -> tuple[str, ...]:
    """The names of the optional fields that this server has, and ``enableDuplicate`` if it tells duplicates."""
    known = [field.name for field in fields if field.name in _EXTRAS]
    told = [
        a.name for field in fields if field.name == "stateReason" for a in field.args if a.name == "enableDuplicate"
    ]
    return tuple(known + told)


@cache
def numbered(count: int, more: tuple[str, ...]) -> str:
    """Issues ``$n0 ... $n{count-1}`` with their histories, as ``n0 ...``; null where there is none."""
    declared = ", ".join(f"$n{i}: Int!" for i in range(count))
    asked = "\n".join(f"    n{i}: issueOrPullRequest(number: $n{i}) {{ __typename ...Item }}" for i in range(count))
    return f"""query Numbered($owner: String!, $name: String!, {declared}) {{
  repository(owner: $owner, name: $name) {{
{asked}
  }}
}}
{_item(more)}"""


@cache
def changed(more: tuple[str, ...]) -> str:
    """A page of what changed since ``$since``, oldest first: what changes meanwhile comes again at the end."""
    return f"""query Changed($owner: String!, $name: String!, $since: DateTime, $after: String, $first: Int!) {{
  repository(owner: $owner, name: $name) {{
    {_REPOSITORY}
    issues(
      first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: ASC}}, filterBy: {{since: $since}}
    ) {{ {_PAGE} nodes {{ __typename ...Item }} }}
  }}
}}
{_item(more)}"""


@cache
def later(count: int) -> str:
    """More events of issues ``$n0 ...``, from the cursors ``$c0 ...`` on."""
    declared = ", ".join(f"$n{i}: Int!, $c{i}: String!" for i in range(count))
    asked = "\n".join(
        f"    n{i}: issue(number: $n{i}) {{ timelineItems(first: 100, after: $c{i}, itemTypes: {_KINDS}) {_EVENTS} }}"
        for i in range(count)
    )
    return f"""query Later($owner: String!, $name: String!, {declared}) {{
  repository(owner: $owner, name: $name) {{
{asked}
  }}
}}"""


def _item(more: tuple[str, ...]) -> str:
    reason = "stateReason(enableDuplicate: true)" if "enableDuplicate" in more else "stateReason"
    optional = "\n  ".join(_EXTRAS[name] for name in more if name in _EXTRAS)
    return f"""fragment Item on Issue {{
  id number title url state {reason} createdAt updatedAt closedAt
  milestone {{ id }}
  assignees(first: 10) {{ nodes {{ id login }} }}
  labels(first: 100) {{ nodes {{ name }} }}
  timelineItems(first: 100, itemTypes: {_KINDS}) {_EVENTS}
  {optional}
}}"""
