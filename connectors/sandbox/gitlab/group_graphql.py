"""Sandbox GitLab: the GraphQL fields of groups: iterations with their cadences, and epics as work items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.gitlab.formats import Json, group_id
from connectors.sandbox.gitlab.planning import Planning
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.world_data import Epic, Milestone

__all__ = ["LICENSED", "RESOLVERS", "SCHEMA"]

SCHEMA = """
extend type Query { group(fullPath: ID!): Group }
type Group {
  id: ID!
  fullPath: ID!
  workItems(
    types: [IssueType!], iids: [String!], includeAncestors: Boolean = false, includeDescendants: Boolean = false
    first: Int, after: String
  ): WorkItemConnection
}
enum IssueType { ISSUE TASK EPIC }
type Namespace { id: ID! fullPath: ID! }
enum WorkItemState { OPEN CLOSED }
extend type WorkItem {
  id: ID! title: String! description: String state: WorkItemState! createdAt: String! updatedAt: String!
  closedAt: String confidential: Boolean! webUrl: String namespace: Namespace
}
type WorkItemWidgetHierarchy implements WorkItemWidget { type: String parent: WorkItem hasParent: Boolean! }
type WorkItemWidgetStartAndDueDate implements WorkItemWidget {
  type: String startDate: String dueDate: String isFixed: Boolean! rollUp: Boolean!
}
type WorkItemWidgetAssignees implements WorkItemWidget { type: String assignees(first: Int): UserCoreConnection }
type UserCoreConnection { nodes: [UserCore] }
"""
"""Fields of every edition. Without a licence there are no epics in the list."""

LICENSED = """
extend type Group {
  iterations(state: IterationState, includeAncestors: Boolean = true, first: Int, after: String): IterationConnection
}
enum IterationState { upcoming current opened closed all }
type IterationConnection { nodes: [Iteration] pageInfo: PageInfo! }
type Iteration {
  id: ID! iid: ID! title: String description: String state: IterationState! startDate: String dueDate: String
  createdAt: String! updatedAt: String! webUrl: String! iterationCadence: IterationCadence!
}
type IterationCadence { id: ID! title: String! }
"""
"""Fields that the free edition lacks."""

MOST = 100
"""Rows in a page, whatever is asked for."""


def _group(_: Any, info: Any, fullPath: str) -> Json | None:  # noqa: N803 - GitLab's name
    view: View = info.context
    is_known = any(key.startswith(f"{fullPath}/") and not p.hidden for key, p in view.tracker.projects.items())
    if not is_known or fullPath in view.tracker.hidden_groups:
        return None
    return {"id": f"gid://gitlab/Group/{group_id(fullPath)}", "fullPath": fullPath}


def _iterations(group: Json, info: Any, state: str = "all", first: int = MOST, after: str = "", **more: Any) -> Json:
    planning: Planning = info.context.planning
    found = planning.iterations(group["fullPath"], ancestors=more.get("includeAncestors") is not False)
    chosen = [i for i in found if state == "all" or planning.is_closed(i) is (state == "closed")]
    return _page([_iteration(planning, iteration) for iteration in chosen], first, after)


def _iteration(planning: Planning, iteration: Milestone) -> Json:
    row = planning.iteration(iteration)
    return {
        "id": f"gid://gitlab/Iteration/{iteration.id}",
        "iid": str(iteration.number),
        "title": row["title"],
        "description": row["description"],
        "state": ("upcoming", "current", "closed")[row["state"] - 1],
        "startDate": row["start_date"],
        "dueDate": row["due_date"],
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "webUrl": row["web_url"],
        "iterationCadence": {"id": "gid://gitlab/Iterations::Cadence/1", "title": iteration.cadence},
    }


def _epics(group: Json, info: Any, types: Sequence[str] = (), first: int = MOST, after: str = "", **more: Any) -> Json:
    planning: Planning = info.context.planning
    ancestors, descendants = bool(more.get("includeAncestors")), bool(more.get("includeDescendants"))
    found = planning.epics(group["fullPath"], ancestors=ancestors, descendants=descendants)
    numbers = more.get("iids")
    chosen = [epic for epic in found if "EPIC" in types and (numbers is None or str(epic.number) in numbers)]
    return _page([_epic(info.context, epic) for epic in chosen], first, after)


def _epic(view: View, epic: Epic) -> Json:
    row = view.planning.epic(epic)
    parent = view.planning.readable_epic(epic.parent)
    dates = {"startDate": row["start_date"], "dueDate": row["due_date"], "isFixed": epic.has_fixed_dates}
    people = [
        {"id": f"gid://gitlab/User/{user.id}", "name": user.name, "username": user.login} for user in epic.assignees
    ]
    return {
        "id": f"gid://gitlab/WorkItem/{epic.id + 500_000}",
        "iid": str(epic.number),
        "title": epic.title,
        "description": row["description"],
        "state": "CLOSED" if epic.closed else "OPEN",
        "createdAt": row["created_at"],
        "updatedAt": row["updated_at"],
        "closedAt": row["closed_at"],
        "confidential": epic.confidential,
        "webUrl": row["web_url"],
        "namespace": {"id": f"gid://gitlab/Group/{group_id(epic.group)}", "fullPath": epic.group},
        "widgets": [
            {"type_name": "WorkItemWidgetLabels", "type": "LABELS"},
            {"type_name": "WorkItemWidgetAssignees", "type": "ASSIGNEES", "assignees": {"nodes": people}},
            {"type_name": "WorkItemWidgetStartAndDueDate", "type": "START_AND_DUE_DATE", "rollUp": True} | dates,
            {"type_name": "WorkItemWidgetHierarchy", "type": "HIERARCHY", "hasParent": parent is not None}
            | {"parent": _parent(parent)},
            {"type_name": "WorkItemWidgetNotes", "type": "NOTES", "of": (None, epic)},
        ],
    }


def _parent(epic: Epic | None) -> Json | None:
    if epic is None:
        return None
    namespace = {"id": f"gid://gitlab/Group/{group_id(epic.group)}", "fullPath": epic.group}
    return {"id": f"gid://gitlab/WorkItem/{epic.id + 500_000}", "iid": str(epic.number), "namespace": namespace}


def _page(rows: Sequence[Json], first: int, after: str) -> Json:
    start, size = int(after or 0), min(first, MOST)
    end = start + size
    return {"nodes": rows[start:end], "pageInfo": {"hasNextPage": end < len(rows), "endCursor": str(end)}}


RESOLVERS: Mapping[tuple[str, str], Any] = {
    ("Query", "group"): _group,
    ("Group", "iterations"): _iterations,
    ("Group", "workItems"): _epics,
}
"""Resolvers by type and field."""
