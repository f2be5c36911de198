"""Sandbox GitLab: the GraphQL fields for the history of issues: the activity in their threads.

As in GitLab, a milestone event is a text with a reference (a project milestone by number, a group
milestone by name), and times have no fractions of a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from graphql import GraphQLError, GraphQLObjectType, GraphQLSchema, build_schema, execute_sync, parse, validate

from connectors.sandbox.gitlab import group_graphql, merge_request_graphql, project_graphql
from connectors.sandbox.gitlab.complexity import LIMIT, complexity_of
from connectors.sandbox.gitlab.formats import Json
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.versions import prune, ruby_words
from connectors.sandbox.world_data import Epic, Issue, Project

__all__ = ["answer"]

_LICENSED = "extend type WorkItemWidgetLinkedItems { blockedByCount: Int blockingCount: Int }\n"
_STATUSES = """
type WorkItemWidgetStatus implements WorkItemWidget { type: String status: WorkItemStatus }
type WorkItemStatus { id: ID! name: String category: WorkItemStatusCategoryEnum }
enum WorkItemStatusCategoryEnum { TRIAGE TO_DO IN_PROGRESS DONE CANCELED }
"""
_SCHEMA = """
type Query { project(fullPath: ID!): Project }
type Mutation { updateIssue(input: UpdateIssueInput!): UpdateIssuePayload }
input UpdateIssueInput { projectPath: ID! iid: String! healthStatus: HealthStatus }
enum HealthStatus { onTrack needsAttention atRisk }
type UpdateIssuePayload { errors: [String!]! }
type Project { id: ID! workItems(iids: [String!], first: Int, after: String): WorkItemConnection }
type WorkItemConnection { nodes: [WorkItem] pageInfo: PageInfo! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type WorkItem { iid: String! widgets: [WorkItemWidget!] }
interface WorkItemWidget { type: String }
type WorkItemWidgetNotes implements WorkItemWidget {
  type: String
  discussions(filter: NotesFilterType = ALL_NOTES, after: String, first: Int): DiscussionConnection
}
type WorkItemWidgetLabels implements WorkItemWidget { type: String }
type WorkItemWidgetLinkedItems implements WorkItemWidget { type: String }
extend type WorkItemWidgetLinkedItems { blockedByCount: Int blockingCount: Int }
enum NotesFilterType { ALL_NOTES ONLY_COMMENTS ONLY_ACTIVITY }
type DiscussionConnection { nodes: [Discussion] pageInfo: PageInfo! }
type Discussion { notes(first: Int): NoteConnection! }
type NoteConnection { nodes: [Note] }
type Note { body: String! createdAt: String! system: Boolean! author: UserCore systemNoteMetadata: SystemNoteMetadata }
type SystemNoteMetadata { action: String }
type UserCore { id: ID! name: String! username: String! }
"""
_LICENSED_MUTATION = " healthStatus: HealthStatus }"
_HEALTH = {"onTrack": "on_track", "needsAttention": "needs_attention", "atRisk": "at_risk"}
MOST = 100
"""Rows in a page, whatever is asked for."""


def answer(view: View, asked: Mapping[str, Any]) -> Json:
    """Execute a request ``{query, variables}``. Errors are part of the answer."""
    schema = _schema(premium=view.tracker.premium, version=view.tracker.version)
    try:
        document = parse(str(asked.get("query") or ""))
    except GraphQLError as problem:
        return {"errors": [{"message": problem.message}]}
    problems = validate(schema, document)
    if problems:
        return {"errors": [{"message": ruby_words(problem.message)} for problem in problems]}
    variables = dict(asked.get("variables") or {})
    score = complexity_of(schema, document, variables)
    if score > LIMIT:
        return {"errors": [{"message": f"Query has complexity of {score}, which exceeds max complexity of {LIMIT}"}]}
    result = execute_sync(schema, document, context_value=view, variable_values=variables)
    body: Json = {"data": result.data}
    if result.errors:
        body["errors"] = [{"message": problem.message} for problem in result.errors]
    return body


@lru_cache(maxsize=8)
def _schema(*, premium: bool, version: str) -> GraphQLSchema:
    """Return the schema of a version; without a licence it lacks the licensed fields."""
    free = _SCHEMA.replace(_LICENSED, "").replace(_LICENSED_MUTATION, " }")
    text = _SCHEMA + group_graphql.LICENSED + project_graphql.LICENSED + _STATUSES if premium else free
    schema = build_schema(text + group_graphql.SCHEMA + merge_request_graphql.SCHEMA + project_graphql.SCHEMA)
    resolvers: dict[tuple[str, str], Any] = {
        ("Query", "project"): _project,
        ("Mutation", "updateIssue"): _update_issue,
        ("Project", "workItems"): _items,
        ("WorkItem", "widgets"): _widgets,
        ("WorkItemWidgetNotes", "discussions"): _discussions,
        ("Discussion", "notes"): lambda note, _, **__: {"nodes": [note]},
    }
    for (type_, field), resolver in {
        **resolvers,
        **group_graphql.RESOLVERS,
        **merge_request_graphql.RESOLVERS,
        **project_graphql.RESOLVERS,
    }.items():
        found = schema.type_map[type_]
        assert isinstance(found, GraphQLObjectType)
        if field in found.fields:
            found.fields[field].resolve = resolver
    schema.type_map["WorkItemWidget"].resolve_type = lambda widget, *_: widget["type_name"]  # type: ignore[attr-defined]
    return prune(schema, "gitlab", version)


def _project(_: Any, info: Any, fullPath: str) -> Project | None:  # noqa: N803 - GitLab's name
    view: View = info.context
    moved = view.tracker.moved.get(fullPath, fullPath)
    project = view.tracker.projects.get(moved)
    return None if project is None or project.hidden else project


def _update_issue(_: Any, info: Any, input: Json) -> Json:  # noqa: A002 - GitLab's name
    """Set the health status of an issue; other fields can't be changed here."""
    view: View = info.context
    project = _project(_, info, fullPath=input["projectPath"])
    issue = project.issues.get(int(input["iid"])) if project else None
    if project is None or issue is None or project.read_only:
        raise GraphQLError("The resource that you are attempting to access does not exist or you don't have permission")
    issue.health = _HEALTH.get(str(input.get("healthStatus")), "")
    issue.updated = view.tracker.world.clock()
    return {"errors": []}


def _items(project: Project, info: Any, iids: Sequence[str] = (), first: int = MOST, **__: Any) -> Json:
    chosen = [project.issues[int(n)] for n in iids if n.isdigit() and int(n) in project.issues]
    shown = sorted((i for i in chosen if not i.pull), key=lambda i: i.id, reverse=True)
    return {
        "nodes": [_item(info.context, project, issue) for issue in shown[: min(first, MOST)]],
        "pageInfo": _end(len(shown), first),
    }


def _item(view: View, project: Project, issue: Issue) -> Json:
    open_ = [n for n in issue.blocked_by if n in project.issues and project.issues[n].closed is None]
    links = {
        "type_name": "WorkItemWidgetLinkedItems",
        "type": "LINKED_ITEMS",
        "blockedByCount": len(open_),
        "blockingCount": view.blocking(project)[issue.number],
    }
    notes = {"type_name": "WorkItemWidgetNotes", "type": "NOTES", "of": (project, issue)}
    development = {"type_name": "WorkItemWidgetDevelopment", "type": "DEVELOPMENT", "of": (project, issue)}
    return {
        "id": f"gid://gitlab/WorkItem/{issue.id}",
        "iid": str(issue.number),
        "widgets": [
            {"type_name": "WorkItemWidgetStatus", "type": "STATUS", "status": _status(view, issue)},
            {"type_name": "WorkItemWidgetLabels", "type": "LABELS"},
            links,
            notes,
            development,
        ],
    }


def _widgets(item: Json, info: Any) -> list[Json]:
    """Return the widgets of a work item that this version and edition have."""
    return [widget for widget in item["widgets"] if widget["type_name"] in info.schema.type_map]


def _status(view: View, issue: Issue) -> Json:
    """Return the status: a usual one, or one of the tracker's own (`Tracker.statuses`)."""
    usual = {"To Do": "TO_DO", "In Progress": "IN_PROGRESS", "Done": "DONE"}
    category = "CANCELED" if issue.resolution in ("moved", "duplicate") else usual.get(issue.status, "TO_DO")
    category = view.tracker.statuses.get(issue.status, category).upper()
    return {
        "id": f"gid://gitlab/WorkItems::Statuses::Custom::Status/{category}",
        "name": issue.status,
        "category": category,
    }


def _discussions(widget: Json, info: Any, filter: str, first: int = MOST, **__: Any) -> Json:  # noqa: A002 - GitLab's
    project, issue = widget["of"]
    told = sorted(_activity(info.context, project, issue), key=lambda note: str(note["createdAt"]))
    shown = [] if filter == "ONLY_COMMENTS" else told
    return {"nodes": shown[: min(first, MOST)], "pageInfo": _end(len(shown), first)}


def _end(count: int, first: int) -> Json:
    return {"hasNextPage": count > min(first, MOST), "endCursor": None}


def _activity(view: View, project: Project | None, issue: Issue | Epic) -> Iterator[Json]:
    for change, text, action in view.planning.epic_notes(issue, project):
        yield _note(view.event(change, issue), text, action)
    if isinstance(issue, Epic) or project is None:
        return
    for event in view.planning.iteration_events(issue):
        iteration = event["iteration"] and f"*iteration:{event['iteration']['id']}"
        word = "removed iteration" if event["action"] == "remove" else "changed iteration to"
        yield _note(event, f"{word} {iteration or ''}".strip(), "iteration")
    for event in view.milestone_events(issue, project):
        word = "removed milestone" if event["action"] == "remove" else "changed milestone to"
        yield _note(event, f"{word} {_reference(project, event['milestone'])}", "milestone")
    for event in view.state_events(issue):
        yield _note(event, event["state"], "closed" if event["state"] == "closed" else "opened")
    for event in view.label_events(issue, project):
        label = f"~{event['label']['id']}" if event["label"] else "1 deleted"
        yield _note(event, f"{'added' if event['action'] == 'add' else 'removed'} {label} label", "label")


def _reference(project: Project, milestone: Json | None) -> str:
    if milestone is None:
        return ""
    if "group_id" in milestone:
        group = project.milestones[milestone["id"]].group
        title = milestone["title"]
        return f'/{group}%"{title}"' if '"' not in title else f"/{group}%{milestone['iid']}"
    return f"/{project.key}%{milestone['iid']}"


def _note(event: Json, body: str, action: str) -> Json:
    user = event["user"]
    return {
        "body": body,
        "createdAt": f"{event['created_at'][:19]}Z",
        "system": True,
        "systemNoteMetadata": {"action": action},
        "author": {"id": f"gid://gitlab/User/{user['id']}", "name": user["name"], "username": user["username"]},
    }
