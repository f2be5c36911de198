"""List the projects of a group: one request for 100 projects."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec import Raw

from connectors.gitlab import api_types
from connectors.gitlab.normalize import project_of
from connectors.gitlab.session import PER_PAGE, PROJECT_ERRORS, Session, page_count
from connectors.shared.paths import path_of
from connectors.shared.responses import Response, decode, decode_row
from connectors.shared.rows import read_rows
from sync.model.tracker_data import Project, UnreadKind, UnreadRow
from sync.tracker.project_list import ListedProject

__all__ = ["list_group", "list_siblings"]


def list_group(session: Session, pattern: str) -> list[ListedProject]:
    """Return the projects of ``group`` or ``group/*``, the one with the latest activity first."""
    group = pattern.removesuffix("/*")
    rows = session.readable_rows(
        api_types.Project,
        path_of("/groups/{}/projects", group),
        pattern,
        _unread,
        include_subgroups="true",
        with_shared="false",
        archived="false",
        order_by="last_activity_at",
        sort="desc",
    )
    return [ListedProject(key=row.path_with_namespace) for row in rows.read]


def list_siblings(session: Session, keys: Iterable[str]) -> dict[str, Project]:
    """Return projects by key, read from the list of their group where several of the ``keys`` (paths) are in it.

    Left out is what no list shows, such as a project that was renamed or whose row cannot be read, and what takes as
    many requests by list as one by one.
    """
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for key in keys:
        group, _, name = key.casefold().rpartition("/")
        if group and name != "*":
            groups[group][key.casefold()] = key
    wanted = [(group, paths) for group, paths in groups.items() if len(paths) > 1]
    answers = session.caller.map_all(lambda each: _of_group(session, *each), wanted)
    return {key: project for found in answers for key, project in found.items()}


def _of_group(session: Session, group: str, keys: Mapping[str, str]) -> dict[str, Project]:
    """Return the projects of a group by key. ``keys`` has the keys by path, in lower case."""

    def page(number: int) -> Response:
        parameters = {"page": number, "per_page": PER_PAGE, "order_by": "id", "sort": "asc", "with_shared": "false"}
        return session.get(path_of("/groups/{}/projects", group), group, **parameters)

    try:
        answers = [page(1)]
        pages = page_count(answers[0]) or 1
        if pages < len(keys):
            answers += session.caller.map_all(page, range(2, pages + 1))
        rows = [row for answer in answers for row in decode(answer, list[Raw], session.name, group)]
    except PROJECT_ERRORS:
        return {}  # such as a user's projects, which are in no group
    found = read_rows(rows, lambda row: decode_row(row, api_types.Project, session.name, group), _unread).read
    return {keys[path]: project_of(row) for row in found if (path := row.path_with_namespace.casefold()) in keys}


def _unread(_: Raw, reason: str) -> UnreadRow:
    return UnreadRow(project="", kind=UnreadKind.LIST, reason=reason)
