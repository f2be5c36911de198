"""Cursor of a repository: the opaque text that the next pull continues from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import Struct

from connectors.shared.responses import decoder

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
}


class Cursor(Struct, frozen=True, kw_only=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of a repository's next pull.

    ``configured_name`` is the repository's name in the configuration, ``name`` its current name. ``since`` is the time
    (UTC) from which changes are read, None during a first pull. ``next_number`` is the next issue number of a first
    pull by number, 0 when no such pull is under way; ``read_count`` is the number of issues that it has read.
    ``optional_fields`` are the optional GraphQL fields that this server has.

    ``issues_etag`` and ``milestone_etags`` (address and ETag of each page) are set only after a complete pull.
    ``batch_state`` is the result of the batch probe under which nothing had changed. ``swept_at`` is the time of the
    last deletion sweep. ``rules`` is the fingerprint of the rule milestones that the issues were read for.
    """

    configured_name: str
    name: str
    since: datetime | None = None
    next_number: int = 0
    read_count: int = 0
    optional_fields: tuple[str, ...] = ()
    issues_etag: str = ""
    milestone_etags: tuple[tuple[str, str], ...] = ()
    batch_state: str = ""
    swept_at: datetime | None = None
    rules: str = ""

    def encode(self) -> str:
        """The cursor as one line of JSON."""
        return msgspec.json.encode(self).decode()


def decode_cursors(cursors: Mapping[str, str]) -> Iterator[tuple[str, Cursor]]:
    """Yield project id and cursor. Skip a cursor that this version cannot read: its repository is read again."""
    for project, text in cursors.items():
        with suppress(msgspec.DecodeError):
            yield project, decoder(Cursor).decode(text)
