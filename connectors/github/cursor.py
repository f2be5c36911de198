"""cursor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import Struct

from connectors.shared.responses import decoder


class Cursor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a repository's next pull goes on. ``asked`` is its configured name, ``name`` the one it goes by.

    ``next`` is the number to go on from while a first reading by number is under way, ``read`` how many issues it has
    found. ``probe`` and ``milestones`` hold ETags (the latter with the address of each page) and are set only when
    everything has been read. ``glance`` is the sight under which nothing had changed, ``swept`` when all ids were last
    compared, ``rules`` tells the milestones by rule apart that issues were read for.
    """

    asked: str
    name: str
    since: datetime | None = None
    next: int = 0
    read: int = 0
    more: tuple[str, ...] = ()
    probe: str = ""
    milestones: tuple[tuple[str, str], ...] = ()
    glance: str = ""
    swept: datetime | None = None
    rules: str = ""


def _encoded(cursor: Cursor) -> str:
    return msgspec.json.encode(cursor).decode()


def _decoded(cursors: Mapping[str, str]) -> Iterator[tuple[str, Cursor]]:
    """Cursors that this version can read; the others' repositories are read anew."""
    for key, text in cursors.items():
        with suppress(msgspec.DecodeError):
            yield key, decoder(Cursor).decode(text)
