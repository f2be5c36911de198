"""Errors of the connectors: unsupported writes, copies for a project, unreadable answers, changed descriptions."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from http.client import RemoteDisconnected
from types import SimpleNamespace
from typing import Any

import pytest
import requests
import urllib3

from connectors.github import apply as github
from connectors.github.node_ids import NodeIds
from connectors.gitlab import apply as gitlab
from connectors.jira import apply as jira
from connectors.jira.session import for_project
from connectors.shared.descriptions import changed_description
from connectors.shared.http import Caller
from connectors.shared.responses import Response, decode_created, error_of
from sync.tracker.actions import Action, UpdateDescription
from sync.tracker.errors import (
    BusyError,
    EndpointError,
    GoneError,
    LimitedError,
    RefusedError,
    UncertainError,
    UnreachableError,
)
from sync.tracker.protocol import Setup

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


class Rename(Action, frozen=True, kw_only=True, tag=True):
    """A kind of write that no connector supports."""


@pytest.mark.parametrize(
    ("writer", "tracker"),
    [(partial(github.Writer, node_ids=NodeIds()), "GitHub"), (gitlab.Writer, "GitLab"), (jira.Writer, "Jira")],
)
def test_unsupported_action_is_refused(writer: Callable[[Any], Any], tracker: str) -> None:
    session = SimpleNamespace(name="c")
    with pytest.raises(
        RefusedError, match=f"c: acme/app: .*the {tracker} connector does not support the action Rename"
    ):
        writer(session).apply(Rename(milestone="m", project="1", project_key="acme/app"))


@pytest.mark.parametrize("kind", [BusyError, LimitedError])
def test_error_for_another_project_keeps_its_time(kind: type[BusyError | LimitedError]) -> None:
    error = for_project(kind("c", "", "HTTP 503", until=AT), "PAY")
    assert isinstance(error, kind)
    assert (error.connection, error.project, error.detail, error.until) == ("c", "PAY", "HTTP 503", AT)


@pytest.mark.parametrize("kind", [BusyError, LimitedError])
def test_time_of_a_limit_is_named(kind: type[BusyError | LimitedError]) -> None:
    assert str(kind("c", "PAY", "HTTP 429", until=AT)).endswith("(HTTP 429; until 2026-03-02 09:00 UTC)")
    assert str(kind("c", until=AT)).endswith("(until 2026-03-02 09:00 UTC)")


@pytest.mark.parametrize(
    ("path", "kind", "words"),
    [
        ("/repos/acme/gone", GoneError, "The project does not exist, or this token may not see it."),
        ("/api/graphql", EndpointError, "The server does not know this address of its API; check url"),
    ],
)
def test_missing_address_is_named_and_graphql_is_no_project(path: str, kind: type[GoneError], words: str) -> None:
    response = Response(404, {}, b'{"message": "Not Found"}', "POST", path)
    error = error_of(response, "c", "acme/app", AT)
    assert type(error) is kind
    assert words in str(error)
    assert str(error).endswith(f"(HTTP 404: Not Found; POST {path})")


def wrapped(cause: OSError) -> requests.exceptions.ConnectionError:
    """Return the error that requests makes of a failure of the operating system, two libraries deep."""
    pooled, error = urllib3.exceptions.ProtocolError("broken"), requests.exceptions.ConnectionError("broken")
    error.__context__, pooled.__cause__ = pooled, cause
    return error


@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (requests.exceptions.Timeout(), "tracker.example:8443: the request timed out"),
        (requests.exceptions.ConnectionError(), "tracker.example:8443: ConnectionError"),
        (wrapped(ConnectionRefusedError(111)), "tracker.example:8443: the connection was refused"),
        (wrapped(socket.gaierror(-2)), "tracker.example:8443: the name of the server is not known"),
        (wrapped(TimeoutError()), "tracker.example:8443: the request timed out"),
        (wrapped(RemoteDisconnected("no line")), "tracker.example:8443: the server closed the connection"),
        (requests.exceptions.ProxyError(), "tracker.example:8443: the proxy did not let the request through"),
        (requests.exceptions.SSLError(), "the TLS certificate of tracker.example:8443 was not accepted"),
    ],
)
def test_unreachable_server_is_named_by_its_address(failure: Exception, words: str) -> None:
    def send() -> Response:
        raise failure

    setup = Setup(name="c", url="https://tracker.example:8443/x", secrets={}, clock=lambda: AT, sleep=lambda _: None)
    with pytest.raises(UnreachableError, match=words):
        Caller(setup, attempts=1).read(send)


def test_a_refused_connection_is_named_in_words() -> None:
    """Through the libraries, which wrap the cause."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    setup = Setup(name="c", url=f"http://127.0.0.1:{port}", secrets={}, clock=lambda: AT, sleep=lambda _: None)
    with pytest.raises(UnreachableError, match=f"127.0.0.1:{port}: the connection was refused"):
        Caller(setup, attempts=1).read(lambda: Response(requests.get(setup.url, timeout=5).status_code, {}, b""))


def test_failed_write_names_milestone_and_action() -> None:
    error = RefusedError("gh", "acme/app", "HTTP 403")
    error.write = "gh:acme/app#5: summary comment on #41"
    assert str(error) == (
        "gh:acme/app#5: summary comment on #41: "
        "The tracker refused the request; a person must check the reason. (HTTP 403)"
    )


def test_error_for_another_project_keeps_its_type() -> None:
    error = for_project(GoneError("c", "", "HTTP 404"), "PAY")
    assert (type(error), error.project, error.detail) == (GoneError, "PAY", "HTTP 404")


def test_unreadable_answer_to_a_creation_is_uncertain() -> None:
    with pytest.raises(UncertainError, match="HTML instead of JSON"):
        decode_created(Response(201, {}, b"<html>"), dict[str, str], "c", "acme/app")


def test_changed_description_is_refused() -> None:
    update = UpdateDescription(
        milestone="m",
        project="1",
        project_key="acme/app",
        key="1",
        native="1",
        url="",
        lines="On track",
        instance="i",
        was="0123456789abcdef",
    )
    with pytest.raises(RefusedError, match="somebody changed the description"):
        changed_description(None, update, "c")
