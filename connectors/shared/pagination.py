"""End lists that do not end: by the number of pages, by time, and by pages without progress."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

from sync.tracker.errors import MalformedError

__all__ = ["MAX_EMPTY_PAGES", "MAX_PAGES", "MAX_PAGES_STORED", "MAX_TIME", "PageGuard"]

MAX_PAGES = 1_000
"""Pages of a list that is kept in memory: 100,000 rows of most trackers."""

MAX_PAGES_STORED = 50_000
"""Pages of a list of issues, which are stored page by page."""

MAX_EMPTY_PAGES = 20
"""Empty pages in a row. A tracker may filter all rows of a page, and announces the next page nevertheless."""

MAX_TIME = timedelta(hours=6)
"""Longest time for reading a list."""


class PageGuard:
    """Guard of one list. It raises `MalformedError` when the list makes no progress or does not end.

    ``clock`` returns the time (UTC), ``max_pages`` is the limit of pages.
    """

    def __init__(self, name: str, project: str, clock: Callable[[], datetime], *, max_pages: int = MAX_PAGES) -> None:
        self._name, self._project, self._clock, self._max_pages = name, project, clock, max_pages
        self._deadline = clock() + MAX_TIME
        self._positions: set[Hashable] = set()
        self._contents: set[int] = set()
        self._pages = self._empty_pages = 0

    def check(self, rows: int, content: Hashable, following: Hashable = None) -> None:
        """Check a page that another page follows.

        ``rows`` is its number of rows and ``content`` identifies them; ``following`` is the position of the next page
        (address, cursor or token), None where positions only count up.
        """
        self._pages += 1
        self._empty_pages = 0 if rows else self._empty_pages + 1
        fingerprint = hash(content)
        if following is not None and following in self._positions:
            self._end("a page leads to a page that was read before")
        if rows and fingerprint in self._contents:
            self._end("the pages of a list repeat")
        if self._empty_pages > MAX_EMPTY_PAGES:
            self._end(f"{self._empty_pages} empty pages in a row announce another page")
        if self._pages >= self._max_pages:
            self._end(f"a list does not end after {self._pages} pages")
        if self._clock() > self._deadline:
            self._end(f"a list does not end after {MAX_TIME // timedelta(hours=1)} hours")
        self._positions.add(following)
        self._contents.add(fingerprint)

    def _end(self, reason: str) -> None:
        raise MalformedError(self._name, self._project, reason)
