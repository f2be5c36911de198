"""Requests to a tracker that speaks JSON over HTTP, for a connector in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec
import requests
from msgspec import Struct
from requests.adapters import HTTPAdapter

from connectors.shared.http import Caller, pin_environment
from connectors.shared.responses import Response, decode, decode_created, decode_row
from sync.tracker.protocol import Setup

__all__ = ["JsonApi", "RowPage"]

T = TypeVar("T")


class RowPage(Struct, frozen=True):
    """A page of a list: its rows, and the token of the next page; empty for the last page."""

    rows: list[msgspec.Raw]
    next: str = ""


class JsonApi:
    """Client of one tracker. Each answer is decoded to a type, and each failure is a `TrackerError`.

    `connectors.shared.http.Caller` counts, paces and repeats the requests. The option ``transport`` of a test is an
    adapter of requests, behind which a tracker may be in memory. ``headers`` authorise the requests.
    """

    def __init__(self, setup: Setup, headers: Mapping[str, str]) -> None:
        self.name, self.base_url = setup.name, setup.url.rstrip("/")
        self.caller, self._timeout = Caller(setup), setup.timeout
        self._session = requests.Session()
        self._session.headers.update(headers)
        pin_environment(self._session, self.base_url, setup.options.get("ca_file"))
        self._session.mount(self.base_url, setup.options.get("transport") or HTTPAdapter())

    def get(self, path: str, type_: type[T], project: str = "", **query: str) -> T:
        """Read one object. ``project`` is named in errors."""
        answer = self.caller.read(lambda: self._send("GET", path, query, None), project)
        return decode(answer, type_, self.name, project)

    def pages(self, path: str, type_: type[T], project: str = "", **query: str) -> Iterator[list[T]]:
        """Yield the rows of each page of a list, whose answers are `RowPage`. An empty list is one empty page."""
        guard, token = self.caller.guard(project), ""
        while True:
            page = self.get(path, RowPage, project, **query, **({"page": token} if token else {}))
            yield [decode_row(row, type_, self.name, project) for row in page.rows]
            if not page.next:
                return
            guard.check(len(page.rows), tuple(map(bytes, page.rows)), page.next)
            token = page.next

    def create(self, path: str, type_: type[T], project: str, body: Mapping[str, Any]) -> T:
        """Create an object: the request is sent once. Raises `UncertainError` if its answer is lost."""
        answer = self.caller.write(lambda: self._send("POST", path, {}, body), project)
        return decode_created(answer, type_, self.name, project)

    def change(self, method: str, path: str, project: str, body: Mapping[str, Any] | None = None) -> None:
        """Send a change that has the same result when it is sent again, so it may be repeated."""
        answer = self.caller.write(lambda: self._send(method, path, {}, body), project, repeatable=True)
        if answer.body:
            decode(answer, msgspec.Raw, self.name, project)

    def close(self) -> None:
        """Close all connections."""
        self._session.close()

    def _send(self, method: str, path: str, query: Mapping[str, str], body: Mapping[str, Any] | None) -> Response:
        answer = self._session.request(
            method,
            f"{self.base_url}{path}",
            params=query,
            json=body,
            timeout=self._timeout,
            allow_redirects=False,  # a redirect would lead the token elsewhere
        )
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status_code, headers, answer.content, method, path)
