"""Names in URLs: each name is one quoted value in every dialect, with any signs in it."""

from __future__ import annotations

import ast
import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
import requests

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.shared.paths import path_of
from sync.cli.wiring import connect
from sync.tracker.preflight import Examiner
from sync.tracker.protocol import Setup

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ODD = (
    "q?mark",
    "q?mark/",
    "%41",
    "%2e%2e",
    "a#b",
    "a/b",
    "a b",
    "a;b",
    "a&b=c",
    "{}",
    "ü",
    "..",
    ".",
    "漢字",
    "",
    "a+b",
    "\\",
)
CONNECTORS = [Path("connectors", name) for name in ("github", "gitlab", "jira")]
PATH = re.compile(r"/?(repos|projects|groups|issue|project|version|comment|board|attachment|user|users)/")


@pytest.mark.parametrize("name", ODD)
def test_a_name_is_one_segment_of_the_path(name: str) -> None:
    """The HTTP library sends the same segments, and each one is the name again."""
    path = path_of("/projects/{}/issues/{}", name, 12)
    sent = requests.Request("GET", f"http://127.0.0.1{path}").prepare().path_url
    assert sent == path
    _, first, segment, *rest = path.split("/")
    assert (first, rest) == ("projects", ["issues", "12"])
    assert unquote(segment) in (name, name.replace(".", "%2E"))


@pytest.mark.parametrize("folder", CONNECTORS, ids=lambda folder: folder.name)
def test_no_other_place_makes_paths(folder: Path) -> None:
    found = [
        f"{file.name}:{node.lineno}"
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.JoinedStr)
        and isinstance(node.values[0], ast.Constant)
        and PATH.match(str(node.values[0].value))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("kind", "project", "odd"),
    [
        ("github", "acme/app", "acme/%61pp"),
        ("github", "acme/app", "acme/app?x="),
        ("github", "acme/app", "acme/app#"),
        ("gitlab", "acme/api", "acme/%61pi"),
        ("gitlab", "acme/api", "acme/api?x="),
        ("gitlab", "acme/api", "acme/x/../api"),
        ("jira", "A", "%41"),
        ("jira", "PAY", "PAY?x="),
        ("jira-cloud", "A", "%41"),
        ("jira-cloud", "A", "x/../A"),
    ],
)
def test_an_odd_name_reads_no_other_project(kind: str, project: str, odd: str) -> None:
    world = World(lambda: NOW)
    tracker = next(tracker for tracker in world.trackers if tracker.kind == kind)
    tracker.project(project, "Acme", created=NOW)
    secrets = {"token": "sandbox"} | ({"email": "bot@sandbox.invalid"} if kind == "jira-cloud" else {})
    with Sandbox(world, only=(kind,)):
        setup = Setup(name="c", url=tracker.url, secrets=secrets, clock=lambda: NOW, sleep=lambda _: None)
        connector = connect(kind.partition("-")[0], setup)
        pages = list(connector.pull([odd, project], {}))
        assert {found.key for page in pages for found in page.projects} == {project}
        assert [name for page in pages for name in page.failed] == [odd]
        assert isinstance(connector, Examiner)
        assert list(connector.examine([odd, project]).failed) == [odd]
        connector.close()
