"""Sandbox GitLab: the GraphQL fields of lists of projects: their milestones, newest issues and merge requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from graphql import GraphQLError

from connectors.sandbox.gitlab.formats import Json
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.world_data import Issue, Project

__all__ = ["LICENSED", "RESOLVERS", "SCHEMA", "page", "seconds"]

SCHEMA = """
extend type Query { projects(ids: [ID!], fullPaths: [String!], first: Int, after: String): ProjectConnection }
type ProjectConnection { nodes: [Project] pageInfo: PageInfo! count: Int! }
extend type Project {
  fullPath: ID! name: String! webUrl: String visibility: String
  issuesAccessLevel: ProjectFeatureAccess mergeRequestsAccessLevel: ProjectFeatureAccess
  milestones(includeAncestors: Boolean, sort: MilestoneSort, first: Int, after: String): MilestoneConnection
  issues(
    iids: [String!], labelName: [String], authorUsername: String
    sort: IssueSort = CREATED_DESC, first: Int, after: String
  ): IssueConnection
}
type ProjectFeatureAccess { integerValue: Int stringValue: ProjectFeatureAccessLevel }
enum ProjectFeatureAccessLevel { DISABLED PRIVATE ENABLED }
enum MilestoneSort { UPDATED_DESC DUE_DATE_ASC }
type MilestoneConnection { nodes: [Milestone] pageInfo: PageInfo! }
type Milestone { id: ID! iid: ID! title: String! webPath: String! createdAt: String! updatedAt: String! }
enum IssueSort { UPDATED_DESC CREATED_ASC CREATED_DESC }
type IssueConnection { nodes: [Issue] pageInfo: PageInfo! count: Int! }
enum IssueState { opened closed locked all }
type Issue {
  id: ID! iid: String! updatedAt: String! title: String! description: String state: IssueState! webUrl: String!
  confidential: Boolean! author: UserCore! reference(full: Boolean): String! labels(first: Int): LabelConnection
  notes(filter: NotesFilterType = ALL_NOTES, first: Int, after: String): NoteConnection!
}
type LabelConnection { nodes: [Label] pageInfo: PageInfo! }
type Label { id: ID! title: String! }
extend type Project { labels(includeAncestorGroups: Boolean, first: Int, after: String): LabelConnection }
extend type Query { currentUser: CurrentUser }
type CurrentUser { id: ID! username: String! name: String! }
extend type NoteConnection { pageInfo: PageInfo! }
extend type Note { id: ID! internal: Boolean updatedAt: String! }
"""
"""Fields of every edition. There is no state of a milestone among them, as nothing reads it."""

LICENSED = "extend type Issue { healthStatus: HealthStatus }"
"""Field that the free edition lacks."""

MOST, MOST_PATHS = 100, 50
"""Rows in a page, whatever is asked for, and paths that may be asked for at once."""


def seconds(stamp: str | None) -> str | None:
    """Return a time as GraphQL has it: without fractions of a second."""
    return stamp and f"{stamp[:19]}Z"


def page(rows: Sequence[Any], first: int | None, after: str | None, show: Callable[[Any], Any]) -> Json:
    """Return one page of a connection, with the number of all rows."""
    start = int(after or 0)
    end = start + min(MOST if first is None else first, MOST)
    return {
        "nodes": [show(row) for row in rows[start:end]],
        "pageInfo": {"hasNextPage": end < len(rows), "endCursor": str(end)},
        "count": len(rows),
    }


def _projects(
    _: Any,
    info: Any,
    ids: Sequence[str] | None = None,
    fullPaths: Sequence[str] | None = None,  # noqa: N803 - GitLab's name
    first: int | None = None,
    after: str | None = None,
) -> Json:
    """Return the projects with these ids or paths, of any case. What cannot be seen is left out, as on GitLab."""
    if fullPaths is not None and len(fullPaths) > MOST_PATHS:
        raise GraphQLError("You cannot provide more than 50 full_paths")
    view: View = info.context
    shown = [project for project in view.tracker.projects.values() if not project.hidden]
    if fullPaths is not None:
        paths = {path.lower() for path in fullPaths}
        shown = [project for project in shown if project.key.lower() in paths]
    if ids is not None:
        shown = [project for project in shown if f"gid://gitlab/Project/{project.id}" in ids]
    return page(sorted(shown, key=lambda project: -project.id), first, after, lambda project: project)


def _of_rest(field: str) -> Callable[..., Any]:
    """Return the resolver of a field that REST has, too."""
    return lambda project, info: info.context.project(project)[field]


def _access_level(field: str) -> Callable[..., Json]:
    levels = {"disabled": 0, "private": 10, "enabled": 20}

    def resolve(project: Project, info: Any) -> Json:
        word = info.context.project(project)[field]
        return {"integerValue": levels[word], "stringValue": word.upper()}

    return resolve


def _milestones(
    project: Project,
    info: Any,
    includeAncestors: bool = False,  # noqa: N803 - GitLab's name
    sort: str = "DUE_DATE_ASC",
    first: int | None = None,
    after: str | None = None,
) -> Json:
    view: View = info.context
    shown = [milestone for milestone in project.milestones.values() if includeAncestors or not milestone.group]
    if sort == "UPDATED_DESC":
        shown.sort(key=lambda milestone: (milestone.updated, milestone.id), reverse=True)
    rows = [view.milestone(milestone, project) for milestone in shown]
    return page(
        rows,
        first,
        after,
        lambda row: {
            "id": f"gid://gitlab/Milestone/{row['id']}",
            "iid": str(row["iid"]),
            "title": row["title"],
            "webPath": row["web_url"].removeprefix(view.tracker.url),
            "createdAt": seconds(row["created_at"]),
            "updatedAt": seconds(row["updated_at"]),
        },
    )


def _issues(
    project: Project,
    info: Any,
    sort: str,
    iids: Sequence[str] | None = None,
    labelName: Sequence[str] | None = None,  # noqa: N803 - GitLab's name
    authorUsername: str | None = None,  # noqa: N803 - GitLab's name
    **part: Any,
) -> Json | None:
    """Return the issues by this author with these numbers and all of these labels; nothing where issues are off."""
    if project.issues_off:
        return None
    chosen = [issue for issue in project.issues.values() if not issue.pull and {*(labelName or ())} <= {*issue.labels}]
    if iids is not None:
        chosen = [issue for issue in chosen if str(issue.number) in iids]
    if authorUsername:
        chosen = [issue for issue in chosen if issue.author.login == authorUsername]
    chosen.sort(key=lambda issue: (issue.updated if sort == "UPDATED_DESC" else issue.created, issue.id))
    view: View = info.context
    return page(
        chosen if sort == "CREATED_ASC" else chosen[::-1],
        part.get("first"),
        part.get("after"),
        partial(_issue, view, project),
    )


def _issue(view: View, project: Project, issue: Issue) -> Json:
    row = view.issue(issue, project, view.blocking(project))
    words = str(row.get("health_status") or "").split("_")
    return {
        "id": f"gid://gitlab/Issue/{issue.id}",
        "iid": str(issue.number),
        "updatedAt": seconds(row["updated_at"]),
        "title": issue.title,
        "description": row["description"],
        "state": row["state"],
        "webUrl": row["web_url"],
        "confidential": row["confidential"],
        "author": _user(row["author"]),
        "reference": row["references"]["full"],
        "healthStatus": words[0] + "".join(map(str.capitalize, words[1:])) or None,
        "of": (project, issue),
    }


def _user(row: Json) -> Json:
    return {"id": f"gid://gitlab/User/{row['id']}", "name": row["name"], "username": row["username"]}


def _issue_labels(shown: Json, _: Any, first: int | None = None) -> Json:
    return page(sorted(shown["of"][1].labels), first, None, lambda name: {"id": name, "title": name})


def _project_labels(
    project: Project,
    _: Any,
    includeAncestorGroups: bool = False,  # noqa: N803 - GitLab's name
    first: int | None = None,
    after: str | None = None,
) -> Json:
    del includeAncestorGroups  # the sandbox has no labels of groups
    return page(sorted(project.labels), first, after, lambda name: {"id": name, "title": name})


def _issue_notes(
    shown: Json,
    info: Any,
    filter: str,  # noqa: A002 - GitLab's name
    first: int | None = None,
    after: str | None = None,
) -> Json:
    """Return the notes of a thread, oldest first."""
    project, issue = shown["of"]
    view: View = info.context
    notes = [view.note(comment, issue, project) for comment in issue.comments] if filter != "ONLY_ACTIVITY" else []
    notes += view.system_notes(issue, project) if filter != "ONLY_COMMENTS" else ()
    notes.sort(key=lambda note: (note["created_at"], note["id"]))
    return page(notes, first, after, _note)


def _note(row: Json) -> Json:
    return {
        "id": f"gid://gitlab/Note/{row['id']}",
        "body": row["body"],
        "system": row["system"],
        "internal": row["confidential"],
        "createdAt": seconds(row["created_at"]),
        "updatedAt": seconds(row["updated_at"]),
        "author": _user(row["author"]),
    }


def _current_user(_: Any, info: Any) -> Json:
    view: View = info.context
    return _user(view.user(view.tracker.bot))


RESOLVERS: Mapping[tuple[str, str], Any] = {
    ("Query", "projects"): _projects,
    ("Project", "id"): lambda project, _: f"gid://gitlab/Project/{project.id}",
    ("Project", "fullPath"): lambda project, _: project.key,
    ("Project", "name"): _of_rest("name"),
    ("Project", "webUrl"): _of_rest("web_url"),
    ("Project", "visibility"): _of_rest("visibility"),
    ("Project", "issuesAccessLevel"): _access_level("issues_access_level"),
    ("Project", "mergeRequestsAccessLevel"): _access_level("merge_requests_access_level"),
    ("Project", "milestones"): _milestones,
    ("Project", "issues"): _issues,
    ("Project", "labels"): _project_labels,
    ("Issue", "reference"): lambda shown, _, full=False: shown["reference" if full else "iid"],
    ("Issue", "labels"): _issue_labels,
    ("Issue", "notes"): _issue_notes,
    ("Query", "currentUser"): _current_user,
}
"""Resolvers by type and field."""
