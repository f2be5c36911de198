"""How to talk to a Jira: its dialect, credentials, the SDK's sessions as transport, and what is asked only once."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jira
import msgspec
import requests

from connectors.jira.api_types import Field, Page, ServerInfo, StatusOf, User
from connectors.jira.cursor import Discovery
from connectors.shared.http import Caller, pin_environment
from connectors.shared.responses import Response, decode, read_body
from sync.tracker.errors import BusyError, GoneError, MalformedError, RefusedError, TrackerError
from sync.tracker.protocol import Setup

__all__ = ["OWN", "Session", "normalised", "of_project"]

T = TypeVar("T")

OWN = (GoneError, RefusedError, MalformedError, BusyError)
"""Failures that may be one project's alone; any other is the whole connection's."""
Query = Mapping[str, Any]
Body = Mapping[str, Any]
Verb = Literal["GET", "POST", "PUT", "DELETE"]

_PAGE = 50
"""Rows in a page of the Agile API."""
_STANDS = timedelta(days=1)
"""How long what was found out about a Jira is believed."""
_GATEWAY = "api.atlassian.com"
"""Where OAuth tokens and those with scopes are sent, with the site's id in the path; people cannot look there."""
_CLOUD_HOSTS = (".atlassian.net", ".jira.com", _GATEWAY)
_POINTS_KIND = "com.pyxis.greenhopper.jira:jsw-story-points"
_POINTS_NAMES = ("story points", "story point estimate")
_EPIC_LINK = "com.pyxis.greenhopper.jira:gh-epic-link"
_SPRINT = "com.pyxis.greenhopper.jira:gh-sprint"


def normalised(url: str) -> str:
    """The base URL as identity: scheme and host in lower case, no trailing slash, query or fragment."""
    parts = urlsplit(url.strip())
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), "", ""))


def of_project(problem: TrackerError, project: str) -> TrackerError:
    """The same failure, of this project alone."""
    return type(problem)(problem.connection, project, problem.detail)


class Session:
    """One Jira behind one set of credentials. Shared by threads: each request borrows an SDK client of its own."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.options = setup.name, setup.options
        self.base_url = normalised(setup.url)
        self.caller = Caller(setup, per_minute=int(setup.options.get("requests_a_minute", 0)))
        self._secrets, self._timeout = setup.secrets, (min(5, setup.timeout), setup.timeout)
        self._clock, self._found_at, self._recalled = setup.clock, datetime.min.replace(tzinfo=UTC), False
        self._lock = threading.Lock()
        self._idle: list[jira.JIRA] = []

    # --- requests -------------------------------------------------------------------------------------------------

    def read(
        self,
        type_: type[T],
        path: str,
        query: Query | None = None,
        *,
        body: Body | None = None,
        project: str = "",
    ) -> T:
        """Read something, by POST when there is a body. Raises a `TrackerError`."""
        verb: Verb = "GET" if body is None else "POST"
        response = self.caller.read(lambda: self._send(verb, self.address(path), query, body), project)
        return decode(response, type_, self.name, project)

    def pages(self, type_: type[T], path: str, query: Query, project: str = "") -> Iterator[T]:
        """Every row of a list of the Agile API, which tells the last page."""
        start, last = 0, False
        while not last:
            asked = {**query, "startAt": start, "maxResults": _PAGE}
            response = self.caller.read(
                lambda asked=asked: self._send("GET", f"{self.base_url}/rest/agile/1.0/{path}", asked, None),  # type: ignore[misc]
                project,
            )
            page = decode(response, Page[type_], self.name, project)  # type: ignore[valid-type]
            if not page.values and not page.isLast:
                raise MalformedError(self.name, project, "an empty page that promises more")
            yield from page.values
            start, last = start + len(page.values), page.isLast

    def get(self, address: str) -> Response:
        """Read one whole address with its headers. Raises a `TrackerError`."""
        return self.caller.read(lambda: self._send("GET", address, None, None))

    def write(
        self, verb: Verb, path: str, body: Body | None = None, query: Query | None = None, *, project: str = ""
    ) -> Response:
        """Change something; whatever is not a POST may be sent twice. Raises a `TrackerError`."""
        address = self.address(path)
        return self.caller.write(
            lambda: self._send(verb, address, query, body), project, repeatable=verb in ("PUT", "DELETE")
        )

    def upload(self, path: str, name: str, content: bytes, *, project: str = "") -> Response:
        """Attach a picture (PNG); it is sent once. Raises a `TrackerError`."""
        address = self.address(path)
        file = {"file": (name, content, "image/png")}
        # without a type of its own, the form gets that of a form; Jira takes no form without the other header
        headers = {"Content-Type": None, "X-Atlassian-Token": "no-check"}
        return self.caller.write(lambda: self._send("POST", address, None, None, files=file, headers=headers), project)

    def address(self, path: str) -> str:
        """The address of a resource in this dialect's API."""
        return f"{self.base_url}/rest/api/{'3' if self.cloud else '2'}/{path}"

    def _send(self, verb: Verb, address: str, query: Query | None, body: Body | None, **more: Any) -> Response:
        with self._client() as client:
            # The SDK's own session raises before status and headers can be seen, so its parent sends. A redirect is
            # not followed: it would turn a POST into a GET, and mostly leads to a login page.
            answer: requests.Response = requests.Session.request(
                client._session,  # noqa: SLF001  # the SDK's only door to bytes
                verb,
                address,
                params=query,
                data=None if body is None else msgspec.json.encode(body),
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
                **more,
            )
            with answer:
                content = read_body(answer, self._clock)
        return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, content)

    @contextmanager
    def _client(self) -> Iterator[jira.JIRA]:
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._new_client()
        try:
            yield client
        finally:
            with self._lock:
                self._idle.append(client)

    def _new_client(self) -> jira.JIRA:
        token, email = self._secrets.get("token", ""), self._secrets.get("email", "")
        auth: dict[str, Any] = {"basic_auth": (email, token)} if email else {"token_auth": token}
        client = jira.JIRA(self.base_url, timeout=self._timeout, max_retries=0, get_server_info=False, **auth)
        pin_environment(client._session, self.base_url, self.options.get("ca_file"))  # noqa: SLF001
        return client

    def close(self) -> None:
        """Give back connections."""
        with self._lock:
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()  # type: ignore[no-untyped-call]

    # --- asked once -----------------------------------------------------------------------------------------------

    def missing(self, *, history: bool) -> list[str]:
        """What a pull will need and nobody asked for yet."""
        needed = ["cloud", "custom", "me", "site", *(["categories"] if history else [])]
        return [name for name in needed if name not in vars(self)]

    def discover(self, *, history: bool) -> None:
        """Ask now, side by side, for what is missing: a failure here is the whole connection's."""
        self.cloud  # noqa: B018  # the addresses of the others depend on it
        missing = self.missing(history=history)
        try:
            self.caller.map_all(lambda name: getattr(self, name), missing)
        except GoneError as problem:
            raise MalformedError(self.name, "", problem.detail) from None
        if missing:
            self._found_at = self._clock()

    def recall(self, known: Discovery | None) -> None:
        """Believe what was found out before, unless it is a day old or of other credentials or options."""
        if known is None or known.of != self._of or not timedelta(0) <= self._clock() - known.at < _STANDS:
            return
        self._found_at, self._recalled = known.at, True
        found = {"cloud": known.cloud, "custom": (known.points, known.epic, known.sprint), "me": known.me}
        further = {"categories": dict(known.categories), "site": known.site}
        vars(self).update(found | {name: value for name, value in further.items() if value})

    def found(self) -> Discovery:
        """What has been found out, to be recalled."""
        points, epic, sprint = self.custom
        categories = vars(self).get("categories", {})
        return Discovery(self._of, self._found_at, self.cloud, points, epic, self.me, categories, sprint, self.site)

    def renew(self) -> Mapping[str, str]:
        """Ask for the statuses again, if they were only recalled."""
        if self._recalled:
            self._recalled = False
            vars(self).pop("categories", None)
        return self.categories

    @property
    def _of(self) -> str:
        """Tells credentials and options apart; too short to tell anything else of them."""
        told = msgspec.json.encode([self.base_url, sorted(self._secrets.items()), self.options], order="sorted")
        return blake2b(told, digest_size=4).hexdigest()

    @cached_property
    def cloud(self) -> bool:
        """Whether this is Jira Cloud: by option, by host, else one request. What is not Cloud is Data Center."""
        dialect = self.options.get("dialect")
        if dialect:
            return bool(dialect == "cloud")
        host = urlsplit(self.base_url).hostname or ""
        if host.endswith(_CLOUD_HOSTS):
            return True
        address = f"{self.base_url}/rest/api/2/serverInfo"
        try:
            response = self.caller.read(lambda: self._send("GET", address, None, None))
        except GoneError as problem:
            raise MalformedError(self.name, "", problem.detail) from None
        return decode(response, ServerInfo, self.name).deploymentType == "Cloud"

    @cached_property
    def site(self) -> str:
        """The address under which people look at issues; it is not always ours, which is also our identity."""
        if urlsplit(self.base_url).hostname != _GATEWAY:
            return self.base_url
        return normalised(self.read(ServerInfo, "serverInfo").baseUrl) or self.base_url

    def listed(self, option: str) -> tuple[str, ...]:
        """An option that holds a list; a single word is a list of one."""
        given = self.options.get(option) or ()
        return (given,) if isinstance(given, str) else tuple(str(one) for one in given)

    @cached_property
    def me(self) -> User:
        """The account of the token."""
        return self.read(User, "myself")

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the account's profile, in which Jira reads the times of a query."""
        try:
            return ZoneInfo(self.me.timeZone)
        except (ZoneInfoNotFoundError, ValueError):
            raise MalformedError(self.name, "", f"its time zone {self.me.timeZone!r} is not known here") from None

    @cached_property
    def categories(self) -> dict[str, str]:
        """The key of the category of each status, by status id."""
        return {status.id: status.statusCategory.key for status in self.read(list[StatusOf], "status")}

    @cached_property
    def custom(self) -> tuple[tuple[str, ...], str, str]:
        """Ids of the story points fields, the more telling ones first, of the epic link and the sprint (or empty)."""
        fields = self.read(list[Field], "field")
        kinds = {f.id: (f.schema.custom or "") if f.schema else "" for f in fields}
        named = [f.id for f in fields if f.custom and f.name.lower() in _POINTS_NAMES]
        found = [f.id for f in fields if kinds[f.id] == _POINTS_KIND and f.id not in named]
        points = self.listed("points_fields") or (*named, *found)
        epic, sprint = (
            next((number for number, kind in kinds.items() if kind == wanted), "") for wanted in (_EPIC_LINK, _SPRINT)
        )
        return points, epic, sprint
