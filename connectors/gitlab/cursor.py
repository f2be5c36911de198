"""Cursor of a project: the opaque text that the next pull continues from."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Self

import msgspec
from msgspec import Struct, structs

from connectors.gitlab import api_types
from connectors.shared.responses import parse

__all__ = ["OVERLAP", "ContainerMemory", "Cursor", "ListCursor", "MergeRequestCursor"]

Row = api_types.Issue | api_types.MergeRequest

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
    "merge_requests": "merges",
}


class ListCursor(Struct, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of the next reading of one list of a project.

    Everything updated before ``since`` (UTC) has been read. ``checksums`` maps the ids of rows updated at or after
    ``since`` that were read, too, to a checksum of their fields: an unchanged row in the overlap costs nothing more.

    While a walk over many pages is under way, ``newest`` is the newest update at its start and ``created_until`` the
    creation of the last row read: rows are walked in the order of creation, which no edit changes. ``unread`` are the
    numbers of the rows that could not be read: each pull asks for them again.
    """

    since: datetime | None = None
    checksums: dict[int, int] = {}
    newest: datetime | None = None
    created_until: datetime | None = None
    unread: tuple[int, ...] = ()

    def during_walk(self, newest: datetime, created_until: datetime) -> Self:
        """The cursor in the middle of a walk."""
        return structs.replace(self, newest=newest, created_until=created_until)

    def after_pull(self, newest: datetime | None, rows: Iterable[Row]) -> Self:
        """The cursor after a pull that read these rows, with the newest update at ``newest``. It never goes back."""
        here = structs.replace(self, newest=None, created_until=None)
        if newest is None:
            return here
        since = newest - OVERLAP if self.since is None else max(self.since, newest - OVERLAP)
        late = sorted((row for row in rows if row.updated_at >= since), key=lambda row: row.updated_at, reverse=True)
        return structs.replace(here, since=since, checksums={row.id: _checksum(row) for row in late[:MAX_CHECKSUMS]})

    def has_read(self, row: Row) -> bool:
        """Return whether the row was read with exactly these values."""
        return row.id in self.checksums and self.checksums[row.id] == _checksum(row)


class MergeRequestCursor(ListCursor, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position in the merge requests of a project.

    ``runs`` are the numbers of those that are or were in a milestone, and therefore stored: by turns the distance from
    the last number and the length of a run of numbers, ``(5, 3, 2, 1)`` for 5, 6, 7, 9.
    """

    runs: tuple[int, ...] = ()

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of the stored merge requests."""
        numbers: list[int] = []
        last = 0
        for distance, length in zip(self.runs[::2], self.runs[1::2], strict=False):
            numbers += range(last + distance, last + distance + length)
            last += distance + length - 1
        return frozenset(numbers)

    def with_numbers(self, numbers: Iterable[int]) -> MergeRequestCursor:
        """The cursor with these numbers of stored merge requests."""
        runs: list[int] = []
        last = 0
        for number in sorted(numbers):
            if runs and number == last + 1:
                runs[-1] += 1
            else:
                runs += (number - last, 1)
            last = number
        return structs.replace(self, runs=tuple(runs))


class ContainerMemory(Struct, frozen=True, omit_defaults=True, rename={"refused_at": "refused"}):
    """One kind at the last pull of a project: the ids of the containers that have their home there.

    ``refused_at``: when the server refused the kind (UTC); None if it was read. ``parents``: the epic above each nested
    epic that the project can use.
    """

    ids: tuple[str, ...] = ()
    refused_at: datetime | None = None
    parents: dict[str, str] = {}


class Cursor(ListCursor, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of a project's next pull: in the list of its issues, and in that of its merge requests.

    ``swept_at`` is the time of the last deletion sweep, at first the beginning of the first pull. ``scope`` is the
    project's path, the fingerprint of its rules, and other options that decide what is read: under another path all
    keys and addresses differ, so everything is read again. ``containers`` is what the last pull knew of iterations and
    epics. ``merge_requests`` is None until there is a milestone, and where they may not be read. ``state`` is that of
    the project at the beginning of its last complete pull (`connectors.gitlab.project_probe`); empty if it is not
    known.
    """

    swept_at: datetime | None = None
    scope: str = ""
    containers: dict[str, ContainerMemory] = {}
    merge_requests: MergeRequestCursor | None = None
    state: str = ""

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
        return msgspec.json.encode(structs.replace(self, scope=scope)).decode()

    def after_sweep(self, swept_at: datetime) -> Cursor:
        """The cursor after a sweep."""
        return structs.replace(self, swept_at=swept_at)


def _checksum(row: Row) -> int:
    return zlib.crc32(msgspec.json.encode(row))
