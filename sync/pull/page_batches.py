"""Join small pages, so that fewer transactions and statements store the same rows.

A transaction and its statements cost as much as the rows of fifty issues. A pull that is killed reads the issues of
the waiting pages again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from sync.tracker.protocol import Page

__all__ = ["joined_pages"]

BATCH = 500
"""Issues in a joined page."""

_EMPTY = Page()


def joined_pages(pages: Iterable[Page], limit: int = BATCH) -> Iterator[Page]:
    """Yield the pages in order, consecutive pages that hold nothing but different issues joined up to ``limit`` issues.

    Storing a joined page equals storing its pages one by one. Pages that were read before an error are yielded, too.
    """
    waiting: list[Page] = []
    ids: set[str] = set()
    try:
        for page in pages:
            own = {issue.id for issue in page.issues} | page.histories.keys()
            if waiting and (len(ids) + len(own) > limit or not ids.isdisjoint(own) or not _can_wait(page)):
                yield _join(waiting)
                waiting, ids = [], set()
            if not _can_wait(page):
                yield page
                continue
            waiting.append(page)
            ids |= own
    except Exception:
        if waiting:
            yield _join(waiting)
        raise
    if waiting:
        yield _join(waiting)


def _can_wait(page: Page) -> bool:
    """Return whether a page holds nothing but issues, with their projects, histories, due dates and cursors."""
    return replace(page, projects=(), issues=(), histories={}, due_dates={}, cursors={}) == _EMPTY


def _join(pages: list[Page]) -> Page:
    if len(pages) == 1:
        return pages[0]
    return Page(
        projects=tuple({project.id: project for page in pages for project in page.projects}.values()),
        issues=tuple(issue for page in pages for issue in page.issues),
        histories={issue: events for page in pages for issue, events in page.histories.items()},
        due_dates={milestone: dates for page in pages for milestone, dates in page.due_dates.items()},
        cursors={project: text for page in pages for project, text in page.cursors.items()},
    )
