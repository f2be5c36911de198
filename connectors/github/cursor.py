"""Cursor of a repository: the opaque text that the next pull continues from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from connectors.github.schema import BOARD_FIELDS, DATE_FIELDS, SchemaMemory
from connectors.shared.responses import parse

__all__ = ["Cursor", "decode_cursors"]

_STORED_NAMES = {
    "configured_name": "asked",
    "next_number": "next",
    "read_count": "read",
    "optional_fields": "more",
    "issues_etag": "probe",
    "milestone_etags": "counted_milestones",
    "batch_state": "glance",
    "swept_at": "swept",
    "pull_requests_since": "pulls",
    "scope": "rules",
}


_FORMER_FIELDS = frozenset(("parent", "issueType", "blockedBy", "blocking", "enableDuplicate"))
"""Fields that an earlier version of milesync took from the server's description once, for as long as a cursor lived."""


class Cursor(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of a repository's next pull.

    ``configured_name`` is the repository's name in the configuration, ``name`` its current name. ``since`` is the time
    (UTC) from which changes are read, None during a first pull. ``next_number`` is the next issue number of a first
    pull by number, 0 when no such pull is under way; ``read_count`` is the number of issues and pull requests that it
    has read. ``pull_requests_since`` is the time (UTC) from which changed pull requests are read; None while none were
    read, as after a pull of an earlier version of milesync: then those of the milestones are read.
    ``schema`` is what is known of the server's optional fields. A cursor of an earlier version of milesync has
    ``optional_fields`` instead: the optional fields that the server had.

    ``issues_etag`` and ``milestone_etags`` (address and ETag of each page) are set only after a complete pull.
    ``batch_state`` is the result of the last batch probe that is complete here: everything of that state was read
    after it; empty while a pull is under way. ``swept_at`` is the time of the last deletion sweep. ``scope`` is a
    fingerprint of the options that the issues were read for. ``unread`` are the numbers of the issues and pull
    requests that could not be read: each pull asks for them again.
    """

    configured_name: str
    name: str
    since: datetime | None = None
    pull_requests_since: datetime | None = None
    next_number: int = 0
    read_count: int = 0
    optional_fields: tuple[str, ...] = ()
    schema: SchemaMemory | None = None
    issues_etag: str = ""
    milestone_etags: tuple[tuple[str, str], ...] = ()
    batch_state: str = ""
    swept_at: datetime | None = None
    scope: str = ""
    unread: tuple[int, ...] = ()

    @property
    def is_all_read(self) -> bool:
        """Return whether every row could be read, and pull requests were read, too."""
        return not self.unread and self.pull_requests_since is not None

    @property
    def lacking(self) -> frozenset[str]:
        """The optional fields without which the repository was read; those of boards and dates are no part of it."""
        if self.schema is None:
            return _FORMER_FIELDS.difference(self.optional_fields)
        return frozenset(self.schema.lacking) - BOARD_FIELDS - DATE_FIELDS

    def with_schema(self, schema: SchemaMemory) -> Cursor:
        """The cursor with this knowledge of the server's optional fields."""
        return msgspec.structs.replace(self, schema=schema, optional_fields=())

    def from_start(self) -> Cursor:
        """The cursor from which the whole repository is read again."""
        return msgspec.structs.replace(self, next_number=1, read_count=0)

    def encode(self) -> str:
        """The cursor as one line of JSON."""
        return msgspec.json.encode(self).decode()


def decode_cursors(cursors: Mapping[str, str]) -> Iterator[tuple[str, Cursor]]:
    """Yield project id and cursor. Skip a cursor that this version cannot read: its repository is read again."""
    for project, text in cursors.items():
        cursor = parse(text, Cursor)
        if cursor is not None:
            yield project, cursor
