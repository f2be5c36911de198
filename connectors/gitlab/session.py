"""Talking to one GitLab: python-gitlab carries the bytes, everything else is `connectors.shared.http`'s.

The SDK's retries, sleeps and object layer are off. Each request takes an idle client and gives it back, so that no
client serves two threads at once and connections are kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import gitlab
import requests
from gitlab.exceptions import GitlabError, RedirectError

from connectors.shared.http import Caller, pin_environment
from connectors.shared.responses import Response, decode, read_body
from sync.tracker.errors import BusyError, GoneError, MalformedError, RefusedError
from sync.tracker.protocol import Setup

__all__ = ["OWN_FAILURES", "PER_PAGE", "Session", "TooHeavyError", "source_of"]

T = TypeVar("T")
R = TypeVar("R")
Params = Mapping[str, Any]

PER_PAGE = 100
OWN_FAILURES = (GoneError, MalformedError, RefusedError, BusyError)
"""What ends one project's reading and not the others'."""
NOTES_A_MINUTE = 55
"""GitLab.com takes 60 new notes a minute from one user."""
READS_PER_MINUTE = 1800
"""GitLab.com takes 2,000 requests a minute from one user."""
MINUTE = timedelta(minutes=1)


def source_of(url: str) -> str:
    """The base URL by which a GitLab is known for ever: no ``/api/v4``, no slash at the end, host in lower case."""
    parts = urlsplit(url.rstrip("/").removesuffix("/api/v4").rstrip("/"))
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path, "", ""))


class TooHeavyError(Exception):
    """GitLab could not answer so large a question in time; ask for less."""


class _Client(gitlab.Gitlab):
    """An SDK client that remembers the last answer, whose headers its errors leave out."""

    last: requests.Response | None = None

    def heard(self, response: requests.Response, **_: Any) -> None:
        """Response hook."""
        self.last = response


class Session:
    """One connection's requests. Threads may share it."""

    def __init__(self, setup: Setup) -> None:
        self.name, self.base_url = setup.name, source_of(setup.url)
        self.concurrency = setup.concurrency
        self._setup, self._idle = setup, deque[_Client]()
        public = urlsplit(self.base_url).hostname == "gitlab.com"
        self._caller = Caller(
            setup, per_minute=int(setup.options.get("requests_a_minute", READS_PER_MINUTE if public else 0))
        )
        self.graphql = "job_token" not in setup.secrets
        """Whether GraphQL is worth asking: a job token may not, and an instance may have refused."""
        self.counts_blockers = True
        """Whether GraphQL knows how many issues block one: older instances do not."""
        self._notes = deque[datetime](maxlen=max(1, int(setup.options.get("notes_a_minute", NOTES_A_MINUTE))))

    @property
    def sent(self) -> int:
        """Requests sent so far."""
        return self._caller.count

    def get(self, path: str, project: str = "", **params: Any) -> Response:
        """Read one answer, again after passing faults. Raises a `TrackerError` that names ``project``."""
        return self._caller.read(lambda: self._send("get", path, project, params), project)

    def query(self, document: str, variables: Params, project: str = "") -> Response:
        """Ask by GraphQL. Raises `TooHeavyError` at once where asking for less may help."""

        def ask() -> Response:
            try:
                body = {"query": document, "variables": variables}
                response = self._send("post", f"{self.base_url}/api/graphql", project, {}, body)
            except requests.exceptions.Timeout:
                raise TooHeavyError from None
            if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise TooHeavyError
            return response

        return self._caller.read(ask, project)

    def rows(self, type_: type[T], path: str, project: str = "", **params: Any) -> list[T]:
        """Every row of a list that stands still long enough: page 1, then the others a few at once."""

        def page(number: int) -> Response:
            return self.get(path, project, page=number, per_page=PER_PAGE, **params)

        first = page(1)
        found = decode(first, list[type_], self.name, project)  # type: ignore[valid-type]
        last = first.headers.get("x-total-pages", "")
        if last.isdigit():
            for answer in self.map_all(page, range(2, int(last) + 1)):
                found += decode(answer, list[type_], self.name, project)  # type: ignore[valid-type]
            return found
        number, answer = 1, first
        while len(found) == number * PER_PAGE:
            number, before = number + 1, answer
            answer = page(number)
            if answer.body == before.body:
                raise MalformedError(self.name, project, "its pages repeat")
            found += decode(answer, list[type_], self.name, project)  # type: ignore[valid-type]
        return found

    def change(self, verb: str, path: str, project: str, body: Params | None = None, *, again: bool) -> Response:
        """Send a write; ``again`` says that doing it twice is doing it once. See `Caller.write`."""
        return self._caller.write(lambda: self._send(verb, path, project, {}, body), project, repeatable=again)

    def note(self, path: str, project: str, body: Params) -> Response:
        """Send a new note, no faster than GitLab takes them; never twice."""
        now = self._setup.clock()
        if len(self._notes) == self._notes.maxlen and now - self._notes[0] < MINUTE:
            self._setup.sleep((self._notes[0] + MINUTE - now).total_seconds())
        self._notes.append(self._setup.clock())
        return self.change("post", path, project, body, again=False)

    def map_all(self, work: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``work`` on every item, a few at once, in order."""
        return self._caller.map_all(work, items)

    def map_ahead(self, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """``work`` on every item, a few at once, while the results are taken in order."""
        return self._caller.map_ahead(work, items)

    def close(self) -> None:
        """Give back connections."""
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
        client.session.hooks["response"] += [client.heard, self._stay]
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
            self._caller.add_requests(len(answer.history))
        except RedirectError:
            raise RefusedError(self.name, project, "the write was redirected; use the project's present path") from None
        except GitlabError:
            if client.last is None:
                raise
            answer, content = client.last, client.last.content
        finally:
            if client.last is not None:
                client.last.close()
                client.last = None
            self._idle.append(client)
        return Response(answer.status_code, {k.lower(): v for k, v in answer.headers.items()}, content)

    def _stay(self, response: requests.Response, **_: Any) -> None:
        """Response hook: follow a redirect on this host only, so that no other ever sees the token."""
        target = urlsplit(response.headers.get("location", ""))
        if response.is_redirect and target.netloc and target.netloc.lower() != urlsplit(self.base_url).netloc:
            raise MalformedError(self.name, "", "redirects to another host")
