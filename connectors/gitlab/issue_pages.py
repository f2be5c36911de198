"""Read the lists of a project's issues and merge requests: the newest updates, or a long list from its beginning.

A long list is read several pages at once, in an order that no edit changes.

Rows come in the order of creation, in windows of 10,000 rows. Each window begins at the creation of the last row read.
Reasons:

- Page numbers stay small: GitLab ends them at 50,000 rows.
- Totals may be missing: GitLab does not count beyond 10,000 rows.
- Keyset pages are not needed: they are serial, and groups have none.
- Edits move no row, and an interrupted walk continues at its last row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from msgspec import Raw, Struct

from connectors.gitlab import api_types
from connectors.gitlab.normalize import unread_issue, unread_merge_request
from connectors.gitlab.session import PER_PAGE, Session, has_next, page_count, row_count
from connectors.shared.pagination import MAX_PAGES_STORED, PageGuard
from connectors.shared.paths import path_of
from connectors.shared.rows import Rows, decode_rows
from sync.model.tracker_data import Project, UnreadRow
from sync.tracker.errors import MalformedError

__all__ = [
    "ALL",
    "FEW_PAGES",
    "IN_MILESTONES",
    "ISSUES",
    "MAX_COUNTED",
    "MERGE_REQUESTS",
    "ItemList",
    "Newest",
    "newest_rows",
    "walk",
]

R = TypeVar("R", api_types.Issue, api_types.MergeRequest)

ALL = {"state": "all", "scope": "all"}
"""Parameters that select rows of every state and author."""

FEW_PAGES = 5
"""Pages of newest updates that are read one after the other. An edit meanwhile only makes rows come twice."""

MAX_COUNTED = 10_000
"""Rows up to which GitLab counts."""

WINDOW = MAX_COUNTED // PER_PAGE
"""Pages in a window."""


class ItemList(Struct, Generic[R], frozen=True):
    """A list: the last part of its path, the type of its rows, and how an unreadable row is described.

    ``parameters`` select a part of it.
    """

    name: str
    type: type[R]
    describe: Callable[[Raw, str], UnreadRow]
    parameters: Mapping[str, str] = {}


ISSUES = ItemList("issues", api_types.Issue, unread_issue)
MERGE_REQUESTS = ItemList("merge_requests", api_types.MergeRequest, unread_merge_request)
IN_MILESTONES = ItemList("merge_requests", api_types.MergeRequest, unread_merge_request, {"milestone": "Any"})
"""The merge requests that are in a milestone."""


class Newest(Struct, Generic[R], frozen=True):
    """Newest updates of a project or group.

    ``is_complete``: these are all rows asked for. Otherwise there are ``pages`` pages (1 if GitLab did not count).
    """

    rows: Rows[R] = Rows()
    is_complete: bool = False
    pages: int = 1

    @property
    def updated_at(self) -> datetime | None:
        """The newest update (UTC), None without rows."""
        return max((row.updated_at for row in self.rows.read), default=None)

    def of_project(self, project: str, since: datetime) -> Newest[R]:
        """The updates of one project (id) of the group since a time, where these are all updates of the group."""
        own = [row for row in self.rows.read if str(row.project_id) == project and row.updated_at >= since]
        unread = [row for row in self.rows.unread if row.project == project]
        return Newest(Rows(own, unread), is_complete=True)


def newest_rows(
    session: Session,
    items: ItemList[R],
    path: str,
    key: str,
    since: datetime | None,
    max_pages: int = FEW_PAGES,
) -> Newest[R]:
    """Fetch up to ``max_pages`` pages of the newest updates since a time; one page if there are more.

    ``path`` is that of the project or group (``key``).
    """
    parameters: dict[str, Any] = {"order_by": "updated_at", "sort": "desc", "per_page": PER_PAGE, **ALL}
    parameters |= items.parameters
    if since is not None:
        parameters["updated_after"] = _format_time(since)
    rows = Rows[R]()
    for number in range(1, max_pages + 1):
        answer = session.get(f"{path}/{items.name}", key, page=number, **parameters)
        page, pages = decode_rows(answer, items.type, session.name, key, items.describe), page_count(answer)
        rows += page
        if not has_next(answer, number, len(page.read) + len(page.unread)):
            return Newest(rows, is_complete=True)
        if pages is None or pages > max_pages:
            break
    return Newest(rows, pages=pages or 1)


def _format_time(at: datetime) -> str:
    """Format a time as GitLab reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Page(Struct, Generic[R]):
    """Page of a window, with the numbers of pages and rows of the whole list; None if GitLab did not count them.

    ``size`` is its number of rows, with those that cannot be read.
    """

    rows: Rows[R]
    size: int
    fingerprint: int
    pages: int | None
    total: int | None
    has_next: bool


def walk(
    session: Session,
    project: Project,
    items: ItemList[R],
    since: datetime | None,
    created: datetime | None,
    batch_size: int,
    pages: int = 1,
) -> Iterator[Rows[R]]:
    """Yield rows updated at or after ``since`` and created at or after ``created``, each once, in batches.

    ``pages`` is the number of pages that the list had a moment ago: they are requested at the same time. Raises
    `MalformedError` when the pages repeat.
    """
    ids: set[str] = set()
    guard = session.caller.guard(project.key, max_pages=MAX_PAGES_STORED)
    window: _Window[R] | None = _Window(session, project, items, since, created, pages)
    while window is not None:
        before = len(ids)
        batch = Rows[R]()
        for page in window.pages(guard):
            new: list[R] = [row for row in page.read if str(row.id) not in ids]
            unread: list[UnreadRow] = [row for row in page.unread if row.id not in ids]
            batch += Rows(new, unread)
            ids |= {*(str(row.id) for row in new), *(row.id for row in unread)}
            if len(batch.read) >= batch_size:
                yield batch
                batch = Rows()
        if batch.read or batch.unread:
            yield batch
        if window.is_last:
            return
        if len(ids) == before:
            raise MalformedError(session.name, project.key, "the pages of a list repeat, or are empty")
        window = _Window(session, project, items, since, window.end)


class _Window(Generic[R]):
    """Up to `WINDOW` pages of rows created at or after ``start``.

    After reading, ``is_last`` says whether the list is complete; if not, the next window starts at ``end``.
    """

    def __init__(
        self,
        session: Session,
        project: Project,
        items: ItemList[R],
        since: datetime | None,
        start: datetime | None,
        known_pages: int = 1,
    ) -> None:
        self._session, self._project = session, project
        self._items: ItemList[R] = items
        self._known_pages = min(known_pages, WINDOW)
        self._parameters: dict[str, Any] = {"order_by": "created_at", "sort": "asc", "per_page": PER_PAGE, **ALL}
        self._parameters |= items.parameters
        if since is not None:
            self._parameters["updated_after"] = _format_time(since)
        if start is not None:
            self._parameters["created_after"] = _format_time(start)
        self.end, self.is_last = start, False

    def pages(self, guard: PageGuard) -> Iterator[Rows[R]]:
        """Yield the pages in order, several requested at the same time.

        A falling total means that a row was deleted and later rows moved up, perhaps from one page to another.
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
            guard.check(page.size, page.fingerprint)

    def _fetch_pages(self) -> Iterator[_Page[R]]:
        """Fetch the known pages, then the pages after them; no more ahead than can be in flight, as rows are large."""
        count: int | None = None
        map_ahead, limit = self._session.caller.map_ahead, self._session.caller.concurrency
        for page in map_ahead(self._fetch, range(1, self._known_pages + 1), limit):
            count = page.pages
            yield page
        last = min(count or WINDOW, WINDOW)
        yield from map_ahead(self._fetch, range(self._known_pages + 1, last + 1), limit)

    def _fetch(self, number: int) -> _Page[R]:
        path = path_of("/projects/{}/{}", self._project.id, self._items.name)
        answer = self._session.get(path, self._project.key, page=number, **self._parameters)
        rows = decode_rows(answer, self._items.type, self._session.name, self._project.key, self._items.describe)
        size = len(rows.read) + len(rows.unread)
        return _Page(
            rows=rows,
            size=size,
            fingerprint=hash(answer.body),
            pages=page_count(answer),
            total=row_count(answer),
            has_next=has_next(answer, number, size),
        )
