"""Compute since when a pull request waits for a review. Pure."""

from __future__ import annotations

from datetime import datetime

from connectors.github import api_types
from sync.model.tracker_data import Person

__all__ = ["review_since", "reviewers"]

_APPROVED, _CHANGES_REQUESTED = "APPROVED", "CHANGES_REQUESTED"
_HUMAN = ("User", "Team")


def reviewers(row: api_types.PullRequest) -> tuple[Person, ...]:
    """Return the people and teams that were asked for a review and have not answered. A team is ``owner/slug``."""
    return tuple(
        Person(reviewer.id, reviewer.login or reviewer.combined_slug)
        for request in _open_requests(row)
        if (reviewer := request.requested_reviewer) is not None
    )


def review_since(row: api_types.PullRequest) -> datetime | None:
    """Return the time (UTC) since when a pull request waits for a reviewer; None if it does not wait.

    A draft does not wait, nor does what is approved: requests to code owners stay open then. After a request for
    changes it waits for its author, until a reviewer is asked again. It waits since the first request that is still
    open, or since it became ready for review, whichever is later. None also when that is too long ago to be known.
    """
    decision = row.review_decision or _decision(row)
    if row.pull_state != "OPEN" or row.is_draft or decision == _APPROVED:
        return None
    events = row.review_events.visible
    changes = [e.submitted_at for e in events if e.state == _CHANGES_REQUESTED and e.submitted_at]
    answered = max(changes, default=None) if decision == _CHANGES_REQUESTED else None
    asked = {
        _reviewer_id(event.requested_reviewer): event.created_at
        for event in events
        if event.kind == "ReviewRequestedEvent" and event.created_at is not None
    }
    open_since = [
        at
        for request in _open_requests(row)
        if (at := asked.get(_reviewer_id(request.requested_reviewer))) and (answered is None or at > answered)
    ]
    ready = [event.created_at for event in events if event.kind == "ReadyForReviewEvent" and event.created_at]
    return max([min(open_since), *ready]) if open_since else None


def _open_requests(row: api_types.PullRequest) -> list[api_types.ReviewRequest]:
    """The open requests to people and teams; a request to a bot does not count."""
    if row.pull_state != "OPEN" or row.review_requests is None:
        return []
    return [
        request
        for request in row.review_requests.visible
        if request.requested_reviewer is None or request.requested_reviewer.kind in _HUMAN
    ]


def _decision(row: api_types.PullRequest) -> str:
    """The decision by the last reviews, for a branch that requires none; empty without a review."""
    reviews = row.latest_opinionated_reviews.visible if row.latest_opinionated_reviews else ()
    states = {review.state for review in reviews}
    return next((state for state in (_CHANGES_REQUESTED, _APPROVED) if state in states), "")


def _reviewer_id(reviewer: api_types.Reviewer | None) -> str:
    return reviewer.id if reviewer else ""
