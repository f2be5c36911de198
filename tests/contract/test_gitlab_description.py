"""Every exchange of the connector with the sandbox against a description of GitLab's REST API v4.

The description is a third party's, written by hand; GitLab publishes none that fits. What it has wrong is mended here,
with the reason; what it leaves out is listed, and the list is checked, so that nothing slips past unseen. No
description covers notes, lists of a group and the current user. GitLab's own GraphQL schema judges the GraphQL query.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from graphql import build_schema, parse, validate

from connectors.gitlab import closing_links, project_probe, reviews, threads
from connectors.gitlab.apply import SET_HEALTH
from connectors.gitlab.history_graphql import LINKS, QUERY, QUERY_WITH_LINKS
from connectors.sandbox.world_data import Project
from connectors.testing.tracker_side import marker as marker_of
from sync.tracker.actions import (
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    RemoveLabel,
    UpdateComment,
)
from sync.tracker.observed import Target
from tests.contract.gitlab_side import Mirror, Side, failing, served

FILE = Path(__file__).parents[3] / "shared" / "spec" / "gitlab-cjuenger.trim.json"
SCHEMA = FILE.with_name("gitlab_schema.graphql.gz")

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not FILE.exists(), reason="the API descriptions are not next to the checkout"),
]

UNDESCRIBED = {
    "DELETE /projects/N/issues/N/notes/N",
    "GET /groups/PATH/issues",
    "GET /groups/PATH/projects",
    "GET /projects/N/issues/N/notes",
    "GET /projects/N/members/all/N",
    "GET /projects/N/merge_requests",
    "GET /user",
    "POST /api/graphql",
    "POST /projects/N/issues/N/notes",
    "PUT /projects/N/issues/N/notes/N",
}
UNDESCRIBED_PARAMETERS = {"per_page", "iids[]"}
"""``per_page`` goes with every list; ``iids`` is described without the brackets that GitLab wants."""


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    """The description with its mistakes mended and OpenAPI's ``nullable`` in JSON Schema's words."""
    read: dict[str, Any] = json.loads(FILE.read_text())
    schemas = read["components"]["schemas"]
    schemas["Project"]["properties"]["id"]["type"] = "integer"  # it is a number
    for name in ("Issue", "Milestone"):  # dates have no time
        for field in ("due_date", "start_date"):
            if field in schemas[name]["properties"]:
                schemas[name]["properties"][field]["format"] = "date"
    labels = read["paths"]["/api/v4/projects/{id}/labels"]["post"]  # its parameters may come in a body as well
    labels["requestBody"] = {"content": {"application/json": {"schema": _object_of(labels.pop("parameters"))}}}
    mended = _json_schema(read)
    assert isinstance(mended, dict)
    return mended


def _object_of(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    inside = [p for p in parameters if p["in"] == "query"]
    return {
        "type": "object",
        "properties": {p["name"]: p["schema"] for p in inside},
        "required": [p["name"] for p in inside if p.get("required")],
    }


def _json_schema(node: Any) -> Any:
    if isinstance(node, list):
        return [_json_schema(part) for part in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _json_schema(part) for key, part in node.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain


class Judge:
    """Checks recorded exchanges; `problems` is empty when all agree, `unknown` holds what nothing describes."""

    def __init__(self, description: dict[str, Any]) -> None:
        self.description = description
        self.templates = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) + "$"), operations)
            for path, operations in description["paths"].items()
        ]
        self.problems: list[str] = []
        self.unknown: set[str] = set()
        self.parameters: set[str] = set()
        self.checked = 0

    def judge(self, request: requests.PreparedRequest, response: requests.Response) -> None:
        parts = urlsplit(request.url or "")
        method = (request.method or "").upper()
        name = f"{method} {_shape(parts.path)}"
        operation = next(
            (o[method.lower()] for t, o in self.templates if t.match(parts.path) and method.lower() in o), None
        )
        if operation is None:
            self.unknown.add(name)
            return
        self.checked += 1
        self._query(name, operation, parse_qsl(parts.query))
        if request.body is not None:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            self._check(f"{name} request", schema, json.loads(request.body))
        answers = operation["responses"]
        if str(response.status_code) not in answers:
            self.problems.append(f"{name}: no {response.status_code} is described")
            return
        content = answers[str(response.status_code)].get("content")
        if content:
            self._check(f"{name} response", content["application/json"]["schema"], response.json())

    def _query(self, name: str, operation: dict[str, Any], sent: list[tuple[str, str]]) -> None:
        described = {p["name"]: p["schema"] for p in operation.get("parameters", []) if p["in"] == "query"}
        for key, text in sent:
            if key not in described:
                self.parameters.add(key)
                continue
            schema = self._resolved(described[key])
            value: Any = int(text) if schema.get("type") == "integer" else text
            value = {"true": True, "false": False}[text] if schema.get("type") == "boolean" else value
            value = text.split(",") if schema.get("type") == "array" else value
            self._check(f"{name} ?{key}", schema, value)

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        if "$ref" in schema:
            found: dict[str, Any] = self.description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return found
        return schema

    def _check(self, where: str, schema: dict[str, Any], value: Any) -> None:
        from jsonschema import (  # late: slow to load, and every worker collects this file
            Draft202012Validator,
            FormatChecker,
        )

        whole = {**schema, "components": self.description["components"]}
        validator = Draft202012Validator(whole, format_checker=FormatChecker())
        self.problems += [f"{where} {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(value)]


def _shape(path: str) -> str:
    shaped = re.sub(r"/\d+", "/N", path.removeprefix("/api/v4"))
    return re.sub(r"(/projects|/groups)/[^/N][^/]*", r"\1/PATH", shaped)


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


def filled(side: Side) -> Project:
    """A project with every kind of row, null dates and set ones."""
    tracker = side.tracker
    project = side.filled("acme/web/shop", 130, points=2)
    ada = tracker.user("ada", "Ada Fox")
    dated = tracker.milestone(project, "2.0", start=side.clock.now.date(), due=side.clock.now.date())
    tracker.milestone(project, "undated")
    tracker.group_milestone("acme", "Launch")
    for number in range(1, 9):
        tracker.move(project, project.issues[number], [dated.id], ada, side.clock.forward(hours=1))
    project.issues[1].assignees = [ada]
    project.issues[1].due = side.clock.now.date()
    tracker.close(project.issues[2], ada, side.clock.forward(hours=1))
    return project


def exercise(side: Side, project: Project) -> None:
    """Everything that the connector can do."""
    connector = side.connect(status_labels=["milestone-status"])
    got = Mirror().pull(connector, "acme/web/shop")
    got.pull(connector, "acme/web/shop")
    side.filled("acme/api", 1)
    got.pull(connector, "acme/*").pull(connector, "acme/*")
    assert got.failed == {}
    to: dict[str, Any] = {"milestone": "m", "project": str(project.id), "project_key": project.key}
    marker = marker_of("m", "status_issue")
    connector.apply(CreateLabel(**to, label="health::on-track", colour="0e8a16", description="Milestone health"))
    key = connector.apply(
        CreateStatusIssue(**to, title="H", body="B", marker=marker, labels=("milestone-status",))
    ).issue
    connector.apply(MoveLabel(**to, issue=key, add="health::on-track", remove=("health::done",)))
    comment = connector.apply(CreateComment(**to, issue=key, body="A", marker=marker, summary=True)).id
    connector.apply(UpdateComment(**to, issue=key, comment=comment, body="C", marker=marker))
    number = int(key.rpartition("#")[2])
    project.members["ada"] = "write"
    side.tracker.comment(project.issues[number], side.tracker.user("ada"), "/milesync refresh")
    for issue in ("", key):
        seen = connector.observe([Target(**to, issue=issue)])
        assert seen.failed == {}
        assert [asked.may_write for asked in seen.issues["m"].asked] == [True]
    side.tracker.faults.append(failing("/api/graphql", 403))
    by_rest = side.connect(status_labels=["milestone-status"]).observe([Target(**to, issue=key)])
    assert by_rest.issues == seen.issues
    side.tracker.faults.clear()
    connector.apply(DeleteComment(**to, issue=key, comment=comment))
    connector.apply(RemoveLabel(**to, issue=key, labels=("health::on-track",)))
    connector.apply(CloseIssue(**to, issue=key))


def test_every_exchange_is_as_described(
    side: Side, description: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    judge, send = Judge(description), requests.Session.send

    def recorded(session: requests.Session, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        response = send(session, request, **kwargs)
        assert response.content is not None
        judge.judge(request, response)
        return response

    project = filled(side)
    monkeypatch.setattr(requests.Session, "send", recorded)
    exercise(side, project)
    assert judge.problems == []
    assert judge.unknown == UNDESCRIBED
    assert judge.parameters == UNDESCRIBED_PARAMETERS
    assert judge.checked > 20


def test_the_query_is_in_the_schema() -> None:
    """GitLab's schema, as far as it is published, leaves out ``Project.workItems``, which GitLab has had since 15.1."""
    if not SCHEMA.exists():
        pytest.skip("GitLab's GraphQL schema is not next to the checkout")
    missing = "extend type Project { workItems(iids: [String!], first: Int, after: String): WorkItemConnection }"
    with gzip.open(SCHEMA, "rt", encoding="utf-8") as file:
        schema = build_schema(f"{file.read()}\n{missing}", assume_valid_sdl=True)
    probes = [project_probe._document(argument, ()) for argument in ("ids", "fullPaths")]
    observations = [
        threads._without(threads._PLACES, threads._LEVELS, frozenset()),
        threads._without(threads._document(threads.PATHS), threads._ISSUE, frozenset()),
    ]
    own = (QUERY, QUERY_WITH_LINKS, LINKS, SET_HEALTH, closing_links.QUERY, reviews.QUERY)
    for query in (*own, *probes, *observations):
        assert validate(schema, parse(query)) == []
    assert validate(schema, parse(QUERY.replace("createdAt", "created"))) != []


def test_the_judge_finds_what_differs(side: Side, description: dict[str, Any]) -> None:
    project = filled(side)
    url = f"{side.tracker.url}/api/v4/projects/{project.id}/issues?scope=all&state=open"
    with requests.Session() as session:
        response = session.get(url, headers={"PRIVATE-TOKEN": side.tracker.token}, timeout=60)
        broken = session.get(url.replace("open", "all"), headers={"PRIVATE-TOKEN": side.tracker.token}, timeout=60)
    judge = Judge(description)
    judge.judge(response.request, response)
    assert [problem.partition(":")[0] for problem in judge.problems] == [
        "GET /projects/N/issues ?state $",
        "GET /projects/N/issues",
    ]
    rows = broken.json()
    rows[0]["created_at"], rows[0]["iid"], rows[0]["milestone"] = "yesterday", "7", 5
    broken._content = json.dumps(rows).encode()
    judge = Judge(description)
    judge.judge(broken.request, broken)
    assert {problem.split()[3].rstrip(":") for problem in judge.problems} >= {"$[0].iid", "$[0].milestone"}
