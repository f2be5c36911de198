"""Read issue histories, and the open issues that block each issue.

Many issues at once by GraphQL (`connectors.gitlab.history_graphql`) where GitLab allows it. Otherwise issue by issue by
REST: one request for each issue that may ever have been in a milestone (updated after the first milestone was created,
and after its own creation). The closing of an issue is in its row, and one list has the issues of the project that were
ever reopened: only these take a second request. ``burndown_events`` would be one request per milestone, but its events
name no issue, so they give no memberships.

Blocking links are read issue by issue, for open issues that have blockers according to GraphQL. Without GraphQL, or
without that number, they are read for every open issue. Without a licence for blocking links no issue has any.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter

from msgspec import Struct, structs

from connectors.gitlab import api_types
from connectors.gitlab.containers.kind import GitLabContainers
from connectors.gitlab.history_graphql import (
    BATCH,
    LINKS,
    QUERY,
    QUERY_WITH_LINKS,
    STATUSES,
    Activity,
    Answer,
    blocker_counts,
    canceled,
    read_activities,
    with_statuses,
)
from connectors.gitlab.label_history import LabelHistory
from connectors.gitlab.moves import Move, state_events
from connectors.gitlab.normalize import unread_issue
from connectors.gitlab.session import Session, TooHeavyError
from connectors.shared.paths import path_of
from connectors.shared.responses import decode
from connectors.shared.rows import Rows
from sync.model.tracker_data import Event, Issue, State, UnreadKind, UnreadRow
from sync.tracker.errors import AuthError, GoneError, MalformedError, RefusedError
from sync.tracker.marker import find_marker

__all__ = [
    "Histories",
    "HistoryRequest",
    "IssueHistory",
    "fetch_history",
    "needs_history",
    "without_history",
]


SMALLEST_BATCH = 10
"""A query for fewer issues than this is not split when GitLab finds it too heavy."""

FEW = 10
"""Issues below which the list of reopened issues is not worth a request."""

EVENTS_KEPT = timedelta(days=2 * 365)
"""Time for which a project certainly has the events of its issues."""

_REFUSALS = (AuthError, GoneError, MalformedError, RefusedError)
"""Errors after which histories are not read by GraphQL again."""


class IssueHistory(Struct, frozen=True):
    """An issue's events and the keys of its blockers. ``is_deleted``: the issue was deleted.

    ``moves`` are its moves between containers. ``fault``: the reason for which its events or blockers cannot be
    read.
    """

    issue: str
    events: tuple[Event, ...] = ()
    moves: tuple[Move, ...] = ()
    is_deleted: bool = False
    blocked_by: tuple[str, ...] = ()
    fault: str = ""


class HistoryRequest(Struct, frozen=True):
    """Request for an issue's history. ``number`` is the issue's number in the project."""

    number: int
    issue: Issue
    row: api_types.Issue
    may_be_blocked: bool = False

    @classmethod
    def of(cls, row: api_types.Issue, issue: Issue) -> HistoryRequest:
        """Create the request for an issue and its row."""
        return cls(row.iid, issue, row, issue.state is State.OPEN and row.blocking_issues_count is not None)


def needs_history(
    row: api_types.Issue,
    first_milestone: datetime | None,
    status_labels: frozenset[str],
    history: str,
    *,
    first: bool,
    is_member: bool,
) -> bool:
    """Return whether an issue's history or blockers must be read.

    ``first_milestone`` is the creation of the oldest milestone (None without milestones), ``history`` the option, and
    ``first`` is true on the first pull. ``is_member``: the issue is in a milestone.
    """
    if history == "none" or (first and history == "members" and not is_member):
        return False
    is_status_issue = not status_labels.isdisjoint(row.labels) and bool(find_marker(row.description or ""))
    may_have_moved = first_milestone is not None and row.updated_at >= first_milestone
    may_be_blocked = row.state == "opened" and row.blocking_issues_count is not None
    return is_member or (not is_status_issue and (may_have_moved or may_be_blocked))


class Histories:
    """Reader of the histories of one project's issues. After a refusal it reads by REST only.

    ``kinds`` are the kinds of containers that are read for the project.
    """

    def __init__(self, session: Session, project: str, kinds: Sequence[GitLabContainers]) -> None:
        self._session, self._project, self._kinds = session, project, kinds
        self.faults: dict[int, str] = {}
        """Reason for each issue, by number, whose links to other issues cannot be read."""
        self.canceled: set[int] = set()
        """Numbers of the issues whose status is of the category Canceled."""
        self._reopened: frozenset[int] | None = None
        self._has_listed_reopened = False
        self._lock = threading.Lock()
        self._labels = LabelHistory(session, project)

    def fetch(self, requests: Sequence[HistoryRequest]) -> list[IssueHistory]:
        """Fetch histories and blockers, in the order of the requests."""
        activities: dict[int, Activity] = {}
        counts: dict[int, int] = {}
        for batch in _batches(requests):
            query = QUERY_WITH_LINKS if any(request.may_be_blocked for request in batch) else QUERY
            batch_activities, batch_counts = self._query(batch, query)
            activities.update(batch_activities)
            counts.update(batch_counts)
        histories = [
            self._history_of(request, activities[request.number]) if request.number in activities else None
            for request in requests
        ]
        rest = [request for request, history in zip(requests, histories, strict=True) if history is None]
        reopened = self._reopened_issues(rest[0].issue.project) if len(rest) >= FEW else None
        by_rest = iter(self._session.caller.map_all(lambda request: self._fetch_by_rest(request, reopened), rest))
        blockers = self._blockers(requests, counts)
        complete = [
            self._with_links(history or next(by_rest), request.number, blockers)
            for request, history in zip(requests, histories, strict=True)
        ]
        return self._with_containers(requests, complete)

    def _with_containers(
        self, requests: Sequence[HistoryRequest], histories: Sequence[IssueHistory]
    ) -> list[IssueHistory]:
        """Add the joins and leaves of containers."""
        for kind in self._kinds:
            kind.prepare([request.row for request in requests], [history.moves for history in histories])
        return [
            structs.replace(history, events=tuple(sorted(events, key=attrgetter("at"))))
            for request, history in zip(requests, histories, strict=True)
            for events in [chain(history.events, *(kind.events(request.row, history.moves) for kind in self._kinds))]
        ]

    def _with_links(self, history: IssueHistory, number: int, blockers: Mapping[int, tuple[str, ...]]) -> IssueHistory:
        blocked_by, fault = blockers.get(number, ()), history.fault or self.faults.get(number, "")
        return structs.replace(history, blocked_by=blocked_by, fault=fault) if blocked_by or fault else history

    def fetch_blockers(self, requests: Sequence[HistoryRequest]) -> Mapping[str, tuple[str, ...]]:
        """Fetch the keys of the blockers by issue id, without histories."""
        candidates = [request for request in requests if request.may_be_blocked]
        counts: dict[int, int] = {}
        for batch in _batches(candidates):
            counts.update(self._query(batch, LINKS)[1])
        blockers = self._blockers(candidates, counts)
        return {request.issue.id: blockers[request.number] for request in candidates if request.number in blockers}

    def fetch_canceled(self, requests: Sequence[HistoryRequest]) -> None:
        """Find out which of these issues are canceled, without their histories."""
        for batch in _batches([request for request in requests if request.issue.state is State.CLOSED]):
            self._query(batch, STATUSES)

    def fetch_blocked(self, project: str, blockers: Sequence[api_types.Issue]) -> Rows[api_types.Issue]:
        """Fetch the issues of the project (id) that ``blockers`` block: GitLab does not update them with a blocker."""
        links = self._session.caller.map_all(lambda issue: self._links(issue.iid, project), blockers)
        blocked = {
            link.iid
            for issue_links in links
            for link in issue_links
            if link.link_type == "blocks" and str(link.project_id) == project
        }
        return self.fetch_issues(project, sorted(blocked - {issue.iid for issue in blockers}))

    def fetch_issues(self, project: str, numbers: Sequence[int]) -> Rows[api_types.Issue]:
        """Fetch the issues of the project (id) with these numbers."""
        path = path_of("/projects/{}/issues", project)
        rows = Rows[api_types.Issue]()
        for n in range(0, len(numbers), BATCH):
            parameters = {"iids[]": numbers[n : n + BATCH], "state": "all", "scope": "all"}
            rows += self._session.readable_rows(api_types.Issue, path, self._project, unread_issue, **parameters)
        return rows

    def _blockers(self, requests: Sequence[HistoryRequest], counts: Mapping[int, int]) -> Mapping[int, tuple[str, ...]]:
        """Fetch the keys of open blockers by issue number. An issue without a count may be blocked."""
        candidates = [request for request in requests if request.may_be_blocked and counts.get(request.number, 1)]
        links = self._session.caller.map_all(
            lambda request: self._links(request.number, request.issue.project), candidates
        )
        return {
            request.number: tuple(
                link.key for link in issue_links if link.link_type == "is_blocked_by" and link.state != "closed"
            )
            for request, issue_links in zip(candidates, links, strict=True)
        }

    def _links(self, number: int, project: int | str) -> list[api_types.Linked]:
        try:
            return self._session.rows(
                api_types.Linked, path_of("/projects/{}/issues/{}/links", project, number), self._project
            )
        except (GoneError, RefusedError):
            return []
        except MalformedError as error:
            self.faults[number] = f"its links: {error.detail}"
            return []

    def _query(
        self, requests: Sequence[HistoryRequest], query: str
    ) -> tuple[Mapping[int, Activity], Mapping[int, int]]:
        """Query activities and numbers of blockers, as many at once as GitLab can answer. Some may be left out."""
        activities: dict[int, Activity] = {}
        counts: dict[int, int] = {}
        batches = self._session.activity_batch
        while requests:
            batch = requests[: batches.size]
            try:
                batch_activities, batch_counts = self._query_batch(batch, query)
            except TooHeavyError:
                if len(batch) // 2 >= SMALLEST_BATCH:
                    batches.shrink(len(batch))
                    continue
            else:
                batches.grow(len(batch))
                activities |= batch_activities
                counts |= batch_counts
            requests = requests[len(batch) :]
        return activities, counts

    def _query_batch(
        self, requests: Sequence[HistoryRequest], query: str
    ) -> tuple[Mapping[int, Activity], Mapping[int, int]]:
        """Query activities and numbers of blockers in one request. Raises `TooHeavyError`."""
        is_licensed = any(request.row.blocking_issues_count is not None for request in requests)
        has_statuses = self._session.has_statuses and is_licensed
        if not self._session.counts_blockers:
            query = "" if query == LINKS else QUERY if query == QUERY_WITH_LINKS else query
        if not self._session.has_activity or not query or (query == STATUSES and not has_statuses):
            return {}, {}
        variables = {"project": self._project, "numbers": [str(request.number) for request in requests]}
        try:
            document = with_statuses(query) if has_statuses else query
            response = self._session.query(document, variables, self._project)
            answer = decode(response, Answer, self._session.name, self._project)
        except _REFUSALS:
            self._session.has_activity = False
            return {}, {}
        if answer.lacks_statuses and has_statuses:
            self._session.has_statuses = False
            return self._query_batch(requests, query)
        items = answer.items()
        self.canceled |= set(canceled(items))
        if answer.lacks_links and query != QUERY:
            self._session.counts_blockers = False
            return self._query_batch(requests, query)
        if answer.is_too_complex and len(requests) // 2 >= SMALLEST_BATCH:
            self._session.activity_batch.limit(len(requests))
            raise TooHeavyError
        if answer.is_refused:
            self._session.has_activity = False
        if answer.errors:
            return {}, {}  # a field that GitLab left out looks like one without a value
        return read_activities(items, self._project), blocker_counts(items)

    def _fetch_by_rest(self, request: HistoryRequest, reopened: frozenset[int] | None) -> IssueHistory:
        """Fetch a history. ``reopened`` are the numbers of the issues that were ever reopened; None: not known."""
        row = request.row
        is_untouched = row.updated_at == row.created_at and row.state == "opened"
        if is_untouched and not any(True for kind in self._kinds for _ in kind.now(row)):
            return IssueHistory(request.issue.id)
        path = path_of("/projects/{}/issues/{}", request.issue.project, request.number)
        states = None
        if reopened is not None and request.number not in reopened:
            states = _states_of(row) if row.created_at > self._session.clock() - EVENTS_KEPT else None
        return fetch_history(self._session, path, self._project, request.issue, self._kinds, states)

    def _reopened_issues(self, project: str) -> frozenset[int] | None:
        """Fetch the numbers of all that was ever reopened in the project (id), once; None if it is refused.

        GitLab keeps these events for three years, so the list is complete for issues younger than `EVENTS_KEPT`. Its
        filter for issues would leave out those that were reopened as work items. The number of a merge request or
        milestone that was reopened costs a request at most.
        """
        with self._lock:
            if not self._has_listed_reopened:
                self._has_listed_reopened = True
                path = path_of("/projects/{}/events", project)
                try:
                    events = self._session.rows(api_types.ProjectEvent, path, self._project, action="reopened")
                except _REFUSALS:
                    return None
                self._reopened = frozenset(event.target_iid for event in events if event.target_iid is not None)
            return self._reopened

    def _history_of(self, request: HistoryRequest, activity: Activity) -> IssueHistory | None:
        """The history of an activity; None if it does not end where the issue is now.

        An account that may not read notes gets empty threads.
        """
        issue, row = request.issue, request.row
        moves = tuple(move for kind in self._kinds for move in kind.moves(activity.notes))
        if not all(kind.explains(row, moves) for kind in self._kinds):
            return None
        states = state_events(issue, activity.states) if moves else ()
        return IssueHistory(issue.id, (*states, *self._labels.events_of(issue, activity.notes)), moves)


def fetch_history(
    session: Session,
    path: str,
    project: str,
    issue: Issue,
    kinds: Sequence[GitLabContainers],
    states: Sequence[api_types.StateEvent] | None = None,
) -> IssueHistory:
    """Fetch the moves and other events of an issue or merge request, whose path this is, by REST.

    ``states`` are its closings and reopenings, if they are known.
    """
    try:
        moves = tuple(move for kind in kinds for move in kind.fetch_moves(path, project))
        if not moves and not issue.milestones:
            return IssueHistory(issue.id)
        if states is None:
            states = session.rows(api_types.StateEvent, f"{path}/resource_state_events", project)
        labels = tuple(LabelHistory(session, project).fetch(issue, path))
    except GoneError:
        try:
            session.get(path, project)
        except GoneError:
            return IssueHistory(issue.id, is_deleted=True)
        return IssueHistory(issue.id)
    except MalformedError as error:
        return IssueHistory(issue.id, fault=f"its events: {error.detail}")
    return IssueHistory(issue.id, (*state_events(issue, states), *labels), moves)


def _states_of(row: api_types.Issue) -> list[api_types.StateEvent] | None:
    """The closing of an issue that was never reopened, by its row; None if the row does not say when it was closed."""
    if row.state == "opened":
        return []
    return None if row.closed_at is None else [api_types.StateEvent(row.closed_at, "closed", row.closed_by)]


def without_history(issue: Issue, reason: str) -> UnreadRow:
    """Describe an issue or merge request whose history or links cannot be read."""
    return UnreadRow(
        project=issue.project,
        kind=UnreadKind.MERGE_REQUEST if issue.is_pull_request else UnreadKind.ISSUE,
        reason=reason,
        id=issue.id,
        key=issue.key,
        milestones=issue.milestones,
    )


def _batches(requests: Sequence[HistoryRequest]) -> Iterator[Sequence[HistoryRequest]]:
    return (requests[n : n + BATCH] for n in range(0, len(requests), BATCH))
