"""How far a project has been read, as the opaque text that the engine keeps."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

__all__ = ["Cursor"]

OVERLAP = timedelta(minutes=2)
"""GitLab's replicas lag and clocks differ: what was updated this long before the last row is read again."""
MOST_SEEN = 1000


class Cursor(Struct, frozen=True, omit_defaults=True):
    """``since``: everything updated before it has been read. ``seen``: the rows at or after it that have been read
    too, id -> updated, so that the overlap costs nothing when nothing changed.

    While a walk over many pages goes on, ``upto`` is the newest update at its beginning and ``created`` the creation
    of the last row read: rows are walked in the order of creation, which no edit changes.
    """

    since: datetime | None = None
    seen: dict[int, datetime] = {}
    upto: datetime | None = None
    created: datetime | None = None

    @classmethod
    def decode(cls, text: str) -> Cursor:
        """The cursor; one that this version cannot read means: from the beginning."""
        try:
            return msgspec.json.decode(text or "{}", type=cls)
        except msgspec.MsgspecError:
            return cls()

    def encode(self) -> str:
        """One line of JSON."""
        return msgspec.json.encode(self).decode()

    def walking(self, upto: datetime, created: datetime) -> Cursor:
        """In the middle of a walk."""
        return Cursor(self.since, self.seen, upto, created)

    def after(self, upto: datetime | None, read: Iterable[tuple[int, datetime]]) -> Cursor:
        """At the end of a walk whose newest row was updated at ``upto``; never a step back."""
        if upto is None:
            return Cursor(self.since, self.seen)
        since = upto - OVERLAP if self.since is None else max(self.since, upto - OVERLAP)
        rows = {**self.seen, **dict(read)}
        late = sorted(((at, id_) for id_, at in rows.items() if at >= since), reverse=True)[:MOST_SEEN]
        return Cursor(since, {id_: at for at, id_ in late})

    def knows(self, id_: int, updated: datetime) -> bool:
        """Whether this very state of a row has been read."""
        return self.seen.get(id_) == updated
