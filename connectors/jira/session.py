"""Transport to Jira: the SDK's sessions send the requests. Also the facts about a Jira that are read once a day."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import jira
import msgspec
import requests

from connectors.jira import api_types
from connectors.jira.address import normalise_url
from connectors.jira.cursor import Discovery
from connectors.shared.http import Caller, pin_environment
from connectors.shared.recorded_names import RecordedNames
from connectors.shared.responses import Response, decode, decode_row, read_body, reading
from sync.model.work_time import WorkTime
from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    LimitedError,
    MalformedError,
    RefusedError,
    TrackerError,
)
from sync.tracker.protocol import Setup

__all__ = ["OPTIONAL_ERRORS", "PROJECT_ERRORS", "CustomFields", "Session", "for_project"]

T = TypeVar("T")

PROJECT_ERRORS = (GoneError, RefusedError, MalformedError, BusyError)
"""Errors that may concern one project. All other errors end the work of the connection."""

OPTIONAL_ERRORS = (*PROJECT_ERRORS, AuthError)
"""Errors of what can be left out. Cloud answers 401 to a token without the scope for a single request, too."""

Query = Mapping[str, Any]
Body = Mapping[str, Any]
Verb = Literal["GET", "POST", "PUT", "DELETE"]

_PAGE_SIZE = 50
"""Rows in a page of the Agile API."""

_DISCOVERY_AGE = timedelta(days=1)
"""Age after which the facts about a Jira are read again."""

_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,40}")
"""Names of time zones."""

_CLOUD_ID = re.compile(r"[0-9A-Za-z-]{1,100}")
"""Ids of Cloud sites."""

_GATEWAY = "api.atlassian.com"
"""Host for OAuth tokens and tokens with scopes, with the site's id in the path. Browsers cannot open it."""

_BASIC_REFUSED = b"Basic Authentication has been disabled"
"""Jira's words where it takes no user name with a password: on request since 8.16, by default since 11.0."""

_BASIC_WORDS = (
    "this Jira takes no user name with a password, as by default since version 11; "
    "use a personal access token, and leave out email"
)
_CLOUD_HOSTS = (".atlassian.net", ".jira.com", _GATEWAY)
_POINTS_KIND = "com.pyxis.greenhopper.jira:jsw-story-points"
_POINTS_NAMES = ("story points", "story point estimate")
_EPIC_LINK_KIND = "com.pyxis.greenhopper.jira:gh-epic-link"
_SPRINT_KIND = "com.pyxis.greenhopper.jira:gh-sprint"
_PARENT_LINK_KIND = "com.atlassian.jpo:jpo-custom-field-parent"
_START_KIND = "com.atlassian.jpo:jpo-custom-field-baseline-start"
_START_NAME = "start date"
_BLOCKED_LINK = "is blocked by"


def for_project(error: TrackerError, project: str) -> TrackerError:
    """Return the same error for this project. The time after which the tracker may be asked again stays."""
    if isinstance(error, BusyError | LimitedError):
        return type(error)(error.connection, project, error.detail, error.until)
    return type(error)(error.connection, project, error.detail)


class CustomFields(NamedTuple):
    """Ids of custom fields.

    ``points`` are the story points fields, the best match first. ``epic_link``, ``sprint`` and ``parent_link`` are
    empty if missing. ``starts`` are the fields with the start of an epic, the best match first.
    """

    points: tuple[str, ...]
    epic_link: str
    sprint: str
    parent_link: str = ""
    starts: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all fields of an issue that Jira has, sorted."""
        return tuple(sorted({*self.points, self.epic_link, self.sprint} - {""}))


class Session:
    """All requests of one connection. Its threads may share it: each request borrows an SDK client of its own."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.options = setup.name, setup.options
        self.recorded = RecordedNames.of(setup.options)
        self.base_url = normalise_url(setup.url)
        self.caller = Caller(setup, per_minute=int(setup.options.get("requests_a_minute", 0)))
        self._secrets, self._timeout = setup.secrets, (min(5, setup.timeout), setup.timeout)
        self.clock = setup.clock
        self._discovered_at, self._is_recalled = datetime.min.replace(tzinfo=UTC), False
        self._has_recalled_types = False
        self._lock = threading.Lock()
        self._idle: list[jira.JIRA] = []
        self.drivers: dict[str, dict[str, api_types.User]] = {}
        """The drivers of versions, by project id and version id, as far as they are known; read once a day."""
        self.written_markers: dict[str, str] = {}
        """The markers of the comments that this process wrote and whose answer confirmed them, by comment id."""
        self.version_lists: dict[str, str] = {}
        """The fingerprint of each project's own list of versions, by project id, as far as it was read."""
        self.lists_versions = True
        """Whether this Data Center may list the versions of several projects at once; found out once a day."""

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
        """Read an object; by POST if there is a body. Raises a `TrackerError`."""
        verb: Verb = "GET" if body is None else "POST"
        address = self.address(path)
        response = self.caller.read(lambda: self._send(verb, address, query, body), project)
        return decode(response, type_, self.name, project)

    def pages(
        self,
        type_: type[T],
        path: str,
        query: Query,
        project: str = "",
        on_error: Callable[[msgspec.Raw, str], None] | None = None,
    ) -> Iterator[T]:
        """Yield every row of a list of the Agile API, which marks the last page.

        Raises `MalformedError` for a row that cannot be read, unless ``on_error`` takes it with the reason.
        """
        address, start, is_last = f"{self.base_url}/rest/agile/1.0/{path}", 0, False
        guard = self.caller.guard(project)
        while not is_last:
            parameters = {**query, "startAt": start, "maxResults": _PAGE_SIZE}
            response = self.caller.read(
                lambda parameters=parameters: self._send("GET", address, parameters, None),  # type: ignore[misc]
                project,
            )
            page = decode(response, api_types.RowPage, self.name, project)
            for row in page.values:
                try:
                    yield decode_row(row, type_, self.name, project)
                except MalformedError as error:
                    if on_error is None:
                        raise
                    on_error(row, error.detail)
            start, is_last = start + len(page.values), page.isLast
            if not is_last:
                guard.check(len(page.values), tuple(map(bytes, page.values)), start)

    def get(self, address: str) -> Response:
        """Read a whole address, and return the answer with its headers. Raises a `TrackerError`."""
        return self.caller.read(lambda: self._send("GET", address, None, None))

    def write(
        self, verb: Verb, path: str, body: Body | None = None, query: Query | None = None, *, project: str = ""
    ) -> Response:
        """Send a change. PUT and DELETE may be repeated, POST is sent once. Raises a `TrackerError`."""
        address = self.address(path)
        return self.caller.write(
            lambda: self._send(verb, address, query, body), project, repeatable=verb in ("PUT", "DELETE")
        )

    def upload(self, path: str, name: str, content: bytes, *, project: str = "") -> Response:
        """Attach a PNG picture; sent once. Raises a `TrackerError`."""
        address = self.address(path)
        file = {"file": (name, content, "image/png")}
        # None lets requests set the content type of a form; Jira accepts a form only with the second header
        headers = {"Content-Type": None, "X-Atlassian-Token": "no-check"}
        return self.caller.write(lambda: self._send("POST", address, None, None, files=file, headers=headers), project)

    def address(self, path: str) -> str:
        """The address of a resource in the API of Cloud (version 3) or Data Center (version 2)."""
        return f"{self.base_url}/rest/api/{'3' if self.is_cloud else '2'}/{path}"

    def _send(self, verb: Verb, address: str, query: Query | None, body: Body | None, **more: Any) -> Response:
        with self._client() as client:
            # The SDK's own session raises before status and headers can be read, so its parent class sends. Redirects
            # are not followed: they would turn a POST into a GET, and mostly lead to a login page.
            answer: requests.Response = requests.Session.request(
                client._session,  # noqa: SLF001  # the SDK has no public method for raw requests
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
                content = read_body(answer, self.clock)
        if answer.status_code == HTTPStatus.FORBIDDEN and _BASIC_REFUSED in content:
            raise AuthError(self.name, "", _BASIC_WORDS)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, content, verb, urlsplit(address).path)

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
        """Close all connections."""
        with self._lock:
            clients, self._idle = self._idle, []
        for client in clients:
            client.close()  # type: ignore[no-untyped-call]

    # --- discovery: facts that are read once a day ------------------------------------------------------------------

    def undiscovered(self, *, history: bool) -> list[str]:
        """The names of the facts that a pull needs and that are not known yet."""
        needed = ["is_cloud", "custom_fields", "own_account", "site", "configuration"]
        needed += ["categories"] if history else []
        needed += ["types"] if {"epics", "parents"} & set(self.list_option("containers")) else []
        return [name for name in needed if name not in vars(self)]

    def discover(self, *, history: bool) -> None:
        """Read the unknown facts, several at the same time. An error here concerns the whole connection."""
        self.is_cloud  # noqa: B018  # the addresses of the other facts depend on it
        names = self.undiscovered(history=history)
        try:
            self.caller.map_all(lambda name: getattr(self, name), names)
        except GoneError as error:
            raise MalformedError(self.name, "", error.detail) from None
        if names:
            self._discovered_at = self.clock()

    def recall(self, discovery: Discovery | None) -> None:
        """Use earlier facts, unless they are a day old or belong to other credentials or options."""
        if discovery is None or discovery.fingerprint != self._fingerprint:
            return
        if not timedelta(0) <= self.clock() - discovery.at < _DISCOVERY_AGE:
            return
        self._discovered_at, self._is_recalled = discovery.at, True
        facts: dict[str, Any] = {
            "is_cloud": discovery.cloud,
            "custom_fields": CustomFields(
                discovery.points, discovery.epic_link, discovery.sprint, discovery.parent_link, discovery.starts
            ),
            "own_account": discovery.account,
        }
        optional: dict[str, Any] = {"categories": dict(discovery.categories), "site": discovery.site}
        optional |= {"status_names": dict(discovery.status_names)}
        optional |= {"configuration": discovery.configuration, "types": discovery.types}
        self._has_recalled_types = bool(discovery.types)
        self.drivers, self.lists_versions = dict(discovery.drivers), discovery.lists_versions
        vars(self).update(facts | {name: value for name, value in optional.items() if value})

    def discovery(self) -> Discovery:
        """The known facts, for `recall`."""
        fields = self.custom_fields
        return Discovery(
            fingerprint=self._fingerprint,
            at=self._discovered_at,
            cloud=self.is_cloud,
            points=fields.points,
            epic_link=fields.epic_link,
            account=self.own_account,
            categories=vars(self).get("categories", {}),
            status_names=vars(self).get("status_names", {}),
            sprint=fields.sprint,
            site=self.site,
            parent_link=fields.parent_link,
            starts=fields.starts,
            types=vars(self).get("types", {}),
            configuration=self.configuration,
            drivers=self.drivers,
            lists_versions=self.lists_versions,
        )

    def refresh_categories(self) -> Mapping[str, str]:
        """Read the status categories again if they were only recalled."""
        if self._is_recalled:
            self._is_recalled = False
            for name in ("statuses", "categories", "status_names"):
                vars(self).pop(name, None)
        return self.categories

    def refresh_types(self) -> bool:
        """Read the issue types again, unless this session has read them. Return whether they differ."""
        before = vars(self).pop("types", None) if self._has_recalled_types else None
        self._has_recalled_types = False
        return before is not None and before != self.types

    @property
    def _fingerprint(self) -> str:
        """Fingerprint of URL, credentials and options; too short to reveal them."""
        values = msgspec.json.encode([self.base_url, sorted(self._secrets.items()), self.options], order="sorted")
        return blake2b(values, digest_size=4).hexdigest()

    @cached_property
    def is_cloud(self) -> bool:
        """Return whether this is Jira Cloud: by option, by host, else by one request. If not, it is Data Center."""
        dialect = self.options.get("dialect")
        if dialect:
            return bool(dialect == "cloud")
        host = urlsplit(self.base_url).hostname or ""
        if host.endswith(_CLOUD_HOSTS):
            return True
        address = f"{self.base_url}/rest/api/2/serverInfo"
        try:
            response = self.caller.read(lambda: self._send("GET", address, None, None))
        except GoneError as error:
            raise MalformedError(self.name, "", error.detail) from None
        return decode(response, api_types.ServerInfo, self.name).deploymentType == "Cloud"

    @cached_property
    def site(self) -> str:
        """The address where people open issues. It differs from `base_url`, our identity, behind the gateway only."""
        if urlsplit(self.base_url).hostname != _GATEWAY:
            return self.base_url
        address = self.read(api_types.ServerInfo, "serverInfo").baseUrl
        with reading(self.name, item="baseUrl"):
            return normalise_url(address) or self.base_url

    def tracker_id(self) -> str | None:
        """Return the address of a Jira Cloud site at Atlassian's gateway, which holds its id; empty if it has none.

        None: the answer was no id, as the page of a proxy. That says nothing about the site.
        """
        if not self.is_cloud:
            return ""
        if urlsplit(self.base_url).hostname == _GATEWAY:
            return self.base_url
        try:
            response = self.get(f"{self.base_url}/_edge/tenant_info")
            cloud_id = decode(response, api_types.TenantInfo, self.name).cloudId
        except GoneError:
            return ""
        except (RefusedError, MalformedError):
            return None
        if not _CLOUD_ID.fullmatch(cloud_id):
            return None
        return f"https://{_GATEWAY}/ex/jira/{cloud_id}"

    @cached_property
    def own_account(self) -> api_types.User:
        """The account of the token."""
        return self.read(api_types.User, "myself")

    @property
    def time_zone(self) -> ZoneInfo:
        """The time zone of the account's profile: Jira reads the times of a query in it."""
        name = self.own_account.timeZone
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            written = f" {name}" if _ZONE.fullmatch(name) else ""
            detail = f"the account's time zone{written} is unknown here; set another in its Jira profile"
            raise MalformedError(self.name, "", detail) from None

    @cached_property
    def statuses(self) -> list[api_types.Status]:
        """All statuses."""
        return self.read(list[api_types.Status], "status")

    @cached_property
    def categories(self) -> dict[str, str]:
        """The key of the category of each status, by status id."""
        return {status.id: status.statusCategory.key for status in self.statuses}

    @cached_property
    def status_names(self) -> dict[str, str]:
        """The present name of each status, by status id."""
        return {status.id: status.name for status in self.statuses}

    @cached_property
    def custom_fields(self) -> CustomFields:
        """The ids of the custom fields that are read."""
        fields = self.read(list[api_types.Field], "field")
        kinds = {field.id: (field.schema.custom or "") if field.schema else "" for field in fields}
        by_name = [field.id for field in fields if field.custom and field.name.lower() in _POINTS_NAMES]
        by_kind = [field.id for field in fields if kinds[field.id] == _POINTS_KIND and field.id not in by_name]
        epic_link, sprint, parent_link, target = (
            next((id_ for id_, kind in kinds.items() if kind == wanted), "")
            for wanted in (_EPIC_LINK_KIND, _SPRINT_KIND, _PARENT_LINK_KIND, _START_KIND)
        )
        starts = [field.id for field in fields if field.custom and field.name.lower() == _START_NAME]
        points = self.list_option("points_fields") or (*by_name, *by_kind)
        return CustomFields(points, epic_link, sprint, parent_link, (*starts, *filter(None, [target])))

    @cached_property
    def configuration(self) -> api_types.Configuration:
        """The settings of time tracking; none where Jira does not say them, as nothing else depends on them."""
        try:
            return self.read(api_types.Configuration, "configuration")
        except OPTIONAL_ERRORS:
            return api_types.Configuration()

    @property
    def work_time(self) -> WorkTime | None:
        """The hours of a day and the days of a week that Jira is configured with; None if time is not tracked."""
        configured = self.configuration.timeTrackingConfiguration
        if configured is None or not self.configuration.timeTrackingEnabled:
            return None
        hours, days = configured.workingHoursPerDay, configured.workingDaysPerWeek
        if not 0 < hours <= 24 or not 0 < days <= 7:
            return None
        return WorkTime(hours_a_day=hours, days_a_week=days)

    @cached_property
    def types(self) -> dict[str, int]:
        """The level of each issue type by name: -1 sub-task, 0 issue, 1 epic, more above.

        Data Center does not say the level, so only the option ``epic_types`` makes a type an epic there.
        """
        epics = {name.lower() for name in self.list_option("epic_types") or ("Epic",)}
        levels: dict[str, int] = {}
        for type_ in self.read(list[api_types.IssueType], "issuetype"):
            by_name = -1 if type_.subtask else int(type_.name.lower() in epics)
            level = by_name if type_.hierarchyLevel is None else type_.hierarchyLevel
            levels[type_.name] = max(level, levels.get(type_.name, level))
        return levels

    @property
    def issue_options(self) -> str:
        """Fingerprint of the options that decide what is read of an issue; empty for their defaults."""
        names = ("containers", "epic_types", "parent_types")
        values: list[Any] = [sorted(set(self.list_option(name))) for name in names]
        if values[0] in ([], ["versions"]):
            values = []
        values += [] if self.blocked_link == _BLOCKED_LINK else [self.blocked_link]
        values += [] if self.history else [self.history]
        return blake2b(msgspec.json.encode(values), digest_size=4).hexdigest() if values else ""

    # --- options ----------------------------------------------------------------------------------------------------

    @property
    def history(self) -> bool:
        """Return whether the histories of issues are read."""
        return bool(self.options.get("history", True))

    @property
    def blocked_link(self) -> str:
        """The text of the link type on the side of the blocked issue."""
        return str(self.options.get("blocked_link") or _BLOCKED_LINK)

    def list_option(self, name: str) -> tuple[str, ...]:
        """Read an option that holds a list; a single word is a list of one word."""
        value = self.options.get(name) or ()
        return (value,) if isinstance(value, str) else tuple(str(entry) for entry in value)
