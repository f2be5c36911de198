"""Real answers of github.com: the exchanges recorded in PyGithub's source distribution.

They are read by the very types and rules that the connector reads with. They were recorded from 2012 on, so the oldest
know fewer fields; what GitHub did not have then is left out, by name. They hold hardly any of our GraphQL queries.
"""

from __future__ import annotations

import re
import tarfile
from ast import literal_eval
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
import pytest

from connectors.github import api_types, normalize
from connectors.shared.responses import Response, clock_ahead, decode, error_of, rate_limit
from sync.model.tracker_data import State
from sync.tracker.errors import AuthError, GoneError, LimitedError, RefusedError, TrackerError
from tests.contract.downloads import fetched

VERSION = "2.10.0"
NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Exchange(NamedTuple):
    """One request and its answer."""

    file: str
    verb: str
    path: str
    answer: Response

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The JSON objects in the answer."""
        body = msgspec.json.decode(self.answer.body)
        return [row for row in (body if isinstance(body, list) else [body]) if isinstance(row, dict)]


def _exchanges(file: str, text: str) -> Iterator[Exchange]:
    """PyGithub's format: eleven lines an exchange, the last one empty."""
    lines = text.splitlines()
    for at in range(0, len(lines) - 9, 11):
        _, verb, _, _, path, _, _, status, headers, body = lines[at : at + 10]
        if not status.isdigit():
            return
        named = {str(name).lower(): str(value) for name, value in literal_eval(headers)}
        yield Exchange(file, verb, path, Response(int(status), named, body))


@pytest.fixture(scope="module")
def recorded() -> list[Exchange]:
    """Every exchange in the distribution whose answer is JSON."""
    package = f"pygithub=={VERSION}"
    folder = fetched(f"pygithub-{VERSION}", "download", "--no-deps", "--no-binary", "pygithub", package)
    (archive,) = folder.glob("*.tar.gz")
    found: list[Exchange] = []
    with tarfile.open(archive) as packed:
        for member in packed:
            if "/ReplayData/" in member.name and member.name.endswith(".txt"):
                file = packed.extractfile(member)
                assert file is not None
                found += _exchanges(member.name.rpartition("/")[2], file.read().decode())
    return [exchange for exchange in found if str(exchange.answer.body)[:1] in ("[", "{")]


def _good(recorded: list[Exchange], verb: str, path: str) -> Iterator[Exchange]:
    wanted = re.compile(f"(?:https://[^/]+)?(?:/api/v3)?{path}(?:\\?.*)?")
    for exchange in recorded:
        if exchange.verb == verb and wanted.fullmatch(exchange.path) and 200 <= exchange.answer.status < 300:
            yield exchange


def _as(exchange: Exchange, row: dict[str, Any]) -> Response:
    return Response(200, exchange.answer.headers, msgspec.json.encode(row))


REPOSITORY = "/repos/[^/]+/[^/]+"


def test_milestones(recorded: list[Exchange]) -> None:
    told: Counter[str] = Counter()
    for path in (f"{REPOSITORY}/milestones", f"{REPOSITORY}/milestones/\\d+"):
        for exchange in _good(recorded, "GET", path):
            for row in exchange.rows:
                if "node_id" not in row or "html_url" not in row:
                    told["before there were node ids"] += 1
                    continue
                made = normalize.milestone(decode(_as(exchange, row), api_types.Milestone, "x"), "p")
                assert (made.title, made.key, made.id) == (row["title"], str(row["number"]), row["node_id"])
                assert made.state is (State.CLOSED if row["state"] == "closed" else State.OPEN)
                assert (made.due is None) is (row["due_on"] is None)
                told["read"] += 1
    assert told["read"] >= 1, told


def test_milestones_of_issues(recorded: list[Exchange]) -> None:
    """Each issue carries its whole milestone: the same object."""
    seen = set()
    for exchange in _good(recorded, "GET", f"{REPOSITORY}/issues(?:/\\d+)?"):
        for row in exchange.rows:
            inside = row.get("milestone")
            if inside and "node_id" in inside and "html_url" in inside:
                made = normalize.milestone(decode(_as(exchange, inside), api_types.Milestone, "x"), "p")
                if inside["due_on"]:
                    assert made.due is not None
                    assert made.due.isoformat() == inside["due_on"][:10]
                seen.add(made.id)
    assert seen


def test_issues_have_a_time_of_update(recorded: list[Exchange]) -> None:
    """Some recordings were cut down to the ids by PyGithub's authors: those do not count."""
    listed = (exchange for exchange in _good(recorded, "GET", f"{REPOSITORY}/issues") if exchange.rows)
    lists = [exchange for exchange in listed if all("updated_at" in row for row in exchange.rows)]
    read = [decode(exchange.answer, tuple[api_types.NewestChange, ...], "x") for exchange in lists]
    assert sum(map(len, read)) > 100
    assert all(probe.updated_at.tzinfo is not None for probes in read for probe in probes)


@pytest.mark.parametrize(
    ("path", "numbered"),
    [
        (f"{REPOSITORY}/issues", True),
        (f"{REPOSITORY}/issues/\\d+/comments", False),
        (f"{REPOSITORY}/labels", False),
    ],
)
def test_what_a_creation_answers(recorded: list[Exchange], path: str, numbered: bool) -> None:
    told: Counter[str] = Counter()
    for exchange in _good(recorded, "POST", path):
        if "node_id" not in exchange.rows[0]:
            told["before there were node ids"] += 1
            continue
        made = decode(exchange.answer, api_types.Created, "x")
        assert made.node_id == exchange.rows[0]["node_id"]
        assert bool(made.number) is numbered
        told["read"] += 1
    if not told["read"]:
        pytest.skip(f"all {told.total()} were recorded before there were node ids")


def test_refusals_are_sorted_by_what_to_do(recorded: list[Exchange]) -> None:
    found: dict[int, set[type[TrackerError] | None]] = {}
    for exchange in recorded:
        problem = error_of(exchange.answer, "x", "", NOW)
        if exchange.answer.status >= 400:
            assert problem is not None
            assert len(problem.detail) < 240
            found.setdefault(exchange.answer.status, set()).add(type(problem))
        elif exchange.answer.status in (200, 201, 204, 304):
            assert problem is None
    assert found[404] == {GoneError}
    assert found[401] == {AuthError}
    assert found[403] <= {RefusedError, LimitedError}
    assert found[422] == {RefusedError}


def test_headers(recorded: list[Exchange]) -> None:
    """Rate limit and clock, from headers of fourteen years."""
    budgets = [left for exchange in recorded if (left := rate_limit(exchange.answer, "core"))]
    clocks = [ahead for exchange in recorded if (ahead := clock_ahead(exchange.answer, NOW))]
    assert len(budgets) > 100
    assert len(clocks) > 100
    assert all(0 <= left.left <= left.limit for left in budgets)


def test_answers_of_graphql(recorded: list[Exchange]) -> None:
    """Both halves of an answer, its errors with their type and path."""
    asked = (exchange for exchange in recorded if exchange.path.endswith("/graphql"))
    replies = [decode(exchange.answer, api_types.Reply[Any], "x") for exchange in asked if "data" in exchange.rows[0]]
    assert len(replies) > 5
    assert all(reply.data is not None or reply.errors for reply in replies)
