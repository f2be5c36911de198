"""Sandbox Jira: Data Center under ``/rest/api/2`` or Cloud under ``/rest/api/3``, by the tracker's kind."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from connectors.sandbox.jira.attachments import Files
from connectors.sandbox.jira.hierarchy import EPIC_LINK, PARENT_LINK, configuration, types
from connectors.sandbox.jira.issues import Issues
from connectors.sandbox.jira.permissions import (
    allowed,
    create_fields,
    create_types,
    granted,
    permissions,
    tokens,
    webhooks,
)
from connectors.sandbox.jira.requests import Ask, RefusedByJiraError, names, paged, read
from connectors.sandbox.jira.search import Desk
from connectors.sandbox.jira.views import POINTS, SPRINT, START_DATE, STATUSES, Wording
from connectors.sandbox.middleware import wired
from connectors.sandbox.versions import Kind, full_version, lacks
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Project

__all__ = ["application"]

Json = dict[str, Any]
Handler = Callable[[Ask], Any]

_GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


def application(tracker: Tracker) -> ASGIApp:
    """Return the web application of a Jira (kind ``jira`` or ``jira-cloud``)."""
    jira = _Jira(tracker)
    return wired(Starlette(routes=jira.routes()), tracker, jira.authorised, jira.refuse)


class _Jira:
    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self.desk = Desk(tracker)
        self.issues, self.files = Issues(tracker, self.desk), Files(tracker, self.desk)
        self.window: datetime | None = None

    def routes(self) -> list[Route]:
        issues, desk, tracker = self.issues, self.desk, self.tracker
        both: list[tuple[str, str, Handler]] = [
            ("GET", "serverInfo", self.server_info),
            ("GET", "myself", self.myself),
            ("GET", "mypermissions", self.permissions),
            ("GET", "user/permission/search", self.allowed),
            ("GET", "issue/createmeta/{project}/issuetypes", lambda ask: create_types(tracker, self._project(ask))),
            (
                "GET",
                "issue/createmeta/{project}/issuetypes/{type}",
                lambda ask: create_fields(tracker, self._project(ask), ask.path["type"]),
            ),
            ("GET", "field", self.fields),
            ("GET", "status", self.statuses),
            ("GET", "issuetype", lambda _: types(tracker)),
            ("GET", "configuration", lambda _: configuration(tracker)),
            ("GET", "project", self.projects),
            ("GET", "project/{project}", self.project),
            ("GET", "project/{project}/versions", self.versions),
            ("GET", "project/{project}/version", self.version_page),
            ("GET", "version/{version}", self.version),
            ("PUT", "version/{version}", self.update_version),
            ("GET", "version/{version}/relatedIssueCounts", self.related_counts),
            ("GET", "version/{version}/unresolvedIssueCount", self.unresolved_count),
            ("POST", "issue", issues.create),
            ("GET", "issue/{issue}", issues.show),
            ("PUT", "issue/{issue}", issues.update),
            ("DELETE", "issue/{issue}", issues.delete),
            ("GET", "issue/{issue}/transitions", issues.transitions),
            ("POST", "issue/{issue}/transitions", issues.transit),
            ("GET", "issue/{issue}/properties/{property}", issues.get_property),
            ("PUT", "issue/{issue}/properties/{property}", issues.put_property),
            ("DELETE", "issue/{issue}/properties/{property}", issues.delete_property),
            ("POST", "issue/{issue}/attachments", self.files.attach),
            ("GET", "attachment/meta", self.files.meta),
            ("DELETE", "attachment/{attachment}", self.files.detach),
            ("GET", "issue/{issue}/comment", issues.list_comments),
            ("POST", "issue/{issue}/comment", issues.add_comment),
            ("GET", "issue/{issue}/comment/{comment}", issues.show_comment),
            ("PUT", "issue/{issue}/comment/{comment}", issues.edit_comment),
            ("DELETE", "issue/{issue}/comment/{comment}", issues.delete_comment),
            ("GET", "comment/{comment}/properties/{property}", issues.get_comment_property),
            ("PUT", "comment/{comment}/properties/{property}", issues.put_comment_property),
        ]
        if self.tracker.kind == "jira-cloud":
            both += [
                ("GET", "search", self.removed),
                ("POST", "search", self.removed),
                ("GET", "search/jql", lambda ask: desk.by_token(ask.listed())),
                ("POST", "search/jql", lambda ask: desk.by_token(ask.body)),
                ("POST", "search/approximate-count", lambda ask: desk.count(ask.body)),
                ("POST", "issue/bulkfetch", lambda ask: desk.bulk(ask.body)),
                ("POST", "comment/list", issues.comments_by_id),
                ("POST", "permissions/check", self.check_permissions),
                ("POST", "changelog/bulkfetch", lambda ask: desk.bulk_changelogs(ask.body)),
                ("GET", "issue/{issue}/changelog", issues.changelog),
                ("GET", "project/search", self.project_page),
                ("GET", "label", self.labels),
                ("GET", "user/bulk", self.users),
            ]
            prefixes = ("/rest/api/3", "/rest/api/latest")
            site = [Route("/_edge/tenant_info", self._answering(self.tenant_info), methods=["GET"])]
        else:
            both += [
                ("GET", "search", lambda ask: desk.by_offset(ask.listed())),
                ("POST", "search", lambda ask: desk.by_offset(ask.body)),
                ("GET", "version", self.versions_of_projects),
            ]
            prefixes, site = ("/rest/api/2", "/rest/api/latest"), []
        both.sort(key=lambda route: "{" in route[1])
        return [
            *site,
            Route("/rest/api/2/serverInfo", self._answering(self.server_info), methods=["GET"]),
            Route("/rest/pat/latest/tokens", self._answering(lambda _: tokens(tracker)), methods=["GET"]),
            Route("/rest/agile/1.0/board", self._answering(self.boards), methods=["GET"]),
            Route("/rest/agile/1.0/board/{board}/sprint", self._answering(self.sprints), methods=["GET"]),
            Route("/rest/webhooks/1.0/webhook", self._answering(lambda _: webhooks(tracker)), methods=["GET"]),
            *(
                Route(f"{prefix}/{path}", self._answering(handler), methods=[method])
                for prefix in prefixes
                for method, path, handler in both
            ),
        ]

    # --- the wire -------------------------------------------------------------------------------------------------

    def _answering(self, handler: Handler) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            raw = await request.body()
            with self.tracker.lock:
                if not self._within_limit():
                    message = {"errorMessages": ["Rate limit exceeded."], "errors": {}}
                    return self._json(429, message, {"Retry-After": "30", **self._reason()})
                try:
                    made = handler(read(request, raw))
                except RefusedByJiraError as refusal:
                    return self._json(refusal.status, refusal.body)
                status, body = made if isinstance(made, tuple) else (200, made)
                return self._json(status, body)

        return answer

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> Response:
        content = b"" if body is None else msgspec.json.encode(body)
        answer = Response(content, status, headers={**self._limits(), **(headers or {})})
        if body is not None:
            answer.headers["content-type"] = "application/json;charset=UTF-8"
        return answer

    def _within_limit(self) -> bool:
        now = self.tracker.world.clock()
        self.window = self.window or now
        if now - self.window >= timedelta(hours=1):
            self.window, self.tracker.used = now, 0
        self.tracker.used += 1
        return self.tracker.used <= self.tracker.limit

    def _limits(self) -> dict[str, str]:
        left = str(max(0, self.tracker.limit - self.tracker.used))
        shown = {"X-RateLimit-Limit": str(self.tracker.limit), "X-RateLimit-Remaining": left}
        if self.tracker.kind == "jira-cloud":
            reset = (self.window or self.tracker.world.clock()) + timedelta(hours=1)
            return shown | {"X-RateLimit-Reset": reset.strftime("%Y-%m-%dT%H:%MZ")}
        return shown | {"X-RateLimit-FillRate": str(self.tracker.limit), "X-RateLimit-Interval-Seconds": "3600"}

    def _reason(self) -> dict[str, str]:
        return {"RateLimit-Reason": "jira-quota-tenant-based"} if self.tracker.kind == "jira-cloud" else {}

    def authorised(self, request: Request) -> bool:
        """Check a bearer token (PAT, OAuth) or basic with the token as password (Cloud's e-mail and API token)."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return value == self.tracker.token
        if scheme.lower() != "basic" or lacks(self.tracker, Kind.RULE, "basic authentication"):
            return False
        try:
            _, _, password = base64.b64decode(value).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return password == self.tracker.token

    def refuse(self, request: Request) -> Response:
        """Return Jira's 401, or its 403 for basic authentication that is switched off."""
        scheme = request.headers.get("authorization", "").partition(" ")[0]
        if scheme.lower() == "basic" and lacks(self.tracker, Kind.RULE, "basic authentication"):
            return self._json(403, {"message": "Basic Authentication has been disabled on this instance."})
        body = {"message": "Client must be authenticated to access this resource.", "status-code": 401}
        return self._json(401, body, {"WWW-Authenticate": 'OAuth realm="sandbox"'})

    def removed(self, _: Ask) -> Any:
        """Answer as the search that Cloud removed."""
        return 410, {"errorMessages": [_GONE], "errors": {}}

    # --- the site -------------------------------------------------------------------------------------------------

    def tenant_info(self, _: Ask) -> Json:
        """Return the id of the Cloud site. The real one answers without a token."""
        return {"cloudId": str(uuid.uuid5(uuid.NAMESPACE_URL, "milesync sandbox"))}

    def server_info(self, _: Ask) -> Json:
        """Return the deployment type and version."""
        cloud = self.tracker.kind == "jira-cloud"
        return {
            "baseUrl": self.tracker.url,
            "version": "1001.0.0-SNAPSHOT" if cloud else full_version(self.tracker),
            "versionNumbers": [1001, 0, 0] if cloud else [int(n) for n in full_version(self.tracker).split(".")],
            "deploymentType": "Cloud" if cloud else "Server",
            "buildNumber": 100200,
            "serverTime": Wording(self.tracker).time(self.tracker.world.clock()),
            "serverTitle": "Sandbox",
        }

    def myself(self, _: Ask) -> Json:
        """The account of the token, with its time zone."""
        return Wording(self.tracker).user(self.tracker.bot) | {"timeZone": self.tracker.time_zone, "locale": "en_US"}

    def fields(self, _: Ask) -> list[Json]:
        """Return the fields, custom ones with their type."""
        wording = Wording(self.tracker)
        custom = {POINTS[False]: "Story Points", POINTS[True]: "Story point estimate", EPIC_LINK: "Epic Link"}
        custom |= {SPRINT: "Sprint", PARENT_LINK: "Parent Link", START_DATE: wording.start_name}
        kinds = {
            POINTS[False]: ("number", "com.atlassian.jira.plugin.system.customfieldtypes:float"),
            POINTS[True]: ("number", "com.pyxis.greenhopper.jira:jsw-story-points"),
            EPIC_LINK: ("any", "com.pyxis.greenhopper.jira:gh-epic-link"),
            SPRINT: ("array", "com.pyxis.greenhopper.jira:gh-sprint"),
            PARENT_LINK: ("any", "com.atlassian.jpo:jpo-custom-field-parent"),
            START_DATE: ("date", wording.start_kind),
        }
        shown = []
        for name in wording.fields:
            field: Json = {"id": name, "name": custom.get(name, name), "custom": name in custom, "navigable": True}
            if wording.cloud:
                field["key"] = name
            if name in kinds:
                number = int(name.removeprefix("customfield_"))
                field["schema"] = {"type": kinds[name][0], "custom": kinds[name][1], "customId": number}
            shown.append(field)
        return shown

    def statuses(self, _: Ask) -> list[Json]:
        """Every status with its category."""
        wording = Wording(self.tracker)
        return [wording.status(name) for name in dict.fromkeys([*STATUSES, *self.tracker.statuses])]

    def labels(self, ask: Ask) -> Json:
        """Every label in use, by pages."""
        names = sorted({n for p in self._seen() for i in p.issues.values() for n in i.labels})
        return paged(ask, names, 1000)

    # --- projects and versions ------------------------------------------------------------------------------------

    def _seen(self) -> list[Project]:
        return [project for project in self.tracker.projects.values() if not project.hidden]

    def _project(self, ask: Ask) -> Project:
        word = ask.path["project"]
        word = self.tracker.moved.get(word, word)
        for project in self._seen():
            if word.upper() == project.key.upper() or word == str(project.id):
                return project
        raise RefusedByJiraError(404, f"No project could be found with key '{word}'.")

    def check_permissions(self, ask: Ask) -> Json:
        """Return the projects in which the account has some permissions. Cloud only."""
        return granted(ask, self._seen())

    def permissions(self, ask: Ask) -> Json:
        """Return the account's permissions in a project; without one, those that it has in any project."""
        if not {"projectKey", "projectId", "issueKey", "issueId"} & set(ask.query):
            return permissions(ask, self._seen(), cloud=self.tracker.kind == "jira-cloud")
        named = Ask(ask.method, {"project": ask.query.get("projectKey", "")}, ask.query, {})
        return permissions(ask, [self._project(named)], cloud=self.tracker.kind == "jira-cloud")

    def allowed(self, ask: Ask) -> list[Json]:
        """Return the users with a permission on an issue."""
        key = ask.query.get("issueKey", "")
        named = Ask(ask.method, {"project": key.rpartition("-")[0]}, ask.query, {})
        return [Wording(self.tracker).user(user) for user in allowed(ask, self.tracker, self._project(named))]

    def projects(self, ask: Ask) -> list[Json]:
        """Return every visible project."""
        wording = Wording(self.tracker)
        with_lead = "lead" in names(ask.query.get("expand"))
        return [wording.project(project, with_lead=with_lead) for project in self._seen()]

    def project_page(self, ask: Ask) -> Json:
        """Return projects by pages, optionally of some keys."""
        keys = {key.upper() for key in ask.query.getlist("keys")}
        if len(keys) > 50:
            raise RefusedByJiraError(400, "At most 50 keys are allowed.")
        wording = Wording(self.tracker)
        shown = sorted((p for p in self._seen() if not keys or p.key.upper() in keys), key=lambda p: p.key)
        with_lead = "lead" in names(ask.query.get("expand"))
        return paged(ask, [wording.project(project, with_lead=with_lead) for project in shown], 50)

    def project(self, ask: Ask) -> Json:
        """One project with its versions."""
        project, wording = self._project(ask), Wording(self.tracker)
        versions = [wording.version(project, version) for version in project.milestones.values()]
        return wording.project(project, with_lead=True) | {"versions": versions}

    def versions(self, ask: Ask) -> list[Json]:
        """Every version of a project."""
        project, wording = self._project(ask), Wording(self.tracker)
        return [wording.version(project, version) for version in project.milestones.values()]

    def versions_of_projects(self, ask: Ask) -> Json:
        """Versions of some projects, or of all visible ones, by pages. Data Center only."""
        asked, wording = ask.query.getlist("projectIds"), Wording(self.tracker)
        if not all(word.isdigit() for word in asked):
            raise RefusedByJiraError(404, "HTTP 404 Not Found")
        shown = [
            (project, version)
            for project in self._seen()
            if not asked or str(project.id) in asked
            for version in project.milestones.values()
            if not (version.archived and self.tracker.leaves_out_archived)
        ]
        return paged(ask, [wording.version(*pair) for pair in shown], 1000, usual=100)

    def version_page(self, ask: Ask) -> Json:
        """Versions by pages; with their drivers on Cloud, if asked for."""
        project, wording = self._project(ask), Wording(self.tracker)
        with_driver = wording.cloud and "driver" in names(ask.query.get("expand"))
        asked = ask.query.get("status", "")
        shown = [version for version in project.milestones.values() if asked != "unreleased" or not version.released]
        return paged(ask, [wording.version(project, version, with_driver=with_driver) for version in shown], 50)

    def users(self, ask: Ask) -> Json:
        """Return users by account id, by pages."""
        asked, wording = ask.query.getlist("accountId"), Wording(self.tracker)
        shown = [wording.user(user) for user in self.tracker.users.values()]
        return paged(ask, [user for user in shown if user["accountId"] in asked], 200)

    def boards(self, ask: Ask) -> Json:
        """Return the boards of a project: a Kanban board, and one with the project's sprints."""
        named = Ask(ask.method, {"project": ask.query.get("projectKeyOrId", "")}, ask.query, {})
        project = self._project(named)
        shown = [(project.id + 1_000_000, "kanban"), (project.id, "scrum"), *project.boards.items()]
        return paged(ask, [{"id": n, "name": f"{project.key} {kind}", "type": kind} for n, kind in shown], 50)

    def sprints(self, ask: Ask) -> Json:
        """The sprints of a board."""
        number = int(ask.path["board"])
        project = next((p for p in self._seen() if number == p.id or number in p.boards), None)
        if project is None:
            raise RefusedByJiraError(400, "The board does not support sprints")
        wording = Wording(self.tracker)
        return paged(ask, [wording.sprint(project, milestone) for milestone in project.sprints.values()], 50)

    def _version(self, ask: Ask) -> tuple[Project, Any]:
        word = ask.path["version"]
        for project in self._seen():
            if word.isdigit() and int(word) in project.milestones:
                return project, project.milestones[int(word)]
        raise RefusedByJiraError(404, f"Could not find version for id '{word}'")

    def version(self, ask: Ask) -> Json:
        """One version."""
        return Wording(self.tracker).version(*self._version(ask))

    def update_version(self, ask: Ask) -> Json:
        """Change a version's description, the only field that a client may write here."""
        project, version = self._version(ask)
        if project.read_only:
            raise RefusedByJiraError(403, "You must have project administration rights to edit a version.")
        if not isinstance(ask.body.get("description", ""), str):
            raise RefusedByJiraError(400, "Invalid request payload.")
        version.description = ask.body.get("description", version.description)
        version.updated = self.tracker.world.clock()
        return Wording(self.tracker).version(project, version)

    def related_counts(self, ask: Ask) -> Json:
        """Return the number of issues of a version."""
        project, version = self._version(ask)
        n = sum(version.id in issue.milestones for issue in project.issues.values())
        return {
            "self": Wording(self.tracker).address(f"version/{version.id}"),
            "issuesFixedCount": n,
            "issuesAffectedCount": 0,
            "issueCountWithCustomFieldsShowingVersion": 0,
            "customFieldUsage": [],
        }

    def unresolved_count(self, ask: Ask) -> Json:
        """Return the number of unresolved issues of a version."""
        project, version = self._version(ask)
        mine = [issue for issue in project.issues.values() if version.id in issue.milestones]
        return {
            "self": Wording(self.tracker).address(f"version/{version.id}"),
            "issuesUnresolvedCount": sum(issue.closed is None for issue in mine),
            "issuesCount": len(mine),
        }
