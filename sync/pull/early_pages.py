"""Ask a tracker before the store is open: the database's modules are imported while the tracker answers."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context

from sync.tracker.errors import UnreachableError
from sync.tracker.protocol import Connector, Page

__all__ = ["EarlyPages"]

EARLY = 3
"""Pages that are read before they are asked for: the containers, and the first issues."""

HEAD_START = 0.02
"""Seconds in which the first requests are sent: the caller's imports would keep the processor from them."""


class EarlyPages:
    """The pages of a connection without cursors. A thread reads the first `EARLY` of them at once; iterate once."""

    def __init__(self, connector: Connector, projects: tuple[str, ...]) -> None:
        self.projects = projects
        self._pages = _pages(connector, projects)
        pool = ThreadPoolExecutor(1)
        self._early = [pool.submit(copy_context().run, self._next) for _ in range(EARLY)]
        pool.shutdown(wait=False)
        wait(self._early[:1], HEAD_START)

    def _next(self) -> Page | None:
        return next(self._pages, None)

    def wait(self) -> None:
        """Wait for the first page. Raises `UnreachableError` if the tracker did not answer: it is not asked again."""
        error = self._early[0].exception()
        if isinstance(error, UnreachableError):
            raise error

    def __iter__(self) -> Iterator[Page]:
        """Yield all pages. Raises what reading them raises."""
        for early in self._early:
            page = early.result()
            if page is None:
                return
            yield page
        yield from self._pages

    def cancel(self) -> None:
        """Read no page after the one that is being read."""
        for early in reversed(self._early):
            early.cancel()

    def close(self) -> None:
        """Wait for the page that is being read, and read no more."""
        self.cancel()
        wait(self._early)
        self._pages.close()


def _pages(connector: Connector, projects: tuple[str, ...]) -> Generator[Page, None, None]:
    """Yield all pages. The connector is called when the first of them is asked for, so its errors are those of it."""
    yield from connector.pull(projects, {})
