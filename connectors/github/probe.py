"""Find out whether a repository changed, with conditional requests that cost no points when it did not.

They are two: the newest changes, and the milestones, of which each further page takes one more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import requests
from msgspec import Struct

from connectors.github import api_types, queries
from connectors.github.cursor import Cursor
from connectors.github.normalize import unread_issue, unread_milestone
from connectors.github.session import PROJECT_ERRORS, Session, repository_path
from connectors.shared.responses import Response, decode, decode_row
from connectors.shared.rows import Rows, read_rows
from sync.model.tracker_data import UnreadRow
from sync.tracker.errors import TrackerError

__all__ = ["ProbeResult", "ask_for_fields", "probe"]

WATCHED = 50
"""Number of newest changes whose ETag shows a change.

There are many because changes of the same second come in any order. If more issues than this change in one second,
and one of them changes again right after it was read, then its change shows only with the next change.
"""

FULL_PAGE = 10
"""A page may be full if its number of rows is a multiple of this: a server may allow fewer rows than we ask for."""

Etags = tuple[tuple[str, str], ...]


class ProbeResult(Struct, frozen=True, kw_only=True):
    """Result of probing one repository.

    ``known`` is the project id and cursor of the last pull, None before the first. ``issues_unchanged``: no issue
    changed. ``changes`` are the newest changes of issues and pull requests, at most `WATCHED`; none if nothing changed.
    ``milestones`` is None when no milestone changed, else all milestones. ``milestone_etags`` are for the next cursor.
    ``unread`` are the milestones that could not be read, without their project.
    """

    known: tuple[str, Cursor] | None
    issues_unchanged: bool
    issues_etag: str
    changes: Rows[api_types.NewestChange]
    milestones: tuple[api_types.Milestone, ...] | None
    milestone_etags: Etags
    unread: tuple[UnreadRow, ...] = ()

    @property
    def newest(self) -> datetime | None:
        """The time (UTC) of the newest change when the probe was made; None without one."""
        return self.changes.read[0].updated_at if self.changes.read else None

    def may_have_pull_requests(self, since: datetime) -> bool:
        """Return whether a pull request may have changed since a time (UTC)."""
        recent = [change for change in self.changes.read if change.updated_at >= since]
        count = len(self.changes.read) + len(self.changes.unread)
        is_cut_off = len(recent) == count and count > 0 and count % FULL_PAGE == 0
        return is_cut_off or bool(self.changes.unread) or any(change.pull_request is not None for change in recent)

    @property
    def is_unchanged(self) -> bool:
        """Return whether the last pull was complete, every row could be read, and nothing changed since."""
        return (
            self.known is not None
            and not self.known[1].next_number
            and self.known[1].is_all_read
            and self.issues_unchanged
            and self.milestones is None
        )


class _Milestones(Struct, frozen=True):
    """All milestones, or None if none changed, with the address and ETag of each page."""

    rows: Rows[api_types.Milestone] | None
    etags: Etags


def probe(session: Session, name: str, known: tuple[str, Cursor] | None) -> ProbeResult | TrackerError:
    """Probe the repository with this configured name. Return an error that concerns this repository alone."""
    cursor = known[1] if known else Cursor(configured_name=name, name=name)
    parameters = {"state": "all", "sort": "updated", "direction": "desc", "per_page": WATCHED}
    try:
        session.split_name(cursor.name, name)
        requests_: tuple[Callable[[], Any], ...] = (
            lambda: session.get(repository_path(cursor.name, "/issues"), name, parameters, cursor.issues_etag),
            lambda: _changed_milestones(session, name, cursor),
        )
        answer, milestones = session.caller.map_all(lambda send: send(), requests_)
        unchanged = answer.status == HTTPStatus.NOT_MODIFIED
        rows = () if unchanged else decode(answer, tuple[msgspec.Raw, ...], session.name, name)
        # an unreadable row is reported where the issues are read; an earlier time only reads more again
        changes = read_rows(rows, lambda row: decode_row(row, api_types.NewestChange, session.name, name), unread_issue)
    except PROJECT_ERRORS as error:
        return error
    return ProbeResult(
        known=known,
        issues_unchanged=unchanged,
        issues_etag=cursor.issues_etag if unchanged else answer.headers.get("etag", ""),
        changes=changes,
        milestones=None if milestones.rows is None else tuple(milestones.rows.read),
        milestone_etags=milestones.etags,
        unread=() if milestones.rows is None else tuple(milestones.rows.unread),
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


def _changed_milestones(session: Session, name: str, cursor: Cursor) -> _Milestones:
    """Fetch all milestones with the address and ETag of each page, unless no page changed.

    Behind a full last page another page could begin without a change of this one, so the empty page is watched, too.
    """
    first = f"{repository_path(cursor.name, '/milestones')}?direction=asc&per_page=100&sort=due_on&state=all"
    url, answer = first, None
    for page, (address, etag) in enumerate(cursor.milestone_etags):
        conditional = session.get(address, name, etag=etag)
        if conditional.status != HTTPStatus.NOT_MODIFIED:
            answer = conditional if page == 0 else None
            break
    else:
        if cursor.milestone_etags:
            return _Milestones(None, cursor.milestone_etags)
    found, guard = Rows[api_types.Milestone](), session.caller.guard(name)
    etags: dict[str, str] = {}
    while url:
        answer = answer or session.get(url, name)
        rows = decode(answer, tuple[msgspec.Raw, ...], session.name, name)
        found += read_rows(rows, lambda row: decode_row(row, api_types.Milestone, session.name, name), unread_milestone)
        etags[url] = answer.headers.get("etag", "")
        url, size = _next_address(answer), len(rows)
        if not url and size and size % FULL_PAGE == 0:
            url = f"{first}&page={len(etags) + 1}"
        if url:
            guard.check(size, answer.body, url)
        answer = None
    return _Milestones(found, () if found.unread else tuple(etags.items()))


def _next_address(answer: Response) -> str:
    """The address of the next page, from the Link header; empty on the last page."""
    links = requests.utils.parse_header_links(answer.headers.get("link", ""))
    return next((str(link["url"]) for link in links if link.get("rel") == "next"), "")
