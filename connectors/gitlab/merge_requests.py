"""Read the merge requests of a project that are or were in a milestone, as `Issue` rows.

The first reading lists those that are in a milestone; each later one lists what changed, of which those without a
milestone that were never in one are dropped.

GitLab has no request for the events of many merge requests. They are read one by one for those that changed. On the
first reading that would be too many requests: there they are read only for those in an open milestone that is younger
than they are, and any other counts as in its milestone since its creation. Which issues a merge request closes is asked
one by one, too, on the first reading from the issues' side, many at once (`connectors.gitlab.closing_links`).
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import structs

from connectors.gitlab import api_types
from connectors.gitlab.closing_links import fetch_closing
from connectors.gitlab.containers.milestones import Milestones
from connectors.gitlab.cursor import OVERLAP, MergeRequestCursor
from connectors.gitlab.history_rest import IssueHistory, fetch_history, without_history
from connectors.gitlab.issue_pages import ALL, IN_MILESTONES, MERGE_REQUESTS, Newest, newest_rows, walk
from connectors.gitlab.moves import moves_between
from connectors.gitlab.normalize import merge_request_of, number_of, unread_merge_request
from connectors.gitlab.reviews import Review, fetch_reviews
from connectors.gitlab.session import Session
from connectors.shared.paths import path_of
from connectors.shared.rows import RETRY, Rows
from sync.model.tracker_data import Issue, Project, State
from sync.tracker.errors import GoneError, MalformedError, RefusedError
from sync.tracker.protocol import Page

__all__ = ["MergeRequestReader", "newest_merge_requests"]

BATCH = 100
"""Merge requests in one page of a pull."""

NUMBERS = 50
"""Merge requests that a sweep asks for by their numbers in one request."""


def newest_merge_requests(
    session: Session, path: str, key: str, cursor: MergeRequestCursor
) -> Newest[api_types.MergeRequest] | None:
    """Fetch the newest updates of a project or group (``path``) since the cursor's time, at first in milestones only.

    None: they are switched off, or may not be read.
    """
    if cursor.created_until is not None:
        return Newest()
    items = IN_MILESTONES if cursor.since is None else MERGE_REQUESTS
    try:
        return newest_rows(session, items, path, key, cursor.since)
    except (GoneError, RefusedError):
        return None


class MergeRequestReader:
    """Reader of the merge requests of one project.

    ``cursor`` is the position after the pages that were yielded; None where nothing may be read. ``start`` are the
    newest updates, with the newest update at ``newest`` (UTC) when reading began. ``history`` is the option.
    """

    def __init__(
        self,
        session: Session,
        project: Project,
        milestones: Milestones,
        cursor: MergeRequestCursor | None,
        start: Newest[api_types.MergeRequest] | None,
        newest: datetime | None,
        history: str,
    ) -> None:
        self._session, self._project, self._start, self._newest = session, project, start, newest
        self._before = cursor or MergeRequestCursor()
        self.cursor = None if start is None else self._before
        self._milestones = milestones
        known = milestones.rows.milestones.get(project.id, ())
        self._begins = {row.id: row.created_at for row in known if row.state is State.OPEN}
        """Creation of each open milestone (id)."""
        self._has_details = history != "none"
        self._is_first = self._before.since is None
        self._closing: Mapping[int, tuple[str, ...]] | None = None
        self._numbers, self._unread = set(self._before.numbers), set(self._before.unread)
        self._has_nameless = False

    @property
    def is_all_read(self) -> bool:
        """Return whether every row so far could be read."""
        return not (self._unread or self._has_nameless)

    def pages(self, closing: Collection[int] | None) -> Iterator[Page]:
        """Yield what changed.

        ``closing`` are the numbers of the issues that merge requests close; None: they are not known.
        """
        if self._start is None:
            return
        has_rows = bool(self._start.rows.read) or not self._start.is_complete
        if self._is_first and self._has_details and has_rows:
            self._closing = fetch_closing(self._session, self._project, closing)
        before, newest = self._before, self._newest
        if before.unread:
            self._unread.clear()  # what is still unread comes back with the page; the others were deleted
            yield self._page(self._read(self._fetch(before.unread, RETRY)), before)
        rows = self._start.rows if self._start.is_complete else Rows[api_types.MergeRequest]()
        late = list(rows.read)
        if newest is not None and not self._start.is_complete:
            items = IN_MILESTONES if self._is_first else MERGE_REQUESTS
            created, pages = before.created_until, self._start.pages
            batches = walk(self._session, self._project, items, before.since, created, BATCH, pages)
            for found, page in self._session.caller.map_ahead(lambda rows: (rows, self._read(rows)), batches):
                late += (row for row in found.read if row.updated_at >= newest - OVERLAP)
                created = found.read[-1].created_at if found.read else created
                yield self._page(page, before.during_walk(newest, created) if created else before)
        last = self._read(rows)
        faulty = self._unread | {number_of(row) for row in last.unread}
        page = self._page(last, before.after_pull(newest, [row for row in late if row.iid not in faulty]))
        if page != Page():
            yield page

    def sweep(self) -> Generator[Page, None, set[str]]:
        """Yield merge requests whose change was missed; return the ids of all that are to stay stored.

        A milestone that is deleted takes its merge requests out of it without an update. One without a readable id has
        an empty id.
        """
        if self.cursor is None:
            return set()
        before, self._is_first = self.cursor, False
        listed: dict[int, str] = {}
        ids: set[str] = set()
        for rows in walk(self._session, self._project, IN_MILESTONES, None, None, BATCH):
            ids.update(row.id for row in rows.unread)
            listed |= {row.iid: merge_request_of(row, self._project).id for row in rows.read}
            missed = [row for row in rows.read if row.iid not in self._numbers]
            yield self._page(self._read(Rows(missed, rows.unread)), before)
        left = self._fetch(sorted(self._numbers - listed.keys()), NUMBERS)
        outside = [merge_request_of(row, self._project) for row in left.read]
        self._numbers = {*listed, *(row.iid for row in left.read)}
        yield self._page(Page(issues=tuple(outside), unread=tuple(left.unread)), before)
        return ids | {*listed.values(), *(issue.id for issue in outside), *(row.id for row in left.unread)}

    # --- rows ------------------------------------------------------------------------------------------------------

    @property
    def _path(self) -> str:
        return path_of("/projects/{}/{}", self._project.id, MERGE_REQUESTS.name)

    def _fetch(self, numbers: Sequence[int], size: int) -> Rows[api_types.MergeRequest]:
        """Fetch the merge requests with these numbers, ``size`` at once; up to `RETRY` may all be unreadable."""
        parts = [numbers[n : n + size] for n in range(0, len(numbers), size)]
        return Rows[api_types.MergeRequest]().join(
            self._session.caller.map_all(
                lambda part: self._session.readable_rows(
                    MERGE_REQUESTS.type, self._path, self._project.key, unread_merge_request, **{"iids[]": part, **ALL}
                ),
                parts,
            )
        )

    def _read(self, rows: Rows[api_types.MergeRequest]) -> Page:
        """Convert the rows that are new and are or were in a milestone, with what is read for each of them alone."""
        new = [
            row
            for row in rows.read
            if not self._before.has_read(row) and (row.milestone is not None or row.iid in self._numbers)
        ]
        reviews = fetch_reviews(self._session, self._project, new) if self._has_details else {}
        read = self._session.caller.map_all(lambda row: self._with_details(row, reviews.get(row.iid, Review())), new)
        unread = [structs.replace(row, project=self._project.id) for row in rows.unread]
        unread += (without_history(issue, history.fault) for issue, history in read if history and history.fault)
        histories = [history for _, history in read if history and not history.fault]
        gone = frozenset(history.issue for history in histories if history.is_deleted)
        faulty = {row.id for row in unread}
        return Page(
            issues=tuple(issue for issue, _ in read if issue.id not in gone | faulty),
            histories={history.issue: history.events for history in histories if not history.is_deleted},
            gone=gone,
            unread=tuple(unread),
        )

    def _page(self, page: Page, cursor: MergeRequestCursor) -> Page:
        """Return the page, and move the cursor here. It stays where it was behind a row without a readable number."""
        read = {_number(issue.key) for issue in page.issues}
        self._numbers |= read
        self._unread = (self._unread - read) | {n for row in page.unread if (n := number_of(row)) is not None}
        self._has_nameless = self._has_nameless or any(number_of(row) is None for row in page.unread)
        here = self._before if self._has_nameless else cursor
        self.cursor = structs.replace(here.with_numbers(self._numbers), unread=tuple(sorted(self._unread)))
        return page

    # --- details ---------------------------------------------------------------------------------------------------

    def _with_details(self, row: api_types.MergeRequest, review: Review) -> tuple[Issue, IssueHistory | None]:
        """Convert a merge request, with its history if that is read."""
        issue, path = merge_request_of(row, self._project), f"{self._path}/{row.iid}"
        if not self._has_details:
            return issue, None
        issue = structs.replace(issue, reviewers=review.reviewers, review_since=review.since)
        history = self._history(issue, path) if self._needs_history(row) else None
        try:
            issue = structs.replace(issue, closes=self._closes(row, path))
        except MalformedError as error:
            return issue, IssueHistory(issue.id, fault=f"the issues that it closes: {error.detail}")
        return issue, IssueHistory(issue.id, fault=review.fault) if review.fault else history

    def _history(self, issue: Issue, path: str) -> IssueHistory:
        history = fetch_history(self._session, path, self._project.key, issue, [self._milestones])
        moves = moves_between(issue.id, issue.created_at, history.moves)
        events = sorted((*moves, *history.events), key=lambda event: event.at)
        return structs.replace(history, events=tuple(events))

    def _needs_history(self, row: api_types.MergeRequest) -> bool:
        """Return whether the events are read: on the first reading of those that joined an open milestone late."""
        if not self._is_first:
            return True
        begin = self._begins.get(str(row.milestone.id)) if row.milestone else None
        return begin is not None and row.created_at < begin

    def _closes(self, row: api_types.MergeRequest, path: str) -> tuple[str, ...]:
        if self._closing is not None:
            return self._closing.get(row.id, ())
        try:
            closed = self._session.rows(api_types.ClosedIssue, f"{path}/closes_issues", self._project.key)
        except (GoneError, RefusedError):
            return ()
        return tuple(map(str, sorted(issue.id for issue in closed if isinstance(issue.id, int))))


def _number(key: str) -> int:
    return int(key.rpartition("!")[2])
