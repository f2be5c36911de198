"""Sandbox Jira: requests and refusals of the handlers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import msgspec
from msgspec import Struct
from starlette.datastructures import QueryParams
from starlette.requests import Request

__all__ = ["Ask", "RefusedByJiraError", "names", "paged", "read", "whole"]

Json = dict[str, Any]


class RefusedByJiraError(Exception):
    """Jira's own refusal: a status and its messages."""

    def __init__(self, status: int, *messages: str, errors: dict[str, str] | None = None) -> None:
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": errors or {}}
        super().__init__(*messages)


class Ask(Struct, frozen=True):
    """One request: the parts of its path, its query, its JSON object (default: empty); of a form its ``files`` with
    their names. ``token`` is the header ``X-Atlassian-Token``.
    """

    method: str
    path: Mapping[str, str]
    query: QueryParams
    body: Json
    files: tuple[tuple[str, bytes], ...] = ()
    token: str = ""

    def listed(self) -> Json:
        """Return a GET's parameters in the shape of a POST's body."""
        return {name: ",".join(self.query.getlist(name)) for name in self.query}


def read(request: Request, raw: bytes) -> Ask:
    """Read a request with its body. Raises `RefusedByJiraError` for a body that is neither a JSON object nor a form."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        token = request.headers.get("x-atlassian-token", "")
        return Ask(request.method, request.path_params, request.query_params, {}, tuple(_files(kind, raw)), token)
    body: Any = {}
    if raw:
        try:
            body = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RefusedByJiraError(400, "Unexpected character in the body.") from None
    if not isinstance(body, dict):
        raise RefusedByJiraError(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return Ask(request.method, request.path_params, request.query_params, body)


def _files(kind: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Return the parts ``file`` of a form."""
    form = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + raw)
    for part in form.iter_parts():
        if part.get_param("name", header="content-disposition") == "file":
            content = part.get_payload(decode=True)
            yield part.get_filename() or "", content if isinstance(content, bytes) else b""


def whole(value: Any, otherwise: int) -> int:
    """Return a number of a body or a query."""
    if value is None or value == "":
        return otherwise
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise RefusedByJiraError(400, "A number was expected.") from None
    if number < 0:
        raise RefusedByJiraError(400, "A number must not be negative.")
    return number


def names(value: Any) -> list[str]:
    """Return names of a list or a text with commas."""
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise RefusedByJiraError(400, "A list of names was expected.")
    return [part.strip() for name in value for part in name.split(",") if part.strip()]


def paged(ask: Ask, values: list[Any], most: int, usual: int = 0) -> Json:
    """Return a page of values in the format of Jira's newer resources: ``usual`` values by default, else ``most``."""
    start = whole(ask.query.get("startAt"), 0)
    size = min(whole(ask.query.get("maxResults"), usual or most), most)
    return {
        "startAt": start,
        "maxResults": size,
        "total": len(values),
        "isLast": start + size >= len(values),
        "values": values[start : start + size],
    }
