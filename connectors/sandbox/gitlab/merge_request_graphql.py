"""Sandbox GitLab: the GraphQL fields of merge requests: their reviews, and the issues that they close."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.sandbox.gitlab.formats import Json, stamp
from connectors.sandbox.gitlab.merge_requests import system_notes
from connectors.sandbox.gitlab.project_graphql import page, seconds
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.world_data import MergeRequest, Project

__all__ = ["RESOLVERS", "SCHEMA"]

SCHEMA = """
extend type Project {
  mergeRequests(
    iids: [String!], sort: MergeRequestSort = CREATED_DESC, first: Int, after: String
  ): MergeRequestConnection
}
enum MergeRequestSort { UPDATED_DESC CREATED_DESC }
type MergeRequestConnection { nodes: [MergeRequest] pageInfo: PageInfo! count: Int! }
type MergeRequest {
  id: ID! iid: String! updatedAt: String!
  reviewers(first: Int): MergeRequestReviewerConnection
  notes(filter: NotesFilterType = ALL_NOTES, first: Int, last: Int): NoteConnection!
}
type MergeRequestReviewerConnection { nodes: [MergeRequestReviewer] }
type MergeRequestReviewer {
  id: ID! name: String! username: String! bot: Boolean! mergeRequestInteraction: UserMergeRequestInteraction
}
type UserMergeRequestInteraction { reviewState: MergeRequestReviewState }
enum MergeRequestReviewState { UNREVIEWED REVIEWED REQUESTED_CHANGES APPROVED UNAPPROVED REVIEW_STARTED }
type WorkItemWidgetDevelopment implements WorkItemWidget {
  type: String
  closingMergeRequests(after: String, first: Int): WorkItemClosingMergeRequestConnection
}
type WorkItemClosingMergeRequestConnection { nodes: [WorkItemClosingMergeRequest] pageInfo: PageInfo! }
type WorkItemClosingMergeRequest { id: ID! fromMrDescription: Boolean! mergeRequest: MergeRequest }
"""

MOST = 100
"""Rows in a page, whatever is asked for."""


def _merge_requests(
    project: Project,
    _: Any,
    sort: str,
    iids: Sequence[str] | None = None,
    first: int | None = None,
    after: str | None = None,
) -> Json:
    chosen = [change for change in project.merge_requests.values() if iids is None or str(change.number) in iids]
    if project.merge_requests_off or "merge_requests" in project.denied:
        chosen = []
    chosen.sort(key=lambda change: (change.updated if sort == "UPDATED_DESC" else change.created, change.id))
    return page(chosen[::-1], first, after, lambda change: _merge_request(project, change))


def _merge_request(project: Project, change: MergeRequest) -> Json:
    return {
        "id": f"gid://gitlab/MergeRequest/{change.id}",
        "iid": str(change.number),
        "updatedAt": seconds(stamp(change.updated)),
        "of": (project, change),
    }


def _reviewers(shown: Json, _: Any, **__: Any) -> Json:
    reviews = shown["of"][1].reviewers
    return {
        "nodes": [
            {
                "id": f"gid://gitlab/User/{review.user.id}",
                "name": review.user.name,
                "username": review.user.login,
                "bot": review.user.bot,
                "mergeRequestInteraction": {"reviewState": review.state.upper()},
            }
            for review in reviews
        ]
    }


def _notes(shown: Json, info: Any, filter: str, last: int = MOST, **__: Any) -> Json:  # noqa: A002 - GitLab's
    project, change = shown["of"]
    view: View = info.context
    notes = [] if filter == "ONLY_COMMENTS" else list(system_notes(view, change, project))
    if filter != "ONLY_ACTIVITY":
        notes += [view.note(comment, change, project) for comment in change.comments]
    notes.sort(key=lambda note: (str(note["created_at"]), note["id"]))
    return {
        "nodes": [
            {"body": note["body"], "createdAt": f"{note['created_at'][:19]}Z", "system": note["system"]}
            for note in notes[-last:]
        ]
    }


def _closing(widget: Json, info: Any, first: int = MOST, **__: Any) -> Json:
    project, issue = widget["of"]
    closing = [] if project.merge_requests_off else info.context.closing(issue, project)
    nodes = [
        {
            "id": f"gid://gitlab/MergeRequestsClosingIssues/{change.id}{issue.id}",
            "fromMrDescription": True,
            "mergeRequest": _merge_request(project, change),
        }
        for change in closing
    ]
    more = len(nodes) > min(first, MOST)
    return {"nodes": nodes[: min(first, MOST)], "pageInfo": {"hasNextPage": more, "endCursor": None}}


RESOLVERS: Mapping[tuple[str, str], Any] = {
    ("Project", "mergeRequests"): _merge_requests,
    ("MergeRequest", "reviewers"): _reviewers,
    ("MergeRequest", "notes"): _notes,
    ("WorkItemWidgetDevelopment", "closingMergeRequests"): _closing,
}
"""Resolvers by type and field."""
