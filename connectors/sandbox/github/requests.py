"""Sandbox GitHub: parts common to all answers: request, token, limit, ETags, refusals."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from connectors.sandbox.github.rest_views import Json, View
from connectors.sandbox.versions import full_version
from connectors.sandbox.world import Tracker
from connectors.sandbox.world_data import Issue, Milestone, Project

__all__ = ["Call", "Desk", "Handler", "RefusedError", "invalid", "json_answer"]

T = TypeVar("T")
MOST_ROWS = 10_000
"""Beyond this a list cannot be paged by number."""

Handler = Callable[["Call"], Response]


class RefusedError(Exception):
    """Refusal with a status and GitHub's message."""

    def __init__(self, status: int, message: str, errors: list[Json] | None = None, location: str = "") -> None:
        self.status, self.message, self.errors, self.location = status, message, errors, location
        super().__init__(message)


class Call:
    """One request with the object of its path."""

    def __init__(self, tracker: Tracker, request: Request, body: Json) -> None:
        self.tracker, self.request, self.body = tracker, request, body
        self.path, self.query = request.path_params, request.query_params
        self.view = View(tracker, tracker.url + request.scope.get("root_path", ""))

    @property
    def project(self) -> Project:
        """Return the repository of the path. Refuses with 404 if invisible, 403 if read-only, 301 if moved."""
        key = f"{self.path['owner']}/{self.path['repo']}".lower()
        for project in self.tracker.projects.values():
            if project.key.lower() == key and not project.hidden:
                reads = self.request.method == "GET"
                if project.archived and not reads:
                    raise RefusedError(403, "Repository was archived so is read-only.")
                if (project.read_only and not reads) or (
                    reads and self.request.url.path.rpartition("/")[2] in project.denied
                ):
                    raise RefusedError(403, "Resource not accessible by personal access token")
                return project
        for old, new in self.tracker.moved.items():
            if old.lower() == key:
                rest = self.request.url.path.partition(f"/repos/{self.path['owner']}/{self.path['repo']}")[2]
                there = f"{self.view.api}/repos/{new}{rest}"  # without the query, as on GitHub
                raise RefusedError(301, "Moved Permanently", location=there)
        raise RefusedError(404, "Not Found")

    @property
    def issue(self) -> Issue:
        """Return the issue of the path."""
        return _there(self.project.issues.get(int(self.path["number"])))

    @property
    def milestone(self) -> Milestone:
        """Return the milestone of the path."""
        return _there(self.numbered(int(self.path["number"])))

    def numbered(self, number: int) -> Milestone | None:
        """Return the milestone with that number."""
        return next((m for m in self.project.milestones.values() if m.number == number), None)

    def text(self, name: str, *, most: int, needed: bool = True) -> str:
        """Return a text of the body. Refuses with 422 if missing or too long."""
        value = self.body.get(name)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or (needed and not value):
            raise invalid(name, "missing_field")
        if len(value) > most:
            raise RefusedError(422, "Validation Failed", [{"message": f"{name} is too long (maximum is {most})"}])
        return value

    def page(self, rows: list[Any], show: Callable[[list[Any]], list[Json]]) -> Response:
        """Return a page by number, with the Link header."""
        size, number = self.size, max(1, int(self.query.get("page", "1")))
        if size * number > MOST_ROWS:
            raise RefusedError(
                422,
                "Pagination with the page parameter is not supported for large datasets,"
                " please use cursor based pagination (after/before)",
            )
        links = {}
        if size * number < len(rows):
            links = {"next": str(number + 1), "last": str(-(-len(rows) // size))}
        return self.listed(show(rows[size * (number - 1) : size * number]), "page", links)

    def listed(self, shown: list[Json], name: str, links: dict[str, str]) -> Response:
        """Return rows with the Link header."""
        here = f"{self.view.api}{self.request.url.path.removeprefix(self.request.scope.get('root_path', ''))}"
        parts = [
            f'<{here}?{urlencode({**dict(self.query), name: value})}>; rel="{relation}"'
            for relation, value in links.items()
        ]
        return json_answer(shown, headers={"link": ", ".join(parts)} if parts else {})

    @property
    def size(self) -> int:
        """Return the rows per page, at most 100."""
        return min(100, max(1, int(self.query.get("per_page", "30"))))


class Desk:
    """Parts common to all answers: token, limit, ETags, refusals."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker
        self._hour: datetime | None = None

    def authorised(self, request: Request) -> bool:
        """Check the token: ``Bearer``, ``token``, a basic password, or a GitHub App's JWT."""
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "basic":
            value = b64decode(value).decode("utf-8", "replace").rpartition(":")[2]
        if request.url.path.endswith("/access_tokens"):
            return kind == "Bearer" and value.count(".") == 2
        return kind.lower() in ("bearer", "token", "basic") and value == self.tracker.token

    def unauthorised(self, _request: Request) -> Response:
        """401."""
        return json_answer({"message": "Bad credentials", "documentation_url": "", "status": "401"}, 401)

    def answering(self, handler: Handler) -> Callable[[Request], Any]:
        """Return the endpoint of a handler."""

        async def endpoint(request: Request) -> Response:
            raw = await request.body()
            with self.tracker.lock:
                if self._spent():
                    response = json_answer({"message": "API rate limit exceeded for this token."}, 403)
                else:
                    response = self._handled(handler, request, raw)
                    self.tracker.used += response.status_code != 304
                response.headers.update(self._limits(request) | self._token() | self._server())
            return response

        return endpoint

    def _handled(self, handler: Handler, request: Request, raw: bytes) -> Response:
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            return json_answer({"message": "Problems parsing JSON"}, 400)
        if not isinstance(body, dict):
            return json_answer({"message": "Body should be a JSON object"}, 400)
        try:
            response = handler(Call(self.tracker, request, body))
        except RefusedError as refused:
            said: Json = {"message": refused.message, "documentation_url": "", "status": str(refused.status)}
            if refused.errors is not None:
                said = {"message": refused.message, "documentation_url": "", "errors": refused.errors}
            return json_answer(said, refused.status, {"location": refused.location} if refused.location else {})
        if request.method == "GET" and response.status_code == 200:
            etag = f'W/"{blake2b(bytes(response.body), digest_size=16).hexdigest()}"'
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers={"etag": etag})
            response.headers["etag"] = etag
        return response

    def _spent(self) -> bool:
        """Return True when the hour's limit is used up; a new hour begins with the clock's.

        Enterprise Server has no limits until an administrator turns them on.
        """
        if self.tracker.version:
            return False
        hour = self.tracker.world.clock().replace(minute=0, second=0, microsecond=0)
        if self._hour is not None and hour != self._hour:
            self.tracker.used = 0
        self._hour = hour
        return self.tracker.used >= self.tracker.limit

    def _token(self) -> dict[str, str]:
        """Headers that describe the token of the request."""
        tracker = self.tracker
        headers = {} if tracker.scopes is None else {"x-oauth-scopes": ", ".join(tracker.scopes)}
        if tracker.expires is not None:
            headers["github-authentication-token-expiration"] = f"{tracker.expires:%Y-%m-%d %H:%M:%S} UTC"
        return headers

    def _server(self) -> dict[str, str]:
        """Headers that describe the server: only Enterprise Server names its version."""
        return {"x-github-enterprise-version": full_version(self.tracker)} if self.tracker.version else {}

    def _limits(self, request: Request) -> dict[str, str]:
        if self.tracker.version:
            return {}
        reset = int((self._hour or self.tracker.world.clock()).timestamp()) + 3600
        return {
            "x-ratelimit-limit": str(self.tracker.limit),
            "x-ratelimit-used": str(self.tracker.used),
            "x-ratelimit-remaining": str(max(0, self.tracker.limit - self.tracker.used)),
            "x-ratelimit-reset": str(reset),
            "x-ratelimit-resource": "graphql" if request.url.path.endswith("graphql") else "core",
        }


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return JSON with GitHub's charset."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(text, status, headers, media_type="application/json; charset=utf-8")


def _there(found: T | None) -> T:
    if found is None:
        raise RefusedError(404, "Not Found")
    return found


def invalid(name: str, code: str, resource: str = "Issue") -> RefusedError:
    """Return a 422 that names a field."""
    return RefusedError(422, "Validation Failed", [{"resource": resource, "code": code, "field": name}])
