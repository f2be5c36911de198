"""GitHub: as whom we pull, and what goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.sandbox.world_data import Fault
from sync.tracker.errors import (
    AuthError,
    BusyError,
    GoneError,
    MalformedError,
    RefusedError,
)
from tests.contract.github_side import Clock, Small, Taken, app_credentials, connected, pulled

pytestmark = pytest.mark.usefixtures("nothing_written")


# --- as whom -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    return app_credentials()


@pytest.mark.parametrize("path", ["", "/api/v3"])
def test_a_github_app_gets_its_token_and_gets_it_again(
    there: Small, clock: Clock, path: str, app: dict[str, Any]
) -> None:
    connector = connected(there.tracker, clock, url=there.tracker.url + path, concurrency=1, **app)
    first = pulled(connector)
    assert len(first.issues) == 4
    pulled(connector, cursors=first.cursors)
    asked = [path for _, path, _ in there.tracker.log if path.endswith("/app/installations/70/access_tokens")]
    assert len(asked) == 6, "by the real clock, a token of this sandbox has always just expired"


def test_an_app_that_is_refused(there: Small, clock: Clock, app: dict[str, Any]) -> None:
    body = '{"message": "A JSON web token could not be decoded"}'
    there.tracker.faults.append(Fault("status", "/access_tokens", status=401, body=body))
    with pytest.raises(AuthError, match="could not be decoded"):
        pulled(connected(there.tracker, clock, **app))


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_missing_project_fails_alone(there: Small, clock: Clock) -> None:
    there.tracker.project("acme/secret").hidden = True
    got = pulled(connected(there.tracker, clock), ["acme/nothing", "acme/app", "acme/secret", "nonsense"])
    assert {name: type(error) for name, error in got.failed.items()} == {
        "acme/nothing": GoneError,
        "acme/secret": GoneError,
        "nonsense": RefusedError,
    }
    assert str(got.failed["acme/nothing"]).startswith("gh: acme/nothing: ")
    assert got.complete == {f"R_kw{there.place.id}"}


@pytest.mark.parametrize("where", ["GET /repos/acme/app/issues", "GET /repos/acme/app/milestones", "POST /graphql"])
@pytest.mark.parametrize("kind", ["html", "garbage"])
def test_an_answer_that_is_not_github_names_the_project(there: Small, clock: Clock, where: str, kind: str) -> None:
    there.tracker.faults.append(Fault(kind, where, times=99))
    error = pulled(connected(there.tracker, clock)).failed["acme/app"]
    assert isinstance(error, MalformedError)
    assert str(error).startswith("gh: acme/app: ")
    assert "<h1>" not in str(error)


@pytest.mark.parametrize(
    ("where", "body"),
    [
        ("/milestones", '{"message": "not a list"}'),
        ("/graphql", '{"data": {"repository": {"id": 5}}}'),
        ("/graphql", '{"data": null}'),
        ("/graphql", "[]"),
    ],
)
def test_missing_fields_and_wrong_types(there: Small, clock: Clock, where: str, body: str) -> None:
    there.tracker.faults.append(Fault("status", where, status=200, body=body, times=99))
    got = pulled(connected(there.tracker, clock))
    assert isinstance(got.failed["acme/app"], MalformedError | GoneError)
    assert got.complete == set()


def test_null_dates_and_names(there: Small, clock: Clock) -> None:
    there.one.due = None
    there.tracker.issue(there.place, "unassigned", there.tracker.user("ghost"))
    got = pulled(connected(there.tracker, clock))
    assert got.milestones[f"MI_kw{there.one.id}"].due is None
    assert got.issue(5).assignees == ()


def test_a_heavy_query_is_halved_until_it_goes_through(there: Small, clock: Clock) -> None:
    ada = there.tracker.user("ada")
    for number in range(5, 101):
        there.tracker.issue(there.place, f"issue {number}", ada)
    connector = connected(there.tracker, clock, concurrency=1)
    first = next(page for page in connector.pull(["acme/app"], {}) if page.issues)
    assert len(first.issues) == 100
    there.tracker.faults.append(Fault("status", "/graphql", status=502, times=0))
    pages = connector.pull(["acme/app"], {})
    next(pages), next(pages)
    there.tracker.faults[-1].times = 2
    assert len(next(page for page in pages if page.issues).issues) == 100


def test_a_heavy_page_of_changes_is_halved(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    ada = there.tracker.user("ada")
    clock.pass_(hours=1)
    for n in range(150):
        there.tracker.issue(there.place, f"new {n}", ada)
    there.tracker.faults.append(Fault("status", "/graphql", status=504, times=2))
    got = pulled(connector, cursors=first.cursors)
    assert len([issue for issue in got.issues.values() if issue.title.startswith("new")]) == 150


def test_partial_data_is_never_taken_for_all(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    pages = connector.pull(["acme/app"], {})
    next(pages), next(pages)
    gap = '{"data": {"repository": {"n0": null, "n1": null, "n2": null, "n3": null}},'
    error = '"errors": [{"type": "%s", "path": ["repository", "n0"], "message": "x"}]}'
    for kind, wanted in (("NOT_FOUND", BusyError), ("FORBIDDEN", RefusedError), ("WHATEVER", BusyError)):
        there.tracker.faults.clear()
        there.tracker.faults.append(Fault("status", "/graphql", status=200, body=gap + error % kind, times=0))
        pages = connector.pull(["acme/app"], {})
        next(pages), next(pages)
        there.tracker.faults[0].times = 9
        assert isinstance(Taken().take(pages).failed["acme/app"], wanted)


def test_a_neighbour_that_may_not_be_seen_is_left_out(there: Small, clock: Clock) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    clock.pass_(hours=1)
    there.tracker.close(there.plain, there.tracker.bot)
    issue = {
        "__typename": "Issue", "id": "I_1", "number": 3, "title": "t", "url": "u", "state": "OPEN", "parent": None,
        "createdAt": "2026-03-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "blockedBy": {"nodes": [None]},
        "assignees": {"nodes": [None]}, "timelineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    repository = {
        "id": f"R_kw{there.place.id}", "name": "app", "nameWithOwner": "acme/app", "url": "u", "visibility": "PUBLIC",
        "issues": {"nodes": [issue], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    at = ["repository", "issues", "nodes", 0]
    errors = [{"type": "FORBIDDEN", "message": "SAML", "path": [*at, "parent"]},
              {"type": "FORBIDDEN", "message": "SAML", "path": [*at, "blockedBy", "nodes", 0]}]  # fmt: skip
    body = json.dumps({"data": {"repository": repository}, "errors": errors})
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body))
    got = pulled(connector, cursors=first.cursors)
    assert got.failed == {}
    assert (got.issue(3).parent, got.issue(3).blocked_by, got.issue(3).assignees) == ("", (), ())


@pytest.mark.parametrize("issues", [1, 0], ids=["the same page", "an empty page"])
def test_pages_that_never_end_are_noticed(there: Small, clock: Clock, issues: int) -> None:
    connector = connected(there.tracker, clock)
    first = pulled(connector)
    there.tracker.close(there.plain, there.tracker.bot)
    issue = {
        "__typename": "Issue", "id": "I_1", "number": 3, "title": "t", "url": "u", "state": "OPEN", "parent": None,
        "createdAt": "2026-03-01T00:00:00Z", "updatedAt": "2026-03-01T00:00:00Z", "blockedBy": {"nodes": []},
        "assignees": {"nodes": []}, "timelineItems": {"nodes": [], "pageInfo": {"hasNextPage": False}},
    }  # fmt: skip
    page = {"nodes": [issue] * issues, "pageInfo": {"hasNextPage": True, "endCursor": "same"}}
    repository = {"id": f"R_kw{there.place.id}", "name": "app", "nameWithOwner": "acme/app", "url": "u"}
    body = json.dumps({"data": {"repository": repository | {"visibility": "PUBLIC", "issues": page}}})
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body, times=999))
    got = pulled(connector, cursors=first.cursors)
    assert isinstance(got.failed["acme/app"], MalformedError)
    assert there.tracker.faults[0].times == 997


def test_a_redirect_to_another_host_is_not_followed(there: Small, clock: Clock) -> None:
    elsewhere = {"location": "http://127.0.0.2:9/repos/acme/app/issues"}
    for status in (301, 302, 307):
        there.tracker.faults.append(Fault("status", "/issues", status=status, headers=elsewhere))
        assert isinstance(pulled(connected(there.tracker, clock)).failed["acme/app"], MalformedError)
