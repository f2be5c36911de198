"""Find out for whom open merge requests wait, and since when: for many of them in one request (GraphQL), else by REST.

The state of a reviewer says whether an answer is missing. The times of the requests, also of repeated ones, and the
time when a draft became ready are in the system notes only; by REST a reviewer has the time of the first request, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from connectors.gitlab import api_types
from connectors.gitlab.normalize import people_of
from connectors.gitlab.session import PER_PAGE, Session, TooHeavyError
from connectors.shared.paths import path_of
from connectors.shared.responses import Time, decode
from sync.model.tracker_data import Person, Project
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError

__all__ = ["Review", "fetch_reviews", "review_of"]

BATCH = 50
"""Merge requests in one request."""

SMALLEST_BATCH = 10
"""A query for fewer merge requests than this is not split when GitLab finds it too heavy."""

QUERY = f"""query Reviews($project: ID!, $numbers: [String!]) {{
  project(fullPath: $project) {{
    mergeRequests(iids: $numbers, first: {BATCH}) {{
      nodes {{
        iid
        reviewers(first: 20) {{ nodes {{ id name username bot mergeRequestInteraction {{ reviewState }} }} }}
        notes(filter: ONLY_ACTIVITY, last: 100) {{ nodes {{ body createdAt system }} }}
      }}
    }}
  }}
}}"""

_WAITING = ("unreviewed", "review_started")
"""States of reviewers who were asked and have not answered."""

_REQUESTED = re.compile(r"requested review from (.*?)(?: and removed review request for .*)?", re.DOTALL)
_MENTION = re.compile(r"@([\w.-]*\w)")
_READY = re.compile(r"marked this merge request as \*\*ready\*\*.*|unmarked .*(?:draft|Work In Progress).*", re.DOTALL)


class Review(Struct, frozen=True):
    """People who were asked for a review and have not answered, and the time (UTC) since when it waits for them.

    ``fault``: the reason for which it cannot be read.
    """

    reviewers: tuple[Person, ...] = ()
    since: datetime | None = None
    fault: str = ""


def review_of(reviewers: Sequence[api_types.Reviewer], notes: Iterable[api_types.Note]) -> Review:
    """Find out for whom an open merge request waits, and since when: the last request to the first of them.

    A draft does not wait, so the time is at the earliest that of its end.
    """
    waiting = [reviewer for reviewer in reviewers if reviewer.state in _WAITING]
    asked = {reviewer.user.username: reviewer.created_at for reviewer in waiting}
    ready: list[datetime] = []
    for note in notes:
        if not note.system or note.created_at is None:
            continue
        request = _REQUESTED.fullmatch(note.body)
        for name in _MENTION.findall(request[1]) if request else ():
            if name in asked:
                asked[name] = max(asked[name], note.created_at)
        if _READY.fullmatch(note.body):
            ready.append(note.created_at)
    if not waiting:
        return Review()
    since = max([min(asked.values()), *ready])
    return Review(people_of(reviewer.user for reviewer in waiting), since.astimezone(UTC).replace(microsecond=0))


# --- GraphQL -------------------------------------------------------------------------------------------------------


class _Interaction(Struct, rename="camel"):
    review_state: str | None = None


class _Reviewer(Struct, rename="camel"):
    id: str
    name: str = ""
    username: str = ""
    bot: bool | None = None
    merge_request_interaction: _Interaction | None = None


class _Note(Struct, rename="camel"):
    body: str
    created_at: Time
    system: bool = False


class _Reviewers(Struct):
    nodes: list[_Reviewer] = []


class _Notes(Struct):
    nodes: list[_Note] = []


class _MergeRequest(Struct):
    iid: str
    reviewers: _Reviewers = field(default_factory=_Reviewers)
    notes: _Notes = field(default_factory=_Notes)


class _MergeRequests(Struct):
    nodes: list[_MergeRequest] = []


class _Project(Struct, rename="camel"):
    merge_requests: _MergeRequests | None = None


class _Data(Struct):
    project: _Project | None = None


class _Answer(Struct):
    data: _Data | None = None
    errors: list[Any] = []


def fetch_reviews(session: Session, project: Project, rows: Sequence[api_types.MergeRequest]) -> Mapping[int, Review]:
    """Fetch the reviews of the merge requests of the project that wait for one, by their numbers."""
    waiting = {row.iid: row for row in rows if row.state == "opened" and not row.draft and row.reviewers}
    numbers = sorted(waiting)
    parts = [numbers[n : n + BATCH] for n in range(0, len(numbers), BATCH)]
    found: dict[int, Review] = {}
    for answer in session.caller.map_ahead(lambda part: _query(session, project.key, part), parts):
        found |= {int(each.iid): _review_of(each, waiting) for each in answer if each.iid.isdecimal()}
    rest = [number for number in numbers if number not in found]
    by_rest = session.caller.map_all(lambda number: _fetch_by_rest(session, project, number), rest)
    return found | dict(zip(rest, by_rest, strict=True))


def _query(session: Session, project: str, numbers: Sequence[int]) -> list[_MergeRequest]:
    """Query the reviews of these merge requests; nothing where GitLab refuses it."""
    if not session.has_reviews:
        return []
    try:
        variables = {"project": project, "numbers": [str(number) for number in numbers]}
        answer = decode(session.query(QUERY, variables, project), _Answer, session.name, project)
    except (AuthError, GoneError, MalformedError, RefusedError):
        session.has_reviews = False
        return []
    except TooHeavyError:
        half = len(numbers) // 2
        if half < SMALLEST_BATCH:
            return []
        return [each for part in (numbers[:half], numbers[half:]) for each in _query(session, project, part)]
    found = answer.data.project if answer.data else None
    if found is None or found.merge_requests is None:
        session.has_reviews = not answer.errors
        return []
    if answer.errors:
        return []  # a field that GitLab left out looks like one without a value
    return found.merge_requests.nodes


def _review_of(row: _MergeRequest, known: Mapping[int, api_types.MergeRequest]) -> Review:
    """Interpret an answer. A request without a note was made with the merge request."""
    created = known[int(row.iid)].created_at
    reviewers = [
        api_types.Reviewer(
            api_types.User(int(each.id.rpartition("/")[2]), each.name, each.username, each.bot),
            (each.merge_request_interaction.review_state or "").lower(),
            created,
        )
        for each in row.reviewers.nodes
        if each.merge_request_interaction is not None and each.id.rpartition("/")[2].isdecimal()
    ]
    notes = [
        api_types.Note(None, note.body, system=note.system, created_at=note.created_at) for note in row.notes.nodes
    ]
    return review_of(reviewers, notes)


# --- REST ----------------------------------------------------------------------------------------------------------


def _fetch_by_rest(session: Session, project: Project, number: int) -> Review:
    path = path_of("/projects/{}/merge_requests/{}", project.id, number)
    try:
        reviewers = session.rows(api_types.Reviewer, f"{path}/reviewers", project.key)
        parameters = {"activity_filter": "only_activity", "sort": "desc", "per_page": PER_PAGE}
        answer = session.get(f"{path}/notes", project.key, **parameters)
        return review_of(reviewers, decode(answer, list[api_types.Note], session.name, project.key))
    except (GoneError, RefusedError):
        return Review()
    except MalformedError as error:
        return Review(fault=f"its reviewers: {error.detail}")
