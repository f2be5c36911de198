"""Cursor of a project: the opaque text that the next pull continues from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from connectors.gitlab import api_types
from connectors.gitlab.group_containers import ContainerMemory
from connectors.shared.responses import parse

__all__ = ["OVERLAP", "Cursor"]

OVERLAP = timedelta(minutes=2)
"""Time before the newest update from which rows are read again: GitLab's replicas lag and its clocks differ."""

MAX_CHECKSUMS = 1000
"""Rows of the overlap whose checksums are stored; further rows are read again."""


_STORED_NAMES = {
    "checksums": "seen",
    "newest": "upto",
    "created_until": "created",
    "swept_at": "swept",
    "scope": "place",
}


class Cursor(Struct, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of a project's next pull.

    Everything updated before ``since`` (UTC) has been read. ``checksums`` maps the ids of rows updated at or after
    ``since`` that were read, too, to a checksum of their fields: an unchanged row in the overlap costs nothing more.

    While a walk over many pages is under way, ``newest`` is the newest update at its start and ``created_until`` the
    creation of the last row read: rows are walked in the order of creation, which no edit changes. ``swept_at`` is the
    time of the last deletion sweep, at first the beginning of the first pull. ``scope`` is the project's path and the
    fingerprint of its rules: under another path all keys and addresses differ, so everything is read again. ``unread``
    are the numbers of the issues that could not be read: each pull asks for them again. ``containers`` is what the last
    pull knew of iterations and epics.
    """

    since: datetime | None = None
    checksums: dict[int, int] = {}
    newest: datetime | None = None
    created_until: datetime | None = None
    swept_at: datetime | None = None
    scope: str = ""
    unread: tuple[int, ...] = ()
    containers: dict[str, ContainerMemory] = {}

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """Decode a cursor. A text that this version cannot read yields the beginning."""
        cursor = parse(text or "{}", cls)
        if cursor is None:
            return cls()
        return cursor if (cursor.newest is None) is (cursor.created_until is None) else cls()

    def for_scope(self, scope: str) -> Cursor:
        """This cursor if it belongs to the scope, or to an unknown scope; else the beginning."""
        return self if self.scope == scope or (not self.scope and " " not in scope) else Cursor()

    def encode(self, scope: str) -> str:
        """The cursor as one line of JSON, for this scope."""
        return msgspec.json.encode(msgspec.structs.replace(self, scope=scope)).decode()

    def during_walk(self, newest: datetime, created_until: datetime) -> Cursor:
        """The cursor in the middle of a walk."""
        return Cursor(self.since, self.checksums, newest, created_until, self.swept_at)

    def after_pull(self, newest: datetime | None, rows: Iterable[api_types.Issue]) -> Cursor:
        """The cursor after a pull that read these rows, with the newest update at ``newest``. It never goes back."""
        if newest is None:
            return Cursor(self.since, self.checksums, swept_at=self.swept_at)
        since = newest - OVERLAP if self.since is None else max(self.since, newest - OVERLAP)
        late = sorted((row for row in rows if row.updated_at >= since), key=lambda row: row.updated_at, reverse=True)
        return Cursor(since, {row.id: _checksum(row) for row in late[:MAX_CHECKSUMS]}, swept_at=self.swept_at)

    def after_sweep(self, swept_at: datetime) -> Cursor:
        """The cursor after a sweep."""
        return msgspec.structs.replace(self, swept_at=swept_at)

    def has_read(self, row: api_types.Issue) -> bool:
        """Return whether the row was read with exactly these values."""
        return row.id in self.checksums and self.checksums[row.id] == _checksum(row)


def _checksum(row: api_types.Issue) -> int:
    return zlib.crc32(msgspec.json.encode(row))
