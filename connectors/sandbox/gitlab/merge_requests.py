"""Sandbox GitLab: merge requests, their reviewers, notes and events."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.gitlab.formats import Json, stamp
from connectors.sandbox.gitlab.pagination import ForbiddenError, MissingError, merge_requests_wanted, paged
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.world_data import Change, MergeRequest, Project

__all__ = ["MergeRequests", "system_notes"]

Handler = Callable[[Request], Response]


class MergeRequests:
    """Handlers: each reads the world under its lock."""

    def __init__(
        self, view: View, project_of: Callable[[Request], Project], below: Callable[[Request], list[Project]]
    ) -> None:
        self.view, self._project_of, self._below = view, project_of, below

    def handlers(self) -> list[tuple[str, str, Handler]]:
        """Return the methods and paths with their handlers."""
        one = "/api/v4/projects/{id}/merge_requests/{iid}"
        return [
            ("GET", "/api/v4/groups/{id}/merge_requests", self.of_group),
            ("GET", "/api/v4/projects/{id}/merge_requests", self.of_project),
            ("GET", one, self.single),
            ("GET", f"{one}/reviewers", self.reviewers),
            ("GET", f"{one}/notes", self.notes),
            ("GET", f"{one}/closes_issues", self.closes_issues),
            ("GET", f"{one}/resource_milestone_events", self.milestone_events),
            ("GET", f"{one}/resource_state_events", self.state_events),
            ("GET", f"{one}/resource_label_events", self.label_events),
        ]

    # --- lists -----------------------------------------------------------------------------------------------------

    def of_project(self, request: Request) -> Response:
        """Return the merge requests of a project; 403 where they are switched off."""
        return self._list(request, [self._readable(request)])

    def of_group(self, request: Request) -> Response:
        """Return the merge requests of a group's projects, without those where they are switched off."""
        projects = [p for p in self._below(request) if not p.merge_requests_off and "merge_requests" not in p.denied]
        return self._list(request, projects)

    def _list(self, request: Request, projects: list[Project]) -> Response:
        found = merge_requests_wanted(projects, request.query_params, self.view.tracker.bot.id)
        return paged(request, found, lambda row: self._shown(row[1], row[0]))

    # --- one merge request -----------------------------------------------------------------------------------------

    def single(self, request: Request) -> Response:
        """Return a merge request."""
        project, change = self._found(request)
        return _json(self._shown(change, project))

    def reviewers(self, request: Request) -> Response:
        """Return the reviewers with their states; the times are those of the first requests."""
        _, change = self._found(request)
        return _json(
            [
                {"user": self.view.user(review.user), "state": review.state, "created_at": stamp(review.created)}
                for review in change.reviewers
            ]
        )

    def notes(self, request: Request) -> Response:
        """Return the notes, comments and system notes, the newest first."""
        project, change = self._found(request)
        found = list(system_notes(self.view, change, project))
        if request.query_params.get("activity_filter") != "only_activity":
            found += [self.view.note(comment, change, project) for comment in change.comments]
        down = request.query_params.get("sort", "desc") == "desc"
        found.sort(key=lambda note: (note["created_at"], note["id"]), reverse=down)
        return paged(request, found, lambda note: note)

    def closes_issues(self, request: Request) -> Response:
        """Return the issues that the merge request closes."""
        project, change = self._found(request)
        closed = [project.issues[number] for number in change.closing if number in project.issues]
        return paged(request, closed, lambda issue: self.view.issue(issue, project, self.view.blocking(project)))

    def milestone_events(self, request: Request) -> Response:
        """Return its milestone events."""
        project, change = self._found(request)
        return paged(request, self.view.milestone_events(change, project), lambda event: event)

    def state_events(self, request: Request) -> Response:
        """Return its closures, merges and reopenings."""
        return paged(request, self.view.state_events(self._found(request)[1]), lambda event: event)

    def label_events(self, request: Request) -> Response:
        """Return the changes of its labels."""
        project, change = self._found(request)
        return paged(request, self.view.label_events(change, project), lambda event: event)

    # --- entities --------------------------------------------------------------------------------------------------

    def _readable(self, request: Request) -> Project:
        project = self._project_of(request)
        if project.merge_requests_off or "merge_requests" in project.denied:
            raise ForbiddenError
        return project

    def _found(self, request: Request) -> tuple[Project, MergeRequest]:
        project, number = self._readable(request), request.path_params["iid"]
        if not number.isdigit() or int(number) not in project.merge_requests:
            raise MissingError("Not found")
        return project, project.merge_requests[int(number)]

    def _shown(self, change: MergeRequest, project: Project) -> Json:
        milestone = project.milestones.get(change.milestones[0]) if change.milestones else None
        return {
            "id": change.id,
            "iid": change.number,
            "project_id": project.id,
            "title": f"Draft: {change.title}" if change.draft else change.title,
            "description": change.body or "",
            "state": change.state,
            "created_at": stamp(change.created),
            "updated_at": stamp(change.updated),
            "merged_at": stamp(change.closed) if change.merged else None,
            "closed_at": None if change.merged else stamp(change.closed),
            "target_branch": "main",
            "source_branch": f"change-{change.number}",
            "author": self.view.user(change.author),
            "assignees": [self.view.user(user) for user in change.assignees],
            "reviewers": [self.view.user(review.user) for review in change.reviewers],
            "source_project_id": project.id,
            "target_project_id": project.id,
            "labels": sorted(change.labels),
            "draft": change.draft,
            "work_in_progress": change.draft,
            "milestone": self.view.milestone(milestone, project) if milestone else None,
            "detailed_merge_status": "draft_status" if change.draft else "mergeable",
            "user_notes_count": len(change.comments),
            "web_url": f"{self.view.tracker.url}/{project.key}/-/merge_requests/{change.number}",
            "references": {
                "short": f"!{change.number}",
                "relative": f"!{change.number}",
                "full": f"{project.key}!{change.number}",
            },
            "time_stats": {"time_estimate": change.estimate or 0, "total_time_spent": change.spent or 0},
        }


def system_notes(view: View, change: MergeRequest, project: Project) -> Iterator[Json]:
    """Yield the system notes. As in GitLab, milestones and states have events and no notes."""
    for line in change.changes:
        body = _words(line)
        if body:
            yield {
                "id": line.id,
                "body": body,
                "author": view.user(line.actor),
                "created_at": stamp(line.at),
                "updated_at": stamp(line.at),
                "system": True,
                "noteable_id": change.id,
                "noteable_type": "MergeRequest",
                "noteable_iid": change.number,
                "project_id": project.id,
            }


def _words(change: Change) -> str:
    """Return the text of a system note; empty where GitLab writes none."""
    if change.field == "reviewer":
        return f"requested review from @{change.new}"
    words = {
        "convert_to_draft": "marked this merge request as **draft**",
        "ready_for_review": "marked this merge request as **ready**",
        "approved": "approved this merge request",
        "unapproved": "unapproved this merge request",
    }
    return words.get(change.new, "") if change.field == "review" else ""


def _json(body: Json | list[Json]) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
