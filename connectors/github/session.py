"""Transport to GitHub: PyGithub sends the requests and holds the credentials; this module interprets the answers.

PyGithub's retries and throttles are off. A client serves one request at a time. Idle clients wait in a stack, so the
next thread reuses an open connection.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import msgspec
import requests

from connectors.github.api_types import Failure, Pages, Reply
from connectors.github.issue_fields import IssueFields
from connectors.github.options import READS_PER_MINUTE
from connectors.github.schema import LackingFieldError, ServerSchema, lacking_fields, unknown_field
from connectors.github.sdk import (
    Auth,
    Github,
    GithubException,
    HTTPRequestsConnectionClass,
    HTTPSRequestsConnectionClass,
    InstallationAuthorization,
)
from connectors.shared.http import Caller, origin_of, pin_environment
from connectors.shared.pagination import PageGuard
from connectors.shared.paths import path_of
from connectors.shared.recorded_names import RecordedNames
from connectors.shared.responses import Response, decode, decode_created, decode_row, read_body, refusal, says_limit
from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    UncertainError,
)
from sync.tracker.protocol import Setup

__all__ = ["PROJECT_ERRORS", "Document", "Session", "TooHeavyError"]

T = TypeVar("T")

PROJECT_ERRORS = (GoneError, MalformedError, RefusedError, BusyError)
"""Errors that concern one repository. All other errors end the work of the connection."""

WRITE_GAP = 1.0
"""Seconds between two writes, as GitHub asks."""

Document = str | Callable[[frozenset[str]], str]
"""A GraphQL document, or a function that makes it of the optional fields which the server lacks."""

TOO_QUICKLY = "was submitted too quickly"
"""Words of GitHub's limit of created texts that it gives no time for: nothing more is written in this run."""

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")
"""Number in a header; GitHub has sent fractions."""

_TOO_HEAVY = ("RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED")
_GIVING_UP = re.compile("something went wrong|tim(ed|e) ?out", re.IGNORECASE)
_VERSION_HEADER = "x-github-enterprise-version"
_REDIRECTS = (301, 302, 307, 308)


class TooHeavyError(Exception):
    """Raised when a query is too large for GitHub: split it."""


class _UnreadableTokenError(Exception):
    """Raised when the answer to the request for a token of a GitHub App holds no token."""


class _UnusableKeyError(Exception):
    """Raised when the private key of a GitHub App cannot sign."""


class _InstallationAuth(Auth.AppInstallationAuth):
    """Installation of a GitHub App. PyGithub fetches its token at the first use and when it ends.

    PyGithub fails with a `TypeError` when the answer is a redirect or no object.
    """

    def __init__(self, app: Auth.AppAuth, installation: int) -> None:
        super().__init__(app, installation)
        self._lock = threading.Lock()

    @property
    def token(self) -> str:
        """The token; fetched by one thread at a time."""
        with self._lock:
            return super().token

    def _get_installation_authorization(self) -> InstallationAuthorization:
        from jwt import PyJWTError  # late: see `connectors.github.sdk`

        try:
            return super()._get_installation_authorization()
        except (AttributeError, TypeError):
            raise _UnreadableTokenError from None
        except PyJWTError:  # their words may name a character of the key
            raise _UnusableKeyError from None


class _Client:
    """One PyGithub client with a connection of its own. ``count_request`` is called for each redirect."""

    def __init__(self, setup: Setup, auth: Auth.Auth, count_request: Callable[[], None]) -> None:
        address = urlsplit(setup.url)
        kind = HTTPRequestsConnectionClass if address.scheme == "http" else HTTPSRequestsConnectionClass
        verify = setup.options.get("ca_file") or True
        self.auth = auth
        self._connection = kind(
            address.hostname or "", address.port, timeout=setup.timeout, retry=None, pool_size=1, verify=verify
        )
        self._connection.verify = pin_environment(self._connection.session, setup.url, setup.options.get("ca_file"))
        self._connection.session.hooks["response"] += [self._follow_redirect, self._read_body]
        self._clock, self._count_request, self._body = setup.clock, count_request, b""
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

    def _follow_redirect(self, response: requests.Response, **settings: Any) -> requests.Response:
        """Response hook: follow a renamed repository on the same host with the original query, which PyGithub drops.

        A GET that is answered with 202 becomes 503: PyGithub would wait for it without end, and no request here
        expects 202.
        """
        if response.status_code == HTTPStatus.ACCEPTED and response.request.method == "GET":
            response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        request, hops = response.request, getattr(response.request, "hops", 0)
        if response.status_code not in _REDIRECTS or "location" not in response.headers or hops > 2:
            return response
        source, target = str(request.url), urljoin(str(request.url), response.headers["location"])
        if origin_of(target) != origin_of(source):
            return response
        redirected, address = request.copy(), urlsplit(target)
        redirected.url = address._replace(query=address.query or urlsplit(source).query).geturl()
        redirected.hops = hops + 1  # type: ignore[attr-defined]
        response.close()
        self._count_request()
        return self._connection.session.send(redirected, **{**settings, "allow_redirects": False})

    def _read_body(self, response: requests.Response, **_: Any) -> None:
        """Response hook: read the body with limits of size and time, and drop limits that are no numbers.

        PyGithub has no such limits, and fails on such headers. The bytes are kept, because PyGithub replaces what is
        not UTF-8.
        """
        self._body, response.encoding = read_body(response, self._clock), "utf-8"
        for name in [name for name in response.headers if name.lower().startswith("x-ratelimit-")]:
            if not _NUMBER.fullmatch(response.headers[name]):
                del response.headers[name]

    def send(
        self, verb: str, path: str, parameters: Mapping[str, Any], headers: Mapping[str, str], body: Any
    ) -> Response:
        """Send one request. An empty ``path`` is GraphQL's address."""
        status, response_headers, _ = self._requester.requestJson(
            verb, path or self._requester.graphql_url, dict(parameters), dict(headers), body, cnx=self._connection
        )
        address = urlsplit(path or self._requester.graphql_url)
        return Response(status, response_headers, self._body, verb, address.path)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
        self._requester.close()


def repository_path(repository: str, template: str = "", *values: object) -> str:
    """Return the path of a repository (``owner/name``) in REST, with more of the path. See `path_of`."""
    owner, _, name = repository.partition("/")
    return path_of("/repos/{}/{}" + template, owner, name, *values)


class Session:
    """All requests of one connection. Its threads may share it."""

    def __init__(self, setup: Setup) -> None:
        self.name = setup.name
        per_minute = int(setup.options.get("requests_a_minute", READS_PER_MINUTE))
        self.caller = Caller(setup, write_gap=WRITE_GAP, per_minute=per_minute)
        self.schema = ServerSchema(setup.clock)
        self.recorded = RecordedNames.of(setup.options)
        self.issue_fields = IssueFields.of(setup.options)
        self._unused = frozenset(
            (
                *(() if self.recorded.labels else ("labelEvents",)),
                *(() if self.issue_fields.date else ("itemFields",)),
            )
        )
        self.clock = setup.clock
        self._setup = setup
        self._credentials = _Credentials(setup)
        self._idle: deque[_Client] = deque()

    @property
    def writes_boards(self) -> bool:
        """Return whether the configuration asks for status updates on project boards in any repository."""
        return "project_status" in (self._setup.options.get("optional_outputs") or ())

    # --- REST ----------------------------------------------------------------------------------------------------

    def get(self, path: str, project: str, parameters: Mapping[str, Any] | None = None, etag: str = "") -> Response:
        """Read. With an ``etag`` the answer may be 304, which costs no points."""
        headers = {"If-None-Match": etag} if etag else {}
        return self.caller.read(lambda: self._send("GET", path, project, parameters or {}, headers), project)

    def post(self, path: str, project: str, body: Mapping[str, Any], type_: type[T], *, repeatable: bool = False) -> T:
        """Create an object; send once unless ``repeatable``. Raises `UncertainError` for an unreadable answer."""
        send = partial(self._send, "POST", path, project, body=body)
        response = self.caller.write(send, project, repeatable=repeatable)
        return decode_created(response, type_, self.name, project)

    def patch(self, path: str, project: str, body: Mapping[str, Any]) -> None:
        """Set the fields of ``body``. The request may be repeated."""
        self.caller.write(partial(self._send, "PATCH", path, project, body=body), project, repeatable=True)

    # --- GraphQL -------------------------------------------------------------------------------------------------

    def query(
        self, document: Document, variables: Mapping[str, Any], type_: type[T], project: str, *, divisible: bool = False
    ) -> Reply[T]:
        """Query, without the optional fields that the server lacks.

        If ``divisible``, raise `TooHeavyError` at once when GitHub could not answer so much in time.
        """
        while True:
            lacking = self.schema.lacking
            text = document if isinstance(document, str) else document(lacking | self._unused)
            has_optional = text is not document
            send = partial(
                self._send_document, text, variables, project, divisible=divisible, has_optional=has_optional
            )
            try:
                response = self.caller.read(send, project)
            except LackingFieldError as error:
                if error.fields <= lacking:
                    raise MalformedError(self.name, project, f"GraphQL refuses the field {error}") from None
                self.schema.add(error.fields)
                continue
            return decode(response, Reply[type_], self.name, project)  # type: ignore[valid-type]

    def pages(
        self,
        document: str,
        variables: Mapping[str, Any],
        node: type[T],
        project: str,
        on_error: Callable[[MalformedError], None] | None = None,
    ) -> Iterator[T]:
        """Yield every node of a paginated GraphQL connection (``$after``), which the document asks for in one object.

        Raises `GoneError` if the object does not exist, and `MalformedError` for a node that cannot be read, unless
        ``on_error`` takes it.
        """
        variables, guard = dict(variables), self.caller.guard(project)
        while True:
            reply = self.query(document, variables, dict[str, dict[str, Pages[msgspec.Raw]] | None], project)
            self.raise_errors(reply.errors, project)
            parent = next(iter((reply.data or {}).values()), None)
            if not parent:
                raise GoneError(self.name, project)
            page = next(iter(parent.values()))
            for row in page.nodes:
                try:
                    yield decode_row(row, node, self.name, project)
                except MalformedError as error:
                    if on_error is None:
                        raise
                    on_error(error)
            if not page.page_info.has_next_page:
                return
            variables["after"] = self.next_cursor(page, guard, project)

    def next_cursor(self, page: Pages[Any], guard: PageGuard, project: str) -> str:
        """Return the cursor of the next page. Raises `MalformedError` without one, or if the list does not end."""
        cursor = page.page_info.end_cursor
        if not cursor:
            raise MalformedError(self.name, project, "a page announces another page and has no cursor")
        guard.check(len(page.nodes), tuple(map(_content, page.nodes)), cursor)
        return cursor

    def split_name(self, repository: str, project: str) -> tuple[str, str]:
        """Split ``owner/name``. Raises `RefusedError` for any other text."""
        owner, slash, name = repository.partition("/")
        if not owner or not slash or not name or "/" in name:
            raise RefusedError(self.name, project, "write a repository as owner/name")
        return owner, name

    def mutate(self, document: str, variables: Mapping[str, Any], project: str) -> None:
        """Send a change that may be repeated. Raises a `TrackerError` for the first of GraphQL's errors."""
        response = self.caller.write(
            partial(self._send_document, document, variables, project), project, repeatable=True
        )
        self.raise_errors(decode(response, Reply[dict[str, Any]], self.name, project).errors, project)

    def create(self, document: str, variables: Mapping[str, Any], type_: type[T], project: str) -> T:
        """Create an object by a document of one field, once. Raises `UncertainError` as `post` does."""
        response = self.caller.write(partial(self._send_document, document, variables, project), project)
        reply = decode_created(response, Reply[dict[str, type_ | None]], self.name, project)  # type: ignore[valid-type]
        self.raise_errors(reply.errors, project)
        created = next(iter((reply.data or {}).values()), None)
        if created is None:
            raise UncertainError(self.name, project, "GraphQL left the new object out of its answer")
        return created

    def raise_errors(self, errors: Sequence[Failure], project: str) -> None:
        """Raise the first of these GraphQL errors as a `TrackerError`, if there is one."""
        for error in errors:
            words = error.message or ""
            if error.type == "NOT_FOUND":
                raise GoneError(self.name, project, words)
            if error.type in ("FORBIDDEN", "INSUFFICIENT_SCOPES", "UNPROCESSABLE"):
                raise refusal(self.name, project, words)
            if unknown_field(error):
                raise MalformedError(self.name, project, f"GraphQL: {words}")
            raise BusyError(self.name, project, f"GraphQL: {words}")

    def _send_document(
        self,
        document: str,
        variables: Mapping[str, Any],
        project: str,
        *,
        divisible: bool = False,
        has_optional: bool = False,
    ) -> Response:
        """Send a document. Translate errors that came with the status 200 to the status that they mean.

        Raises `TooHeavyError` if ``divisible``, and `LackingFieldError` if the document ``has_optional`` fields.
        """
        body = {"query": document, "variables": {name: value for name, value in variables.items() if value is not None}}
        response = self._send("POST", "", project, body=body)
        if divisible and response.status in (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT):
            raise TooHeavyError
        if response.status == HTTPStatus.OK and _has_errors(response.body):
            reply = decode(response, Reply[Any], self.name, project)
            if any(TOO_QUICKLY in (error.message or "") for error in reply.errors):
                raise LimitedError(self.name, project, TOO_QUICKLY)
            if any(_is_limit(error) for error in reply.errors):
                return Response(HTTPStatus.TOO_MANY_REQUESTS, response.headers, response.body)
            has_given_up = any(_is_giving_up(error) for error in reply.errors)
            if divisible and has_given_up:
                raise TooHeavyError
            fields = lacking_fields(reply)
            if has_optional and fields:
                raise LackingFieldError(fields)
            if has_given_up:
                return Response(HTTPStatus.BAD_GATEWAY, response.headers, response.body)
        return response

    # --- transport -----------------------------------------------------------------------------------------------

    def _send(
        self,
        verb: str,
        path: str,
        project: str,
        parameters: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> Response:
        """Send one request through an idle client, or a new client. An empty ``path`` is GraphQL's address.

        If GitHub refuses the token of an App in the middle of its time, send the request again with a new token.
        """
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._client()
        try:
            response = client.send(verb, path, parameters or {}, headers or {}, body)
            if response.status == HTTPStatus.UNAUTHORIZED and self._credentials.renew(client.auth):
                client.close()
                client = self._client()
                self.caller.add_requests()
                response = client.send(verb, path, parameters or {}, headers or {}, body)
        except (AssertionError, RuntimeError) as error:  # PyGithub raises these for a redirect to another host
            raise MalformedError(
                self.name, project, "redirected to another address; check the connection's url"
            ) from error
        except _UnusableKeyError:
            detail = "the private key of the GitHub App cannot be read; it should be the .pem file that GitHub made"
            raise AuthError(self.name, project, detail) from None
        except _UnreadableTokenError:
            detail = "the answer holds no token of the GitHub App; check the connection's url"
            raise MalformedError(self.name, project, detail) from None
        except GithubException as error:  # the token of a GitHub App could not be fetched
            return Response(error.status, error.headers or {}, msgspec.json.encode(error.data or {}))
        finally:
            self._idle.append(client)
        self.schema.version = response.headers.get(_VERSION_HEADER, self.schema.version)
        if response.status in (HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY) and _says_too_quickly(response):
            raise LimitedError(self.name, project, TOO_QUICKLY)
        return response

    def _client(self) -> _Client:
        return _Client(self._setup, self._credentials.current, self.caller.add_requests)

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().close()


def _content(node: Any) -> Hashable:
    return bytes(node) if isinstance(node, msgspec.Raw) else repr(node)


def _says_too_quickly(response: Response) -> bool:
    body = response.body.encode() if isinstance(response.body, str) else response.body
    return TOO_QUICKLY.encode() in body


def _has_errors(body: bytes | str) -> bool:
    return '"errors"' in body if isinstance(body, str) else b'"errors"' in body


def _is_limit(error: Failure) -> bool:
    """Return whether an error that came with the status 200 means a rate limit."""
    return error.type == "RATE_LIMITED" or (not error.type and says_limit(error.message or ""))


def _is_giving_up(error: Failure) -> bool:
    """Return whether GitHub gave up on a query: it was too heavy, or took too long, which has no type."""
    if error.type:
        return error.type in _TOO_HEAVY
    if unknown_field(error):
        return False
    return not error.path or bool(_GIVING_UP.search(error.message or ""))


class _Credentials:
    """The token, or the credentials of a GitHub App (``private_key``, ``app_id``, ``installation_id``)."""

    def __init__(self, setup: Setup) -> None:
        self._setup, self._lock = setup, threading.Lock()
        self._is_app = bool(setup.secrets.get("private_key"))
        self.current = self._new()

    def renew(self, refused: Auth.Auth) -> bool:
        """Replace the refused token of an App, once for all threads. Return False for a token that is all we have."""
        with self._lock:
            if self._is_app and self.current is refused:
                self.current = self._new()
        return self._is_app

    def _new(self) -> Auth.Auth:
        options, secrets = self._setup.options, self._setup.secrets
        if not self._is_app:
            return Auth.Token(secrets["token"])
        app = Auth.AppAuth(int(options["app_id"]), secrets["private_key"])
        return _InstallationAuth(app, int(options["installation_id"]))
