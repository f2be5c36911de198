"""Since when a pull request waits for people to review it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.github import api_types
from connectors.github.reviews import review_since, reviewers

ADA = {"__typename": "User", "id": "U_1", "login": "ada"}
BEN = {"__typename": "User", "id": "U_2", "login": "ben"}
TEAM = {"__typename": "Team", "id": "T_1", "combinedSlug": "acme/core"}
COPILOT = {"__typename": "Bot"}


def asked(day: int, who: dict[str, str] | None) -> dict[str, Any]:
    seen = {"id": who["id"]} if who and "id" in who else who and {}
    return {"__typename": "ReviewRequestedEvent", "createdAt": f"2026-03-{day:02}T09:00:00Z", "requestedReviewer": seen}


def ready(day: int) -> dict[str, Any]:
    return {"__typename": "ReadyForReviewEvent", "createdAt": f"2026-03-{day:02}T09:00:00Z"}


def reviewed(day: int | None, state: str) -> dict[str, Any]:
    at = day and f"2026-03-{day:02}T09:00:00Z"
    return {"__typename": "PullRequestReview", "submittedAt": at, "state": state}


def pull_request(events: list[Any], requests: list[Any], reviews: tuple[str, ...] = (), **more: Any) -> Any:
    row = {
        "__typename": "PullRequest",
        "id": "PR_1",
        "number": 1,
        "title": "",
        "url": "",
        "createdAt": "2026-03-01T09:00:00Z",
        "updatedAt": "2026-03-01T09:00:00Z",
        "assignees": {"nodes": []},
        "timelineItems": {"pageInfo": {"hasNextPage": False}, "nodes": []},
        "pullState": "OPEN",
        "isDraft": False,
        "reviewEvents": {"nodes": events},
        "reviewDecision": None,
        "reviewRequests": {"nodes": [{"requestedReviewer": who} for who in requests]},
        "latestOpinionatedReviews": {"nodes": [{"state": state} for state in reviews]},
        **more,
    }
    return msgspec.convert(row, api_types.PullRequest)


@pytest.mark.parametrize(
    ("row", "day"),
    [
        pytest.param(pull_request([], []), None, id="no reviewer was asked"),
        pytest.param(pull_request([asked(2, ADA)], [ADA]), 2, id="one was asked"),
        pytest.param(pull_request([asked(2, ADA), asked(4, BEN)], [ADA, BEN]), 2, id="the longest wait counts"),
        pytest.param(pull_request([asked(2, ADA), asked(4, BEN)], [BEN]), 4, id="a request was withdrawn"),
        pytest.param(pull_request([asked(2, ADA), asked(6, ADA)], [ADA]), 6, id="asked twice"),
        pytest.param(pull_request([asked(2, TEAM)], [TEAM]), 2, id="a team was asked"),
        pytest.param(pull_request([asked(2, None)], [None]), 2, id="a team that may not be seen"),
        pytest.param(pull_request([asked(2, COPILOT)], [COPILOT]), None, id="a bot was asked"),
        pytest.param(pull_request([asked(2, ADA), ready(5)], [ADA]), 5, id="a draft became ready"),
        pytest.param(pull_request([asked(2, ADA)], [ADA], isDraft=True), None, id="a draft"),
        pytest.param(pull_request([asked(2, ADA)], [ADA], pullState="MERGED"), None, id="merged"),
        pytest.param(pull_request([asked(2, ADA)], [ADA], pullState="CLOSED"), None, id="closed"),
        pytest.param(
            pull_request([asked(2, TEAM), reviewed(3, "APPROVED")], [TEAM], ("APPROVED",)),
            None,
            id="approved where no review is required",
        ),
        pytest.param(
            pull_request([asked(2, TEAM)], [TEAM], ("APPROVED",), reviewDecision="APPROVED"),
            None,
            id="approved, and a code owner is still listed",
        ),
        pytest.param(
            pull_request([asked(2, ADA)], [ADA], ("APPROVED",), reviewDecision="REVIEW_REQUIRED"),
            2,
            id="approved by one of two that are required",
        ),
        pytest.param(
            pull_request([asked(2, ADA), reviewed(3, "CHANGES_REQUESTED")], [ADA], ("CHANGES_REQUESTED",)),
            None,
            id="it waits for its author",
        ),
        pytest.param(
            pull_request(
                [asked(2, ADA), reviewed(3, "CHANGES_REQUESTED"), asked(5, BEN)],
                [ADA, BEN],
                ("CHANGES_REQUESTED",),
                reviewDecision="CHANGES_REQUESTED",
            ),
            5,
            id="asked again after changes",
        ),
        pytest.param(pull_request([asked(2, ADA), reviewed(3, "COMMENTED")], [ADA]), 2, id="another one commented"),
        pytest.param(pull_request([asked(2, ADA), reviewed(None, "PENDING")], [ADA]), 2, id="a review being written"),
        pytest.param(pull_request([], [ADA]), None, id="the request is too long ago"),
    ],
)
def test_it_waits_since_the_first_open_request(row: api_types.PullRequest, day: int | None) -> None:
    since = review_since(row)
    assert (since.day if since else None) == day


def test_reviewers_are_the_people_and_teams_that_have_not_answered() -> None:
    row = pull_request([], [ADA, None, COPILOT, TEAM])
    assert [(person.id, person.name) for person in reviewers(row)] == [("U_1", "ada"), ("T_1", "acme/core")]
    assert reviewers(pull_request([], [ADA], pullState="MERGED")) == ()
    assert reviewers(pull_request([], [], reviewRequests=None)) == ()
