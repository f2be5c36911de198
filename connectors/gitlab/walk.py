"""Walking a long list of issues: several pages at once, in an order that no edit changes.

Rows come in the order of their creation, in windows of 10,000 that each begin at the creation of the last row read.
So page numbers never go deep (GitLab ends them at 50,000), totals may be missing (beyond 10,000), keyset pages are not
needed (they are serial, and groups have none), edits move no row, and a walk that was killed goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from connectors.gitlab import wire
from connectors.gitlab.session import PER_PAGE, Session
from connectors.http import Response, decode
from sync.connector import MalformedError
from sync.model import Project

__all__ = ["EVERY", "counted_pages", "text_of", "walk"]

EVERY = {"state": "all", "scope": "all"}
WINDOW = 100
"""Pages in a window: the 10,000 rows up to which GitLab counts."""
BATCH = 3
"""Pages read at once per thread: enough to keep all busy, few enough to store often."""
MOST_ANEW = 3


def text_of(at: datetime) -> str:
    """A time as GitLab reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def counted_pages(answer: Response) -> int | None:
    """How many pages the list has, if GitLab says so."""
    counted = answer.headers.get("x-total-pages", "")
    return int(counted) if counted.isdigit() else None


def walk(
    session: Session, project: Project, since: datetime | None, created: datetime | None, pages: int | None
) -> Iterator[list[wire.Issue]]:
    """Batches of issues updated at or after ``since`` and created at or after ``created``, each issue once.

    ``pages`` is how many there are, if known. A total that fell means that an issue was deleted and others moved up:
    that batch begins anew at its border. Raises `MalformedError` when the list goes round in circles.
    """
    asked: dict[str, Any] = {"order_by": "created_at", "sort": "asc", "per_page": PER_PAGE, **EVERY}
    if since is not None:
        asked["updated_after"] = text_of(since)
    seen: set[int] = set()
    border, page, total, anew = created, 1, 0, 0
    while pages is None or page <= pages:
        if page > WINDOW:
            created, pages, page, total = border, None, 1, 0
        if created is not None:
            asked["created_after"] = text_of(created)
        numbers = range(page, min(page + BATCH * session.concurrency, WINDOW + 1, 1 + (pages or WINDOW)))
        answers = session.each(lambda n: _page(session, project, n, asked), numbers)
        read = [decode(a, list[wire.Issue], session.name, project.key) for a in answers]
        totals = [int(a.headers["x-total"]) for a in answers if a.headers.get("x-total", "").isdigit()]
        if totals and min(totals) < max(total, *totals) and anew < MOST_ANEW:
            created, pages, page, total, anew = border, None, 1, 0, anew + 1
            continue
        fresh = list({i.id: i for rows in read for i in rows if i.id not in seen}.values())
        seen |= {issue.id for issue in fresh}
        if fresh:
            yield fresh
        if len(read[-1]) < PER_PAGE:
            return
        if not fresh:
            raise MalformedError(session.name, project.key, "its pages repeat")
        border, page, total = read[-1][-1].created_at, numbers[-1] + 1, max(totals, default=0)
        pages = counted_pages(answers[-1])


def _page(session: Session, project: Project, number: int, asked: dict[str, Any]) -> Response:
    return session.get(f"/projects/{project.id}/issues", project.key, page=number, **asked)
