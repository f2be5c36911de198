"""Every exchange between the Jira connector and the sandbox, held against Atlassian's own description of the API.

No description covers ``POST /issue/bulkfetch``, ``/user/permission/search``, ``/mypermissions``, attachments and the
properties of comments (not in these files), ``serverInfo`` of the other version, and Data Center as such, for which
Cloud's v2 is the nearest there is. Evened out before: times with ``+0000`` instead of ``+00:00``, and null for an empty
side of a change, both of which the real Jira sends.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_core.templating.paths.exceptions import PathError

from connectors.testing.tracker_side import marker as marker_of
from sync.tracker.actions import (
    Attach,
    CloseIssue,
    CreateComment,
    CreateStatusIssue,
    DeleteComment,
    Detach,
    MoveLabel,
    RemoveLabel,
    UpdateComment,
)
from sync.tracker.observed import Target
from tests.contract.jira_side import DIALECTS, Stand, pulled, stand

SPEC = Path(__file__).parents[3] / "shared" / "spec"
FILES = {"jira": "jira-cloud-v2.trim.json", "jira-cloud": "jira-cloud-v3.trim.json"}
FILES_OF = ("GET {}/attachment/meta", "GET {}/mypermissions", "POST {}/issue/*/attachments", "DELETE {}/attachment/*")
UNCOVERED = {
    "jira": {
        *(path.format("/rest/api/2") for path in FILES_OF),
        "GET /rest/api/2/configuration",
        "GET /rest/api/2/user/permission/search",
    },
    "jira-cloud": {
        *(path.format("/rest/api/3") for path in FILES_OF),
        "GET /rest/api/2/serverInfo",
        "GET /rest/api/3/configuration",
        "GET /rest/api/3/user/permission/search",
        "POST /rest/api/3/issue/bulkfetch",
    },
}
THING = re.compile(r"(?<!/api)/(\d+|[A-Z]+-\d+|[A-Z]+)(?=/|$)")
"""An id or key in a path."""

Exchange = tuple[requests.PreparedRequest, requests.Response]

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SPEC.is_dir(), reason="the API descriptions are not next to the checkout"),
]


@pytest.fixture(params=DIALECTS)
def served(request: pytest.FixtureRequest) -> Iterator[Stand]:
    with stand(request.param) as made:
        yield made


@pytest.fixture
def exchanges(monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """All that goes over the wire. This is the one place where everything that is sent passes."""
    seen: list[Exchange] = []
    send = requests.Session.send

    def recording(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(self, request, **options)
        seen.append((request, answer))
        return answer

    monkeypatch.setattr(requests.Session, "send", recording)
    return seen


def description(made: Stand) -> OpenAPI:
    spec = json.loads((SPEC / FILES[made.tracker.kind]).read_text())
    spec["servers"] = [{"url": made.tracker.url}]
    for operations in spec["paths"].values():
        for operation in operations.values():
            if isinstance(operation, dict):
                operation.pop("security", None)
    return OpenAPI.from_dict(spec)


def evened(answer: requests.Response) -> RequestsOpenAPIResponse:
    text = re.sub(r'(T[\d:.]{12}[+-]\d\d)(\d\d)"', r'\1:\2"', answer.text)
    text = re.sub(r'"(from|to|fromString|toString)":null,?', "", text).replace(",}", "}")
    copy = requests.Response()
    copy.status_code, copy.headers = answer.status_code, answer.headers
    copy._content = text.encode()
    return RequestsOpenAPIResponse(copy)


def checked(made: Stand, exchanges: list[Exchange]) -> tuple[set[str], set[str]]:
    """The requests that the description covers, each and its answer valid, and those that it does not know."""
    openapi = description(made)
    covered, unknown = set(), set()
    for request, answer in exchanges:
        path = (request.path_url or "").split("?")[0]
        name = f"{request.method} {THING.sub('/*', path)}"
        asked = RequestsOpenAPIRequest(request)
        try:
            openapi.validate_request(asked)
        except PathError:
            unknown.add(name)
            continue
        if answer.content:
            openapi.validate_response(asked, evened(answer))
        covered.add(name)
    return covered, unknown


def use_all(made: Stand) -> None:
    """Everything the connector can do, once."""
    project = made.fill("PAY", 130)
    made.fill("WEB", 3)
    version = next(iter(project.milestones.values()))
    ada = made.tracker.user("ada")
    for n in range(1, 6):
        made.tracker.close(project.issues[n], ada, made.clock.on(minutes=1))
        made.tracker.move(project, project.issues[n], [], ada, made.clock.on(minutes=1))
    project.issues[7].blocked_by = [8]
    project.issues[9].confidential = True
    project.issues[10].points = 3.0
    version.start = version.due
    connector = made.connector()
    state = pulled(connector, ["PAY"])
    pulled(connector, ["PAY", "W*"], state)
    where: dict[str, Any] = {"milestone": "u/milestone/1", "project": str(project.id), "project_key": "PAY"}
    marker = marker_of("u/milestone/1", "status_issue")
    issue = connector.apply(CreateStatusIssue(**where, title="t", body=made.body("b"), marker=marker)).issue
    asked = {**where, "issue": issue}
    posted = connector.apply(CreateComment(**asked, body=made.body("one"), marker="{}", summary=True)).id
    connector.apply(UpdateComment(**asked, comment=posted, body=made.body("two"), marker='{"v":1}'))
    connector.apply(MoveLabel(**asked, add="health/at-risk", remove=("health/on-track",)))
    project.admin, project.members["ada"] = True, "write"
    made.tracker.comment(project.issues[131], ada, "/milesync refresh")
    connector.apply(Attach(**asked, name="milesync.png", content=b"PNG"))
    seen = connector.observe([Target(**where, attaching=True)]).issues["u/milestone/1"]
    assert seen.files is not None
    connector.apply(Detach(**asked, file=seen.files.ours[0].id, name=seen.files.ours[0].name))
    assert [comment.may_write for comment in seen.asked] == [True]
    connector.apply(DeleteComment(**asked, comment=posted))
    connector.apply(RemoveLabel(**asked, labels=("health/at-risk",)))
    connector.apply(CloseIssue(**asked))


def test_each_exchange_is_what_atlassian_describes(served: Stand, exchanges: list[Exchange]) -> None:
    use_all(served)
    covered, unknown = checked(served, exchanges)
    api = "/rest/api/3" if served.tracker.kind == "jira-cloud" else "/rest/api/2"
    assert unknown == UNCOVERED[served.tracker.kind]
    assert {
        f"GET {api}/field",
        f"GET {api}/status",
        f"GET {api}/myself",
        f"GET {api}/project/*",
        f"GET {api}/project/*/versions",
        f"GET {api}/issue/*",
        f"GET {api}/issue/*/comment",
        f"POST {api}/issue",
        f"POST {api}/issue/*/comment",
        f"PUT {api}/issue/*",
        f"PUT {api}/issue/*/comment/*",
        f"DELETE {api}/issue/*/comment/*",
        f"GET {api}/issue/*/transitions",
        f"POST {api}/issue/*/transitions",
    } <= covered
    searches = {"search/jql", "changelog/bulkfetch"} if served.tracker.kind == "jira-cloud" else {"search"}
    assert {f"POST {api}/{path}" for path in searches} <= covered


def test_a_wrong_answer_would_be_noticed(served: Stand, exchanges: list[Exchange]) -> None:
    served.fill("PAY", 1)
    pulled(served.connector(), ["PAY"])
    for _, answer in exchanges:
        answer._content = answer.content.replace(b'"total":1', b'"total":"one"').replace(b'"isLast":', b'"last":')
    with pytest.raises(Exception, match=r"not valid|not of type"):
        checked(served, exchanges)
