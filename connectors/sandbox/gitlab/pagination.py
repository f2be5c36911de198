"""GitLab's lists: filters of issues, offset pages, and keyset pages where it has them."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.world_data import Issue, MergeRequest, Project

__all__ = [
    "BadRequestError",
    "ForbiddenError",
    "MissingError",
    "NotAllowedError",
    "issues_wanted",
    "merge_requests_wanted",
    "paged",
]

Row = TypeVar("Row")
Item = TypeVar("Item", bound=Issue)
Check = Callable[[Project, Issue], bool]

TOTALS_UP_TO = 10_000
"""Rows beyond which GitLab no longer counts: no ``x-total``, no ``x-total-pages``, no ``rel="last"``."""
OFFSET_UP_TO = 50_000
"""The deepest row that page numbers reach where keyset pages exist."""
_KEYSET = ("created_at", "updated_at", "title", "id")
_ORDERS: dict[str, Callable[[Issue], Any]] = {
    "created_at": attrgetter("created"),
    "updated_at": attrgetter("updated"),
    "title": attrgetter("title"),
    "id": attrgetter("id"),
}


class BadRequestError(Exception):
    """400 with GitLab's ``error``."""


class MissingError(Exception):
    """404 that names the missing object."""


class ForbiddenError(Exception):
    """403."""


class NotAllowedError(Exception):
    """405 with GitLab's ``error``."""


def _time(query: QueryParams, name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadRequestError(f"{name} is invalid") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _one_of(query: QueryParams, name: str, *values: str) -> str:
    chosen = query.get(name, values[0])
    if chosen not in values:
        raise BadRequestError(f"{name} does not have a valid value")
    return chosen


def issues_wanted(projects: Sequence[Project], query: QueryParams, me: int) -> list[tuple[Project, Issue]]:
    """Return the issues of a list's query, in its order. ``me`` is the user of ``scope``."""
    state = _one_of(query, "state", "all", "opened", "closed")
    rows = [(project, issue) for project in projects for issue in project.issues.values() if not issue.pull]
    if state != "all":
        rows = [row for row in rows if (row[1].closed is None) is (state == "opened")]
    return _wanted(rows, query, me)


def merge_requests_wanted(
    projects: Sequence[Project], query: QueryParams, me: int
) -> list[tuple[Project, MergeRequest]]:
    """Return the merge requests of a list's query, in its order. ``me`` is the user of ``scope``."""
    state = _one_of(query, "state", "all", "opened", "closed", "merged", "locked")
    rows = [(project, change) for project in projects for change in project.merge_requests.values()]
    return _wanted([row for row in rows if state in ("all", row[1].state)], query, me)


def _wanted(rows: Sequence[tuple[Project, Item]], query: QueryParams, me: int) -> list[tuple[Project, Item]]:
    order = _ORDERS[_one_of(query, "order_by", *_ORDERS)]
    down = _one_of(query, "sort", "desc", "asc") == "desc"
    checks = list(_checks(query, me))
    chosen = [row for row in rows if all(check(*row) for check in checks)]
    return sorted(chosen, key=lambda row: order(row[1]), reverse=down)


def _checks(query: QueryParams, me: int) -> Iterator[Check]:
    """Return a check for each condition of the query, except its state."""
    if _one_of(query, "scope", "created_by_me", "all", "assigned_to_me") != "all":
        yield lambda _, issue: issue.author.id == me
    updated, created = _time(query, "updated_after"), _time(query, "created_after")
    if updated is not None:
        yield lambda _, issue: issue.updated >= updated
    if created is not None:
        yield lambda _, issue: issue.created >= created
    numbers = {int(text) for text in query.getlist("iids[]") if text.isdigit()}
    if numbers:
        yield lambda _, issue: issue.number in numbers
    labels = [name for name in query.get("labels", "").split(",") if name]
    if labels:
        yield lambda _, issue: all(name in issue.labels for name in labels)
    epic = query.get("epic_id")
    if epic is not None:
        yield lambda _, issue: str(issue.epic) == epic or (issue.epic is not None and epic == "Any")
    title = query.get("milestone")
    if title in ("None", "Any"):
        yield lambda _, issue: bool(issue.milestones) is (title == "Any")
    elif title is not None:
        yield lambda project, issue: any(
            project.milestones[m].title == title for m in issue.milestones if m in project.milestones
        )


def paged(request: Request, rows: Sequence[Row], show: Callable[[Row], Any], *, keyset: bool = False) -> Response:
    """Return one page of a list, with GitLab's headers. Raises `NotAllowedError` for an unsupported kind of paging."""
    query = request.query_params
    try:
        page, per_page = max(1, int(query.get("page", "1"))), min(100, max(1, int(query.get("per_page", "20"))))
    except ValueError:
        raise BadRequestError("page is invalid") from None
    if query.get("pagination") == "keyset":
        if not keyset or query.get("order_by", "created_at") not in _KEYSET:
            raise NotAllowedError("Keyset pagination is not yet available for this type of request")
        return _by_key(request, rows, show, per_page)
    if keyset and (page - 1) * per_page >= OFFSET_UP_TO:
        raise NotAllowedError(
            f"Offset pagination has a maximum allowed offset of {OFFSET_UP_TO} for requests that return objects of "
            "type Issue. Remaining records can be retrieved using keyset pagination."
        )
    chosen = rows[(page - 1) * per_page : page * per_page]
    more = page * per_page < len(rows)
    headers = {
        "x-page": str(page),
        "x-per-page": str(per_page),
        "x-next-page": str(page + 1) if more else "",
        "x-prev-page": str(page - 1) if page > 1 else "",
    }
    links = {"first": 1}
    if page > 1:
        links["prev"] = page - 1
    if more:
        links["next"] = page + 1
    if len(rows) <= TOTALS_UP_TO:
        links["last"] = max(1, math.ceil(len(rows) / per_page))
        headers["x-total"], headers["x-total-pages"] = str(len(rows)), str(links["last"])
    headers["link"] = ", ".join(
        f'<{_again(request, page=str(n), per_page=str(per_page))}>; rel="{rel}"' for rel, n in links.items()
    )
    return _answer(chosen, show, headers)


def _by_key(request: Request, rows: Sequence[Row], show: Callable[[Row], Any], per_page: int) -> Response:
    """Return a page by keyset. The cursor is the number of earlier rows, which is enough without changes between two
    pages.
    """
    start = int(base64.urlsafe_b64decode(request.query_params.get("cursor", "MA==")))
    headers = {"x-per-page": str(per_page)}
    if start + per_page < len(rows):
        cursor = base64.urlsafe_b64encode(str(start + per_page).encode()).decode()
        headers["link"] = f'<{_again(request, cursor=cursor)}>; rel="next"'
    return _answer(rows[start : start + per_page], show, headers)


def _again(request: Request, **changed: str) -> str:
    """Return the URL of this list with another page. Python encodes the path as GitLab does."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name not in changed]
    base = f"{request.url.scheme}://{request.url.netloc}{request.scope['raw_path'].decode().partition('?')[0]}"
    return f"{base}?{urlencode([*kept, *changed.items()])}"


def _answer(rows: Sequence[Row], show: Callable[[Row], Any], headers: dict[str, str]) -> Response:
    body = msgspec.json.encode([show(row) for row in rows])
    return Response(body, media_type="application/json", headers=headers)
