"""Sandbox GitLab: the GraphQL fields of lists of projects: their milestones, newest issues and merge requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphql import GraphQLError

from connectors.sandbox.gitlab.formats import Json
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.world_data import Issue, MergeRequest, Project

__all__ = ["RESOLVERS", "SCHEMA", "page", "seconds"]

SCHEMA = """
extend type Query { projects(ids: [ID!], fullPaths: [String!], first: Int, after: String): ProjectConnection }
type ProjectConnection { nodes: [Project] pageInfo: PageInfo! count: Int! }
extend type Project {
  fullPath: ID! name: String! webUrl: String visibility: String
  issuesAccessLevel: ProjectFeatureAccess mergeRequestsAccessLevel: ProjectFeatureAccess
  milestones(includeAncestors: Boolean, sort: MilestoneSort, first: Int, after: String): MilestoneConnection
  issues(iids: [String!], sort: IssueSort = CREATED_DESC, first: Int, after: String): IssueConnection
}
type ProjectFeatureAccess { integerValue: Int stringValue: ProjectFeatureAccessLevel }
enum ProjectFeatureAccessLevel { DISABLED PRIVATE ENABLED }
enum MilestoneSort { UPDATED_DESC DUE_DATE_ASC }
type MilestoneConnection { nodes: [Milestone] pageInfo: PageInfo! }
type Milestone { id: ID! iid: ID! title: String! webPath: String! createdAt: String! updatedAt: String! }
enum IssueSort { UPDATED_DESC CREATED_DESC }
type IssueConnection { nodes: [Issue] pageInfo: PageInfo! count: Int! }
type Issue { id: ID! iid: String! updatedAt: String! }
"""
"""Fields of every edition. There is no state of a milestone among them, as nothing reads it."""

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
    first: int | None = None,
    after: str | None = None,
) -> Json | None:
    """Return the issues; nothing where they are turned off."""
    if project.issues_off:
        return None
    chosen = [issue for issue in project.issues.values() if not issue.pull]
    if iids is not None:
        chosen = [issue for issue in chosen if str(issue.number) in iids]
    chosen.sort(key=_order(sort), reverse=True)
    return page(chosen, first, after, lambda issue: shown_issue(info.context, issue, project))


def _order(sort: str) -> Callable[[Issue], Any]:
    if sort == "UPDATED_DESC":
        return lambda issue: (issue.updated, issue.id)
    return lambda issue: issue.id


def shown_issue(view: View, issue: Issue | MergeRequest, project: Project) -> Json:
    """Return the fields of an issue."""
    row = view.issue(issue, project, view.blocking(project))
    return {
        "id": f"gid://gitlab/Issue/{issue.id}",
        "iid": str(issue.number),
        "updatedAt": seconds(row["updated_at"]),
        "of": (project, issue),
    }


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
}
"""Resolvers by type and field."""
