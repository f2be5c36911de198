"""The Jira connector against a Jira Data Center that others imitate: ``jira820`` of the package index.

It imitates version 8.20 with issues of its own making. It has the search by GET only, so that the form by POST, which
Data Center has too, is put before it here; it keeps no change logs and no properties of comments, and numbers the
project of an issue otherwise than the project itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from connectors.jira import connect
from sync.model.tracker_data import State, StatusCategory
from sync.tracker.actions import CreateComment, UpdateComment
from sync.tracker.observed import Target
from sync.tracker.protocol import Connector, Setup
from tests.contract.downloads import fetched
from tests.contract.jira_side import pulled

VERSION = "0.12.0"
KEY = "JIRA820"
SERVER = """
import json, socket
from urllib.parse import urlencode
import uvicorn
from jira820.server import make_app
inner = make_app()
async def app(scope, receive, send):
    if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == "/rest/api/2/search":
        asked = json.loads((await receive())["body"])
        flat = {name: ",".join(value) if isinstance(value, list) else value for name, value in asked.items()}
        scope = {**scope, "method": "GET", "query_string": urlencode(flat).encode()}
    await inner(scope, receive, send)
listening = socket.create_server(("127.0.0.1", 0))
print(listening.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="critical")).run(sockets=[listening])
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A running one."""
    folder = fetched(f"jira820-{VERSION}", "install", "--target", ".", f"jira820=={VERSION}")
    environment = {**os.environ, "PYTHONPATH": str(folder), "JIRA820_DATE": "2026-03-02", "JIRA820_SEED": "1"}
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    assert server.stderr is not None
    port = server.stdout.readline().strip()
    try:
        if not port:
            pytest.skip(f"jira820 does not run here: {server.stderr.read().strip().splitlines()[-1:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.communicate(timeout=60)


@pytest.fixture
def connector(url: str) -> Iterator[Connector]:
    made = connect(
        Setup(name="dc", url=url, secrets={"token": "any"}, clock=lambda: datetime.now(UTC), sleep=time.sleep)
    )
    yield made
    made.close()


def test_it_is_read_whole(connector: Connector) -> None:
    state = pulled(connector, [KEY])
    assert state.failed == {}
    assert len(state.issues) > 300
    assert len(state.complete) == 1
    assert {row.title for row in state.milestones.values()} == {"1.0", "1.1"}
    assert {row.project for row in state.issues.values()} == state.complete
    for row in state.issues.values():
        assert (row.category is StatusCategory.DONE) is (row.state is State.CLOSED)
        assert row.key.startswith(f"{KEY}-")
    assert {row.state for row in state.issues.values()} == {State.OPEN, State.CLOSED}
    assert any(row.points for row in state.issues.values()), "its story points field is found by its kind or name"


def test_another_pull_brings_next_to_nothing(connector: Connector) -> None:
    state = pulled(connector, [KEY])
    before = connector.requests
    pulled(connector, [KEY], state)
    assert connector.requests - before == 2
    assert sum(len(page.issues) for page in state.pages) < 30


def test_it_is_commented_on(connector: Connector) -> None:
    state = pulled(connector, [KEY])
    issue = min(state.issues.values(), key=lambda row: row.created_at)
    to = {"milestone": "m", "project": issue.project, "project_key": KEY, "issue": issue.key}
    marker = '{"v":1,"kind":"summary","instance":"t","milestone":"m"}'
    said = connector.apply(CreateComment(**to, body="h1. On *track*", marker=marker, summary=True))
    assert said.issue == issue.key
    assert said.id
    assert connector.apply(UpdateComment(**to, comment=said.id, body="h1. At *risk*", marker=marker)).id == said.id
    seen = connector.observe([Target(milestone="m", project=issue.project, project_key=KEY, issue=issue.key)])
    assert seen.failed == {}
    assert seen.issues["m"].issue == issue.key
