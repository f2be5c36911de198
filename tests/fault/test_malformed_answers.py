"""Answers against the tracker's API, on each of the four dialects over HTTP: a bad row costs one row, a bad project one
project, and no list is endless.
"""

from __future__ import annotations

import base64
import json
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from connectors.sandbox.server import Sandbox
from connectors.sandbox.world_data import Answer
from connectors.testing import Collected
from connectors.testing.tracker_side import marker
from sync.model.tracker_data import UnreadRow, uid
from sync.tracker.errors import MalformedError, TrackerError
from sync.tracker.observed import Target
from sync.tracker.protocol import Connector
from tests.contract.sandbox_side import SandboxSide
from tests.proof import Record, full

KINDS = ("github", "gitlab", "jira", "jira-cloud")
CANARY = "canary-of-a-row"
DEEP = "[" * 20_000 + "]" * 20_000
VALUES: dict[str, Any] = {
    "null": None, "list": [], "text": CANARY, "object": {CANARY: 1}, "negative": -1, "huge": 10**30, "fraction": 0.5,
    "true": True, "deep": "@deep@", "early": "0001-01-01T00:00:00+14:00", "without a zone": "2026-03-02T09:00:00",
    "missing": ...,
}  # fmt: skip
Path = tuple[str | int, ...]


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[SandboxSide]:
    made = SandboxSide.of(sandbox.world, request.param)
    made.tracker.limit = 10**9
    made.add_milestone("1.0")
    made.add_milestone("2.0")
    for n in range(4):
        made.add_issue(f"item {n}", "1.0")
    made.add_issue("elsewhere", elsewhere=True)
    made.pass_time(3600)
    made.move("item 1", "2.0")
    made.close("item 2")
    made.comment("item 3", made.text("hello"))
    yield made
    made.tracker.alter = made.tracker.page_limit = None
    made.tracker.limit = 5000
    for connector in made.made:
        connector.close()


def pull(side: SandboxSide, state: Collected | None = None) -> tuple[Collected, list[UnreadRow]]:
    """Pull both projects by a new connector. Return what was read, and the rows that could not be read."""
    state, connector = state or Collected(), side.connect()
    cursors = dict(state.cursors)
    state.pages, state.complete, state.failed = [], set(), {}
    for page in connector.pull([side.project, side.other], cursors):
        state.add(page)
    rows = {(row.project, row.kind, row.id, row.key): row for page in state.pages for row in page.unread}
    return state, list(rows.values())


def alter(side: SandboxSide, change: Callable[[str, Any], Any], deep: str = DEEP) -> None:
    """Change each JSON answer: ``change`` gets the path of the request and the document, and changes it in place."""

    def altered(_method: str, path: str, answer: Answer) -> Answer:
        try:
            document = json.loads(answer.body)
        except ValueError:
            return answer
        changed = change(path, document)
        document = document if changed is None else changed
        return answer._replace(body=json.dumps(document).replace('"@deep@"', deep).encode())

    side.tracker.alter = altered


def issue_rows(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a document that is an issue of the tracker, with a title."""
    if isinstance(document, dict):
        fields = document.get("fields")
        title = fields.get("summary") if isinstance(fields, dict) else document.get("title")
        if isinstance(title, str) and title.startswith("item"):
            yield document
    for value in document.values() if isinstance(document, dict) else document if isinstance(document, list) else ():
        yield from issue_rows(value)


def set_title(row: dict[str, Any], value: Any) -> None:
    holder, name = (row["fields"], "summary") if isinstance(row.get("fields"), dict) else (row, "title")
    holder[name] = value


# --- one bad row -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [None, 5, "@deep@", []], ids=["null", "number", "deep", "list"])
def test_a_bad_issue_costs_itself_alone_and_is_asked_for_again(side: SandboxSide, value: Any) -> None:
    def change(_path: str, document: Any) -> None:
        for row in issue_rows(document):
            title = row["fields"]["summary"] if isinstance(row.get("fields"), dict) else row["title"]
            if title == "item 1":
                set_title(row, value)

    alter(side, change)
    state, unread = pull(side)
    assert state.failed == {}
    assert len(state.complete) == 2
    assert state.titles() == {"item 0", "item 2", "item 3", "elsewhere"}
    [row] = unread
    assert row.key
    assert row.milestones == (state.milestone("2.0").id,)
    assert "title" in row.reason or "summary" in row.reason
    _, again = pull(side, state)
    assert [entry.key for entry in again] == [row.key]
    side.tracker.alter = None
    state, unread = pull(side, state)
    assert "item 1" in state.titles()
    assert unread == []
    assert pull(side, state)[1] == []


@pytest.mark.parametrize("value", [None, 7, "@deep@"], ids=["null", "number", "deep"])
def test_a_bad_milestone_costs_itself_alone(side: SandboxSide, value: Any) -> None:
    first, _ = pull(side)

    def change(_path: str, document: Any) -> None:
        for row in milestone_rows(document):
            if "1.0" in (row.get("title"), row.get("name")):
                row["title" if "title" in row else "name"] = value

    side.edit_milestone("2.0", new="3.0")
    alter(side, change)
    state, unread = pull(side, Collected(cursors=first.cursors))
    assert state.failed == {}
    [row] = unread
    assert (row.kind, row.id) == ("milestone", first.milestone("1.0").id)
    assert {own.title for own in state.milestones.values()} == {"3.0"}
    assert pull(side, state)[1] == [row], "named at each run"
    side.tracker.alter = None
    state, unread = pull(side, state)
    assert unread == []
    assert {own.title for own in state.milestones.values()} == {"1.0", "3.0"}


def milestone_rows(document: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in a list of milestones or of versions."""
    rows = document.get("versions") if isinstance(document, dict) else document
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and ("due_date" in row or "due_on" in row or "released" in row):
            yield row


def test_nesting_in_a_field_that_is_not_read_costs_nothing(side: SandboxSide) -> None:
    def change(_path: str, document: Any) -> None:
        for row in issue_rows(document):
            row["a_field_of_tomorrow"] = "@deep@"

    alter(side, change)
    state, unread = pull(side)
    assert (state.failed, unread) == ({}, [])
    assert len(state.issues) == 5


@pytest.mark.parametrize("side", [kind for kind in KINDS if kind != "github"], indirect=True)
def test_a_row_without_anything_readable_is_asked_for_with_all_changes_since(side: SandboxSide) -> None:
    """No id identifies it, so that the cursor waits for it. GitHub's first pull asks for each issue by its number."""

    def change(_path: str, document: Any) -> Any:
        rows = document if isinstance(document, list) else document.get("issues")
        if isinstance(rows, list) and len(rows) > 2 and any(True for _ in issue_rows(rows)):
            rows[1] = None
        return document

    alter(side, change)
    _, unread = pull(side)
    assert len(unread) == 1
    state, _ = pull(side)
    side.tracker.alter = None
    state, unread = pull(side, state)
    assert unread == []
    assert len(state.issues) == 5


# --- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["NaN", "", "-1", "1e999", "9" * 5000, "²", CANARY, "<>;;=,", "Mon, 99 Foo 2026"])
def test_headers_that_are_no_numbers_and_no_times_cost_nothing(side: SandboxSide, value: str) -> None:
    names = [
        "x-ratelimit-remaining",
        "x-ratelimit-limit",
        "x-ratelimit-reset",
        "ratelimit-remaining",
        "ratelimit-limit",
    ]
    names += ["ratelimit-reset", "retry-after", "date", "age", "x-total", "x-per-page", "x-page", "x-oauth-scopes"]

    def altered(_method: str, _path: str, answer: Answer) -> Answer:
        headers = dict.fromkeys(names, value.encode("utf-8").decode("latin-1"))
        return answer._replace(headers={**answer.headers, **headers})

    side.tracker.alter = altered
    state, unread = pull(side)
    assert (state.failed, unread, len(state.issues)) == ({}, [], 5)


# --- lists -----------------------------------------------------------------------------------------------------------


def test_a_server_with_smaller_pages_is_read_to_its_end(side: SandboxSide) -> None:
    for n in range(50):
        side.add_issue(f"more {n}", "1.0")
        side.add_milestone(f"later {n}")
    side.comment("item 3", side.text("the last"), ours=True, marker="")
    side.pass_time(3600)
    side.tracker.page_limit = 20
    state, unread = pull(side)
    assert (state.failed, unread) == ({}, [])
    assert len(state.issues) == 55
    assert len(state.milestones) == 52
    side.add_milestone("the newest")
    for n in range(45):
        side.rename(f"more {n}", f"renamed {n}")
    side.pass_time(3600)
    state, _ = pull(side, state)
    assert len(state.milestones) == 53
    assert sum(title.startswith("renamed") for title in state.titles()) == 45


def endless(kind: str) -> dict[str, Callable[[str, str, Answer], Answer]]:
    """The ways in which a list does not end."""
    serial = iter(range(10**9))

    def total(_method: str, path: str, answer: Answer) -> Answer:
        headers = {**answer.headers, "x-total-pages": "99999999999", "x-total": "99999999999"}
        return answer._replace(headers=headers)

    def repeated(_method: str, path: str, answer: Answer) -> Answer:
        headers = {**answer.headers, "x-next-page": str(next(serial)), "link": '<http://127.0.0.1:1/>; rel="next"'}
        return answer._replace(headers=headers)

    def cyclic(_method: str, path: str, answer: Answer) -> Answer:
        link = f'<{path}>; rel="next"'
        return answer._replace(headers={**answer.headers, "link": link}) if "milestones" in path else answer

    def cursor(_method: str, _path: str, answer: Answer) -> Answer:
        body = answer.body.replace(b'"hasNextPage":false', b'"hasNextPage":true')
        following = b'"endCursor":"%s"' % base64.b64encode(b"%d" % next(serial))
        return answer._replace(body=re.sub(rb'"endCursor":(null|"[^"]*")', following, body))

    def tokens(_method: str, path: str, answer: Answer) -> Answer:
        if "search/jql" not in path:
            return answer
        document = {"issues": [], "nextPageToken": f"t{next(serial)}"}
        return answer._replace(status=200, body=json.dumps(document).encode())

    def counted(_method: str, path: str, answer: Answer) -> Answer:
        if not path.endswith("/search"):
            return answer
        document = json.loads(answer.body)
        return answer._replace(body=json.dumps({**document, "total": 99_999_999_999}).encode())

    ways: dict[str, dict[str, Callable[[str, str, Answer], Answer]]] = {
        "github": {"a cyclic link": cyclic, "a cursor that never stops": cursor},
        "gitlab": {"X-Total-Pages": total, "a page that repeats": repeated},
        "jira": {"a total that is never reached": counted},
        "jira-cloud": {"a token that never stops": tokens},
    }
    return ways[kind]


def test_a_list_without_an_end_fails_with_a_reason(side: SandboxSide) -> None:
    first, _ = pull(side)
    for way, altered in endless(side.tracker.kind).items():
        side.pass_time(3600)
        side.rename("item 0", "item 0")
        side.edit_milestone("1.0")
        sent, side.tracker.alter = side.requests(), altered
        state, _ = pull(side, Collected(cursors=dict(first.cursors)))
        assert state.failed, way
        assert all(isinstance(error, MalformedError) for error in state.failed.values()), (way, state.failed)
        assert side.requests() - sent < 250, way
        side.tracker.alter = None
        assert pull(side)[0].failed == {}


# --- any field of any answer -----------------------------------------------------------------------------------------


def paths_of(document: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(document, dict):
        for key, value in document.items():
            yield from paths_of(value, (*path, key))
    elif isinstance(document, list):
        for n, value in enumerate(document[:2]):
            yield from paths_of(value, (*path, n))


def replaced(document: Any, path: Path, value: Any) -> Any:
    if not path:
        return None if value is ... else value
    document = json.loads(json.dumps(document))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if value is ...:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


def work(side: SandboxSide, connector: Connector, targets: list[Target], cursors: dict[str, str]) -> list[str]:
    """Pull, observe and examine. Return the texts of all errors; an untyped one is raised."""
    texts: list[str] = []
    projects = [side.project, side.other]
    try:
        for page in connector.pull(projects, cursors):
            texts += [str(error) for error in page.failed.values()]
            texts += [row.reason for row in page.unread]
    except TrackerError as error:
        texts.append(str(error))
    try:
        texts += [str(error) for error in connector.observe(targets).failed.values()]
    except TrackerError as error:
        texts.append(str(error))
    try:
        connector.examine(projects)  # type: ignore[attr-defined]
    except TrackerError as error:
        texts.append(str(error))
    return texts


@pytest.mark.proof
@pytest.mark.parametrize("seed", range(full(20, 1)))
def test_any_value_in_any_field_is_a_typed_error_that_quotes_nothing(
    side: SandboxSide, seed: int, record_property: Record
) -> None:
    first, _ = pull(side)
    milestone = first.milestone("1.0")
    project = first.projects[milestone.project]
    name = uid(side.made[0].base_url, "milestone", milestone.id)
    side.copy_status_issue("a claim", marker(name, "status_issue"))
    unknown = Target(milestone=name, project=project.id, project_key=project.key, instance="contract")
    known = msgspec.structs.replace(unknown, milestone=f"{name}0", issue=first.issue("item 3").key)
    answers: list[tuple[str, bytes]] = []

    def record(_method: str, path: str, answer: Answer) -> Answer:
        answers.append((path.partition("?")[0], answer.body))
        return answer

    side.tracker.alter = record
    for cursors in ({}, dict(first.cursors)):
        work(side, side.connect(), [unknown, known], cursors)
    fields: dict[tuple[str, Path], Path] = {}
    for path, body in answers:
        if body.startswith((b"{", b"[")):
            for field in paths_of(json.loads(body)):
                shape = tuple("*" if isinstance(key, int) else key for key in field)
                fields.setdefault((path, shape), field)
    tasks = [(path, field, value) for (path, _), field in fields.items() for value in VALUES]
    for path, field, value in random.Random(seed).sample(tasks, 12):

        def change(asked: str, document: Any, path: str = path, field: Path = field, value: str = value) -> Any:
            if asked.partition("?")[0] != path:
                return document
            try:
                return replaced(document, field, VALUES[value])
            except (KeyError, IndexError, TypeError):
                return document

        alter(side, change)
        for cursors in ({}, dict(first.cursors)):
            texts = work(side, side.connect(), [unknown, known], cursors)
            assert not [text for text in texts if CANARY in text], (path, field, value)
    record_property("answers with a wrong value in a field", 24)


def test_a_project_of_which_nothing_can_be_read_costs_itself_alone(side: SandboxSide) -> None:
    for n in range(12):
        side.add_issue(f"item of many {n}")

    def change(_path: str, document: Any) -> None:
        for row in issue_rows(document):
            for holder in (row, row.get("fields", {})):
                for name in ("updated", "updated_at", "updatedAt"):
                    if name in holder:
                        holder[name] = {CANARY: 1}

    alter(side, change)
    state, unread = pull(side)
    assert "elsewhere" in state.titles()
    assert len(state.complete) == 1
    [error] = state.failed.values()
    assert isinstance(error, MalformedError)
    assert CANARY not in str(error)
    assert unread == []
