"""How far a project has been read, as the opaque text that the engine keeps."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from connectors.gitlab import api_types
from connectors.shared.responses import decoder

__all__ = ["OVERLAP", "Cursor"]

OVERLAP = timedelta(minutes=2)
"""GitLab's replicas lag and clocks differ: what was updated this long before the last row is read again."""
MOST_SEEN = 1000
"""Rows of the overlap that are remembered; beyond them some are read again."""


class Cursor(Struct, frozen=True, omit_defaults=True):
    """``since``: everything updated before it has been read. ``seen``: the rows at or after it that have been read
    too, id -> a checksum of all that is read of it, so that the overlap costs nothing when nothing changed.

    While a walk over many pages goes on, ``upto`` is the newest update at its beginning and ``created`` the creation
    of the last row read: rows are walked in the order of creation, which no edit changes. ``swept`` is when all ids
    were last compared (at first: when the first pull began). ``place`` is the project's path and by which rules it
    was read: under another path all keys and addresses are others, so everything is read again.
    """

    since: datetime | None = None
    seen: dict[int, int] = {}
    upto: datetime | None = None
    created: datetime | None = None
    swept: datetime | None = None
    place: str = ""

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """The cursor; one that this version cannot read means: from the beginning."""
        try:
            read = decoder(cls).decode(text or "{}")
        except msgspec.MsgspecError:
            return cls()
        return read if (read.upto is None) is (read.created is None) else cls()

    def of(self, place: str) -> Cursor:
        """The same if it is of this place, or of one that it does not tell; else the beginning."""
        return self if self.place == place or (not self.place and " " not in place) else Cursor()

    def encode(self, place: str) -> str:
        """One line of JSON, for this place."""
        return msgspec.json.encode(msgspec.structs.replace(self, place=place)).decode()

    def walking(self, upto: datetime, created: datetime) -> Cursor:
        """In the middle of a walk."""
        return Cursor(self.since, self.seen, upto, created, self.swept)

    def after(self, upto: datetime | None, read: Iterable[api_types.Issue]) -> Cursor:
        """At the end of a pull that read these rows and whose newest was updated at ``upto``; never a step back."""
        if upto is None:
            return Cursor(self.since, self.seen, swept=self.swept)
        since = upto - OVERLAP if self.since is None else max(self.since, upto - OVERLAP)
        late = sorted((row for row in read if row.updated_at >= since), key=lambda row: row.updated_at, reverse=True)
        return Cursor(since, {row.id: _checksum(row) for row in late[:MOST_SEEN]}, swept=self.swept)

    def at(self, swept: datetime) -> Cursor:
        """The same after a sweep."""
        return msgspec.structs.replace(self, swept=swept)

    def knows(self, row: api_types.Issue) -> bool:
        """Whether this very state of a row has been read."""
        return row.id in self.seen and self.seen[row.id] == _checksum(row)


def _checksum(row: api_types.Issue) -> int:
    return zlib.crc32(msgspec.json.encode(row))
