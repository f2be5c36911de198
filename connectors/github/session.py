"""Transport: PyGithub carries the bytes and the credentials; what follows from an answer is decided here.

PyGithub's retries and throttles are off. A client serves one request at a time; idle ones wait in a stack, so a
connection is used again by whichever thread comes next.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from github import Auth, Github, GithubException
from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass

from connectors.github.api_types import Failure, PageInfo, Pages, Reply
from connectors.shared.http import Caller, pin_environment
from connectors.shared.responses import Response, decode, read_body
from sync.tracker.errors import BusyError, GoneError, MalformedError, RefusedError, UncertainError
from sync.tracker.protocol import Setup

__all__ = ["OWN", "Session", "TooHeavyError"]

T = TypeVar("T")

OWN = (GoneError, MalformedError, RefusedError, BusyError)
"""Errors that concern one repository; all others end the work of the connection."""

WRITE_GAP = 1.0
"""Seconds between two writes, as GitHub asks."""

READS_PER_MINUTE = 800
"""GitHub takes 900 points a minute by REST, one for each read."""

_HEAVY = ("RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED")
_REDIRECTS = (301, 302, 307, 308)


class TooHeavyError(Exception):
    """GitHub gave up on a query because of its size: ask for less at a time."""


class _Client:
    """One PyGithub client with a connection of its own."""

    def __init__(self, setup: Setup, auth: Auth.Auth, counted: Callable[[], None]) -> None:
        address = urlsplit(setup.url)
        kind = HTTPRequestsConnectionClass if address.scheme == "http" else HTTPSRequestsConnectionClass
        verify = setup.options.get("ca_file") or True
        self._connection = kind(
            address.hostname or "", address.port, timeout=setup.timeout, retry=None, pool_size=1, verify=verify
        )
        self._connection.verify = pin_environment(self._connection.session, setup.url, setup.options.get("ca_file"))
        self._connection.session.hooks["response"] += [self._redirected, self._read]
        self._clock, self._counted = setup.clock, counted
        self._requester = Github(
            auth=auth,
            base_url=setup.url.rstrip("/"),
            timeout=setup.timeout,
            user_agent="milesync",
            per_page=100,
            retry=None,
            seconds_between_requests=0,
            seconds_between_writes=0,
            lazy=True,
            verify=verify,
        ).requester
        self.graphql_url = self._requester.graphql_url

    def _redirected(self, response: requests.Response, **settings: Any) -> requests.Response:
        """Follow a renamed repository on the same host with the query that was asked; PyGithub would drop it.

        Also, PyGithub waits for ever on 202, which nothing asked for here ever means.
        """
        if response.status_code == HTTPStatus.ACCEPTED and response.request.method == "GET":
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        asked, hops = response.request, getattr(response.request, "hops", 0)
        if response.status_code not in _REDIRECTS or "location" not in response.headers or hops > 2:
            return response
        here, there = urlsplit(str(asked.url)), urlsplit(urljoin(str(asked.url), response.headers["location"]))
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            return response
        again = asked.copy()
        again.url = there._replace(query=there.query or here.query).geturl()
        again.hops = hops + 1  # type: ignore[attr-defined]
        response.close()
        self._counted()
        return self._connection.session.send(again, **{**settings, "allow_redirects": False})

    def _read(self, response: requests.Response, **_: Any) -> None:
        """Read the body here, where it can be ended; PyGithub would take any length in any time."""
        read_body(response, self._clock)

    def send(
        self, verb: str, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str], body: Any
    ) -> Response:
        """One request."""
        status, answered, text = self._requester.requestJson(
            verb, path, dict(parameters), dict(headers), body, cnx=self._connection
        )
        return Response(status, answered, text)

    def close(self) -> None:
        """Give back the connection."""
        self._connection.close()
        self._requester.close()


class Session:
    """All requests of one connection."""

    def __init__(self, setup: Setup) -> None:
        self.name = setup.name
        a_minute = int(setup.options.get("requests_a_minute", READS_PER_MINUTE))
        self.caller = Caller(setup, write_gap=WRITE_GAP, per_minute=a_minute)
        self._setup = setup
        self._auth = _auth(setup)
        self._idle: deque[_Client] = deque()

    @property
    def boards(self) -> bool:
        """Whether status updates on project boards are asked for in any repository."""
        return "project_status" in (self._setup.options.get("also") or ())

    # --- REST ----------------------------------------------------------------------------------------------------

    def get(self, path: str, project: str, parameters: Mapping[str, Any] | None = None, etag: str = "") -> Response:
        """Read; with an ``etag`` the answer may be 304, which costs nothing."""
        headers = {"If-None-Match": etag} if etag else {}
        return self.caller.read(lambda: self._send("GET", path, project, parameters or {}, headers), project)

    def post(self, path: str, project: str, body: Mapping[str, Any], type_: type[T], *, repeatable: bool = False) -> T:
        """Create something, once. Raises `UncertainError` when the answer does not tell what came of it."""
        send = partial(self._send, "POST", path, project, body=body)
        response = self.caller.write(send, project, repeatable=repeatable)
        try:
            return decode(response, type_, self.name, project)
        except MalformedError as lost:
            raise UncertainError(self.name, project, lost.detail) from lost

    def patch(self, path: str, project: str, body: Mapping[str, Any]) -> None:
        """Set what is given; doing it twice is doing it once."""
        self.caller.write(partial(self._send, "PATCH", path, project, body=body), project, repeatable=True)

    # --- GraphQL -------------------------------------------------------------------------------------------------

    def query(
        self, document: str, variables: Mapping[str, Any], type_: type[T], project: str, *, divisible: bool = False
    ) -> Reply[T]:
        """Ask. Raises `TooHeavyError` at once if ``divisible`` and GitHub could not answer so much in time."""
        response = self.caller.read(lambda: self._ask(document, variables, project, divisible=divisible), project)
        return decode(response, Reply[type_], self.name, project)  # type: ignore[valid-type]

    def pages(self, document: str, variables: Mapping[str, Any], node: type[T], project: str) -> Iterator[T]:
        """Every node of the one connection that a document asks for inside of one object, page by page (``$after``).

        Raises `GoneError` where the object is not there.
        """
        asked, seen = dict(variables), set[str]()
        while True:
            reply = self.query(document, asked, dict[str, dict[str, Pages[node]] | None], project)  # type: ignore[valid-type]
            self.refuse(reply.errors, project)
            found = next(iter((reply.data or {}).values()), None)
            if not found:
                raise GoneError(self.name, project)
            page = next(iter(found.values()))
            yield from page.nodes
            if not page.page_info.has_next_page:
                return
            if not page.nodes:
                raise MalformedError(self.name, project, "an empty page that promises more")
            asked["after"] = self.onward(page.page_info, seen, project)

    def onward(self, info: PageInfo, seen: set[str], project: str) -> str:
        """The cursor of the next page. Raises `MalformedError` if it led here before."""
        if not info.end_cursor or info.end_cursor in seen:
            raise MalformedError(self.name, project, "a page that leads to itself")
        seen.add(info.end_cursor)
        return info.end_cursor

    def parts(self, repository: str, project: str) -> tuple[str, str]:
        """Owner and name. Raises `RefusedError` for what is not written so."""
        owner, slash, name = repository.partition("/")
        if not owner or not slash or not name or "/" in name:
            raise RefusedError(self.name, project, "a repository is written owner/name")
        return owner, name

    def mutate(self, document: str, variables: Mapping[str, Any], project: str) -> tuple[Failure, ...]:
        """Change something that may be changed twice; returns GraphQL's errors."""
        response = self.caller.write(lambda: self._ask(document, variables, project), project, repeatable=True)
        return decode(response, Reply[dict[str, Any]], self.name, project).errors

    def create(self, document: str, variables: Mapping[str, Any], type_: type[T], project: str) -> T:
        """Create something by a document of one field, once. Raises `UncertainError` as `post` does."""
        response = self.caller.write(lambda: self._ask(document, variables, project), project)
        try:
            reply = decode(response, Reply[dict[str, type_ | None]], self.name, project)  # type: ignore[valid-type]
        except MalformedError as lost:
            raise UncertainError(self.name, project, lost.detail) from lost
        self.refuse(reply.errors, project)
        made = next(iter((reply.data or {}).values()), None)
        if made is None:
            raise UncertainError(self.name, project, "GraphQL left out what it made")
        return made

    def refuse(self, errors: Sequence[Failure], project: str) -> None:
        """Raise what the first of these errors means, if there is one."""
        for error in errors:
            if error.type == "NOT_FOUND":
                raise GoneError(self.name, project, error.message[:200])
            if error.type in ("FORBIDDEN", "INSUFFICIENT_SCOPES", "UNPROCESSABLE"):
                raise RefusedError(self.name, project, error.message[:200])
            raise BusyError(self.name, project, f"GraphQL: {error.message[:200]}")

    def _ask(self, document: str, variables: Mapping[str, Any], project: str, *, divisible: bool = False) -> Response:
        body = {"query": document, "variables": {name: v for name, v in variables.items() if v is not None}}
        response = self._send("POST", "", project, body=body)
        if divisible and response.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
            raise TooHeavyError
        if response.status == HTTPStatus.OK and _starts_with_errors(response.body):
            types = {error.type for error in decode(response, Reply[Any], self.name, project).errors}
            if "RATE_LIMITED" in types:
                return Response(HTTPStatus.TOO_MANY_REQUESTS, response.headers, response.body)
            if divisible and types.intersection(_HEAVY):
                raise TooHeavyError
        return response

    # --- wire ----------------------------------------------------------------------------------------------------

    def _send(
        self,
        verb: str,
        path: str,
        project: str,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Response:
        """One request through an idle client, or a new one. An empty ``path`` is GraphQL's."""
        try:
            client = self._idle.pop()
        except IndexError:
            client = _Client(self._setup, self._auth(), self.caller.add_requests)
        try:
            return client.send(verb, path or client.graphql_url, parameters or {}, headers or {}, body)
        except (AssertionError, RuntimeError) as odd:  # how PyGithub speaks of a redirect to another host
            raise MalformedError(self.name, project, "redirected to another host") from odd
        except GithubException as refused:  # a GitHub App's token could not be had
            return Response(refused.status, refused.headers or {}, msgspec.json.encode(refused.data or {}))
        finally:
            self._idle.append(client)

    def close(self) -> None:
        """Give back all connections."""
        while self._idle:
            self._idle.pop().close()


def _starts_with_errors(body: bytes | str) -> bool:
    text = body if isinstance(body, str) else body.decode("utf-8", "replace")
    return '"errors"' in text


def _auth(setup: Setup) -> Callable[[], Auth.Auth]:
    """A token, or a GitHub App: options ``app_id`` and ``installation_id``, secret ``private_key``."""
    key = setup.secrets.get("private_key", "")
    if key:
        app = Auth.AppAuth(int(setup.options["app_id"]), key)
        return lambda: app.get_installation_auth(int(setup.options["installation_id"]))
    token = Auth.Token(setup.secrets["token"])
    return lambda: token
