"""Cursor of a project: the opaque text that the next pull continues from, with what is known about its Jira."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct, structs

from connectors.jira import api_types
from connectors.shared.responses import parse

__all__ = ["OVERLAP", "Cursor", "Discovery"]

OVERLAP = timedelta(minutes=10)
"""Time before the newest update from which issues are read again: Jira's index lags by seconds to minutes."""

MAX_SEEN = 200
"""Number of issues in the overlap that a cursor stores; if there are more, they are read twice."""


class Discovery(Struct, frozen=True, rename={"fingerprint": "of", "epic_link": "epic", "account": "me"}):
    """Facts about a Jira that are read once a day: see `connectors.jira.session.Session`.

    ``fingerprint`` identifies the URL, credentials and options that they belong to. ``at`` (UTC) is the time when they
    were read. ``lists_versions``: this Data Center may list the versions of several projects at once.
    """

    fingerprint: str
    at: datetime
    cloud: bool
    points: tuple[str, ...]
    epic_link: str
    account: api_types.User
    categories: dict[str, str] = {}
    status_names: dict[str, str] = {}
    sprint: str = ""
    site: str = ""
    parent_link: str = ""
    starts: tuple[str, ...] = ()
    types: dict[str, int] = {}
    configuration: api_types.Configuration | None = None
    drivers: dict[str, dict[str, api_types.User]] = {}
    lists_versions: bool = True


_STORED_NAMES = {
    "newest": "read_until",  # another name than before the status decided: older cursors begin again
    "created_until": "created",
    "seen_updates": "seen",
    "swept_at": "swept",
    "discovery": "known",
    "scope": "place",
    "query_matches": "picked",
    "containers": "kinds",
}


class Cursor(Struct, frozen=True, omit_defaults=True, rename=_STORED_NAMES):
    """Position of a project's next pull. ``newest`` is the newest update seen (UTC), never our clock's time.

    During a first pull, ``created_until`` is the creation (UTC) of the last issue read: issues are read in the order of
    creation, which no edit changes. ``seen_updates`` maps the issues of the overlap to their times of update, so that
    the next pull skips them; it is empty when they are too many. ``swept_at`` is the time of the last deletion sweep,
    at first the beginning of the first pull. ``discovery`` is set in one of a connection's cursors. ``scope`` is the
    project's key and the fingerprint of its rules: under another key all issue keys differ, so everything is read
    again. ``query_matches`` maps the id of a rule milestone to the issues that its query found. ``unread`` are the ids,
    or else the keys, of the issues that could not be read: each pull asks for them again. ``fields`` are the custom
    fields that the issues were read with, None in a cursor of an earlier version of milesync. ``containers`` is the
    fingerprint of the options that the issues were read for (`Session.issue_options`). ``versions`` is the fingerprint
    of the project's own list of versions on Data Center, empty if it was not read.
    """

    newest: datetime
    created_until: datetime | None = None
    seen_updates: dict[str, datetime] = {}
    swept_at: datetime | None = None
    discovery: Discovery | None = None
    scope: str = ""
    query_matches: dict[str, tuple[str, ...]] = {}
    unread: tuple[str, ...] = ()
    fields: tuple[str, ...] | None = None
    containers: str = ""
    versions: str = ""

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """Decode a cursor; None if this version cannot read it, so that the pull begins again."""
        return parse(text, cls)

    @classmethod
    def after_pull(cls, newest: datetime, updates: Mapping[str, datetime], swept_at: datetime | None = None) -> Cursor:
        """The cursor after a complete pull up to ``newest``. ``updates`` are times of update by issue id."""
        start = newest - OVERLAP - timedelta(minutes=1)
        recent = {issue: updated for issue, updated in updates.items() if updated >= start}
        return cls(newest.astimezone(UTC), seen_updates=recent if len(recent) <= MAX_SEEN else {}, swept_at=swept_at)

    def lacks(self, fields: Collection[str], options: str) -> bool:
        """Return whether issues were read without one of these fields or for other options: read all again."""
        return self.containers != options or (self.fields is not None and not set(fields) <= set(self.fields))

    def encode(self, scope: str = "", query_matches: Mapping[str, tuple[str, ...]] | None = None) -> str:
        """The cursor as one line of JSON. ``scope`` and ``query_matches``, if given, replace its own."""
        matches = self.query_matches if query_matches is None else dict(query_matches)
        return msgspec.json.encode(structs.replace(self, scope=scope or self.scope, query_matches=matches)).decode()
