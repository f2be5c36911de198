"""Sandbox GitLab: REST API v4 and a little GraphQL over the world, with pages, headers, quick actions, refusals.

Groups are the prefixes of the projects' paths. The sandbox sends GitLab's rate-limit headers but never refuses by
them; a fault does that.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any
from urllib.parse import unquote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from connectors.sandbox.gitlab.formats import Json, group_id
from connectors.sandbox.gitlab.graphql import answer
from connectors.sandbox.gitlab.merge_requests import MergeRequests
from connectors.sandbox.gitlab.pagination import (
    BadRequestError,
    ForbiddenError,
    MissingError,
    NotAllowedError,
    issues_wanted,
    paged,
)
from connectors.sandbox.gitlab.permissions import hook, member, token, version
from connectors.sandbox.gitlab.quick_actions import run_commands
from connectors.sandbox.gitlab.views import View
from connectors.sandbox.middleware import wired
from connectors.sandbox.versions import Kind, lacking, lacks
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Comment, Issue, Label, Milestone, Project

__all__ = ["application"]

Handler = Callable[[Request], Response]
PLANNER = 15
"""The level of a role that came late."""
WITH_GROUPS = ("include_ancestors", "include_parent_milestones")
"""Two names of one parameter."""
LONGEST_NOTE = 1_000_000


class _MovedError(Exception):
    """301 to the project's number, as GitLab answers reads of a renamed project."""


def application(tracker: Tracker) -> ASGIApp:
    """Return the web application of a GitLab."""
    desk = _Desk(tracker)
    issue = "/api/v4/projects/{id}/issues/{iid}"
    handlers: list[tuple[str, str, Handler]] = [
        ("POST", "/api/graphql", lambda request: _json(answer(desk.view, _sent(request)))),
        ("GET", "/api/v4/user", desk.me),
        ("GET", "/api/v4/version", lambda _: _json(version(tracker))),
        ("GET", "/api/v4/personal_access_tokens/self", lambda _: _json(token(tracker))),
        ("GET", "/api/v4/projects/{id}", desk.project),
        ("GET", "/api/v4/projects/{id}/hooks", desk.hooks),
        ("GET", "/api/v4/projects/{id}/members/all/{user}", desk.member),
        ("GET", "/api/v4/projects/{id}/milestones", desk.milestones),
        ("GET", "/api/v4/projects/{id}/milestones/{milestone}", desk.milestone),
        ("PUT", "/api/v4/projects/{id}/milestones/{milestone}", desk.edit_milestone),
        ("GET", "/api/v4/projects/{id}/labels", desk.labels),
        ("POST", "/api/v4/projects/{id}/labels", desk.create_label),
        ("GET", "/api/v4/projects/{id}/issues", desk.issues),
        ("POST", "/api/v4/projects/{id}/issues", desk.create_issue),
        ("GET", issue, desk.issue),
        ("PUT", issue, desk.edit_issue),
        ("GET", f"{issue}/notes", desk.notes),
        ("POST", f"{issue}/notes", desk.create_note),
        ("PUT", f"{issue}/notes/{{note}}", desk.edit_note),
        ("DELETE", f"{issue}/notes/{{note}}", desk.delete_note),
        ("GET", f"{issue}/links", desk.links),
        ("GET", f"{issue}/resource_milestone_events", desk.milestone_events),
        ("GET", f"{issue}/resource_state_events", desk.state_events),
        ("GET", f"{issue}/resource_label_events", desk.label_events),
        ("GET", f"{issue}/resource_iteration_events", desk.iteration_events),
        ("GET", "/api/v4/projects/{id}/events", desk.project_events),
        ("GET", "/api/v4/projects/{id}/iterations", desk.project_iterations),
        ("GET", "/api/v4/groups/{id}/iterations", desk.group_iterations),
        ("GET", "/api/v4/groups/{id}/epics", desk.group_epics),
        ("GET", "/api/v4/groups/{id}", desk.group),
        ("GET", "/api/v4/groups/{id}/projects", desk.group_projects),
        ("GET", "/api/v4/groups/{id}/issues", desk.group_issues),
        ("GET", "/api/v4/groups/{id}/milestones", desk.group_milestones),
        ("GET", "/api/v4/groups/{id}/milestones/{milestone}", desk.group_milestone),
        ("PUT", "/api/v4/groups/{id}/milestones/{milestone}", desk.edit_group_milestone),
        *MergeRequests(desk.view, desk.read_project, desk.read_group).handlers(),
    ]
    routes = [Route(path, _guarded(tracker, work), methods=[method]) for method, path, work in handlers]
    return wired(_Undecoded(Starlette(routes=routes)), tracker, lambda r: _token(r) == tracker.token, _unauthorised)


class _Undecoded:
    """Router by the undecoded path: ``group%2Fproject`` is one part of it, not two."""

    def __init__(self, app: ASGIApp) -> None:
        self.inner = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        raw = scope.get("raw_path") or scope["path"].encode()
        await self.inner({**scope, "path": raw.decode("ascii").partition("?")[0]}, receive, send)


def _token(request: Request) -> str:
    """Return the credentials, in each form that GitLab accepts."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return bearer
    query = request.query_params
    return (
        request.headers.get("private-token")
        or request.headers.get("job-token")
        or query.get("private_token")
        or query.get("access_token")
        or ""
    )


def _unauthorised(_: Request) -> Response:
    return _json({"message": "401 Unauthorized"}, 401)


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")


def _guarded(tracker: Tracker, work: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Wrap a handler: lock the world, refuse in GitLab's format, answer 304 if nothing changed."""

    async def handle(request: Request) -> Response:
        request.scope["sent"] = await request.body()
        with tracker.lock:
            answer = _refusing(work, request)
            tracker.used += 1
            now = tracker.world.clock()
        if answer.status_code == 200 and request.method == "GET":
            tag = f'W/"{blake2b(bytes(answer.body), digest_size=16).hexdigest()}"'
            if request.headers.get("if-none-match") == tag:
                answer = Response(status_code=304)
            answer.headers["etag"] = tag
        answer.headers["ratelimit-limit"] = str(tracker.limit)
        answer.headers["ratelimit-observed"] = str(tracker.used)
        answer.headers["ratelimit-remaining"] = str(max(0, tracker.limit - tracker.used))
        answer.headers["ratelimit-reset"] = str(int(now.timestamp()) + 60)
        return answer

    return handle


def _refusing(work: Handler, request: Request) -> Response:
    try:
        return work(request)
    except _MovedError as moved:
        query = f"?{request.url.query}" if request.url.query else ""
        base = f"{request.url.scheme}://{request.url.netloc}"
        rest = request.url.path.split("/", 5)[5:]
        there = "/".join([f"{base}/api/v4/projects/{moved}", *rest])
        return Response(status_code=301, headers={"location": there + query})
    except MissingError as missing:
        return _json({"message": f"404 {missing} Not Found"}, 404)
    except ForbiddenError:
        return _json({"message": "403 Forbidden"}, 403)
    except BadRequestError as bad:
        return _json({"error": str(bad)}, 400)
    except NotAllowedError as bad:
        return _json({"error": str(bad)}, 405)


def _sent(request: Request) -> Json:
    """Return the parameters of a write: a JSON object, or the query."""
    body = dict(request.query_params)
    if request.scope["sent"]:
        try:
            given = json.loads(request.scope["sent"])
        except ValueError:
            raise BadRequestError("the request body is not valid JSON") from None
        if not isinstance(given, dict):
            raise BadRequestError("the request body is not an object")
        body |= given
    return body


def _text(body: Json, name: str, most: int = LONGEST_NOTE, *, needed: bool = True) -> str:
    text = body.get(name, "")
    if not isinstance(text, str):
        raise BadRequestError(f"{name} is invalid")
    if needed and not text.strip():
        raise BadRequestError(f"{name} is missing" if name not in body else f"{name} is empty")
    if len(text) > most:
        raise BadRequestError(f"{name} is too long (maximum is {most} characters)")
    return text


def _names(body: Json, name: str) -> list[str]:
    """Return label names: a list, or one text with commas. A name can't have a comma."""
    value = body.get(name, [])
    parts = value if isinstance(value, list) else str(value).split(",")
    return [text.strip() for part in parts for text in str(part).split(",") if text.strip()]


class _Desk:
    """Handlers: each reads or changes the world under its lock."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker, self.view = tracker, View(tracker)

    def read_project(self, request: Request) -> Project:
        """Return the project of a request."""
        return self._project(request)

    def read_group(self, request: Request) -> list[Project]:
        """Return the projects below the group of a request."""
        return self._below(self._group(request))

    # --- finding ---------------------------------------------------------------------------------------------------

    def _project(self, request: Request, *, write: bool = False) -> Project:
        wanted = unquote(request.path_params["id"])
        if wanted in self.tracker.moved and request.method == "GET":
            raise _MovedError(self.tracker.projects[self.tracker.moved[wanted]].id)
        for project in self.tracker.projects.values():
            if (project.key == wanted or str(project.id) == wanted) and not project.hidden:
                if write and (project.read_only or project.archived):
                    raise ForbiddenError
                return project
        raise MissingError("Project")

    def _group(self, request: Request) -> str:
        wanted = unquote(request.path_params["id"])
        for project in self.tracker.projects.values():
            parts = project.key.split("/")[:-1]
            for depth in range(len(parts)):
                path = "/".join(parts[: depth + 1])
                is_shown = not project.hidden and path not in self.tracker.hidden_groups
                if wanted in (path, str(group_id(path))) and is_shown:
                    return path
        raise MissingError("Group")

    def _below(self, group: str) -> list[Project]:
        found = [p for p in self.tracker.projects.values() if p.key.startswith(f"{group}/") and not p.hidden]
        return sorted(found, key=lambda p: p.id)

    def _issue(self, request: Request, *, write: bool = False) -> tuple[Project, Issue]:
        project = self._project(request, write=write)
        text = request.path_params["iid"]
        issue = project.issues.get(int(text)) if text.isdigit() else None
        if issue is None or issue.pull:
            raise MissingError("Issue")
        return project, issue

    def _note(self, request: Request) -> tuple[Project, Issue, Comment]:
        project, issue = self._issue(request, write=True)
        for comment in issue.comments:
            if str(comment.id) == request.path_params["note"]:
                if not comment.author.bot:
                    raise ForbiddenError
                return project, issue, comment
        raise MissingError("Note")

    # --- reading ---------------------------------------------------------------------------------------------------

    def me(self, _: Request) -> Response:
        return _json(self.view.user(self.tracker.bot) | {"bot": True})

    def project(self, request: Request) -> Response:
        return _json(self.view.project(self._project(request)))

    def hooks(self, request: Request) -> Response:
        project = self._project(request)
        if not project.admin:
            raise ForbiddenError
        rows = list(enumerate(project.hooks, start=1))
        return paged(request, rows, lambda row: hook(row[0], row[1], project.id))

    def member(self, request: Request) -> Response:
        project, number = self._project(request), request.path_params["user"]
        if project.hides_roles:
            raise ForbiddenError
        user = self.tracker.users.get(int(number)) if number.isdigit() else None
        shown = member(project, user) if user else None
        if shown is None:
            raise MissingError("Not found")
        return _json(shown)

    def group(self, request: Request) -> Response:
        return _json(self.view.group(self._group(request)))

    def group_projects(self, request: Request) -> Response:
        group, deep = self._group(request), request.query_params.get("include_subgroups") == "true"
        least = int(request.query_params.get("min_access_level", "0"))
        if least == PLANNER and lacks(self.tracker, Kind.RULE, "the role Planner"):
            raise BadRequestError("min_access_level does not have a valid value")
        found = [
            p
            for p in self._below(group)
            if (deep or "/" not in p.key[len(group) + 1 :]) and self.view.access(p) >= least
        ]
        return paged(request, found, self.view.project)

    def milestones(self, request: Request) -> Response:
        project = self._project(request)
        known = set(WITH_GROUPS) - lacking("gitlab", self.tracker.version, Kind.PARAMETER)
        given = [name for name in WITH_GROUPS if name in known and name in request.query_params]
        if len(given) > 1:
            raise BadRequestError(f"{', '.join(given)} are mutually exclusive")
        all_of = any(request.query_params[name] == "true" for name in given)
        found = [m for m in project.milestones.values() if all_of or not m.group]
        found.sort(key=lambda m: m.id, reverse=True)
        return paged(request, found, lambda m: self.view.milestone(m, project))

    def group_milestones(self, request: Request) -> Response:
        group = self._group(request)
        found = {m.id: (m, p) for p in self._below(group) for m in p.milestones.values() if m.group == group}
        return paged(request, list(found.values()), lambda pair: self.view.milestone(*pair))

    def milestone(self, request: Request) -> Response:
        project = self._project(request)
        return _json(self.view.milestone(self._own(request, project), project))

    def edit_milestone(self, request: Request) -> Response:
        project = self._project(request, write=True)
        return self._described(request, self._own(request, project), project)

    def group_milestone(self, request: Request) -> Response:
        return _json(self.view.milestone(*self._of_group(request)))

    def edit_group_milestone(self, request: Request) -> Response:
        return self._described(request, *self._of_group(request))

    def _own(self, request: Request, project: Project) -> Milestone:
        """Return a project's own milestone by its id; group milestones are not included."""
        found = project.milestones.get(int(request.path_params["milestone"]))
        if found is None or found.group:
            raise MissingError("Milestone")
        return found

    def _of_group(self, request: Request) -> tuple[Milestone, Project]:
        group, number = self._group(request), int(request.path_params["milestone"])
        for project in self._below(group):
            if number in project.milestones and project.milestones[number].group == group:
                return project.milestones[number], project
        raise MissingError("Milestone")

    def _described(self, request: Request, milestone: Milestone, project: Project) -> Response:
        milestone.description = str(_sent(request).get("description", milestone.description) or "")
        milestone.updated = self.tracker.world.clock()
        return _json(self.view.milestone(milestone, project))

    def labels(self, request: Request) -> Response:
        project = self._project(request)
        return paged(request, sorted(project.labels.values(), key=lambda known: known.name), self.view.label)

    def issues(self, request: Request) -> Response:
        project = self._project(request)
        return self._issues(request, [project], keyset=True)

    def group_issues(self, request: Request) -> Response:
        return self._issues(request, self._below(self._group(request)), keyset=False)

    def _issues(self, request: Request, projects: list[Project], *, keyset: bool) -> Response:
        blocking = {project.id: self.view.blocking(project) for project in projects}
        found = issues_wanted(projects, request.query_params, self.tracker.bot.id)
        return paged(request, found, lambda row: self.view.issue(row[1], row[0], blocking[row[0].id]), keyset=keyset)

    def issue(self, request: Request) -> Response:
        project, issue = self._issue(request)
        return _json(self._shown(project, issue))

    def _shown(self, project: Project, issue: Issue) -> Json:
        return self.view.issue(issue, project, self.view.blocking(project)) | {"subscribed": False}

    def notes(self, request: Request) -> Response:
        project, issue = self._issue(request)
        found = [self.view.note(comment, issue, project) for comment in issue.comments]
        if request.query_params.get("activity_filter") != "only_comments":
            found += self.view.system_notes(issue, project)
        order = request.query_params.get("order_by", "created_at")
        down = request.query_params.get("sort", "desc") == "desc"
        found.sort(key=lambda note: (note[order], note["id"]), reverse=down)
        return paged(request, found, lambda note: note)

    def links(self, request: Request) -> Response:
        project, issue = self._issue(request)
        pairs = [(other, "is_blocked_by") for n in issue.blocked_by if (other := project.issues.get(n))]
        pairs += [(other, "blocks") for other in project.issues.values() if issue.number in other.blocked_by]
        return _json(
            [
                self._shown(project, other) | {"issue_link_id": other.id, "link_type": kind}
                for other, kind in pairs
                if self.view.planning.is_licensed
            ]
        )

    def milestone_events(self, request: Request) -> Response:
        project, issue = self._issue(request)
        return paged(request, self.view.milestone_events(issue, project), lambda event: event)

    def state_events(self, request: Request) -> Response:
        _, issue = self._issue(request)
        return paged(request, self.view.state_events(issue), lambda event: event)

    def project_events(self, request: Request) -> Response:
        action, type_ = (request.query_params.get(name, "") for name in ("action", "target_type"))
        return paged(request, self.view.project_events(self._project(request), action, type_), lambda event: event)

    def label_events(self, request: Request) -> Response:
        project, issue = self._issue(request)
        return paged(request, self.view.label_events(issue, project), lambda event: event)

    # --- iterations and epics --------------------------------------------------------------------------------------

    def iteration_events(self, request: Request) -> Response:
        _, issue = self._issue(request)
        self._licensed("Not found")
        return paged(request, self.view.planning.iteration_events(issue), lambda event: event)

    def project_iterations(self, request: Request) -> Response:
        return self._iterations(request, self._project(request).key.rpartition("/")[0])

    def group_iterations(self, request: Request) -> Response:
        return self._iterations(request, self._group(request))

    def _iterations(self, request: Request, group: str) -> Response:
        self._licensed("Not found")
        ancestors = request.query_params.get("include_ancestors") != "false"
        found = self.view.planning.iterations(group, ancestors=ancestors)
        state = request.query_params.get("state", "all")
        chosen = [i for i in found if state == "all" or self.view.planning.is_closed(i) is (state == "closed")]
        return paged(request, chosen, self.view.planning.iteration)

    def group_epics(self, request: Request) -> Response:
        group, query = self._group(request), request.query_params
        if not self.view.planning.is_licensed:
            raise ForbiddenError
        found = self.view.planning.epics(
            group,
            ancestors=query.get("include_ancestor_groups") == "true",
            descendants=query.get("include_descendant_groups") != "false",
        )
        return paged(request, found, self.view.planning.epic)

    def _licensed(self, missing: str) -> None:
        if not self.view.planning.is_licensed:
            raise MissingError(missing)

    # --- writing ---------------------------------------------------------------------------------------------------

    def create_label(self, request: Request) -> Response:
        project, body = self._project(request, write=True), _sent(request)
        name, colour = _text(body, "name", 255), _text(body, "color", 32)
        if not colour.startswith("#"):
            raise BadRequestError("color is invalid")
        if name in project.labels:
            return _json({"message": "Label already exists"}, 409)
        made = Label(self.tracker.world.next_id(), name, colour[1:], _text(body, "description", 512, needed=False))
        project.labels[name] = made
        return _json(self.view.label(made), 201)

    def create_issue(self, request: Request) -> Response:
        project, body = self._project(request, write=True), _sent(request)
        title, text = _text(body, "title", 255), _text(body, "description", needed=False)
        issue = self.tracker.issue(project, title, self.tracker.bot)
        issue.confidential = body.get("confidential") is True
        issue.body = run_commands(self.tracker, project, issue, text).text
        issue.labels = []
        if "labels" not in project.denied:  # a guest may create issues, and the labels are left out
            self._add_labels(project, issue, _names(body, "labels"))
        return _json(self._shown(project, issue), 201)

    def edit_issue(self, request: Request) -> Response:
        project, issue = self._issue(request, write=True)
        body, bot = _sent(request), self.tracker.bot
        if not body:
            raise BadRequestError("title, description, labels, add_labels ... are missing, at least one is needed")
        if "title" in body:
            issue.title = _text(body, "title", 255)
        if "description" in body:
            issue.body = run_commands(self.tracker, project, issue, _text(body, "description", needed=False)).text
        if "labels" in body:
            self.tracker.label(issue, [], list(issue.labels), bot)
        self.tracker.label(issue, [], _names(body, "remove_labels"), bot)
        self._add_labels(project, issue, _names(body, "labels") + _names(body, "add_labels"))
        if body.get("state_event") == "close" and issue.closed is None:
            self.tracker.close(issue, bot)
        elif body.get("state_event") == "reopen" and issue.closed is not None:
            self.tracker.reopen(issue, bot)
        return _json(self._shown(project, issue))

    def _add_labels(self, project: Project, issue: Issue, names: list[str]) -> None:
        """Add labels. Unknown ones are created; with a licence a scoped label replaces the other labels of its
        scope.
        """
        for name in names:
            if name not in project.labels:
                project.labels[name] = Label(self.tracker.world.next_id(), name, "6699cc")
            scope, mark, _ = name.rpartition("::")
            siblings = [x for x in issue.labels if mark and x != name and x.rpartition("::")[0] == scope]
            self.tracker.label(issue, [name], siblings if self.tracker.premium else [], self.tracker.bot)

    def create_note(self, request: Request) -> Response:
        project, issue = self._issue(request, write=True)
        body = _sent(request)
        ran = run_commands(self.tracker, project, issue, _text(body, "body"))
        if not ran.text:
            return _json({"commands_changes": ran.changes, "summary": ran.summary}, 202)
        made = self.tracker.comment(issue, self.tracker.bot, ran.text, internal=body.get("internal") is True)
        return _json(self.view.note(made, issue, project) | {"commands_changes": ran.changes}, 201)

    def edit_note(self, request: Request) -> Response:
        """Rewrite a note. A note with commands only is deleted, as on GitLab."""
        project, issue, comment = self._note(request)
        ran = run_commands(self.tracker, project, issue, _text(_sent(request), "body"))
        self.tracker.edit_comment(issue, comment, ran.text)
        if not ran.text:
            issue.comments.remove(comment)
        return _json(self.view.note(comment, issue, project) | {"commands_changes": ran.changes})

    def delete_note(self, request: Request) -> Response:
        _, issue, comment = self._note(request)
        issue.comments.remove(comment)
        return Response(status_code=204)
