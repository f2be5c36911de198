"""List the projects of a group and its subgroups: one request for 100 projects."""

from __future__ import annotations

from connectors.gitlab import api_types
from connectors.gitlab.session import Session
from connectors.shared.paths import path_of
from sync.model.tracker_data import UnreadKind, UnreadRow
from sync.tracker.project_list import ListedProject

__all__ = ["list_group"]


def list_group(session: Session, pattern: str) -> list[ListedProject]:
    """Return the projects of ``group`` or ``group/*``, the one with the latest activity first."""
    group = pattern.removesuffix("/*")
    rows = session.readable_rows(
        api_types.Project,
        path_of("/groups/{}/projects", group),
        pattern,
        lambda _, reason: UnreadRow(project="", kind=UnreadKind.LIST, reason=reason),
        include_subgroups="true",
        with_shared="false",
        archived="false",
        order_by="last_activity_at",
        sort="desc",
    )
    return [ListedProject(key=row.path_with_namespace) for row in rows.read]
