"""A GitHub Enterprise Server that is upgraded or downgraded, lacks fields, or has features switched off."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from graphql import GraphQLError

from connectors.github.api_types import Failure
from connectors.github.cursor import Cursor, decode_cursors
from connectors.github.schema import MAX_AGE, unknown_field
from connectors.sandbox.github import app as sandbox_app
from connectors.sandbox.github import graphql as sandbox_graphql
from connectors.sandbox.github.graphql import Answer
from connectors.sandbox.github.requests import Desk, RefusedError
from connectors.sandbox.github.resolvers import FIELDS
from connectors.sandbox.world_data import Fault
from sync.model.tracker_data import Visibility
from sync.tracker.errors import AuthError, BusyError, MalformedError
from tests.contract.github_side import Clock, Small, Taken, app_credentials, connected, pulled

SUPPORTED = ("3.19", "3.20", "3.21", "3.22")
OLDER = ("3.14", "3.15", "3.16", "3.17", "3.18")
ANCIENT = "3.1"


pytestmark = pytest.mark.usefixtures("nothing_written")


def touch(there: Small, clock: Clock) -> None:
    """Rename an issue, an hour later."""
    there.plain.updated, there.plain.title = clock.pass_(hours=1), "touched"


def cursor_of(got: Taken) -> Cursor:
    ((_, cursor),) = decode_cursors(got.cursors)
    return cursor


# --- versions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ANCIENT, *OLDER, *SUPPORTED, ""])
def test_every_version_is_read_to_its_end(there: Small, clock: Clock, version: str) -> None:
    there.tracker.version = version
    connector = connected(there.tracker, clock, url=f"{there.tracker.url}/api/v3")
    got = pulled(connector)
    assert got.failed == {}
    assert {issue.key for issue in got.issues.values()} == {"#1", "#2", "#3", "#4"}
    assert got.events(2) == [("joined", "v1"), ("closed", "")]
    assert {project.visibility for project in got.projects.values()} == {Visibility.PUBLIC}
    is_supported = version in ("", *SUPPORTED)
    assert bool(got.issue(1).blocked_by) is is_supported
    assert got.issue(2).resolution == ("" if version == ANCIENT else "not_planned")
    touch(there, clock)
    assert pulled(connector, cursors=got.cursors).issue(3).title == "touched"


@pytest.mark.parametrize("many", [0, 5], ids=["one repository", "many quiet repositories"])
def test_after_an_upgrade_everything_is_read_once_with_the_new_fields(there: Small, clock: Clock, many: int) -> None:
    names = ["acme/app", *(there.tracker.project(f"acme/r{n}").key for n in range(many))]
    there.tracker.version = "3.14"
    got = pulled(connected(there.tracker, clock), names)
    got.take(connected(there.tracker, clock).pull(names, got.cursors))
    assert got.issue(1).blocked_by == ()
    there.tracker.version = "3.22"
    got.take(connected(there.tracker, clock).pull(names, got.cursors))
    assert got.issue(1).blocked_by == ("#3",)
    assert got.failed == {}
    got.take(connected(there.tracker, clock).pull(names, got.cursors))
    again = pulled(connected(there.tracker, clock), names, got.cursors)
    assert (again.issues, again.milestones, again.complete) == ({}, {}, got.complete)


def test_after_a_downgrade_the_pull_goes_on_with_fewer_fields(there: Small, clock: Clock) -> None:
    there.tracker.version = "3.22"
    got = pulled(connected(there.tracker, clock))
    there.tracker.version = "3.14"
    for _ in range(2):
        touch(there, clock)
        got.take(connected(there.tracker, clock).pull(["acme/app"], got.cursors))
        assert got.failed == {}
    assert got.issue(3).updated_at == clock.now
    assert cursor_of(got).lacking == {"parent", "issueType", "blockedBy", "blocking", "enableDuplicate"}


def test_a_server_that_names_no_version_is_asked_again_after_a_week(
    there: Small, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Desk, "_server", lambda _: {})
    there.tracker.version = "3.14"
    got = pulled(connected(there.tracker, clock))
    there.tracker.version = "3.22"
    clock.pass_(days=MAX_AGE.days - 1)
    got.take(connected(there.tracker, clock).pull(["acme/app"], got.cursors))
    assert got.issue(1).blocked_by == ()
    clock.pass_(days=1)
    got.take(connected(there.tracker, clock).pull(["acme/app"], got.cursors))
    assert got.issue(1).blocked_by == ("#3",)


def test_an_old_server_that_stays_old_is_asked_once_a_week(there: Small, clock: Clock) -> None:
    names = ["acme/app", there.tracker.project("acme/web").key]
    there.tracker.version = "3.14"
    got = pulled(connected(there.tracker, clock, options={"sweep_days": 1000}), names)
    for expected in (0, 2, 0):
        connector = connected(there.tracker, clock, options={"sweep_days": 1000})
        got.take(connector.pull(names, got.cursors))
        assert connector.requests - 2 * len(names) == expected, "a question, and the same without what was refused"
        clock.pass_(days=MAX_AGE.days if expected == 0 else 1)
    assert got.failed == {}


def test_a_question_for_fields_that_is_not_answered_keeps_what_is_known(there: Small, clock: Clock) -> None:
    there.tracker.version = "3.14"
    got = pulled(connected(there.tracker, clock, options={"sweep_days": 1000}))
    clock.pass_(days=8)
    there.tracker.faults.append(Fault("status", "/graphql", status=502, times=4))
    connector = connected(there.tracker, clock, options={"sweep_days": 1000})
    quiet = pulled(connector, cursors=got.cursors)
    assert (quiet.failed, quiet.issues, quiet.complete) == ({}, {}, got.complete)
    assert cursor_of(got.take(iter(quiet.pages))).lacking >= {"parent", "issueType"}
    there.tracker.version = "3.22"
    assert pulled(connected(there.tracker, clock), cursors=got.cursors).issue(1).blocked_by == ("#3",)


@pytest.mark.parametrize(("held", "is_read_again"), [(["parent", "issueType", "blockedBy"], True), (None, False)])
def test_the_fields_in_a_cursor_of_an_earlier_version_count(
    there: Small, clock: Clock, held: list[str] | None, is_read_again: bool
) -> None:
    got = pulled(connected(there.tracker, clock))
    cursor = cursor_of(got)
    fields = held or ["parent", "issueType", "blockedBy", "blocking", "enableDuplicate"]
    text = Cursor(
        configured_name=cursor.configured_name,
        name=cursor.name,
        since=cursor.since,
        pull_requests_since=cursor.pull_requests_since,
        optional_fields=tuple(fields),
        issues_etag=cursor.issues_etag,
        milestone_etags=cursor.milestone_etags,
        swept_at=cursor.swept_at,
    ).encode()
    assert '"schema"' not in text
    again = pulled(connected(there.tracker, clock), cursors=dict.fromkeys(got.cursors, text))
    assert bool(again.issues) is is_read_again
    assert again.complete == got.complete


@pytest.mark.parametrize(
    ("message", "field"),
    [
        ("Field 'issueType' doesn't exist on type 'Issue'", "issueType"),
        ("Field 'stateReason' doesn't accept argument 'enableDuplicate'", "enableDuplicate"),
        ("Cannot query field 'blockedBy' on type 'Issue'. Did you mean 'labels'?", "blockedBy"),
        ("Unknown argument 'enableDuplicate' on field 'Issue.stateReason'.", "enableDuplicate"),
        ("No such type ProjectV2Owner, so it can't be a fragment condition", "ProjectV2Owner"),
        ("Unknown type 'ProjectV2Owner'.", "ProjectV2Owner"),
        ("IssueFieldValueFilter isn't a defined input type (on $values)", "IssueFieldValueFilter"),
        ("Could not resolve to a Repository with the name 'acme/parent'.", ""),
        (None, ""),
    ],
)
def test_the_words_for_an_unknown_field(message: str | None, field: str) -> None:
    assert unknown_field(Failure(message=message)) == field


@pytest.mark.parametrize("name", ["title", "parent"])
def test_a_field_that_is_always_needed_or_was_not_asked_for_is_an_error_and_no_loop(
    there: Small, clock: Clock, name: str
) -> None:
    message = f"Field '{name}' doesn't exist on type 'Issue'"
    body = json.dumps({"errors": [{"message": message, "path": ["query Open"]}]})
    there.tracker.faults.append(Fault("status", "/graphql", status=200, body=body, times=99))
    got = pulled(connected(there.tracker, clock))
    assert isinstance(got.failed["acme/app"], MalformedError)
    assert there.tracker.faults[0].times > 90


# --- features that are switched off ---------------------------------------------------------------------------------


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Callable[..., Any]], None]]:
    def replace(field: str, resolver: Callable[..., Any]) -> None:
        monkeypatch.setitem(FIELDS, ("Issue", field), resolver)
        sandbox_graphql._schema.cache_clear()

    yield replace
    monkeypatch.undo()
    sandbox_graphql._schema.cache_clear()


def switched_off(*_: object, **__: object) -> None:
    raise GraphQLError("This feature is not enabled.")


@pytest.mark.parametrize("answer", [switched_off, lambda *_, **__: None], ids=["an error", "null"])
@pytest.mark.parametrize("field", ["blockedBy", "blocking", "issueType", "parent"])
def test_a_feature_that_is_switched_off_costs_no_issue(
    there: Small, clock: Clock, resolve: Callable[..., None], field: str, answer: Callable[..., Any]
) -> None:
    resolve(field, answer)
    got = pulled(connected(there.tracker, clock))
    assert got.failed == {}
    assert {issue.key for issue in got.issues.values()} == {"#1", "#2", "#3", "#4"}
    assert (got.issue(1).blocked_by == ()) is (field == "blockedBy")
    touch(there, clock)
    changed = pulled(connected(there.tracker, clock), cursors=got.cursors)
    assert (changed.failed, changed.issue(3).title) == ({}, "touched")


# --- the token of an App --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app() -> dict[str, Any]:
    return app_credentials()


def fetched_tokens(there: Small) -> int:
    return sum(path.endswith("/access_tokens") for _, path, _ in there.tracker.log)


@pytest.fixture
def lasting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of an App that last: the sandbox's clock is behind the real one, by which PyGithub judges them."""
    monkeypatch.setattr("connectors.github.session._InstallationAuth._is_expired", False)


@pytest.mark.usefixtures("lasting")
@pytest.mark.parametrize("where", ["GET /repos/acme/app/milestones", "POST /graphql"])
def test_a_token_of_an_app_that_is_refused_in_the_middle_is_replaced_once(
    there: Small, clock: Clock, app: dict[str, Any], where: str
) -> None:
    there.tracker.faults.append(Fault("status", where, status=401, body='{"message": "Bad credentials"}'))
    got = pulled(connected(there.tracker, clock, concurrency=4, **app))
    assert got.failed == {}
    assert len(got.issues) == 4
    assert fetched_tokens(there) == 2, "one for all threads at first, one after the refusal"


@pytest.mark.usefixtures("lasting")
def test_a_second_refusal_ends_the_connection(there: Small, clock: Clock, app: dict[str, Any]) -> None:
    there.tracker.faults.append(Fault("status", "/milestones", status=401, body='{"message": "Bad"}', times=2))
    with pytest.raises(AuthError, match="Bad"):
        pulled(connected(there.tracker, clock, concurrency=1, **app))
    assert fetched_tokens(there) == 2


def test_a_token_that_is_refused_has_no_other(there: Small, clock: Clock) -> None:
    there.tracker.faults.append(Fault("status", "/milestones", status=401))
    with pytest.raises(AuthError):
        pulled(connected(there.tracker, clock))


# --- queries that GitHub gives up on --------------------------------------------------------------------------------

TIMEOUT = "Something went wrong while executing your query. This may be the result of a timeout, or a GitHub bug."


def too_many(answer: Callable[..., Answer], limit: int, refusals: list[int], mode: str) -> Callable[..., Answer]:
    """Answers of a GitHub that gives up on a query for more than ``limit`` issues."""

    def heavy(tracker: Any, asked: Any) -> Answer:
        text, variables = str(asked["query"]), asked.get("variables") or {}
        number = len(re.findall(r"\bn\d+: issue", text)) or int(variables.get("first", 0))
        if number <= limit:
            return answer(tracker, asked)
        refusals.append(number)
        if mode.isdigit():
            raise RefusedError(int(mode), TIMEOUT)
        made = answer(tracker, asked).body if mode == "partial" else {"data": None}
        repository = (made["data"] or {}).get("repository") or {}
        path = ["repository", "n2"] if "n2" in repository else None
        if path:
            repository["n2"] = None
        elif made["data"]:
            made["data"] = None
        return Answer({**made, "errors": [{"type": None, "path": path, "message": TIMEOUT}]})

    return heavy


@pytest.mark.parametrize("mode", ["502", "504", "untyped", "partial"])
def test_a_query_that_github_gives_up_on_is_asked_in_smaller_pieces(
    there: Small, clock: Clock, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """By number and by change; the size is kept for the rest of the pull, so little is asked for in vain."""
    ada, refusals = there.tracker.user("ada"), list[int]()
    for number in range(5, 1001):
        there.tracker.issue(there.place, f"issue {number}", ada, number=number)
    touch(there, clock)
    monkeypatch.setattr(sandbox_app, "answer", too_many(sandbox_graphql.answer, 25, refusals, mode))
    slept: list[float] = []
    first = pulled(connected(there.tracker, clock, concurrency=1, slept=slept))
    assert (first.failed, len(first.issues)) == ({}, 1000)
    assert refusals[:2] == [100, 50]
    assert len(refusals) <= 5, "the size that was too large is tried again, more and more rarely"
    clock.pass_(hours=1)
    for number in range(5, 305):
        there.place.issues[number].updated = clock.now
    refusals.clear()
    second = pulled(connected(there.tracker, clock, concurrency=1, slept=slept), cursors=first.cursors)
    assert (second.failed, len(second.issues)) == ({}, 302)
    assert len(refusals) <= 4
    assert slept == [], "a smaller question is asked at once"


@pytest.mark.parametrize("mode", ["502", "untyped"])
def test_even_one_issue_that_github_gives_up_on_ends_typed_and_soon(
    there: Small, clock: Clock, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    refusals: list[int] = []
    for number in range(5, 1001):
        there.tracker.issue(there.place, f"issue {number}", there.tracker.user("ada"), number=number)
    monkeypatch.setattr(sandbox_app, "answer", too_many(sandbox_graphql.answer, 0, refusals, mode))
    got = pulled(connected(there.tracker, clock, concurrency=1))
    assert isinstance(got.failed["acme/app"], BusyError)
    assert refusals == [100, 50, 25, 12, 6, 3, 1, 1, 1, 1]


def test_after_a_short_outage_the_questions_grow_again(there: Small, clock: Clock) -> None:
    for number in range(5, 3001):
        there.tracker.issue(there.place, f"issue {number}", there.tracker.user("ada"), number=number)
    there.tracker.faults.append(Fault("status", "/graphql", status=502, times=5, after=1))
    connector = connected(there.tracker, clock, concurrency=1)
    assert len(pulled(connector).issues) == 3000
    assert connector.requests < 2 * (2 + 1 + 30)
