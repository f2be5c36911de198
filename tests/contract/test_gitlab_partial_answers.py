"""GraphQL answers with data and errors, as after a timeout of GitLab in the middle of a query, change no result.

Each field that may be null is null in all answers, one field after the other. A missing value then looks like none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from connectors.sandbox.world_data import Answer, Project
from tests.contract.gitlab_side import Mirror, Side, served
from tests.contract.test_gitlab_threads import observed, status_issues


@pytest.fixture
def side() -> Iterator[Side]:
    with served() as made:
        yield made


def without(field: str) -> Callable[[str, str, Answer], Answer]:
    """Leave a field out of the answers of GraphQL, and say so."""

    def blanked(value: Any) -> Any:
        if isinstance(value, list):
            return [blanked(each) for each in value]
        if isinstance(value, dict):
            return {key: None if key == field else blanked(each) for key, each in value.items()}
        return value

    def alter(method: str, path: str, answer: Answer) -> Answer:
        del method
        document = json.loads(answer.body) if "graphql" in path else {}
        if f'"{field}"' not in answer.body.decode() or not document.get("data"):
            return answer
        errors = [{"message": f"Timeout on {field}", "path": [field]}]
        return answer._replace(body=json.dumps({"data": blanked(document["data"]), "errors": errors}).encode())

    return alter


def fleet(side: Side) -> list[Project]:
    tracker, ada = side.tracker, side.tracker.user("ada", "Ada Fox")
    projects = []
    for n in range(4):
        project = tracker.project(f"acme/p{n}")
        milestone = tracker.milestone(project, "1.0", due=date(2026, 6, 1))
        issue = tracker.issue(project, "One", ada, milestones=[milestone.id])
        tracker.close(issue, ada, side.clock.forward(minutes=1))
        tracker.reopen(issue, ada, side.clock.forward(minutes=1))
        change = tracker.merge_request(project, "Change", ada, milestones=[milestone.id], closing=[issue.number])
        tracker.ask_for_review(change, tracker.user("ben"), ada)
        projects.append(project)
    side.clock.forward(minutes=5)
    return projects


def of_one_pull(side: Side, keys: list[str]) -> Mirror:
    """The rows of a full pull of answers without errors."""
    side.tracker.alter = None
    return Mirror().pull(side.connect(), *keys)


PROBED = ("mergeRequests", "issues", "milestones", "issuesAccessLevel", "mergeRequestsAccessLevel", "stringValue")
READ = ("systemNoteMetadata", "action", "author", "widgets", "discussions", "status", "mergeRequestInteraction")


@pytest.mark.parametrize("field", [*PROBED, *READ])
def test_a_pull_of_changes(side: Side, field: str) -> None:
    """The field is missing before and after the change. An access level that is missing could make a project public."""
    projects, ada, got = fleet(side), side.tracker.user("ada"), Mirror()
    keys = [project.key for project in projects]
    side.tracker.alter = without(field)
    got.pull(side.connect(), *keys)
    side.clock.forward(hours=1)
    side.tracker.merge(projects[1].merge_requests[1], ada)
    side.tracker.close(projects[2].issues[1], ada)
    side.clock.forward(hours=1)
    got.pull(side.connect(), *keys)
    whole = of_one_pull(side, keys)
    assert (got.projects, got.milestones, got.issues) == (whole.projects, whole.milestones, whole.issues)
    assert (got.failed, got.complete) == ({}, whole.complete)
    issues = [id_ for id_, issue in whole.issues.items() if not issue.is_pull_request]
    assert [got.histories.get(id_) for id_ in issues] == [whole.histories.get(id_) for id_ in issues]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "field",
    ["author", "description", "healthStatus", "labels", "issues", "currentUser", "issuesAccessLevel", "stringValue"],
)
def test_an_observation(side: Side, field: str, known: bool) -> None:
    targets = status_issues(side, side.tracker.project("acme/app"), 3, known=known)
    plain, _ = observed(side, targets)
    side.tracker.alter = without(field)
    seen, _ = observed(side, targets)
    assert (seen.issues, seen.labels, seen.claims, seen.failed) == (plain.issues, plain.labels, plain.claims, {})
