"""Search issues with their histories: by offset on Data Center, by ids and bulk reads on Cloud."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from contextvars import copy_context
from datetime import datetime
from functools import partial
from itertools import chain, islice
from typing import Any, TypeVar

from msgspec import Raw, Struct, structs

from connectors.jira import api_types, jql
from connectors.jira.normalize import to_utc, unread_issue
from connectors.jira.session import Session
from connectors.shared.pagination import MAX_PAGES_STORED
from connectors.shared.responses import RowError, decode_row, decode_together
from connectors.shared.rows import Rows, fields_of, read_rows, word_at
from sync.model.tracker_data import UnreadRow
from sync.tracker.errors import BusyError, MalformedError, RefusedError

__all__ = ["ORDER", "Batch", "Search", "SearchStart", "chunks", "first_keys", "token_pages"]

T = TypeVar("T")


class Histories(dict[str, list[api_types.History]]):
    """Changelog entries by issue id. ``broken`` has the reason for each issue whose entries cannot be read."""

    def __init__(self, ids: Iterable[str] = ()) -> None:
        super().__init__((id_, []) for id_ in ids)
        self.broken: dict[str, str] = {}

    def taken(self, ids: Iterable[str]) -> Histories:
        """Take the entries of these issues out of this object, and return them."""
        part = Histories()
        for id_ in ids:
            part[id_] = self.pop(id_, [])
            if id_ in self.broken:
                part.broken[id_] = self.broken.pop(id_)
        return part


ORDER = " ORDER BY created ASC, key ASC"
_NEWEST_FIRST = " ORDER BY updated DESC, key ASC"
# fmt: off
_FIELDS = (
    "summary", "status", "project", "created", "updated", "issuetype", "priority",
    "resolution", "resolutiondate", "fixVersions", "labels", "assignee", "duedate", "timeoriginalestimate",
    "timeestimate", "timespent", "issuelinks", "parent", "security", "statuscategorychangedate",
)
# fmt: on
_HISTORY_FIELDS = ("status", "resolution")

_PAGE, _PAGE_WITHOUT_HISTORY, _ID_PAGE, _BULK, _HISTORY_BULK = 100, 1000, 5000, 100, 1000
"""Issues in one request, by kind of request."""

_FEW_PROJECTS = 10
"""Projects whose changed issues one page with changelogs holds, as a rule."""

_RESTARTS = 5
"""Number of times that a walk begins again after a deletion."""


class Batch(Struct, frozen=True):
    """Issues with their histories (None: not read), and the issues that cannot be read."""

    issues: list[api_types.Issue]
    histories: Histories | None = None
    unread: Sequence[UnreadRow] = ()


class SearchStart(Struct, frozen=True):
    """First batch of a search. It may have no histories: see `Search.histories`.

    ``newest`` is the newest update (UTC) when a search of several batches began, None for one batch. ``rest`` yields
    all issues including the first batch; None if the first batch holds all. ``is_plain``: Data Center was not
    asked for changelogs.
    """

    first: Batch
    newest: datetime | None = None
    rest: Iterator[Batch] | None = None
    is_plain: bool = False


class Search:
    """Searches of one connection.

    ``history`` says whether changelogs are read. ``fields`` are the ids of further fields that are read of each issue,
    ``history_fields`` those whose changes are; None: of all fields. ``has_large_batches``: each batch causes requests,
    so on Cloud it has a thousand issues, not a hundred.
    """

    def __init__(
        self,
        session: Session,
        *,
        history: bool,
        fields: Sequence[str] = (),
        history_fields: Sequence[str] | None = (),
        has_large_batches: bool = False,
    ) -> None:
        self._session, self.history = session, history
        self._batch_size = _HISTORY_BULK if has_large_batches else _BULK
        custom = session.custom_fields
        self._type = api_types.issue_type(custom.points, custom.epic_link, custom.sprint, custom.starts)
        self._fields = list(dict.fromkeys([*_FIELDS, *custom.points, *filter(None, [custom.epic_link]), *fields]))
        named = ("labels",) if session.recorded.labels else ()
        self._history_fields = None if history_fields is None else [*_HISTORY_FIELDS, *named, *history_fields]

    def begin(self, where: str) -> SearchStart:
        """Search issues, oldest first. An issue may come more than once."""
        if self._session.is_cloud:
            first, has_more = self._token_page(where + ORDER)
            if not has_more:
                return SearchStart(first)
            pages = self._ids(where)
            newest, ids = self._with_newest(where, lambda: next(pages))
            return SearchStart(first, newest, self._bulk(first, chain([ids], pages), self._batch_size))
        page = self._offset_page(where, 0)
        first = self._batch(page)
        if len(page.issues) >= page.total:
            return SearchStart(first)
        rest = chain([self._with_histories(first)], self._offsets(where, page, first, _RESTARTS))
        return SearchStart(first, self.newest(where), rest)

    def begin_all(self, where: str) -> SearchStart:
        """Search whole projects like `begin`: on Cloud by their ids, as they hold more than a page as a rule."""
        if not self._session.is_cloud:
            return self.begin(where)
        pages = self._ids(where)
        ids = next(pages)
        while len(ids) <= _BULK and (more := next(pages, None)) is not None:  # a page may be shorter than its list
            ids += more
        if len(ids) <= _BULK:
            return SearchStart(self._fetch_issues(ids) if ids else Batch([]))
        batches = self._bulk(Batch([]), chain([ids], pages), self._batch_size)
        newest, first = self._with_newest(where, lambda: next(batches))
        return SearchStart(first, newest, chain([first], batches))

    def _with_newest(self, where: str, read: Callable[[], T]) -> tuple[datetime | None, T]:
        """Read the newest update and something else at the same time."""
        calls: list[Callable[[], Any]] = [lambda: self.newest(where), read]
        newest, other = self._session.caller.map_all(lambda call: call(), calls)
        return newest, other

    def begin_newest(self, where: str, *, projects: int = 1) -> SearchStart:
        """Search changed issues of some projects like `begin`, on Cloud the newest updates first.

        Each project has issues that were updated shortly before its last pull. Of many projects they are many, so Data
        Center returns them without changelogs, a thousand at once; `histories` reads those of what changed.

        On Cloud two pages hold all changes of most pulls. The second page excludes the issues of the first, so that a
        deletion in between moves no issue from one page to the other.
        """
        if not self._session.is_cloud:
            if self.history and projects > _FEW_PROJECTS:
                page = self._search_offset(where + ORDER, 0, _PAGE_WITHOUT_HISTORY, history=False)
                if len(page.issues) >= page.total:
                    return SearchStart(self._batch(page), is_plain=True)
            return self.begin(where)
        first, has_more = self._token_page(where + _NEWEST_FIRST)
        if not has_more:
            return SearchStart(first)
        newest = max((to_utc(issue.fields.updated) for issue in first.issues), default=None)
        others = f"({where}) AND NOT {jql.any_of('id', [issue.id for issue in first.issues])}"
        page = api_types.SearchPage([])
        if first.issues:
            with suppress(RefusedError):  # then an issue of the first page was deleted
                page = next(token_pages(self._session, others + _NEWEST_FIRST, self._fields, _PAGE))
        if not page.issues:  # although the first page announced more
            return SearchStart(first, newest, self._bulk(first, self._ids(where)))
        second = self._batch(page)
        both = Batch(first.issues + second.issues, None, [*first.unread, *second.unread])
        return SearchStart(both, newest, self._bulk(both, self._ids(where)) if page.nextPageToken else None)

    def containers(self, where: str) -> Rows[api_types.Issue]:
        """Search issues that are containers, with description and start, without histories."""
        fields = [*self._fields, "description", *self._session.custom_fields.starts]
        return self._rows(self._raw(where, fields, _PAGE))

    def children_query(self, parents: Sequence[str], *, of_epics: bool) -> str:
        """The query for the children of issues (keys or ids): of epics, or of what is above epics."""
        custom = self._session.custom_fields
        field = "parent"
        if not self._session.is_cloud:
            number = (custom.epic_link if of_epics else custom.parent_link).rpartition("_")[2]
            field = f"cf[{number}]" if number else field
        return jql.any_of(field, parents)

    def children(self, parents: Sequence[str]) -> list[api_types.Child]:
        """The children of issues above epics (keys): what is an epic or above. An unreadable row shows no parent."""
        where = self.children_query(parents, of_epics=False)
        if self._session.is_cloud:
            types = [name for name, level in self._session.types.items() if level > 0]
            where = f"{where} AND {jql.any_of('issuetype', types)}"
        link = self._session.custom_fields.parent_link
        fields = ["issuetype", "parent", *([link] if link else [])]
        type_, name = api_types.child_type(link), self._session.name
        rows = self._raw(where, fields, _PAGE_WITHOUT_HISTORY)
        found = read_rows(rows, lambda row: decode_row(row, type_, name), unread_issue)
        if any(not (row.id and row.key) for row in found.unread):
            raise MalformedError(name, "", found.unread[0].reason)
        return [*found.read, *(api_types.Child(row.id, row.key, api_types.ChildFields()) for row in found.unread)]

    def changelogs(self, issues: Sequence[str]) -> Iterator[tuple[str, str, list[api_types.History]]]:
        """Yield id, key (empty on Cloud) and whole changelog of issues (ids, or keys on Data Center).

        Issues that do not exist, or that this account may not see, are left out.
        """
        if self._session.is_cloud:
            for ids in chunks(issues, _HISTORY_BULK):
                yield from ((id_, "", entries) for id_, entries in self._fetch_histories(ids).items())
            return
        for part in chunks(issues, _PAGE):
            yield from self._changelogs_of(part)

    def _changelogs_of(self, issues: Sequence[str]) -> Iterator[tuple[str, str, list[api_types.History]]]:
        """Yield the changelogs of Data Center's issues. If it refuses one of them, read each half."""
        body: dict[str, Any] = {"jql": jql.any_of("id", issues), "fields": ["created"], "expand": ["changelog"]}
        body |= {"maxResults": _PAGE, "validateQuery": False}  # otherwise one deleted issue fails the query
        try:
            pages = self._all_pages(partial(_search_from, self._session, body))
        except RefusedError:
            for part in jql.halves(issues):
                yield from self._changelogs_of(part)
            return
        for issue in (decode_row(raw, api_types.IssueChangelog, self._session.name) for p in pages for raw in p.issues):
            yield issue.id, issue.key, issue.changelog.histories if issue.changelog else []

    def _raw(self, where: str, fields: Sequence[str], size: int) -> list[Raw]:
        """All matching issues with some fields, not decoded."""
        if self._session.is_cloud:
            pages = list(token_pages(self._session, where + ORDER, fields, size))
        else:
            body = {"jql": where + ORDER, "maxResults": _PAGE_WITHOUT_HISTORY, "fields": list(fields)}
            pages = self._all_pages(partial(_search_from, self._session, body))
        return [raw for page in pages for raw in page.issues]

    def newest(self, where: str) -> datetime | None:
        """The newest update (UTC) of the matching issues; None without any, or if it cannot be read."""
        query = f"{where} ORDER BY updated DESC"
        page = (
            next(token_pages(self._session, query, self._fields, 1))
            if self._session.is_cloud
            else self._search_offset(query, 0, 1, history=False)
        )
        return max((to_utc(issue.fields.updated) for issue in self._rows(page.issues).read), default=None)

    def ids(self, where: str) -> frozenset[str]:
        """The ids of all matching issues.

        Raises `BusyError` if issues were deleted during every attempt, and `MalformedError` for an unreadable row.
        """
        if self._session.is_cloud:
            return frozenset(chain.from_iterable(self._ids(where)))
        pages = self._all_pages(lambda start: _search_ids(self._session, where, start))
        return frozenset(self._key(raw).id for page in pages for raw in page.issues)

    def keys(self, where: str) -> list[api_types.IssueKey]:
        """The ids and keys of all matching issues. Raises `MalformedError` for an unreadable row."""
        if self._session.is_cloud:
            pages = list(token_pages(self._session, where + ORDER, ["id", "key"], _ID_PAGE))
        else:
            pages = self._all_pages(lambda start: _search_ids(self._session, where, start))
        return [self._key(raw) for page in pages for raw in page.issues]

    def _key(self, raw: Raw) -> api_types.IssueKey:
        return decode_row(raw, api_types.IssueKey, self._session.name)

    def histories(self, issues: Sequence[api_types.Issue], *, is_plain: bool = False) -> Histories | None:
        """The relevant changelogs of these issues, by issue id; None if histories are not read."""
        if not self.history:
            return None
        if not self._session.is_cloud:
            histories = Histories()
            histories.update((issue.id, issue.changelog.histories) for issue in issues if issue.changelog)
            rest = [issue.id for issue in issues] if is_plain else []
            histories.update((id_, entries) for id_, _, entries in self.changelogs(rest))
            histories.broken = {id_: "it was not found again" for id_ in rest if id_ not in histories}
            return histories
        return self._fetch_histories([issue.id for issue in issues])

    # --- Data Center ----------------------------------------------------------------------------------------------

    def _offset_page(self, where: str, start: int) -> api_types.SearchPage:
        size = _PAGE if self.history else _PAGE_WITHOUT_HISTORY
        return self._search_offset(where + ORDER, start, size, history=self.history)

    def _search_offset(self, query: str, start: int, size: int, *, history: bool) -> api_types.SearchPage:
        body: dict[str, Any] = {"jql": query, "startAt": start, "maxResults": size, "fields": self._fields}
        if history:
            body["expand"] = ["changelog"]
        return _search(self._session, body)

    def _all_pages(self, fetch: Callable[[int], api_types.SearchPage]) -> list[api_types.SearchPage]:
        """Fetch all pages of a search by offset. Raises `BusyError` if issues were deleted during every attempt."""
        for _ in range(_RESTARTS):
            first = fetch(0)
            pages = [first, *self._pages_after(first, fetch)]
            if all(page.total >= first.total for page in pages):  # else a deletion moved issues between the pages
                return pages
        raise BusyError(self._session.name, "", "issues were deleted while they were counted")

    def _pages_after(
        self, first: api_types.SearchPage, fetch: Callable[[int], api_types.SearchPage], limit: int = 0
    ) -> Iterator[api_types.SearchPage]:
        """Yield the pages after the first, several requested at the same time, up to one whose total has fallen.

        The size of the first page is that of the server. A shorter page before the end is followed by what comes after
        its last issue.
        """
        guard = self._session.caller.guard("", max_pages=MAX_PAGES_STORED)
        total, start, size = first.total, len(first.issues), len(first.issues)
        guard.check(size, tuple(map(bytes, first.issues)))
        while start < total:
            with closing(self._session.caller.map_ahead(fetch, range(start, total, size), limit)) as pages:
                for page in pages:
                    yield page
                    if page.total < total:
                        return
                    total, start = page.total, start + len(page.issues)
                    guard.check(len(page.issues), tuple(map(bytes, page.issues)))
                    if len(page.issues) != size:
                        break

    def _offsets(self, where: str, first: api_types.SearchPage, last: Batch, restarts: int) -> Iterator[Batch]:
        """Yield the pages after the first as batches; ``last`` is the batch of the first.

        New issues come last in this order, but a deletion moves all later issues into pages already read. It shows in
        the total. The walk then begins again at the creation of the last issue of the last good page.
        """
        total = first.total
        limit = 0 if self.history else self._session.caller.concurrency  # pages of 1,000 issues fill the memory
        for page in self._pages_after(first, lambda start: self._offset_page(where, start), limit):
            if page.total < total:
                yield from self._restart(where, last, restarts)
                return
            batch = self._batch(page)
            total, last = page.total, batch if batch.issues else last
            yield self._with_histories(batch)

    def _restart(self, where: str, last: Batch, restarts: int) -> Iterator[Batch]:
        if restarts < 1 or not last.issues:
            raise BusyError(self._session.name, "", "issues were deleted while they were read")
        created = to_utc(last.issues[-1].fields.created)
        where = f"({where}) AND {jql.since('created', created, self._session.time_zone)}"
        page = self._offset_page(where, 0)
        first = self._batch(page)
        yield self._with_histories(first)
        if 0 < len(page.issues) < page.total:
            yield from self._offsets(where, page, first, restarts - 1)

    def _with_histories(self, batch: Batch) -> Batch:
        return Batch(batch.issues, self.histories(batch.issues), batch.unread)

    # --- Cloud ----------------------------------------------------------------------------------------------------

    def _token_page(self, query: str) -> tuple[Batch, bool]:
        """Fetch the first page, and return whether there are more."""
        page = next(token_pages(self._session, query, self._fields, _PAGE))
        return self._batch(page), bool(page.nextPageToken)

    def _ids(self, where: str) -> Iterator[list[str]]:
        """Yield the ids of all matching issues, 5,000 per request."""
        for page in token_pages(self._session, where + ORDER, ["id"], _ID_PAGE):
            yield [row.id for row in decode_together(page.issues, _IssueId, self._session.name)]

    def _bulk(self, first: Batch, ids: Iterator[list[str]], size: int = _HISTORY_BULK) -> Iterator[Batch]:
        """Yield all issues in batches, the first batch first. Changelogs are read for a thousand issues at once."""
        known = dict.fromkeys(issue.id for issue in first.issues)
        new = (id_ for page in _one_ahead(ids) for id_ in page if id_ not in known)
        tasks: Iterator[_BulkTask] = (
            task
            for group in chunks(chain(known, new), _HISTORY_BULK)
            for task in (*([_BulkTask(histories=group)] if self.history else []), *_issue_tasks(group, size, known))
        )
        issues, unread = list(first.issues), list(first.unread)
        histories: Histories | None = None
        limit = 3 * self._session.caller.concurrency // 2  # the histories of a thousand issues wait, too
        for task, answer in self._session.caller.map_ahead(self._run_task, tasks, limit):
            if isinstance(answer, Histories):
                histories = answer
                continue
            issues += answer.issues
            unread += answer.unread
            if task.batch:
                yield Batch(issues, histories.taken(task.batch) if histories is not None else None, unread)
                issues, unread = [], []

    def _run_task(self, task: _BulkTask) -> tuple[_BulkTask, Batch | Histories]:
        return task, self._fetch_histories(task.histories) if task.histories else self._fetch_issues(task.issues)

    def _fetch_issues(self, ids: Sequence[str]) -> Batch:
        """Fetch issues by id. Those that an answer leaves out are asked for again, until an answer has none of them."""
        found, rest = Rows[api_types.Issue](), list(ids)
        while rest:
            body = {"issueIdsOrKeys": rest, "fields": self._fields}
            page = self._rows(self._session.read(api_types.SearchPage, "issue/bulkfetch", body=body).issues)
            ids_of_answer = {*(row.id for row in page.read), *(row.id for row in page.unread)}
            answered = ids_of_answer.intersection(rest)
            nameless = [row for row in page.unread if not row.id]
            rest = [id_ for id_ in rest if id_ not in answered]
            if len(nameless) == len(rest):
                named = [structs.replace(row, id=id_) for row, id_ in zip(nameless, rest, strict=True)]
                page, rest = Rows(page.read, [*(row for row in page.unread if row.id), *named]), []
            found += page
            if not answered:
                break
        return Batch(list(found.read), None, found.unread)

    def _fetch_histories(self, ids: Sequence[str]) -> Histories:
        histories, guard = Histories(ids), self._session.caller.guard("")
        token = ""
        while ids:
            body: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": 10000}
            if self._history_fields is not None:
                body["fieldIds"] = self._history_fields
            if token:
                body["nextPageToken"] = token
            page = self._session.read(api_types.ChangelogPage, "changelog/bulkfetch", body=body)
            self._add_histories(page.issueChangeLogs, histories)
            token = page.nextPageToken or ""
            if not token:
                break
            guard.check(len(page.issueChangeLogs), tuple(map(bytes, page.issueChangeLogs)), token)
        return histories

    def _add_histories(self, rows: Sequence[Raw], histories: Histories) -> None:
        try:
            entries = decode_together(rows, api_types.IssueHistory, self._session.name)
        except RowError:
            entries = list(self._readable_histories(rows, histories))
        for entry in entries:
            histories.setdefault(entry.issueId, []).extend(entry.changeHistories)

    def _readable_histories(self, rows: Iterable[Raw], histories: Histories) -> Iterator[api_types.IssueHistory]:
        for row in rows:
            try:
                yield decode_row(row, api_types.IssueHistory, self._session.name)
            except RowError as error:
                issue = word_at(fields_of(row), "issueId")
                if not issue:
                    raise
                histories.broken[issue] = error.detail

    # --- both -----------------------------------------------------------------------------------------------------

    def _rows(self, issues: Sequence[Raw]) -> Rows[api_types.Issue]:
        try:
            return Rows(decode_together(issues, self._type, self._session.name))
        except RowError:
            return read_rows(issues, lambda row: decode_row(row, self._type, self._session.name), unread_issue)

    def _batch(self, page: api_types.SearchPage) -> Batch:
        rows = self._rows(page.issues)
        return Batch(list(rows.read), None, rows.unread)


class _BulkTask(Struct, frozen=True):
    """A request for the histories of these issues (ids), or for these issues. The last one of a batch names all of it.

    No issues are no request: all of the batch is known already.
    """

    histories: Sequence[str] = ()
    issues: Sequence[str] = ()
    batch: Sequence[str] = ()


def _issue_tasks(group: Iterable[str], size: int, known: Collection[str]) -> Iterator[_BulkTask]:
    """Yield the tasks that read the issues of a group (ids), except the known ones, in batches."""
    for batch in chunks(group, size):
        *parts, last = list(chunks((id_ for id_ in batch if id_ not in known), _BULK)) or [[]]
        yield from (_BulkTask(issues=part) for part in parts)
        yield _BulkTask(issues=last, batch=batch)


def first_keys(session: Session, where: str) -> list[str]:
    """The keys of the first matching issues: thousands, or all."""
    if session.is_cloud:
        page = next(token_pages(session, where + ORDER, ["key"], _ID_PAGE))
    else:
        page = _search_ids(session, where, start=0)
    return [decode_row(raw, api_types.IssueKey, session.name).key for raw in page.issues]


def _search_ids(session: Session, where: str, start: int) -> api_types.SearchPage:
    body = {"jql": where + ORDER, "startAt": start, "maxResults": _PAGE_WITHOUT_HISTORY, "fields": ["created"]}
    return _search(session, body)


def _search_from(session: Session, body: Mapping[str, Any], start: int) -> api_types.SearchPage:
    return _search(session, {**body, "startAt": start})


def _search(session: Session, body: Mapping[str, Any]) -> api_types.SearchPage:
    """Fetch a page of a search by offset. Raises `MalformedError` if it has fewer or more issues than were counted."""
    page = session.read(api_types.SearchPage, "search", body=body)
    if not page.issues and body["startAt"] < page.total:
        raise MalformedError(session.name, "", "a search counted issues and returned none")
    if page.issues and body["startAt"] + len(page.issues) > page.total:
        raise MalformedError(session.name, "", "a search returned more issues than it counted")
    return page


def token_pages(session: Session, query: str, fields: Sequence[str], size: int) -> Iterator[api_types.SearchPage]:
    """Yield the pages of a Cloud search. Raises `MalformedError` if it does not end."""
    body: dict[str, Any] = {"jql": query, "maxResults": size, "fields": list(fields)}
    guard = session.caller.guard("", max_pages=MAX_PAGES_STORED)
    while True:
        page = session.read(api_types.SearchPage, "search/jql", body=body)
        yield page
        token = page.nextPageToken
        if not token:
            return
        guard.check(len(page.issues), tuple(map(bytes, page.issues)), token)
        body["nextPageToken"] = token


class _IssueId(Struct):
    id: str


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of this size; the last one may be shorter."""
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
