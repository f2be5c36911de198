"""Optional fields of GitHub's GraphQL: which of them this server lacks.

A query asks for all optional fields that the server is not known to lack. A server without a field refuses the query
and names the field. The field of a feature that is switched off may instead cost the whole issue. In both cases the
field is noted here, and the query is sent again without it. So a description of the schema, which on an Enterprise
Server is ahead of its features, is never needed.

Cursors store what is lacking. After `MAX_AGE`, or with another version of the server, all fields are asked for again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from connectors.github.api_types import Failure, Reply

__all__ = [
    "BOARD_FIELDS",
    "DATE_FIELDS",
    "MAX_AGE",
    "OPTIONAL",
    "LackingFieldError",
    "SchemaMemory",
    "ServerSchema",
    "lacking_fields",
    "unknown_field",
]

MAX_AGE = timedelta(days=7)
"""Time after which a field that was lacking is asked for again."""

BOARD_FIELDS = frozenset(("archivedStates", "query", "ProjectV2ItemIssueFieldValue"))
"""Arguments of a board's items, and the type of an issue field's value on a board, that some servers lack."""

DATE_FIELDS = frozenset(("issueFieldValues", "IssueFieldDateValue", "IssueFieldDate"))
"""Field and types of an issue's own dates, which the organisation defines and some servers lack."""

OPTIONAL = (
    BOARD_FIELDS
    | DATE_FIELDS
    | {
        "parent",
        "issueType",
        "blockedBy",
        "blocking",
        "stateReason",
        "enableDuplicate",
        "visibility",
        "reviewDecision",
        "closingIssuesReferences",
        "reviewRequests",
        "latestOpinionatedReviews",
    }
)
"""Fields, arguments and types that some servers lack."""

_UNKNOWN = re.compile(
    r"Field '(\w+)' doesn't exist on type|doesn't accept argument '(\w+)'"  # GitHub
    r"|No such type (\w+)|(\w+) isn't a defined input type"
    r"|Cannot query field '(\w+)' on type|Unknown argument '(\w+)' on field|Unknown type '(\w+)'"  # graphql-core
)


class LackingFieldError(Exception):
    """Raised when a query failed because of optional fields: send it again without them."""

    def __init__(self, fields: frozenset[str]) -> None:
        self.fields = fields
        super().__init__(", ".join(sorted(fields)))


class SchemaMemory(Struct, frozen=True, omit_defaults=True, rename={"asked_at": "at"}):
    """The optional fields that a server of this version lacked at a time (UTC); None if it was never asked."""

    lacking: tuple[str, ...] = ()
    version: str = ""
    asked_at: datetime | None = None


class ServerSchema:
    """The optional fields of one connection's server. Its threads may share it.

    ``version`` is the Enterprise Server's version by its last answer; empty on github.com and before an answer.
    """

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self.version = ""
        self.memory = SchemaMemory()

    @property
    def lacking(self) -> frozenset[str]:
        """The optional fields that this server is known to lack."""
        return frozenset(self.memory.lacking)

    def recall(self, memories: Iterable[SchemaMemory]) -> None:
        """Use the newest of these memories and our own, if it is of this version and not too old; else forget all."""
        now = self._clock().astimezone(UTC).replace(microsecond=0)
        recent = [
            (memory.asked_at, memory)
            for memory in (*memories, self.memory)
            if memory.asked_at is not None
            and timedelta(0) <= now - memory.asked_at < MAX_AGE
            and self.version in ("", memory.version)
        ]
        newest = max(recent, key=lambda pair: pair[0], default=None)
        self.memory = newest[1] if newest else SchemaMemory(version=self.version, asked_at=now)

    def assume(self, fields: Iterable[str]) -> None:
        """Ask for everything but these fields now, and for all fields at the next pull."""
        self.memory = SchemaMemory(lacking=tuple(sorted(fields)), version=self.version)

    def add(self, fields: Iterable[str]) -> None:
        """Note that the server lacks these fields."""
        with self._lock:
            now = self._clock().astimezone(UTC).replace(microsecond=0)
            lacking = tuple(sorted(self.lacking.union(fields)))
            self.memory = SchemaMemory(lacking=lacking, version=self.version, asked_at=now)


def unknown_field(error: Failure) -> str:
    """Return the field, argument or type that a GraphQL error calls unknown; empty if it is another error."""
    match = _UNKNOWN.search(error.message or "")
    return next((name for name in match.groups() if name), "") if match else ""


def lacking_fields(reply: Reply[Any]) -> frozenset[str]:
    """Return the optional fields that the server does not know, or that cost the object which they belong to."""
    fields = set[str]()
    for error in reply.errors:
        field = unknown_field(error)
        if not field and error.path and _value_at(reply.data, error.path[:-1]) is None:
            field = str(error.path[-1])
        fields.add(field)
    return OPTIONAL.intersection(fields)


def _value_at(data: Any, path: Sequence[str | int]) -> Any:
    """The value at a path of decoded JSON; None if the path does not lead to one."""
    for step in path:
        if isinstance(data, Mapping) and isinstance(step, str):
            data = data.get(step)
        elif isinstance(data, list) and isinstance(step, int) and step < len(data):
            data = data[step]
        else:
            return None
    return data
