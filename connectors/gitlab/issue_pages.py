"""Walk through a long list of issues: several pages at once, in an order that no edit changes.

Rows come in the order of creation, in windows of 10,000 rows. Each window begins at the creation of the last row read.
Reasons:

- Page numbers stay small: GitLab ends them at 50,000 rows.
- Totals may be missing: GitLab does not count beyond 10,000 rows.
- Keyset pages are not needed: they are serial, and groups have none.
- Edits move no row, and an interrupted walk continues at its last row.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Raw, Struct

from connectors.gitlab import api_types
from connectors.gitlab.normalize import unread_issue
from connectors.gitlab.session import PER_PAGE, Session, has_next, page_count, row_count
from connectors.shared.pagination import MAX_PAGES_STORED, PageGuard
from connectors.shared.paths import path_of
from connectors.shared.responses import decode, decode_row
from connectors.shared.rows import Rows, read_rows
from sync.model.tracker_data import Project
from sync.tracker.errors import MalformedError

__all__ = ["ALL_ISSUES", "MAX_COUNTED", "format_time", "walk"]

ALL_ISSUES = {"state": "all", "scope": "all"}
"""Parameters that select issues of every state and author."""

MAX_COUNTED = 10_000
"""Rows up to which GitLab counts."""

WINDOW = MAX_COUNTED // PER_PAGE
"""Pages in a window."""


def format_time(at: datetime) -> str:
    """Format a time as GitLab reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Page(Struct):
    """Page of a window, with the numbers of pages and rows of the whole list; None if GitLab did not count them.

    ``size`` is its number of rows, with those that cannot be read.
    """

    rows: Rows[api_types.Issue]
    size: int
    content: bytes | str
    pages: int | None
    total: int | None
    has_next: bool


def walk(
    session: Session,
    project: Project,
    since: datetime | None,
    created: datetime | None,
    batch_size: int,
    pages: int = 1,
) -> Iterator[Rows[api_types.Issue]]:
    """Yield issues updated at or after ``since`` and created at or after ``created``, each once, in batches.

    ``pages`` is the number of pages that the list had a moment ago: they are requested at the same time. Raises
    `MalformedError` when the pages repeat.
    """
    ids: set[str] = set()
    guard = session.caller.guard(project.key, max_pages=MAX_PAGES_STORED)
    window: _Window | None = _Window(session, project, since, created, pages)
    while window is not None:
        before = len(ids)
        batch = Rows[api_types.Issue]()
        for page in window.pages(guard):
            new = [issue for issue in page.read if str(issue.id) not in ids]
            unread = [row for row in page.unread if row.id not in ids]
            batch += Rows(new, unread)
            ids |= {*(str(issue.id) for issue in new), *(row.id for row in unread)}
            if len(batch.read) >= batch_size:
                yield batch
                batch = Rows()
        if batch.read or batch.unread:
            yield batch
        if window.is_last:
            return
        if len(ids) == before:
            raise MalformedError(session.name, project.key, "the pages of a list repeat, or are empty")
        window = _Window(session, project, since, window.end)


class _Window:
    """Up to `WINDOW` pages of issues created at or after ``start``.

    After reading, ``is_last`` says whether the list is complete; if not, the next window starts at ``end``.
    """

    def __init__(
        self, session: Session, project: Project, since: datetime | None, start: datetime | None, known_pages: int = 1
    ) -> None:
        self._session, self._project, self._known_pages = session, project, min(known_pages, WINDOW)
        self._parameters: dict[str, Any] = {"order_by": "created_at", "sort": "asc", "per_page": PER_PAGE, **ALL_ISSUES}
        if since is not None:
            self._parameters["updated_after"] = format_time(since)
        if start is not None:
            self._parameters["created_after"] = format_time(start)
        self.end, self.is_last = start, False

    def pages(self, guard: PageGuard) -> Iterator[Rows[api_types.Issue]]:
        """Yield the pages in order, several requested at the same time.

        A falling total means that an issue was deleted and later issues moved up, perhaps from one page to another.
        The window then stops before that page. It also stops where fewer rows came than were counted.
        """
        total: int | None = None
        size = 0
        for page in self._fetch_pages():
            if page.total is not None and total is not None and page.total < total:
                return
            total, size = page.total, size + page.size
            yield page.rows
            if page.rows.read:
                self.end = page.rows.read[-1].created_at
            if not page.has_next:
                self.is_last = total is None or total <= size
                return
            guard.check(page.size, page.content)

    def _fetch_pages(self) -> Iterator[_Page]:
        """Fetch the known pages, then the pages after them."""
        count: int | None = None
        map_ahead = self._session.caller.map_ahead
        for page in map_ahead(self._fetch, range(1, self._known_pages + 1)):
            count = page.pages
            yield page
        last = min(count or WINDOW, WINDOW)
        yield from map_ahead(self._fetch, range(self._known_pages + 1, last + 1))

    def _fetch(self, number: int) -> _Page:
        path = path_of("/projects/{}/issues", self._project.id)
        answer = self._session.get(path, self._project.key, page=number, **self._parameters)
        name, key = self._session.name, self._project.key
        raw = decode(answer, list[Raw], name, key)
        rows = read_rows(raw, lambda row: decode_row(row, api_types.Issue, name, key), unread_issue)
        return _Page(
            rows=rows,
            size=len(raw),
            content=answer.body,
            pages=page_count(answer),
            total=row_count(answer),
            has_next=has_next(answer, number, len(raw)),
        )
