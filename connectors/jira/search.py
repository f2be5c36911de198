"""Walking through many issues: by offset on Data Center, by ids and bulk reads on Cloud, with their histories."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from itertools import chain, islice
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, Struct

from connectors.jira import jql
from connectors.jira.api_types import Changelogs, Found, History, Item, KeyOnly, issue_type
from connectors.jira.normalize import moment_of
from connectors.jira.session import Session
from connectors.shared.responses import decoder
from sync.tracker.errors import BusyError, MalformedError, RefusedError

__all__ = ["ORDER", "Batch", "Begun", "Search", "by_token", "first_keys"]

T = TypeVar("T")

ORDER = " ORDER BY created ASC, key ASC"
_LATEST = " ORDER BY updated DESC, key ASC"
# fmt: off
_FIELDS = (
    "summary", "status", "project", "created", "updated", "issuetype", "priority",
    "resolution", "resolutiondate", "fixVersions", "labels", "assignee", "duedate", "timeoriginalestimate",
    "timeestimate", "timespent", "issuelinks", "parent", "security", "statuscategorychangedate",
)
# fmt: on
_LOGGED = ("fixVersions", "status", "resolution")
_PAGE, _PAGE_WITHOUT_HISTORY, _IDS, _BULK, _LOGS = 100, 1000, 5000, 100, 1000
_RESTARTS = 5
_PAGES_AHEAD = 3
"""Large pages that are in memory at once: storing one takes longer than reading the next."""


class Batch(Struct, frozen=True):
    """Issues, their histories by issue id (None: not read), and what ended a project's pull, by project key."""

    items: list[Item]
    logs: dict[str, list[History]] | None
    bad: dict[str, MalformedError]
    total: int = 0


class Begun(Struct, frozen=True):
    """The beginning of a walk. On Cloud ``first`` comes without histories: see `Search.histories`.

    ``high`` is the last update that there was when several requests began, None where there was but one. ``rest`` goes
    through all issues, the first ones included; None when those were all.
    """

    first: Batch
    high: datetime | None = None
    rest: Iterator[Batch] | None = None


class Search:
    """Searches of one connection; ``history`` says whether change logs are read."""

    def __init__(self, session: Session, *, history: bool) -> None:
        self._session, self.history = session, history
        points, epic, sprint = session.custom
        wanted = session.listed("containers")
        self._item = decoder(issue_type(points, epic, sprint))
        self._fields = [*_FIELDS, *points, *([epic] if epic else [])]
        self._logged = [*_LOGGED, *([sprint] if sprint and "sprints" in wanted else [])]
        self._fields += self._logged[len(_LOGGED) :]
        self._all_changes = "epics" in wanted

    def begin(self, where: str) -> Begun:
        """The first issues, oldest first, and the walk through all. Issues may come more than once."""
        if self._session.cloud:
            first, others_follow = self._token_page(where + ORDER)
            if not others_follow:
                return Begun(first)
            pages = self._ids(where)
            asked: list[Callable[[], Any]] = [lambda: self.newest(where), lambda: next(pages)]
            high, ids = self._session.caller.map_all(lambda ask: ask(), asked)
            return Begun(first, high, self._bulk(first, chain([ids], pages)))
        first = self._offset_page(where, 0)
        size = len(first.items) + len(first.bad)
        if size >= first.total:
            return Begun(first)
        rest = chain([self._with_logs(first)], self._offsets(where, first, size, _RESTARTS))
        return Begun(first, self.newest(where), rest)

    def latest(self, where: str) -> Begun:
        """Like `begin`, for what changed since: on Cloud those that were updated last come first.

        Two pages of them hold all there is of most pulls. The second leaves out what stood in the first, so that
        nothing slips from one to the other when an issue is deleted in between.
        """
        if not self._session.cloud:
            return self.begin(where)
        first, others_follow = self._token_page(where + _LATEST)
        if not others_follow:
            return Begun(first)
        high = max((moment_of(item.fields.updated) for item in first.items), default=None)
        others = f"({where}) AND NOT {jql.any_of('id', [item.id for item in first.items])}"
        try:
            more = next(by_token(self._session, others + _LATEST, self._fields, _PAGE))
        except RefusedError:  # one of them is gone
            more = Found([])
        if not more.issues:  # though others were promised
            return Begun(first, high, self._bulk(first, self._ids(where)))
        second = self._batch(more, None)
        both = Batch(first.items + second.items, None, first.bad | second.bad)
        return Begun(both, high, self._bulk(both, self._ids(where)) if more.nextPageToken else None)

    def light(self, where: str) -> list[Item]:
        """These issues, without histories."""
        return [item for found in self._light(where) for item in self._batch(found, None).items]

    def _light(self, where: str) -> Iterator[Found]:
        if self._session.cloud:
            yield from by_token(self._session, where + ORDER, self._fields, _PAGE)
            return
        start, total = 0, 1
        while start < total:
            found = self._by_offset(where + ORDER, start, _PAGE_WITHOUT_HISTORY, history=False)
            yield found
            start, total = start + len(found.issues), found.total if found.issues else 0

    def newest(self, where: str) -> datetime | None:
        """When the last of these issues to change was changed (UTC)."""
        order = f"{where} ORDER BY updated DESC"
        found = (
            next(by_token(self._session, order, self._fields, 1))
            if self._session.cloud
            else self._by_offset(order, 0, 1, history=False)
        )
        return max((moment_of(item.fields.updated) for item in self._batch(found, None).items), default=None)

    def ids(self, where: str) -> frozenset[str]:
        """The ids of all these issues. Raises `BusyError` where others vanish whenever it is tried."""
        if self._session.cloud:
            return frozenset(chain.from_iterable(self._ids(where)))
        for _ in range(_RESTARTS):
            first = self._id_page(where, 0)
            starts = range(len(first.issues), first.total, len(first.issues) or 1)
            pages = [first, *self._session.caller.map_ahead(lambda start: self._id_page(where, start), starts)]
            if all(page.total >= first.total for page in pages):  # else a deletion moved others between the pages
                if sum(len(page.issues) for page in pages) < first.total:
                    raise MalformedError(self._session.name, "", "a search gave fewer issues than it counted")
                return frozenset(decoder(_IdOnly).decode(raw).id for page in pages for raw in page.issues)
        raise BusyError(self._session.name, "", "issues kept vanishing while they were counted")

    def names(self, where: str) -> list[KeyOnly]:
        """The ids and keys of all these issues, which are few enough for one after the other."""
        found: list[KeyOnly] = []
        if self._session.cloud:
            for page in by_token(self._session, where + ORDER, ["id", "key"], _IDS):
                found += (decoder(KeyOnly).decode(raw) for raw in page.issues)
            return found
        total = 1
        while len(found) < total:
            page = self._id_page(where, len(found))
            found += (decoder(KeyOnly).decode(raw) for raw in page.issues)
            total = page.total if page.issues else 0
        return found

    def _id_page(self, where: str, start: int) -> Found:
        return _ids_from(self._session, where, start)

    def histories(self, items: Sequence[Item]) -> dict[str, list[History]] | None:
        """The whole change logs of these issues as far as they matter, by issue id."""
        if not self.history:
            return None
        if not self._session.cloud:
            return {item.id: item.changelog.histories for item in items if item.changelog}
        return self._logs([item.id for item in items])

    # --- Data Center ----------------------------------------------------------------------------------------------

    def _offset_page(self, where: str, start: int) -> Batch:
        size = _PAGE if self.history else _PAGE_WITHOUT_HISTORY
        return self._batch(self._by_offset(where + ORDER, start, size, history=self.history), None)

    def _by_offset(self, query: str, start: int, size: int, *, history: bool) -> Found:
        body: dict[str, Any] = {"jql": query, "startAt": start, "maxResults": size, "fields": self._fields}
        if history:
            body["expand"] = ["changelog"]
        return _offset(self._session, body)

    def _offsets(self, where: str, first: Batch, size: int, restarts: int) -> Iterator[Batch]:
        """The pages after the first, a few at once.

        New issues come last in this order, but a deletion moves all later ones into pages already read. It shows in
        the total; then the walk goes on from the last creation that it has seen for sure.
        """
        total, at, last = first.total, size, first
        most = 0 if self.history else _PAGES_AHEAD
        while at < total:
            starts = range(at, total, size)
            for page in self._session.caller.map_ahead(lambda start: self._offset_page(where, start), starts, most):
                if page.total < total:
                    yield from self._again(where, last, restarts)
                    return
                total, at, last = page.total, at + size, page if page.items else last
                yield self._with_logs(page)

    def _again(self, where: str, last: Batch, restarts: int) -> Iterator[Batch]:
        if restarts < 1 or not last.items:
            raise BusyError(self._session.name, "", "issues kept vanishing while they were read")
        created = moment_of(last.items[-1].fields.created)
        where = f"({where}) AND {jql.since('created', created, self._session.zone)}"
        first = self._offset_page(where, 0)
        yield self._with_logs(first)
        size = len(first.items) + len(first.bad)
        if 0 < size < first.total:
            yield from self._offsets(where, first, size, restarts - 1)

    def _with_logs(self, batch: Batch) -> Batch:
        return Batch(batch.items, self.histories(batch.items), batch.bad, batch.total)

    # --- Cloud ----------------------------------------------------------------------------------------------------

    def _token_page(self, query: str) -> tuple[Batch, bool]:
        """The first page, and whether there are more."""
        found = next(by_token(self._session, query, self._fields, _PAGE))
        return self._batch(found, None), bool(found.nextPageToken)

    def _ids(self, where: str) -> Iterator[list[str]]:
        """Ids alone come 5,000 at a time."""
        for found in by_token(self._session, where + ORDER, ["id"], _IDS):
            yield [decoder(_IdOnly).decode(raw).id for raw in found.issues]

    def _bulk(self, first: Batch, ids: Iterator[list[str]]) -> Iterator[Batch]:
        """All issues, the first ones first, in groups; what is asked about each is asked side by side."""
        known = dict.fromkeys(item.id for item in first.items)
        found = (number for page in _one_ahead(ids) for number in page if number not in known)
        tasks: Iterator[tuple[str, list[str]]] = (
            task
            for group in _chunks(chain(known, found), _LOGS)
            for task in (
                *([("logs", group)] if self.history else []),
                *(("issues", part) for part in _chunks((name for name in group if name not in known), _BULK)),
                ("end", []),
            )
        )
        items, bad = list(first.items), dict(first.bad)
        logs: dict[str, list[History]] | None = None
        for answer in self._session.caller.map_ahead(self._task, tasks):
            if isinstance(answer, Batch):
                items += answer.items
                bad |= answer.bad
            elif answer is not None:
                logs = answer
            else:
                yield Batch(items, logs, bad)
                items, bad, logs = [], {}, None

    def _task(self, task: tuple[str, list[str]]) -> Batch | dict[str, list[History]] | None:
        kind, ids = task
        if kind == "logs":
            return self._logs(ids)
        if kind == "issues":
            body = {"issueIdsOrKeys": ids, "fields": self._fields}
            return self._batch(self._session.read(Found, "issue/bulkfetch", body=body), None)
        return None

    def _logs(self, ids: Sequence[str]) -> dict[str, list[History]]:
        logs: dict[str, list[History]] = {number: [] for number in ids}
        token, before = "", {""}
        while ids:
            body: dict[str, Any] = {"issueIdsOrKeys": ids, "maxResults": 10000}
            if not self._all_changes:  # which field holds a change of parent is not the same on every site
                body["fieldIds"] = self._logged
            if token:
                body["nextPageToken"] = token
            page = self._session.read(Changelogs, "changelog/bulkfetch", body=body)
            for log in page.issueChangeLogs:
                logs.setdefault(log.issueId, []).extend(log.changeHistories)
            token = page.nextPageToken or ""
            if not token:
                break
            if token in before:
                raise MalformedError(self._session.name, "", "its change log pages repeat")
            before.add(token)
        return logs

    # --- both -----------------------------------------------------------------------------------------------------

    def _batch(self, found: Found, logs: dict[str, list[History]] | None) -> Batch:
        items: list[Item] = []
        bad: dict[str, MalformedError] = {}
        for raw in found.issues:
            try:
                items.append(self._item.decode(raw))
            except (msgspec.DecodeError, UnicodeDecodeError) as problem:
                project = self._project_of(raw, str(problem))
                bad[project] = MalformedError(self._session.name, project, f"an issue of it: {problem}")
        return Batch(items, logs, bad, found.total)

    def _project_of(self, raw: Raw, problem: str) -> str:
        try:
            return decoder(KeyOnly).decode(raw).key.rpartition("-")[0]
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise MalformedError(self._session.name, "", problem) from None


def first_keys(session: Session, where: str) -> list[str]:
    """The keys of the first of these issues: thousands, or all."""
    found = (
        next(by_token(session, where + ORDER, ["key"], _IDS)) if session.cloud else _ids_from(session, where, start=0)
    )
    return [decoder(KeyOnly).decode(raw).key for raw in found.issues]


def _ids_from(session: Session, where: str, start: int) -> Found:
    body = {"jql": where + ORDER, "startAt": start, "maxResults": _PAGE_WITHOUT_HISTORY, "fields": ["created"]}
    return _offset(session, body)


def _offset(session: Session, body: Mapping[str, Any]) -> Found:
    """A page of a search by offset. One that is empty before the end would pass for all there is."""
    found = session.read(Found, "search", body=body)
    if not found.issues and body["startAt"] < found.total:
        raise MalformedError(session.name, "", "a search promised issues and gave none")
    return found


def by_token(session: Session, query: str, fields: Sequence[str], size: int) -> Iterator[Found]:
    """The pages of a Cloud search. A token that comes back, or an empty page with one, would never end."""
    body: dict[str, Any] = {"jql": query, "maxResults": size, "fields": list(fields)}
    before = set()
    while True:
        found = session.read(Found, "search/jql", body=body)
        yield found
        token = found.nextPageToken
        if not token:
            return
        if token in before or not found.issues:
            raise MalformedError(session.name, "", "its search pages repeat")
        before.add(token)
        body["nextPageToken"] = token


class _IdOnly(Struct):
    id: str


def _chunks(things: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(things)
    while part := list(islice(rest, size)):
        yield part


def _one_ahead(things: Iterator[T]) -> Iterator[T]:
    """Each thing, while the next one is being made."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(copy_context().run, lambda: next(things, None))
        while (thing := coming.result()) is not None:
            coming = pool.submit(copy_context().run, lambda: next(things, None))
            yield thing
