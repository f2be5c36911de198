"""GraphQL documents of a pull. Optional fields are requested only from a server that says that it has them.

Numbers and cursors are variables, so the same text is sent again and again and both sides can cache it parsed.
A hundred issues with their histories cost about four points of the hourly 5,000.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache

from connectors.github.api_types import Field

__all__ = ["OPEN", "REPOSITORIES", "changed", "later", "numbered", "optional_fields"]

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


def optional_fields(fields: Collection[Field]) -> tuple[str, ...]:
    """Return the optional fields that this server has, and ``enableDuplicate`` if it distinguishes duplicates."""
    known = [field.name for field in fields if field.name in _EXTRAS]
    arguments = [argument.name for field in fields if field.name == "stateReason" for argument in field.args]
    return tuple(known + [name for name in arguments if name == "enableDuplicate"])


@cache
def numbered(count: int, fields: tuple[str, ...]) -> str:
    """Document for issues ``$n0 ... $n{count-1}`` with their histories, as ``n0 ...``; null for a missing number."""
    variables = ", ".join(f"$n{i}: Int!" for i in range(count))
    selection = "\n".join(f"    n{i}: issueOrPullRequest(number: $n{i}) {{ __typename ...Item }}" for i in range(count))
    return f"""query Numbered($owner: String!, $name: String!, {variables}) {{
  repository(owner: $owner, name: $name) {{
{selection}
  }}
}}
{_item(fields)}"""


@cache
def changed(fields: tuple[str, ...]) -> str:
    """Document for a page of issues that changed since ``$since``, oldest first.

    An issue that changes during the pull comes again at the end.
    """
    return f"""query Changed($owner: String!, $name: String!, $since: DateTime, $after: String, $first: Int!) {{
  repository(owner: $owner, name: $name) {{
    {_REPOSITORY}
    issues(
      first: $first, after: $after, orderBy: {{field: UPDATED_AT, direction: ASC}}, filterBy: {{since: $since}}
    ) {{ {_PAGE} nodes {{ __typename ...Item }} }}
  }}
}}
{_item(fields)}"""


@cache
def later(count: int) -> str:
    """Document for more events of issues ``$n0 ...``, from the cursors ``$c0 ...`` on."""
    variables = ", ".join(f"$n{i}: Int!, $c{i}: String!" for i in range(count))
    selection = "\n".join(
        f"    n{i}: issue(number: $n{i}) {{ timelineItems(first: 100, after: $c{i}, itemTypes: {_KINDS}) {_EVENTS} }}"
        for i in range(count)
    )
    return f"""query Later($owner: String!, $name: String!, {variables}) {{
  repository(owner: $owner, name: $name) {{
{selection}
  }}
}}"""


def _item(fields: tuple[str, ...]) -> str:
    reason = "stateReason(enableDuplicate: true)" if "enableDuplicate" in fields else "stateReason"
    optional = "\n  ".join(_EXTRAS[name] for name in fields if name in _EXTRAS)
    return f"""fragment Item on Issue {{
  id number title url state {reason} createdAt updatedAt closedAt
  milestone {{ id }}
  assignees(first: 10) {{ nodes {{ id login }} }}
  labels(first: 100) {{ nodes {{ name }} }}
  timelineItems(first: 100, itemTypes: {_KINDS}) {_EVENTS}
  {optional}
}}"""
