"""From where the next pull of a project goes on, and what a connection found out about its Jira."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct, structs

from connectors.jira.api_types import User
from connectors.shared.responses import decoder

__all__ = ["OVERLAP", "Cursor", "Discovery"]

OVERLAP = timedelta(minutes=10)
"""How far back each pull asks again: Jira's index follows its data by seconds to minutes."""
_REMEMBERED = 200


class Discovery(Struct, frozen=True):
    """What is asked once a day: see `connectors.jira.session.Session`. ``of`` tells for which URL, credentials and
    options it holds; ``at`` (UTC) since when.
    """

    of: str
    at: datetime
    cloud: bool
    points: tuple[str, ...]
    epic: str
    me: User
    categories: dict[str, str] = {}
    sprint: str = ""
    site: str = ""


class Cursor(Struct, frozen=True, omit_defaults=True):
    """``at`` is the last update seen (UTC), never "now".

    While a first pull is under way, ``created`` is how far it has come: issues are read in the order of their
    creation, which nothing changes. ``seen`` are the issues of the overlap with their time of update, so that the
    next pull knows them again; when they are too many it simply takes them twice. ``swept`` is when all ids were last
    compared (at first: when the first pull began); ``known`` stands in one of a connection's cursors. ``place`` is
    the project's key and by which rules it was read: under another key all keys of issues are others, so everything is
    read again. ``picked`` are the issues that a query found, by the id of its milestone.
    """

    at: datetime
    created: datetime | None = None
    seen: dict[str, datetime] = {}
    swept: datetime | None = None
    known: Discovery | None = None
    place: str = ""
    picked: dict[str, tuple[str, ...]] = {}

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """The cursor in a text of ours; None when it is another version's, so that the pull begins anew."""
        try:
            return decoder(cls).decode(text)
        except msgspec.DecodeError:
            return None

    @classmethod
    def after(cls, at: datetime, updated: Mapping[str, datetime], swept: datetime | None = None) -> Cursor:
        """The cursor after everything up to ``at`` has been read; ``updated`` are times of update by issue id."""
        recent = {number: when for number, when in updated.items() if when >= at - OVERLAP - timedelta(minutes=1)}
        return cls(at.astimezone(UTC), seen=recent if len(recent) <= _REMEMBERED else {}, swept=swept)

    def write(self, place: str = "", picked: Mapping[str, tuple[str, ...]] | None = None) -> str:
        """The cursor as text, for this place; ``picked`` in place of its own."""
        own = self.picked if picked is None else dict(picked)
        return msgspec.json.encode(structs.replace(self, place=place or self.place, picked=own)).decode()

    def news(self, updated: Iterable[tuple[str, datetime]]) -> set[str]:
        """The ids of those that were not seen in this very state."""
        return {number for number, when in updated if self.seen.get(number) != when}
