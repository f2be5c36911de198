"""Webhooks: signatures of GitHub, GitLab and Jira, and the configured projects of a request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.github.webhook import parse_event as github
from connectors.gitlab.webhook import parse_event as gitlab
from connectors.jira.webhook import parse_event as jira
from sync.tracker.webhook import ForgedError, WebhookEvent
from sync.worker.webhooks import matching_projects

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
SECRET = "a secret of the tests"
KEY = "whsec_" + base64.b64encode(b"a key of the tests").decode()


def hexed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def based(body: bytes, stamp: str, key: bytes = b"a key of the tests", name: str = "d1") -> dict[str, str]:
    content = f"{name}.{stamp}.".encode() + body
    mac = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}


def of(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_the_example_in_githubs_documentation() -> None:
    secret, body = "It's a Secret to Everybody", b"Hello, World!"
    wanted = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    assert github({"x-hub-signature-256": wanted, "x-github-event": "ping"}, body, secret) == WebhookEvent(
        project="", matters=False
    )


@pytest.mark.parametrize(
    ("event", "matters"), [("issues", True), ("milestone", True), ("issue_comment", True), ("push", False), ("", False)]
)
def test_github(event: str, matters: bool) -> None:
    body = of({"repository": {"full_name": "acme/app"}, "issue": {"title": "not read"}})
    headers = {"x-hub-signature-256": hexed(body), "x-github-event": event}
    assert github(headers, body, SECRET) == WebhookEvent(project="acme/app", matters=matters)


def test_gitlab_by_its_plain_token() -> None:
    body = of({"object_kind": "issue", "project": {"path_with_namespace": "acme/api"}})
    assert gitlab({"x-gitlab-token": SECRET}, body, SECRET, NOW) == WebhookEvent(project="acme/api")


def test_gitlab_by_its_signature() -> None:
    body = of({"object_kind": "milestone", "group": {"full_path": "acme"}})
    stamp = str(int(NOW.timestamp()))
    assert gitlab(based(body, stamp), body, KEY, NOW) == WebhookEvent(project="acme")
    several = based(body, stamp)
    several["webhook-signature"] = "v1,AAAA " + several["webhook-signature"]
    assert gitlab(several, body, KEY, NOW).project == "acme", "a key that is being changed signs twice"


@pytest.mark.parametrize("off", [timedelta(minutes=6), timedelta(minutes=-6), timedelta(days=400)])
def test_gitlabs_signature_grows_old(off: timedelta) -> None:
    body = b"{}"
    with pytest.raises(ForgedError):
        gitlab(based(body, str(int((NOW - off).timestamp()))), body, KEY, NOW)


def test_a_gitlab_secret_that_signs_takes_no_plain_token() -> None:
    with pytest.raises(ForgedError):
        gitlab({"x-gitlab-token": KEY}, b"{}", KEY, NOW)


@pytest.mark.parametrize(
    ("event", "document", "project", "matters"),
    [
        ("jira:issue_updated", {"issue": {"key": "PAY-7"}}, "PAY", True),
        ("comment_created", {"issue": {"key": "A_B-7"}}, "A_B", True),
        ("jira:version_released", {"version": {"projectId": 10000}}, "", True),
        ("jira:worklog_updated", {"issue": {"key": "PAY-7"}}, "PAY", False),
    ],
)
def test_jira(event: str, document: dict[str, Any], project: str, matters: bool) -> None:
    body = of({"webhookEvent": event, **document})
    assert jira({"x-hub-signature": hexed(body)}, body, SECRET) == WebhookEvent(project=project, matters=matters)


STAMP = str(int(NOW.timestamp()))
BAD: list[Mapping[str, str]] = [
    {},
    {"x-hub-signature-256": "", "x-hub-signature": "", "x-gitlab-token": ""},
    {"x-hub-signature-256": "sha256=", "x-hub-signature": "sha256=", "x-gitlab-token": "sha256="},
    {"x-hub-signature-256": hexed(b"{}", "wrong"), "x-hub-signature": hexed(b"{}", "wrong"), "x-gitlab-token": "wrong"},
    {"x-hub-signature-256": hexed(b"{ }"), "x-hub-signature": hexed(b"{ }"), "x-gitlab-token": SECRET + " "},
    {"x-hub-signature-256": hexed(b"{}").upper(), "x-hub-signature": hexed(b"{}")[7:], "x-gitlab-token": "é"},
    {"x-hub-signature": "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()},
    based(b"{}", STAMP, b"wrong"),
    based(b"{ }", STAMP),
    {**based(b"{}", STAMP), "webhook-id": "another"},
    {**based(b"{}", STAMP), "webhook-timestamp": ""},
    {**based(b"{}", STAMP), "webhook-timestamp": "²"},
    {**based(b"{}", STAMP), "webhook-timestamp": "9" * 400},
    {**based(b"{}", STAMP), "webhook-signature": "v1," * 1000},
    {**based(b"{}", STAMP), "webhook-signature": "v2," + based(b"{}", STAMP)["webhook-signature"][3:]},
]


@pytest.mark.parametrize("headers", BAD)
def test_what_is_not_signed_with_the_secret_is_forged(headers: Mapping[str, str]) -> None:
    for ear in (github, jira):
        with pytest.raises(ForgedError):
            ear(headers, b"{}", SECRET)
    for secret in (SECRET, KEY):
        with pytest.raises(ForgedError):
            gitlab(headers, b"{}", secret, NOW)


@pytest.mark.parametrize("body", [b"", b"null", b"[1]", b"\xff\xfe", b'{"repository": 7}', b'{"issue": {"key": null}}'])
def test_a_signed_body_without_sense_names_no_project(body: bytes) -> None:
    headers = {"x-hub-signature-256": hexed(body), "x-hub-signature": hexed(body), "x-gitlab-token": SECRET}
    assert github(headers, body, SECRET).project == ""
    assert gitlab(headers, body, SECRET, NOW).project == ""
    assert jira(headers, body, SECRET).project == ""


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("acme/app", ("acme/app", "acme/*")),
        ("Acme/App", ("acme/app", "acme/*")),
        ("acme/other", ("acme/*",)),
        ("group/sub/api", ("group",)),
        ("group", ("group",)),
        ("tools", ("tools/ci",)),
        ("groupie/api", ()),
        ("*", ()),
        ("", ("acme/app", "acme/*", "group", "tools/ci", "PAY")),
        ("PAY", ("PAY",)),
        ("PAYMENTS", ()),
    ],
)
def test_only_what_is_configured_is_meant(named: str, meant: tuple[str, ...]) -> None:
    assert matching_projects(("acme/app", "acme/*", "group", "tools/ci", "PAY"), named) == meant
