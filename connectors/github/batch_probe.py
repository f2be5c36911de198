"""Looking at many repositories in one request, and listing which issues of one are still there.

A glance costs a point and shows of each repository the newest update and the number of its issues and milestones. It
is believed only where conditional requests, which see more, have confirmed once that nothing changed under that sight.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from connectors.github import api_types
from connectors.github.session import OWN, Session, TooHeavyError

__all__ = ["AT_ONCE", "issues_there", "name_of", "probe_many"]

AT_ONCE = 50
"""Repositories in one request."""

_SIGHT = """{
    id nameWithOwner visibility
    issues(first: 1, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id updatedAt } }
    milestones(first: 1, orderBy: {field: UPDATED_AT, direction: DESC}) { totalCount nodes { id updatedAt } }
  }"""

_NAME = """query Name($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) { nameWithOwner }
}"""

_THERE = """query There($owner: String!, $name: String!, $after: String) {
  repository(owner: $owner, name: $name) {
    issues(first: 100, after: $after, orderBy: {field: CREATED_AT, direction: ASC}) {
      pageInfo { hasNextPage endCursor } nodes { id number }
    }
  }
}"""


@cache
def _document(count: int) -> str:
    declared = ", ".join(f"$o{i}: String!, $n{i}: String!" for i in range(count))
    asked = "\n".join(f"  r{i}: repository(owner: $o{i}, name: $n{i}) {_SIGHT}" for i in range(count))
    return f"query Glance({declared}) {{\n{asked}\n}}"


def probe_many(session: Session, names: Mapping[str, str]) -> dict[str, str]:
    """What is seen of repositories, as a text that only differs when something changed.

    ``names`` holds the name that each goes by, by its configured one. What cannot be seen is left out.
    """
    wanted = list(names)
    chunks = [wanted[i : i + AT_ONCE] for i in range(0, len(wanted), AT_ONCE)]
    seen: dict[str, str] = {}
    for found in session.caller.map_all(lambda chunk: _glance(session, names, chunk), chunks):
        seen |= found
    return seen


def _glance(session: Session, names: Mapping[str, str], chunk: Sequence[str]) -> dict[str, str]:
    asked: dict[str, Any] = {}
    for i, name in enumerate(chunk):
        asked[f"o{i}"], _, asked[f"n{i}"] = names[name].partition("/")
    try:
        reply = session.query(_document(len(chunk)), asked, dict[str, dict[str, Any] | None], "", divisible=True)
    except (*OWN, TooHeavyError):
        return {}
    found = reply.data or {}
    return {name: _sight(there) for i, name in enumerate(chunk) if (there := found.get(f"r{i}"))}


def _sight(there: Mapping[str, Any]) -> str:
    """A short text for what was seen, whatever the order of its fields."""
    ordered = msgspec.json.encode(there, order="sorted")
    return f"{zlib.crc32(ordered):08x}{zlib.adler32(ordered):08x}"


def name_of(session: Session, name: str, project: str) -> str:
    """The name that a repository goes by now, which may not be the one that it is asked for by."""
    owner, short = session.parts(name, project)
    reply = session.query(_NAME, {"owner": owner, "name": short}, dict[str, api_types.Place | None], project)
    session.refuse(reply.errors, project)
    there = (reply.data or {}).get("repository")
    return there.name_with_owner if there else name


def issues_there(session: Session, name: str, project: str) -> dict[str, int]:
    """The numbers of all issues of a repository by id, a hundred a request. A deletion meanwhile hides no other."""
    owner, short = session.parts(name, project)
    there = session.pages(_THERE, {"owner": owner, "name": short}, api_types.There, project)
    return {issue.id: issue.number for issue in there}
