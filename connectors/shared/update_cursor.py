"""A cursor for lists of what was updated since a time, the oldest update first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from connectors.shared.responses import parse

__all__ = ["UpdateCursor"]

R = TypeVar("R")


class UpdateCursor(Struct, frozen=True):
    """All rows updated before ``at`` (UTC) are read, and of those updated at that time the ones in ``seen`` (ids)."""

    at: datetime | None = None
    seen: frozenset[str] = frozenset()

    @staticmethod
    def decode(text: str) -> UpdateCursor:
        """Read a stored cursor. Anything else means to read from the beginning."""
        return parse(text, UpdateCursor) or UpdateCursor()

    def encode(self) -> str:
        """Return the text that `decode` reads. Equal cursors have the same text."""
        return msgspec.json.encode(self, order="deterministic").decode()

    def advance(self, rows: Iterable[R], key: Callable[[R], tuple[datetime, str]]) -> tuple[list[R], UpdateCursor]:
        """Return the rows of a page that were not read yet, and the cursor after them. ``key``: time and id of a row.

        Several rows may have the same time of update, and a page may end between them.
        """
        new, cursor = [], self
        for row in rows:
            at, id_ = key(row)
            if at != cursor.at or id_ not in cursor.seen:
                new.append(row)
                cursor = UpdateCursor(at, cursor.seen | {id_} if at == cursor.at else frozenset({id_}))
        return new, cursor
