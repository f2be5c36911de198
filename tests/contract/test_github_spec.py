"""Both sides against GitHub's own descriptions: each request the connector sends, each answer the sandbox gives.

What no description covers is named in `UNDESCRIBED` and `NEWER`, so that it cannot grow unseen.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import requests
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    parse,
    validate,
)
from requests.adapters import HTTPAdapter

from connectors.github import queries
from connectors.github.boards.reader import WalkedColumn, head_document, items_document
from connectors.github.containers import BOARD_KINDS
from connectors.github.project_list import OWNED_MILESTONES
from connectors.github.schema import BOARD_FIELDS, DATE_FIELDS
from connectors.github.sub_issues.reader import parents_document
from connectors.github.survey import BOARDS_DOCUMENT, sample_document
from connectors.sandbox.server import Sandbox
from connectors.sandbox.world import World
from connectors.sandbox.world_data import Label
from sync.tracker.actions import (
    CloseIssue,
    CreateComment,
    CreateLabel,
    CreateStatusIssue,
    DeleteComment,
    MoveLabel,
    PostBoardUpdate,
    RemoveLabel,
    SetIssueState,
    UpdateComment,
)
from tests.contract.github_side import Clock, Small, connected, marker, pulled, small, target

if TYPE_CHECKING:
    from openapi_core import OpenAPI

SPEC = Path(__file__).parents[2].parent / "shared" / "spec"
OPENAPI, SDL = SPEC / "github.api.github.com.trim.json", SPEC / "github_schema.graphql.gz"
SANDBOX = Path(__file__).parents[2] / "connectors" / "sandbox" / "github" / "schema.graphql"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not OPENAPI.exists(), reason="GitHub's API descriptions are not next to the checkout"),
]

NEWER = {
    "Issue.issueFieldValues",
    "Issue.issueType",
    "Issue.blockedBy",
    "Issue.blocking",
    "IssueType",
    "IssueFieldDate",
    "IssueFieldDateValue",
    "IssueFieldNumber",
    "IssueFieldNumberValue",
    "IssueFieldText",
    "IssueFieldTextValue",
    "IssueFieldValue",
    "IssueFieldValueConnection",
    "IssueFields",
    "ProjectV2.items.archivedStates",
    "ProjectV2.items.query",
    "ProjectV2FieldType.ISSUE_FIELD",
    "ProjectV2ItemArchivedState",
    "ProjectV2ItemFieldValue = ProjectV2ItemIssueFieldValue",
    "ProjectV2ItemIssueFieldValue",
}
"""On github.com, and not in the schema at hand: asked for until a server names them unknown."""

UNDESCRIBED = {"after"}
"""Query parameters that GitHub's own Link headers carry and its description does not name."""

BEYOND = re.compile(r"/collaborators/[^/]+/permission$")
"""Paths that GitHub documents and that are not in the description at hand."""

Exchange = tuple[requests.PreparedRequest, requests.Response]


@cache
def official(more: str = "") -> GraphQLSchema:
    # taken as valid: its file has slips in types that are not used here
    return build_schema(gzip.decompress(SDL.read_bytes()).decode() + more, assume_valid=True, assume_valid_sdl=True)


@cache
def described() -> OpenAPI:
    from openapi_core import Config, OpenAPI  # late: slow to load, and every worker collects this file

    # that the description is valid is its makers' business
    config = Config(spec_validator_cls=None)  # type: ignore[arg-type]  # None is how its documentation says it
    return OpenAPI.from_dict(json.loads(OPENAPI.read_text("utf-8")), config=config)


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """Everything that goes over the wire in a life: first pull, changes, status issues, each kind of write."""
    seen: list[Exchange] = []
    plain = HTTPAdapter.send

    def recorded(self: HTTPAdapter, request: requests.PreparedRequest, *args: Any, **more: Any) -> requests.Response:
        response = plain(self, request, *args, **more)
        seen.append((request, response))
        return response

    with pytest.MonkeyPatch.context() as patch, Sandbox(World(Clock()), only=("github",)) as sandbox:
        patch.setattr(HTTPAdapter, "send", recorded)
        clock = sandbox.world.clock
        assert isinstance(clock, Clock)
        _live(small(sandbox.world, clock), clock)
        _browse(sandbox.world.github.url)
    return seen


def _live(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    for n in range(130):
        there.tracker.move(there.place, there.plain, [(there.one if n % 2 else there.two).id], there.tracker.bot)
    got = pulled(connector, ["acme/*"])
    pulled(connector, cursors=got.cursors)
    clock.pass_(hours=1)
    there.tracker.close(there.plain, there.tracker.bot)
    there.tracker.ask(there.pull, there.tracker.user("ben"), there.tracker.bot)
    pulled(connector, cursors=got.cursors)
    wanted = target(connector, there, there.one)
    to: dict[str, Any] = {
        "milestone": wanted.milestone,
        "project": wanted.project,
        "project_key": wanted.project_key,
    }
    mark = marker(wanted.milestone, "status_issue")
    for name in ("health/done", "health/at-risk", "milestone-status"):
        connector.apply(CreateLabel(**to, label=name, colour="0e8a16", description="Milestone health"))
    made = connector.apply(
        CreateStatusIssue(**to, title="Milestone v1", body="x", marker=mark, labels=("milestone-status",))
    )
    connector.apply(MoveLabel(**to, issue=made.issue, add="health/at-risk"))
    connector.apply(MoveLabel(**to, issue=made.issue, add="health/done", remove=("health/at-risk",)))
    comment = connector.apply(CreateComment(**to, issue=made.issue, body="y", marker=mark, summary=True))
    connector.apply(UpdateComment(**to, issue=made.issue, comment=comment.id, body="z", marker=mark))
    there.tracker.board("acme/7")
    there.tracker.scopes = ("repo", "project")
    tell: dict[str, Any] = {**to, "issue": made.issue, "board": "acme/7", "status": "on_track"}
    told = connector.apply(PostBoardUpdate(**tell, body="x", marker=marker(wanted.milestone, "board")))
    connector.apply(PostBoardUpdate(**tell, body="y", marker=marker(wanted.milestone, "board"), update=told.id))
    there.tracker.boards["acme/7"].notes *= 101
    connector.observe([msgspec.structs.replace(wanted, boards=("acme/7",))])
    del there.tracker.boards["acme/7"].notes[1:]
    connector.apply(PostBoardUpdate(**tell, update=told.id))
    for n in range(101):
        there.tracker.comment(there.place.issues[5], there.tracker.user("ada"), f"chatter {n}")
    there.place.members["ben"] = "maintain"
    there.tracker.comment(there.place.issues[5], there.tracker.user("ben"), "/milesync refresh")
    for closed in (True, False):
        connector.apply(SetIssueState(**to, issue=made.issue, closed=closed))
    for n in range(101):
        there.place.labels[f"l{n}"] = Label(there.tracker.world.next_id(), f"l{n}")
        there.tracker.issue(there.place, f"labelled {n}", there.tracker.bot, labels=["milestone-status"])
    seen = connector.observe([wanted, target(connector, there, there.two, made.issue)])
    assert [asked.may_write for asked in seen.issues[wanted.milestone].asked] == [True]
    connector.apply(DeleteComment(**to, issue=made.issue, comment=comment.id))
    connector.apply(RemoveLabel(**to, issue=made.issue, labels=("health/done", "health/none")))
    pulled(connector, [there.tracker.project(f"acme/quiet{n}").key for n in range(4)])
    for n in range(101):
        there.tracker.issue(there.place, f"change {n}", there.tracker.bot, pull=True, milestones=[there.one.id])
    pulled(connector, cursors={key: text.replace('"pulls"', '"before"') for key, text in got.cursors.items()})
    connector.apply(CloseIssue(**to, issue=made.issue))
    for n in range(101):
        there.tracker.adopt(
            there.tracker.issue(there.place, f"part {n}", there.tracker.bot), there.plain, there.tracker.bot
        )
    pulled(connected(there.tracker, clock, options={"containers": ["parents"]}), cursors=got.cursors)
    there.tracker.rename(there.place, "acme/renamed")
    pulled(connector, ["acme/app"])
    there.tracker.rename(there.place, "acme/app")


def _browse(url: str) -> None:
    """Requests of other programs to the sandbox."""
    with requests.Session() as session:
        session.headers["Authorization"] = "Bearer sandbox"
        at = f"{url}/repos/acme/app"
        for path in ("/issues/1", "/issues/1/timeline", "/issues/1/events", "/issues/1/labels", "/issues/5/comments",
                     "/milestones/1", "/labels", "", "/issues/77", "/milestones?state=closed",
                     "/issues?milestone=2&labels=x&state=all", "/issues?milestone=99"):  # fmt: skip
            session.get(at + path)
        session.get(f"{url}/user")
        session.get(f"{url}/rate_limit")
        number = session.post(f"{at}/milestones", json={"title": "v3", "due_on": "2026-12-12T12:00:00Z"}).json()[
            "number"
        ]
        session.patch(f"{at}/milestones/{number}", json={"state": "closed", "description": "x"})
        session.post(f"{at}/milestones", json={"title": "v3"})
        session.patch(f"{at}/issues/1", json={"state": "closed", "state_reason": "completed", "milestone": number})
        session.post(f"{at}/issues/1/labels", json={"labels": ["seen"]})
        session.delete(f"{at}/issues/1/labels/seen")
        comment = session.post(f"{at}/issues/1/comments", json={"body": "x"}).json()["id"]
        session.get(f"{at}/issues/comments/{comment}")
        session.patch(f"{at}/issues/comments/{comment}", json={"body": "y"})
        session.delete(f"{at}/issues/comments/{comment}")


# --- REST ------------------------------------------------------------------------------------------------------------


def test_rest_requests_and_answers_are_as_described(exchanges: list[Exchange]) -> None:
    rest = [(request, response) for request, response in exchanges if not str(request.url).endswith("/graphql")]
    described_ones = [exchange for exchange in rest if not BEYOND.search(str(exchange[0].path_url))]
    assert [found for exchange in described_ones for found in _problems(*exchange)] == []
    assert len(rest) - len(described_ones) == 1
    asked = {(request.method, str(request.path_url).partition("?")[0]) for request, _ in rest}
    assert len(asked) > 20


def _problems(sent: requests.PreparedRequest, response: requests.Response) -> Iterator[str]:
    from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse

    prepared = sent.copy()
    prepared.url = f"https://api.github.com{sent.path_url}"
    request = RequestsOpenAPIRequest(prepared)
    where = f"{sent.method} {sent.path_url} {response.status_code}"
    refused = response.status_code in (400, 422)  # sent on purpose, to see the answer
    for error in () if refused else described().iter_apicall_request_errors(request):
        yield f"{where}: request: {error!r} {error.__cause__!r}"
    if response.status_code not in (301, 304):  # no body to speak of
        for error in described().iter_apicall_response_errors(request, RequestsOpenAPIResponse(response)):
            yield f"{where}: answer: {error!r} {error.__cause__!r}"
    unknown = set(request.parameters.query) - _parameters(sent) - UNDESCRIBED
    if unknown:
        yield f"{where}: parameters {unknown} are not described"


def _parameters(sent: requests.PreparedRequest) -> set[str]:
    """The names of an operation's query parameters."""
    description = json.loads(OPENAPI.read_text("utf-8"))
    path = sent.path_url.partition("?")[0]
    found = [
        operations[str(sent.method).lower()]
        for template, operations in description["paths"].items()
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
        and str(sent.method).lower() in operations
    ]
    components = description["components"]["parameters"]
    return {
        components[parameter["$ref"].rpartition("/")[2]]["name"] if "$ref" in parameter else parameter["name"]
        for operation in found
        for parameter in operation.get("parameters", ())
    }


# --- GraphQL ---------------------------------------------------------------------------------------------------------


def test_documents_are_valid_by_the_official_schema(exchanges: list[Exchange]) -> None:
    documents = {
        json.loads(request.body or b"{}")["query"] for request, _ in exchanges if str(request.url).endswith("/graphql")
    }
    assert {text.split()[1].partition("(")[0] for text in documents} == {
        "Open", "Numbered", "Changed", "ChangedPullRequests", "InMilestones", "MoreInMilestone", "Later",
        "Repositories", "Threads", "Comments", "Search", "Labelled", "Labels", "Ids", "Glance",
        "WithSubIssues", "Parents", "MoreSubIssues", "MoreAdded",
        "Board", "Post", "Rewrite", "Take", "Move", "Add", "Remove", "Update", "Delete",
            "Viewer",
    }  # fmt: skip
    newer = official(
        "extend type Issue { issueType: IssueType"
        " issueFieldValues(first: Int): IssueFieldValueConnection"
        " blockedBy(after: String, before: String, first: Int, last: Int): IssueConnection!"
        " blocking(after: String, before: String, first: Int, last: Int): IssueConnection! }"
        " type IssueType { name: String! }"
        " type IssueFieldDate { name: String! }"
        " union IssueFields = IssueFieldDate"
        " type IssueFieldDateValue { value: String! field: IssueFields }"
        " union IssueFieldValue = IssueFieldDateValue"
        " type IssueFieldValueConnection { nodes: [IssueFieldValue] }"
    )
    for text in documents:
        assert validate(newer, parse(text)) == [], text


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("parent",),
        ("parent", "enableDuplicate"),
        ("stateReason",),
        ("visibility",),
        ("reviewDecision", "closingIssuesReferences"),
        ("reviewRequests", "latestOpinionatedReviews"),
    ],
)
def test_without_optional_fields_they_are_valid_too(more: tuple[str, ...]) -> None:
    lacking = frozenset({"issueType", "blockedBy", "blocking", "issueFieldValues", *more})
    documents = (queries.numbered, 100), (queries.changed,), (queries.changed_pull_requests,), (queries.opening,)
    for text in (document(*count, lacking) for document, *count in documents):
        assert validate(official(), parse(text)) == []
        assert not any(f" {name}" in text for name in lacking)


def test_issue_fields_are_asked_for_as_github_names_them() -> None:
    newest = official(
        "type IssueFieldDate { name: String! } type IssueFieldNumber { name: String! }"
        " union IssueFields = IssueFieldDate | IssueFieldNumber"
        " type IssueFieldDateValue { value: String! field: IssueFields }"
        " type IssueFieldNumberValue { value: Float! field: IssueFields }"
        " union IssueFieldValue = IssueFieldDateValue | IssueFieldNumberValue"
        " type IssueFieldValueConnection { nodes: [IssueFieldValue] }"
        " extend type Issue { issueFieldValues(first: Int): IssueFieldValueConnection }"
    )
    text = queries.changed(frozenset({"issueType", "blockedBy", "blocking"}))
    assert "issueFieldValues" in text
    assert validate(newest, parse(text)) == []


@pytest.mark.parametrize("lacking", [frozenset(), BOARD_FIELDS], ids=["newest", "oldest"])
def test_documents_for_boards_are_valid(lacking: frozenset[str]) -> None:
    columns = [WalkedColumn(kind.word, kind.selection, kind.optional_selection) for kind in BOARD_KINDS]
    newest = official(
        "enum ProjectV2ItemArchivedState { ARCHIVED NOT_ARCHIVED }"
        " type IssueFieldDateValue { value: String! }"
        " union IssueFieldValue = IssueFieldDateValue"
        " type ProjectV2ItemIssueFieldValue { issueFieldValue: IssueFieldValue }"
        " extend union ProjectV2ItemFieldValue = ProjectV2ItemIssueFieldValue"
    )
    unknown = {
        *("Unknown argument 'query' on field 'ProjectV2.items'.",),
        *("Unknown argument 'archivedStates' on field 'ProjectV2.items'.",),
    }
    for has_newest in (True, False):
        problems = validate(newest, parse(head_document(lacking, has_newest=has_newest)))
        assert {problem.message for problem in problems} <= (set() if lacking else unknown)
    problems = validate(newest, parse(items_document(lacking, columns=columns)))
    assert {problem.message for problem in problems} <= (set() if lacking else unknown)
    for text in (head_document(lacking, has_newest=True), items_document(lacking, columns=columns)):
        assert not any(name in text for name in lacking if name != "query")


def test_the_document_for_sub_issues_is_valid_without_date_fields_too() -> None:
    text = parents_document(50, DATE_FIELDS)
    assert validate(official(), parse(text)) == []
    assert "issueFieldValues" not in text


@pytest.mark.parametrize("lacking", [frozenset(), frozenset({"parent"})], ids=["newest", "oldest"])
def test_documents_of_the_survey_are_valid(lacking: frozenset[str]) -> None:
    for text in (BOARDS_DOCUMENT, OWNED_MILESTONES, sample_document(lacking)):
        assert validate(official(), parse(text)) == []
    assert ("parent" in sample_document(lacking)) is not bool(lacking)


def test_every_answer_of_graphql_has_data_and_no_unforeseen_error(exchanges: list[Exchange]) -> None:
    answers = [response.json() for request, response in exchanges if str(request.url).endswith("/graphql")]
    assert all(answer["data"] is not None for answer in answers)
    assert {error["type"] for answer in answers for error in answer.get("errors", ())} <= {"NOT_FOUND"}


def test_the_sandboxs_schema_is_part_of_the_official_one() -> None:
    mine = build_schema(SANDBOX.read_text("utf-8"))
    strange = {
        problem
        for name, type_ in mine.type_map.items()
        if not name.startswith("__")
        for problem in _strange(type_, official().type_map.get(name))
    }
    assert strange == NEWER


def _strange(mine: Any, theirs: Any) -> Iterator[str]:
    """Yield each part of the sandbox's schema that the official schema lacks or defines differently."""
    if theirs is None or type(mine) is not type(theirs):
        yield mine.name
    elif isinstance(mine, GraphQLEnumType):
        yield from (f"{mine.name}.{value}" for value in mine.values.keys() - theirs.values.keys())
    elif isinstance(mine, GraphQLUnionType):
        known = {definition.name for definition in theirs.types}
        yield from (f"{mine.name} = {definition.name}" for definition in mine.types if definition.name not in known)
    elif isinstance(mine, GraphQLInputObjectType):
        needed = {name for name, field in theirs.fields.items() if str(field.type).endswith("!")}
        yield from (f"{mine.name}.{name}" for name in needed - mine.fields.keys())
        yield from _differing(mine.name, mine.fields, theirs.fields)
    elif isinstance(mine, GraphQLObjectType | GraphQLInterfaceType):
        known = {interface.name for interface in theirs.interfaces}
        yield from (f"{mine.name}: {interface.name}" for interface in mine.interfaces if interface.name not in known)
        yield from _differing(mine.name, mine.fields, theirs.fields)
        for name in mine.fields.keys() & theirs.fields.keys():
            yield from _differing(f"{mine.name}.{name}", mine.fields[name].args, theirs.fields[name].args)


def _differing(where: str, mine: Any, theirs: Any) -> Iterator[str]:
    for name, field in mine.items():
        if name not in theirs or str(theirs[name].type) != str(field.type):
            yield f"{where}.{name}"
