"""Read a list of a group by GraphQL, field by field: one field that a server does not know fails the whole query.

A query names its optional fields. A server that does not know one of them names it in its error; the query is sent
again without it. Everything else that a server does not know, and every refusal, means that GraphQL has no such list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

from connectors.gitlab.session import Session, TooHeavyError
from connectors.shared.responses import decode
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError

__all__ = ["Day", "GroupQuery", "day_at", "group_rows", "unknown_names"]

PAGE, SMALLEST = 100, 5
"""Rows in one request, and the number below which a request that is too heavy is not made smaller."""

_MONTH, _DAY_OF_MONTH = "(?:0[1-9]|1[0-2])", "(?:0[1-9]|[12][0-9]|3[01])"
Day = Annotated[str, Meta(pattern=f"^[0-9]{{4}}-{_MONTH}-{_DAY_OF_MONTH}")]
"""Day, with or without a time behind it."""


def day_at(text: str) -> date:
    """Read a `Day`."""
    return date.fromisoformat(text[:10])


_UNKNOWN = re.compile(
    r"Field '(\w+)' doesn't exist on type|doesn't accept argument '(\w+)'|No such type (\w+)"
    r"|Cannot query field '(\w+)' on type|Unknown argument '(\w+)'|Unknown type '(\w+)'"
)


class GroupQuery(Struct, frozen=True):
    """Query for a list of a group.

    ``text`` is the list, named ``listed``, with ``<name>`` in the place of each optional field, argument or type;
    ``optional`` has their texts by name. ``parameters`` declares further variables.
    """

    text: str
    optional: Mapping[str, str] = {}
    parameters: str = ""

    def document(self, lacking: set[str]) -> str:
        """The document without the optional fields that are ``lacking``."""
        listed = self.text
        for name, text in self.optional.items():
            listed = listed.replace(f"<{name}>", "" if name in lacking else text)
        parameters = f"$group: ID!, $first: Int!, $after: String{self.parameters}"
        return f"query Listed({parameters}) {{ group(fullPath: $group) {{ {listed} }} }}"


class _PageInfo(Struct, frozen=True, rename="camel"):
    has_next_page: bool = False
    end_cursor: str | None = None


class _Listed(Struct, rename="camel"):
    nodes: list[Raw] = []
    page_info: _PageInfo = _PageInfo()


class _Group(Struct):
    listed: _Listed | None = None


class _Data(Struct):
    group: _Group | None = None


class _Answer(Struct):
    data: _Data | None = None
    errors: list[Any] = []


def group_rows(session: Session, query: GroupQuery, group: str, **variables: Any) -> list[Raw] | None:
    """Fetch all rows of a list of a group (path); None where GraphQL does not answer."""
    rows: list[Raw] = []
    after, size, guard = None, session.group_page or PAGE, session.caller.guard(group)
    lacking = session.lacking_names
    while session.graphql:
        values = {"group": group, "first": size, "after": after, **variables}
        try:
            response = session.query(query.document(lacking), values, group)
            answer = decode(response, _Answer, session.name, group)
        except TooHeavyError:
            if (size := size // 2) < SMALLEST:
                return None
            session.group_page = size
            continue
        except (AuthError, GoneError, MalformedError, RefusedError):
            return None
        found = answer.data.group.listed if answer.data and answer.data.group else None
        if found is None:
            if "complexity" in str(answer.errors) and size // 2 >= SMALLEST:
                size = session.group_page = size // 2
                continue
            new = (unknown_names(answer.errors) & query.optional.keys()) - lacking
            if not new:
                return None
            lacking |= new
            continue
        if answer.errors:
            return None  # a field that GitLab left out looks like one without a value
        rows += found.nodes
        if not found.page_info.has_next_page:
            return rows
        guard.check(len(found.nodes), response.body)
        after = found.page_info.end_cursor
    return None


def unknown_names(errors: list[Any]) -> set[str]:
    """Return the fields, arguments and types that these errors call unknown."""
    messages = (str(error.get("message")) for error in errors if isinstance(error, dict))
    return {name for message in messages for match in _UNKNOWN.finditer(message) for name in match.groups() if name}
