"""Walking a long list of issues: several pages at once, in an order that no edit changes.

Rows come in the order of their creation, in windows of 10,000 that each begin at the creation of the last row read.
So page numbers never go deep (GitLab ends them at 50,000), totals may be missing (beyond 10,000), keyset pages are not
needed (they are serial, and groups have none), edits move no row, and a walk that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from connectors.gitlab import api_types
from connectors.gitlab.session import PER_PAGE, Session
from connectors.shared.responses import Response, decode
from sync.model.tracker_data import Project
from sync.tracker.errors import MalformedError

__all__ = ["COUNTED", "EVERY", "counted_pages", "text_of", "walk"]

EVERY = {"state": "all", "scope": "all"}
COUNTED = 10_000
"""Rows up to which GitLab counts."""
WINDOW = COUNTED // PER_PAGE
"""Pages in a window."""


def text_of(at: datetime) -> str:
    """A time as GitLab reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counted_pages(answer: Response) -> int | None:
    """How many pages the list has, if GitLab says so."""
    counted = answer.headers.get("x-total-pages", "")
    return int(counted) if counted.isdigit() else None


class _Read(Struct):
    """One page of a window, decoded where it was read."""

    rows: list[api_types.Issue]
    pages: int | None
    total: int | None


def walk(
    session: Session, project: Project, since: datetime | None, created: datetime | None, some: int, pages: int = 1
) -> Iterator[list[api_types.Issue]]:
    """Issues updated at or after ``since`` and created at or after ``created``, each once, in batches of ``some``.

    ``pages`` is how many there were a moment ago, as far as that is known: they are asked for at once.

    Raises `MalformedError` when the list goes round in circles.
    """
    seen: set[int] = set()
    window: _Window | None = _Window(session, project, since, created, pages)
    while window is not None:
        known = len(seen)
        batch: list[api_types.Issue] = []
        for page in window.pages():
            fresh = [issue for issue in page if issue.id not in seen]
            batch += fresh
            seen |= {issue.id for issue in fresh}
            if len(batch) >= some:
                yield batch
                batch = []
        if batch:
            yield batch
        if window.ended:
            return
        if len(seen) == known:
            raise MalformedError(session.name, project.key, "its pages repeat, or are empty")
        window = _Window(session, project, since, window.border)


class _Window:
    """Up to `WINDOW` pages from one moment of creation on; afterwards ``ended`` or to be continued at ``border``."""

    def __init__(
        self, session: Session, project: Project, since: datetime | None, border: datetime | None, known: int = 1
    ) -> None:
        self.session, self.project, self.border, self.known = session, project, border, min(known, WINDOW)
        self.asked: dict[str, Any] = {"order_by": "created_at", "sort": "asc", "per_page": PER_PAGE, **EVERY}
        if since is not None:
            self.asked["updated_after"] = text_of(since)
        if border is not None:
            self.asked["created_after"] = text_of(border)
        self.ended = False

    def pages(self) -> Iterator[list[api_types.Issue]]:
        """The pages in order, several read at once.

        A total that falls means that an issue was deleted and the others moved up, maybe over the edge between two
        pages: the window then stops there. So it does at a page that has fewer rows than were counted.
        """
        total: int | None = None
        counted: int | None = None
        for number, page in enumerate(self._read()):
            if page.total is not None and total is not None and page.total < total:
                return
            total, counted = page.total, page.pages
            yield page.rows
            if page.rows:
                self.border = page.rows[-1].created_at
            if len(page.rows) < PER_PAGE:
                self.ended = page.total is None or page.total <= number * PER_PAGE + len(page.rows)
                return
        self.ended = counted is not None and counted <= WINDOW

    def _read(self) -> Iterator[_Read]:
        """The pages that are known, then those beyond."""
        counted: int | None = None
        for page in self.session.map_ahead(self._page, range(1, self.known + 1)):
            counted = page.pages
            yield page
        last = min(counted or WINDOW, WINDOW)
        yield from self.session.map_ahead(self._page, range(self.known + 1, last + 1))

    def _page(self, number: int) -> _Read:
        path = f"/projects/{self.project.id}/issues"
        answer = self.session.get(path, self.project.key, page=number, **self.asked)
        rows = decode(answer, list[api_types.Issue], self.session.name, self.project.key)
        total = answer.headers.get("x-total", "")
        return _Read(rows, counted_pages(answer), int(total) if total.isdigit() else None)
