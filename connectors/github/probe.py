"""Find out whether a repository changed, with two conditional requests that cost no points when it did not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import requests
from msgspec import Struct

from connectors.github import api_types, queries
from connectors.github.cursor import Cursor
from connectors.github.session import PROJECT_ERRORS, Session
from connectors.shared.responses import Response, decode
from sync.tracker.errors import TrackerError

__all__ = ["ProbeResult", "ask_for_fields", "probe"]

WATCHED = 50
"""Number of newest changes whose ETag shows a change.

There are many because changes of the same second come in any order. If more issues than this change in one second,
and one of them changes again right after it was read, then its change shows only with the next change.
"""

PAGE_SIZE = 100

Etags = tuple[tuple[str, str], ...]


class ProbeResult(Struct, frozen=True, kw_only=True):
    """Result of probing one repository.

    ``known`` is the project id and cursor of the last pull, None before the first. ``issues_unchanged``: no issue
    changed. ``newest`` is the time (UTC) of the newest change when the probe was made, None without one.
    ``milestones`` is None when no milestone changed, else all milestones. ``milestone_etags`` are for the next cursor.
    """

    known: tuple[str, Cursor] | None
    issues_unchanged: bool
    issues_etag: str
    newest: datetime | None
    milestones: tuple[api_types.Milestone, ...] | None
    milestone_etags: Etags

    @property
    def is_unchanged(self) -> bool:
        """Return whether the last pull was complete and nothing changed since."""
        return (
            self.known is not None
            and not self.known[1].next_number
            and self.issues_unchanged
            and self.milestones is None
        )


def probe(session: Session, name: str, known: tuple[str, Cursor] | None) -> ProbeResult | TrackerError:
    """Probe the repository with this configured name. Return an error that concerns this repository alone."""
    cursor = known[1] if known else Cursor(configured_name=name, name=name)
    parameters = {"state": "all", "sort": "updated", "direction": "desc", "per_page": WATCHED}
    try:
        session.split_name(cursor.name, name)
        requests_: tuple[Callable[[], Any], ...] = (
            lambda: session.get(f"/repos/{cursor.name}/issues", name, parameters, cursor.issues_etag),
            lambda: _changed_milestones(session, name, cursor),
        )
        answer, (milestones, etags) = session.caller.map_all(lambda send: send(), requests_)
        unchanged = answer.status == HTTPStatus.NOT_MODIFIED
        changes = () if unchanged else decode(answer, tuple[api_types.NewestChange, ...], session.name, name)
    except PROJECT_ERRORS as error:
        return error
    return ProbeResult(
        known=known,
        issues_unchanged=unchanged,
        issues_etag=cursor.issues_etag if unchanged else answer.headers.get("etag", ""),
        newest=changes[0].updated_at if changes else None,
        milestones=milestones,
        milestone_etags=etags,
    )


def ask_for_fields(session: Session, repository: str, project: str) -> bool:
    """Ask for one issue with all optional fields, so that the server names those it lacks.

    They are in ``session.schema`` then. Return False if there was no answer.
    """
    try:
        owner, name = session.split_name(repository, project)
        session.query(queries.changed, {"owner": owner, "name": name, "first": 1}, dict[str, Any], project)
    except PROJECT_ERRORS:
        return False
    return True


def _changed_milestones(
    session: Session, name: str, cursor: Cursor
) -> tuple[tuple[api_types.Milestone, ...] | None, Etags]:
    """Fetch all milestones with the address and ETag of each page; None if no page changed."""
    url, answer = f"/repos/{cursor.name}/milestones?direction=asc&per_page=100&sort=due_on&state=all", None
    for page, (address, etag) in enumerate(cursor.milestone_etags):
        conditional = session.get(address, name, etag=etag)
        if conditional.status != HTTPStatus.NOT_MODIFIED:
            answer = conditional if page == 0 else None
            break
    else:
        if cursor.milestone_etags:
            return None, cursor.milestone_etags
    milestones: list[api_types.Milestone] = []
    etags: dict[str, str] = {}
    rows: tuple[api_types.Milestone, ...] = ()
    while url and url not in etags:
        answer = answer or session.get(url, name)
        rows = decode(answer, tuple[api_types.Milestone, ...], session.name, name)
        milestones += rows
        etags[url] = answer.headers.get("etag", "")
        url, answer = _next_address(answer) if rows else "", None
    is_last_page_full = len(rows) == PAGE_SIZE  # then another page could begin without a change of this one
    return tuple(milestones), () if is_last_page_full else tuple(etags.items())


def _next_address(answer: Response) -> str:
    """The address of the next page, from the Link header; empty on the last page."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((str(link["url"]) for link in links if link.get("rel") == "next"), "")
