"""Search issues with their histories: by offset on Data Center, by ids and bulk reads on Cloud."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from connectors.jira import api_types, jql
from connectors.jira.normalize import to_utc
from connectors.jira.session import Session
from connectors.shared.responses import decoder
from sync.tracker.errors import BusyError, MalformedError, RefusedError

__all__ = ["ORDER", "Batch", "Search", "SearchStart", "first_keys", "token_pages"]

T = TypeVar("T")

Histories = dict[str, list[api_types.History]]
"""Changelog entries by issue id."""

ORDER = " ORDER BY created ASC, key ASC"
_NEWEST_FIRST = " ORDER BY updated DESC, key ASC"
# fmt: off
_FIELDS = (
    "summary", "status", "project", "created", "updated", "issuetype", "priority",
    "resolution", "resolutiondate", "fixVersions", "labels", "assignee", "duedate", "timeoriginalestimate",
    "timeestimate", "timespent", "issuelinks", "parent", "security", "statuscategorychangedate",
)
# fmt: on
_HISTORY_FIELDS = ("fixVersions", "status", "resolution")

_PAGE, _PAGE_WITHOUT_HISTORY, _ID_PAGE, _BULK, _HISTORY_BULK = 100, 1000, 5000, 100, 1000
"""Issues in one request, by kind of request."""

_RESTARTS = 5
"""Number of times that a walk begins again after a deletion."""

_LARGE_PAGES_AHEAD = 3
"""Large pages that are in memory at once: storing a page takes longer than reading the next."""


class Batch(Struct, frozen=True):
    """Issues with their histories (None: not read).

    ``errors`` holds, by project key, the error of an unreadable issue. ``total`` is Data Center's number of matches.
    """

    issues: list[api_types.Issue]
    histories: Histories | None
    errors: dict[str, MalformedError]
    total: int = 0


class SearchStart(Struct, frozen=True):
    """First batch of a search. On Cloud it has no histories: see `Search.histories`.

    ``newest`` is the newest update (UTC) when a search of several requests began, None for a single request. ``rest``
    yields all issues including the first batch; None if the first batch holds all.
    """

    first: Batch
    newest: datetime | None = None
    rest: Iterator[Batch] | None = None


class Search:
    """Searches of one connection. ``history`` says whether changelogs are read."""

    def __init__(self, session: Session, *, history: bool) -> None:
        self._session, self.history = session, history
        custom, containers = session.custom_fields, session.list_option("containers")
        self._decoder = decoder(api_types.issue_type(custom.points, custom.epic_link, custom.sprint))
        sprint = [custom.sprint] if custom.sprint and "sprints" in containers else []
        self._history_fields = [*_HISTORY_FIELDS, *sprint]
        self._fields = [*_FIELDS, *custom.points, *([custom.epic_link] if custom.epic_link else []), *sprint]
        self._needs_all_changes = "epics" in containers

    def begin(self, where: str) -> SearchStart:
        """Search issues, oldest first. An issue may come more than once."""
        if self._session.is_cloud:
            first, has_more = self._token_page(where + ORDER)
            if not has_more:
                return SearchStart(first)
            pages = self._ids(where)
            calls: list[Callable[[], Any]] = [lambda: self.newest(where), lambda: next(pages)]
            newest, ids = self._session.caller.map_all(lambda call: call(), calls)
            return SearchStart(first, newest, self._bulk(first, chain([ids], pages)))
        first = self._offset_page(where, 0)
        size = len(first.issues) + len(first.errors)
        if size >= first.total:
            return SearchStart(first)
        rest = chain([self._with_histories(first)], self._offsets(where, first, size, _RESTARTS))
        return SearchStart(first, self.newest(where), rest)

    def begin_newest(self, where: str) -> SearchStart:
        """Search changed issues like `begin`, on Cloud the newest updates first.

        Two pages hold all changes of most pulls. The second page excludes the issues of the first, so that a deletion
        in between moves no issue from one page to the other.
        """
        if not self._session.is_cloud:
            return self.begin(where)
        first, has_more = self._token_page(where + _NEWEST_FIRST)
        if not has_more:
            return SearchStart(first)
        newest = max((to_utc(issue.fields.updated) for issue in first.issues), default=None)
        others = f"({where}) AND NOT {jql.any_of('id', [issue.id for issue in first.issues])}"
        try:
            page = next(token_pages(self._session, others + _NEWEST_FIRST, self._fields, _PAGE))
        except RefusedError:  # an issue of the first page was deleted
            page = api_types.SearchPage([])
        if not page.issues:  # although the first page announced more
            return SearchStart(first, newest, self._bulk(first, self._ids(where)))
        second = self._batch(page, None)
        both = Batch(first.issues + second.issues, None, first.errors | second.errors)
        return SearchStart(both, newest, self._bulk(both, self._ids(where)) if page.nextPageToken else None)

    def without_histories(self, where: str) -> list[api_types.Issue]:
        """Search issues, without their histories."""
        return [issue for page in self._plain_pages(where) for issue in self._batch(page, None).issues]

    def _plain_pages(self, where: str) -> Iterator[api_types.SearchPage]:
        if self._session.is_cloud:
            yield from token_pages(self._session, where + ORDER, self._fields, _PAGE)
            return
        start, total = 0, 1
        while start < total:
            page = self._search_offset(where + ORDER, start, _PAGE_WITHOUT_HISTORY, history=False)
            yield page
            start, total = start + len(page.issues), page.total if page.issues else 0

    def newest(self, where: str) -> datetime | None:
        """The newest update (UTC) of the matching issues; None without any."""
        query = f"{where} ORDER BY updated DESC"
        page = (
            next(token_pages(self._session, query, self._fields, 1))
            if self._session.is_cloud
            else self._search_offset(query, 0, 1, history=False)
        )
        return max((to_utc(issue.fields.updated) for issue in self._batch(page, None).issues), default=None)

    def ids(self, where: str) -> frozenset[str]:
        """The ids of all matching issues. Raises `BusyError` if issues were deleted during every attempt."""
        if self._session.is_cloud:
            return frozenset(chain.from_iterable(self._ids(where)))
        for _ in range(_RESTARTS):
            first = self._id_page(where, 0)
            starts = range(len(first.issues), first.total, len(first.issues) or 1)
            rest = self._session.caller.map_ahead(lambda start: self._id_page(where, start), starts)
            pages = [first, *rest]
            if all(page.total >= first.total for page in pages):  # else a deletion moved issues between the pages
                if sum(len(page.issues) for page in pages) < first.total:
                    raise MalformedError(self._session.name, "", "a search returned fewer issues than it counted")
                return frozenset(decoder(_IssueId).decode(raw).id for page in pages for raw in page.issues)
        raise BusyError(self._session.name, "", "issues were deleted while they were counted")

    def keys(self, where: str) -> list[api_types.IssueKey]:
        """The ids and keys of all matching issues, page after page: for searches with few matches."""
        keys: list[api_types.IssueKey] = []
        if self._session.is_cloud:
            for page in token_pages(self._session, where + ORDER, ["id", "key"], _ID_PAGE):
                keys += (decoder(api_types.IssueKey).decode(raw) for raw in page.issues)
            return keys
        total = 1
        while len(keys) < total:
            page = self._id_page(where, len(keys))
            keys += (decoder(api_types.IssueKey).decode(raw) for raw in page.issues)
            total = page.total if page.issues else 0
        return keys

    def _id_page(self, where: str, start: int) -> api_types.SearchPage:
        return _search_ids(self._session, where, start)

    def histories(self, issues: Sequence[api_types.Issue]) -> Histories | None:
        """The relevant changelogs of these issues, by issue id; None if histories are not read."""
        if not self.history:
            return None
        if not self._session.is_cloud:
            return {issue.id: issue.changelog.histories for issue in issues if issue.changelog}
        return self._fetch_histories([issue.id for issue in issues])

    # --- Data Center ----------------------------------------------------------------------------------------------

    def _offset_page(self, where: str, start: int) -> Batch:
        size = _PAGE if self.history else _PAGE_WITHOUT_HISTORY
        return self._batch(self._search_offset(where + ORDER, start, size, history=self.history), None)

    def _search_offset(self, query: str, start: int, size: int, *, history: bool) -> api_types.SearchPage:
        body: dict[str, Any] = {"jql": query, "startAt": start, "maxResults": size, "fields": self._fields}
        if history:
            body["expand"] = ["changelog"]
        return _search(self._session, body)

    def _offsets(self, where: str, first: Batch, size: int, restarts: int) -> Iterator[Batch]:
        """Yield the pages after the first, several at the same time.

        New issues come last in this order, but a deletion moves all later issues into pages already read. It shows in
        the total. The walk then begins again at the creation of the last issue of the last good page.
        """
        total, start, last = first.total, size, first
        limit = 0 if self.history else _LARGE_PAGES_AHEAD
        while start < total:
            starts = range(start, total, size)
            for page in self._session.caller.map_ahead(lambda start: self._offset_page(where, start), starts, limit):
                if page.total < total:
                    yield from self._restart(where, last, restarts)
                    return
                total, start, last = page.total, start + size, page if page.issues else last
                yield self._with_histories(page)

    def _restart(self, where: str, last: Batch, restarts: int) -> Iterator[Batch]:
        if restarts < 1 or not last.issues:
            raise BusyError(self._session.name, "", "issues were deleted while they were read")
        created = to_utc(last.issues[-1].fields.created)
        where = f"({where}) AND {jql.since('created', created, self._session.time_zone)}"
        first = self._offset_page(where, 0)
        yield self._with_histories(first)
        size = len(first.issues) + len(first.errors)
        if 0 < size < first.total:
            yield from self._offsets(where, first, size, restarts - 1)

    def _with_histories(self, batch: Batch) -> Batch:
        return Batch(batch.issues, self.histories(batch.issues), batch.errors, batch.total)

    # --- Cloud ----------------------------------------------------------------------------------------------------

    def _token_page(self, query: str) -> tuple[Batch, bool]:
        """Fetch the first page, and return whether there are more."""
        page = next(token_pages(self._session, query, self._fields, _PAGE))
        return self._batch(page, None), bool(page.nextPageToken)

    def _ids(self, where: str) -> Iterator[list[str]]:
        """Yield the ids of all matching issues, 5,000 per request."""
        for page in token_pages(self._session, where + ORDER, ["id"], _ID_PAGE):
            yield [decoder(_IssueId).decode(raw).id for raw in page.issues]

    def _bulk(self, first: Batch, ids: Iterator[list[str]]) -> Iterator[Batch]:
        """Yield all issues in groups, the first batch first. Issues and histories of a group are read in parallel."""
        known = dict.fromkeys(issue.id for issue in first.issues)
        new = (id_ for page in _one_ahead(ids) for id_ in page if id_ not in known)
        tasks: Iterator[tuple[str, list[str]]] = (
            task
            for group in _chunks(chain(known, new), _HISTORY_BULK)
            for task in (
                *([("histories", group)] if self.history else []),
                *(("issues", part) for part in _chunks((id_ for id_ in group if id_ not in known), _BULK)),
                ("end", []),
            )
        )
        issues, errors = list(first.issues), dict(first.errors)
        histories: Histories | None = None
        for answer in self._session.caller.map_ahead(self._run_task, tasks):
            if isinstance(answer, Batch):
                issues += answer.issues
                errors |= answer.errors
            elif answer is not None:
                histories = answer
            else:
                yield Batch(issues, histories, errors)
                issues, errors, histories = [], {}, None

    def _run_task(self, task: tuple[str, list[str]]) -> Batch | Histories | None:
        kind, ids = task
        if kind == "histories":
            return self._fetch_histories(ids)
        if kind == "issues":
            body = {"issueIdsOrKeys": ids, "fields": self._fields}
            return self._batch(self._session.read(api_types.SearchPage, "issue/bulkfetch", body=body), None)
        return None

    def _fetch_histories(self, ids: Sequence[str]) -> Histories:
        histories: Histories = {id_: [] for id_ in ids}
        token, tokens = "", {""}
        while ids:
            body: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": 10000}
            if not self._needs_all_changes:  # the field that holds a change of parent differs between sites
                body["fieldIds"] = self._history_fields
            if token:
                body["nextPageToken"] = token
            page = self._session.read(api_types.ChangelogPage, "changelog/bulkfetch", body=body)
            for entry in page.issueChangeLogs:
                histories.setdefault(entry.issueId, []).extend(entry.changeHistories)
            token = page.nextPageToken or ""
            if not token:
                break
            if token in tokens:
                raise MalformedError(self._session.name, "", "the changelog pages repeat")
            tokens.add(token)
        return histories

    # --- both -----------------------------------------------------------------------------------------------------

    def _batch(self, page: api_types.SearchPage, histories: Histories | None) -> Batch:
        issues: list[api_types.Issue] = []
        errors: dict[str, MalformedError] = {}
        for raw in page.issues:
            try:
                issues.append(self._decoder.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                project = self._project_key(raw, str(error))
                errors[project] = MalformedError(self._session.name, project, f"an issue cannot be read: {error}")
        return Batch(issues, histories, errors, page.total)

    def _project_key(self, raw: Raw, detail: str) -> str:
        try:
            return decoder(api_types.IssueKey).decode(raw).key.rpartition("-")[0]
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise MalformedError(self._session.name, "", detail) from None


def first_keys(session: Session, where: str) -> list[str]:
    """The keys of the first matching issues: thousands, or all."""
    if session.is_cloud:
        page = next(token_pages(session, where + ORDER, ["key"], _ID_PAGE))
    else:
        page = _search_ids(session, where, start=0)
    return [decoder(api_types.IssueKey).decode(raw).key for raw in page.issues]


def _search_ids(session: Session, where: str, start: int) -> api_types.SearchPage:
    body = {"jql": where + ORDER, "startAt": start, "maxResults": _PAGE_WITHOUT_HISTORY, "fields": ["created"]}
    return _search(session, body)


def _search(session: Session, body: Mapping[str, Any]) -> api_types.SearchPage:
    """Fetch a page of a search by offset. Raises `MalformedError` for an empty page before the end."""
    page = session.read(api_types.SearchPage, "search", body=body)
    if not page.issues and body["startAt"] < page.total:
        raise MalformedError(session.name, "", "a search counted issues and returned none")
    return page


def token_pages(session: Session, query: str, fields: Sequence[str], size: int) -> Iterator[api_types.SearchPage]:
    """Yield the pages of a Cloud search. Raises `MalformedError` for a repeated token or an empty page with a token."""
    body: dict[str, Any] = {"jql": query, "maxResults": size, "fields": list(fields)}
    tokens = set()
    while True:
        page = session.read(api_types.SearchPage, "search/jql", body=body)
        yield page
        token = page.nextPageToken
        if not token:
            return
        if token in tokens or not page.issues:
            raise MalformedError(session.name, "", "the search pages repeat")
        tokens.add(token)
        body["nextPageToken"] = token


class _IssueId(Struct):
    id: str


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part


def _one_ahead(items: Iterator[T]) -> Iterator[T]:
    """Yield each item while the next item is computed in a thread."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(copy_context().run, lambda: next(items, None))
        while (item := future.result()) is not None:
            future = pool.submit(copy_context().run, lambda: next(items, None))
            yield item
