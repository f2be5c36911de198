"""Transport to GitLab: python-gitlab sends the requests; retries and pacing are those of `connectors.shared.http`.

The SDK's retries, sleeps and object layer are off. Each request takes an idle client and returns it, so that no client
serves two threads at the same time and open connections are reused.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import count
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

import requests
from gitlab.exceptions import GitlabError, RedirectError
from msgspec import Raw

from connectors.gitlab import api_types
from connectors.gitlab.address import base_url_of
from connectors.gitlab.options import NOTES_PER_MINUTE, REQUESTS_PER_MINUTE
from connectors.gitlab.sdk import Client
from connectors.shared.batch_size import BatchSize
from connectors.shared.http import Caller, origin_of, pin_environment
from connectors.shared.recorded_names import RecordedNames
from connectors.shared.responses import Response, decode, decode_row, read_body
from connectors.shared.rows import Rows, read_rows
from sync.model.tracker_data import UnreadRow
from sync.tracker.errors import ArchivedError, BusyError, GoneError, MalformedError, RefusedError, TrackerError
from sync.tracker.protocol import Setup

__all__ = [
    "PER_PAGE",
    "PROBE_SIZE",
    "PROJECT_ERRORS",
    "THREAD_SIZE",
    "Session",
    "TooHeavyError",
    "has_next",
    "page_count",
    "row_count",
]

T = TypeVar("T")
R = TypeVar("R")
Params = Mapping[str, Any]

PER_PAGE = 100
"""Rows in one page."""

PROJECT_ERRORS = (GoneError, MalformedError, RefusedError, BusyError)
"""Errors that concern one project. All other errors end the work of the connection."""

PROBE_SIZE, THREAD_SIZE = 50, 20
"""Most projects, and most status issues with their comments, in one request by GraphQL. GitLab takes fifty paths."""

MINUTE = timedelta(minutes=1)


def page_count(answer: Response) -> int | None:
    """The number of pages of a list; None if GitLab did not count them."""
    return _number(answer.headers.get("x-total-pages", ""))


def row_count(answer: Response) -> int | None:
    """The number of rows of a list; None if GitLab did not count them."""
    return _number(answer.headers.get("x-total", ""))


def _number(text: str) -> int | None:
    return int(text[:9]) if text.isdecimal() else None


def has_next(answer: Response, number: int, rows: int) -> bool:
    """Return whether a page follows page ``number``, of ``rows`` rows, by what GitLab says in any way.

    Some lists have no pages and say nothing; a list that says nothing is read on behind a full page.
    """
    pages, following, link = page_count(answer), answer.headers.get("x-next-page"), answer.headers.get("link")
    if following or 'rel="next"' in (link or "") or (pages or 0) > number:
        return True
    return pages is None and following is None and link is None and rows == PER_PAGE


class TooHeavyError(Exception):
    """Raised when GitLab could not answer so large a query in time: split it."""


class _Client(Client):
    """SDK client that keeps the last answer: the SDK's errors leave its headers out."""

    last: requests.Response | None = None

    def keep(self, response: requests.Response, **_: Any) -> None:
        """Response hook: keep the answer."""
        self.last = response


class Session:
    """All requests of one connection. Its threads may share it."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.base_url = setup.name, base_url_of(setup.url)
        self.concurrency, self.clock = setup.concurrency, setup.clock
        self._setup, self._idle = setup, deque[_Client]()
        public = urlsplit(self.base_url).hostname == "gitlab.com"
        self.caller = Caller(
            setup, per_minute=int(setup.options.get("requests_a_minute", REQUESTS_PER_MINUTE if public else 0))
        )
        self.graphql = "job_token" not in setup.secrets
        """Whether GraphQL can be used: a job token may not."""
        self.has_activity = self.graphql
        """Whether GraphQL has the activity of issues: older instances refuse the query."""
        self.activity_batch = BatchSize(PER_PAGE)
        """Number of issues whose activity GraphQL can answer in one request."""
        self.has_reviews = self.graphql
        """Whether GraphQL has the reviews of merge requests with their notes: older instances refuse the query."""
        self.has_statuses = self.graphql
        """Whether GraphQL has the categories of statuses: from 18.2 on. An instance without a licence is not asked."""
        self.has_probes = self.graphql
        """Whether GraphQL can list many projects with their newest updates."""
        self.probe_size = PROBE_SIZE
        """Projects that GraphQL can answer in one request."""
        self.has_threads = self.graphql
        """Whether GraphQL can list status issues with their comments."""
        self.thread_size = THREAD_SIZE
        """Status issues that GraphQL can answer in one request."""
        self.counts_blockers = True
        """Whether GraphQL counts the blockers of an issue: older instances do not."""
        self.lacking_names = set[str]()
        """Optional fields, arguments and types that GraphQL does not know here."""
        self.recorded = RecordedNames.of(setup.options)
        self.group_page = 0
        """Rows of a group's list that GraphQL can answer in one request; 0: no list was too heavy."""
        self._note_times = deque[datetime](maxlen=max(1, int(setup.options.get("notes_a_minute", NOTES_PER_MINUTE))))

    def get(self, path: str, project: str = "", **params: Any) -> Response:
        """Read; retry after temporary failures. Raises a `TrackerError` that names ``project``."""
        return self.caller.read(lambda: self._send("get", path, project, params), project)

    def query(self, document: str, variables: Params, project: str = "") -> Response:
        """Query GraphQL. Raises `TooHeavyError` at once when a smaller query may succeed."""

        def send() -> Response:
            try:
                body = {"query": document, "variables": variables}
                response = self._send("post", f"{self.base_url}/api/graphql", project, {}, body)
            except requests.exceptions.Timeout:
                raise TooHeavyError from None
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TooHeavyError
            return response

        return self.caller.read(send, project)

    def rows(self, type_: type[T], path: str, project: str = "", **params: Any) -> list[T]:
        """Fetch every row of a list. Raises `MalformedError` for a row that cannot be read.

        Use it for lists that do not change meanwhile: a deletion would move rows between pages.
        """
        pages = self._row_pages(path, project, params)
        return [decode_row(row, type_, self.name, project) for rows in pages for row in rows]

    def readable_rows(
        self, type_: type[T], path: str, project: str, describe: Callable[[Raw, str], UnreadRow], **params: Any
    ) -> Rows[T]:
        """Fetch every row of a list, as `rows` does; ``describe`` names a row that cannot be read."""
        return Rows[T]().join(
            read_rows(rows, lambda row: decode_row(row, type_, self.name, project), describe)
            for rows in self._row_pages(path, project, params)
        )

    def _row_pages(self, path: str, project: str, params: Params) -> Iterator[list[Raw]]:
        """Yield the undecoded rows of each page: page 1, then the other pages, several requested at the same time.

        Without a number of pages they are requested one after the other.
        """

        def page(number: int) -> Response:
            return self.get(path, project, page=number, per_page=PER_PAGE, **params)

        answer, guard = page(1), self.caller.guard(project)
        answers = self._following(page, page_count(answer))
        for number in count(1):
            rows = decode(answer, list[Raw], self.name, project)
            yield rows
            if not has_next(answer, number, len(rows)):
                answers.close()
                return
            guard.check(len(rows), answer.body)
            answer = next(answers)

    def _following(self, page: Callable[[int], Response], pages: int | None) -> Generator[Response, None, None]:
        """Fetch page 2 and so on, without end: the ``pages`` that are known, at the same time."""
        last = pages or 1
        yield from self.caller.map_ahead(page, range(2, last + 1))
        yield from map(page, count(last + 1))

    def change(self, verb: str, path: str, project: str, body: Params | None = None, *, repeatable: bool) -> Response:
        """Send a write. ``repeatable``: sending it twice has the same effect as once. See `Caller.write`.

        GitLab refuses a write in an archived project without a reason, so the project is asked for it.
        """
        try:
            return self.caller.write(lambda: self._send(verb, path, project, {}, body), project, repeatable=repeatable)
        except RefusedError as refused:
            if refused.detail.startswith("HTTP 403") and self._is_archived(path, project):
                raise ArchivedError(self.name, project, refused.detail) from None
            raise

    def _is_archived(self, path: str, project: str) -> bool:
        """Return whether the project of this path, ``/projects/ID/...``, is archived. False: that is not known."""
        if not path.startswith("/projects/"):
            return False
        try:
            answer = self.get("/".join(path.split("/")[:3]), project)
            return decode(answer, api_types.Project, self.name, project).archived
        except TrackerError:
            return False

    def note(self, path: str, project: str, body: Params) -> Response:
        """Send a new note once, no faster than GitLab allows."""
        now = self._setup.clock()
        if len(self._note_times) == self._note_times.maxlen and now - self._note_times[0] < MINUTE:
            self._setup.sleep((self._note_times[0] + MINUTE - now).total_seconds())
        self._note_times.append(self._setup.clock())
        return self.change("post", path, project, body, repeatable=False)

    def close(self) -> None:
        """Close all connections."""
        while self._idle:
            self._idle.pop().session.close()

    def _client(self) -> _Client:
        secrets = self._setup.secrets
        client = _Client(
            self.base_url,
            oauth_token=None if "job_token" in secrets else secrets.get("token"),
            job_token=secrets.get("job_token"),
            timeout=self._setup.timeout,
            user_agent="milesync",
            keep_base_url=True,
        )
        client.ssl_verify = pin_environment(client.session, self.base_url, self._setup.options.get("ca_file"))
        client.session.hooks["response"] += [client.keep, self._refuse_other_address]
        return client

    def _send(self, verb: str, path: str, project: str, params: Params, body: Params | None = None) -> Response:
        try:
            client = self._idle.pop()
        except IndexError:
            client = self._client()
        try:
            answer = client.http_request(
                verb,
                path,
                query_data=dict(params),
                post_data=None if body is None else dict(body),
                streamed=True,
                obey_rate_limit=False,
                retry_transient_errors=False,
                max_retries=0,
            )
            content = read_body(answer, self._setup.clock)
            self.caller.add_requests(len(answer.history))
        except RedirectError:
            raise RefusedError(
                self.name, project, "the write was redirected; configure the project's present path"
            ) from None
        except GitlabError:
            if client.last is None:
                raise
            answer, content = client.last, client.last.content
        finally:
            if client.last is not None:
                client.last.close()
                client.last = None
            self._idle.append(client)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, content, verb.upper(), urlsplit(answer.url).path)

    def _refuse_other_address(self, response: requests.Response, **_: Any) -> None:
        """Response hook: follow a redirect within this scheme, host and port only.

        Another host would see the token; without TLS everybody on the way would.
        """
        if not response.is_redirect:
            return
        target = urljoin(str(response.url), response.headers["location"])
        if origin_of(target) != origin_of(self.base_url):
            raise MalformedError(self.name, "", "redirected to another address; check the connection's url")
