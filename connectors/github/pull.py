"""Pull repositories: milestones by REST with their ETags, issues with their whole history by GraphQL.

=====================  ====================================================================================
known state            requests
=====================  ====================================================================================
nothing changed        the newest changes and the milestones, both conditional: 304, no points
something changed      GraphQL: issues updated since the cursor, oldest change first; if the newest changes hold
                       pull requests, those, latest change first
no cursor              GraphQL: all numbers, a hundred a request, several at once; if most of them are pull
                       requests, issues by cursor and the pull requests of milestones by number instead
many repositories      a batch probe of fifty in a request first; see `connectors.github.batch_probe`
once a week            the ids of all issues, and of the pull requests in milestones: an issue that is missing was
                       deleted
=====================  ====================================================================================

The cursor's time is the newest change that GitHub showed before reading began, less `OVERLAP`; never our clock's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec

from connectors.github import api_types, normalize, queries
from connectors.github.batch_probe import current_name, existing_issues, probe_many, pull_requests_in_milestones
from connectors.github.boards.reader import BOARD_ENTRY, BoardReader
from connectors.github.cursor import Cursor, decode_cursors
from connectors.github.probe import ProbeResult, ask_for_fields, probe
from connectors.github.session import PROJECT_ERRORS, Document, Session, TooHeavyError
from connectors.shared.batch_size import BatchSize
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.pagination import MAX_PAGES_STORED
from connectors.shared.responses import RowError, decode_row, decode_together
from connectors.shared.rows import Rows, read_rows
from sync.model.tracker_data import Event, Project, UnreadKind, UnreadRow
from sync.tracker.errors import BusyError, GoneError, MalformedError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["Reader"]

T = TypeVar("T")

Item = api_types.Issue | api_types.PullRequest

Known = tuple[str, Cursor]
"""Id of a project, and its cursor."""

OVERLAP = timedelta(minutes=2)
"""Time before the newest change at which the next pull begins: GitHub's replicas differ by less."""

CHUNK = 100
"""Issues and pull requests in one request, while GitHub can answer so many."""

TRIALS = 3
"""Repositories of which at most one answers the question for optional fields that the server lacked."""

NEIGHBOUR_FIELDS = frozenset(
    {
        "parent",
        "issueType",
        "blockedBy",
        "blocking",
        "assignees",
        "actor",
        "closingIssuesReferences",
        "reviewRequests",
        "requestedReviewer",
        "latestOpinionatedReviews",
    }
)
"""Fields that refer to objects which may be private elsewhere, or whose feature may be switched off."""

FEW_REPOSITORIES = 3
"""Up to this many repositories, two conditional requests each are better than a batch probe: they cost no points."""

MAX_NUMBERS_PER_ITEM = 2.0
"""Everything is read by number while the repository has at most this many numbers per issue and item of a milestone."""

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

_NULL = msgspec.Raw(b"null")


class Reader:
    """Reader of all repositories of a connection. ``scope`` returns the scope of a repository's cursor, by its name."""

    def __init__(self, session: Session, sweeps: SweepSchedule, scope: Callable[[str], str]) -> None:
        self._session, self._sweeps, self._scope = session, sweeps, scope

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield everything that changed, then the deletion sweeps that are due. See `Connector.pull`."""
        latest, complete = dict(cursors), set[str]()
        for page in self._changes(projects, cursors):
            latest |= page.cursors
            complete |= page.complete
            yield page
        due = [
            (project, cursor)
            for project, cursor in decode_cursors(latest)
            if project in complete and self._sweeps.is_due(cursor.swept_at)
        ]
        yield from self._session.caller.map_ahead(lambda pair: self._sweep(*pair), due)

    def resolve(self, projects: Sequence[str]) -> tuple[list[str], dict[str, TrackerError]]:
        """Resolve configured projects to repositories.

        ``owner/*`` means all that are not archived, ``owner/projects/7`` all that have items on that board.
        """
        names: dict[str, None] = {}
        failed: dict[str, TrackerError] = {}
        for project in projects:
            owner, _, name = project.partition("/")
            try:
                if BOARD_ENTRY.fullmatch(project):
                    names.update(dict.fromkeys(BoardReader(self._session).repositories(project)))
                else:
                    names.update(dict.fromkeys(self._owned(owner, project, failed) if name == "*" else [project]))
            except PROJECT_ERRORS as error:
                failed[project] = error
        return list(names), failed

    def _owned(self, owner: str, project: str, failed: dict[str, TrackerError]) -> Iterator[str]:
        def fail(error: MalformedError) -> None:
            failed[project] = error

        variables = {"owner": owner}
        for repository in self._session.pages(queries.REPOSITORIES, variables, api_types.Owned, project, fail):
            if repository.has_issues_enabled and not repository.is_archived:
                yield repository.name_with_owner

    def _sweep(self, project: str, cursor: Cursor) -> Page:
        """List the ids of all issues, and of the pull requests in milestones.

        After a rename, also drop the cursor: the next pull reads the new addresses.
        """
        try:
            ids = frozenset(existing_issues(self._session, cursor.name, cursor.configured_name))
            changes = frozenset(pull_requests_in_milestones(self._session, cursor.name, cursor.configured_name))
            has_same_name = current_name(self._session, cursor.name, cursor.configured_name) == cursor.name
        except RowError as error:
            return Page(unread=(UnreadRow(project=project, kind=UnreadKind.LIST, reason=error.detail),))
        except PROJECT_ERRORS as error:
            return Page(failed={cursor.configured_name: error})
        swept = msgspec.structs.replace(cursor, swept_at=self._sweeps.now())
        return Page(
            all_issues={project: ids},
            all_pull_requests={project: changes},
            cursors={project: swept.encode() if has_same_name else ""},
        )

    def _changes(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Probe all repositories at once, then read the changed ones, one after the other."""
        known = {
            cursor.configured_name: (project, cursor)
            for project, cursor in decode_cursors(cursors)
            if cursor.scope == self._scope(cursor.name)
        }
        names, failed = self.resolve(projects)
        known = {name: known[name] for name in names if name in known}
        current = {name: known[name][1].name if name in known else name for name in names}
        states = probe_many(self._session, current) if len(current) > FEW_REPOSITORIES else {}
        confirmed = [
            name
            for name, (_, cursor) in known.items()
            if cursor.batch_state and cursor.batch_state == states.get(name) and cursor.is_all_read
        ]
        results = self._probe(known, [name for name in names if name not in confirmed])
        gained = self._gained(known, [name for name in known if not isinstance(results.get(name), TrackerError)])
        known |= gained
        results |= self._probe(known, gained)
        failed |= {name: result for name, result in results.items() if isinstance(result, TrackerError)}
        changed = {n: r for n, r in results.items() if isinstance(r, ProbeResult) and not r.is_unchanged}
        quiet = [name for name in known if name not in changed and name not in failed]
        if quiet or failed:
            yield Page(
                complete=frozenset(known[name][0] for name in quiet),
                cursors=dict(self._new_cursors([known[name] for name in quiet], states)),
                failed=failed,
            )
        for name, result in changed.items():
            reader = _RepositoryReader(self._session, self._sweeps, self._scope, name, result, states.get(name, ""))
            try:
                yield from reader.pages()
            except PROJECT_ERRORS as error:
                yield Page(failed={name: error})

    def _probe(self, known: Mapping[str, Known], names: Collection[str]) -> dict[str, ProbeResult | TrackerError]:
        results = self._session.caller.map_all(lambda name: probe(self._session, name, known.get(name)), names)
        return dict(zip(names, results, strict=True))

    def _new_cursors(self, quiet: Iterable[Known], states: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Yield project and cursor of the unchanged repositories of which something else is known now."""
        memory = self._session.schema.memory
        for project, cursor in quiet:
            state = states.get(cursor.configured_name, cursor.batch_state)
            new = msgspec.structs.replace(cursor, batch_state=state)
            new = new.with_schema(memory) if cursor.lacking else new
            if new != cursor:
                yield project, new.encode()

    # --- optional fields -------------------------------------------------------------------------------------------

    def _gained(self, known: Mapping[str, Known], names: Sequence[str]) -> dict[str, Known]:
        """Return the repositories that were read without fields which the server has now, to be read again."""
        schema, cursors = self._session.schema, {name: known[name][1] for name in names}
        schema.recall(cursor.schema for cursor in cursors.values() if cursor.schema is not None)
        doubtful = [name for name, cursor in cursors.items() if not cursor.lacking <= schema.lacking]
        if doubtful and not any(ask_for_fields(self._session, cursors[n].name, n) for n in doubtful[:TRIALS]):
            schema.assume(frozenset().union(*(cursor.lacking for cursor in cursors.values())))
        gained = [name for name in doubtful if not cursors[name].lacking <= schema.lacking]
        return {name: (known[name][0], cursors[name].from_start()) for name in gained}


class _RepositoryReader:
    """Reader of one changed repository. ``name`` is its configured name, ``state`` the result of the batch probe."""

    def __init__(
        self,
        session: Session,
        sweeps: SweepSchedule,
        scope: Callable[[str], str],
        name: str,
        result: ProbeResult,
        state: str,
    ) -> None:
        self._session, self._sweeps, self._scope = session, sweeps, scope
        self._name, self._probe, self._state = name, result, state
        self._batch = BatchSize(CHUNK)

    def pages(self) -> Iterator[Page]:
        """Yield what changed, or everything without a complete pull before."""
        if self._probe.known is None or self._probe.known[1].next_number:
            yield from self._everything(self._probe.known[1] if self._probe.known else None)
            return
        project, cursor = self._probe.known
        if self._probe.issues_unchanged and cursor.is_all_read:
            yield from self._milestones(project, cursor)
            yield self._last_page(project, cursor)
        else:
            yield from self._changed(cursor, project)

    # --- everything ------------------------------------------------------------------------------------------------

    def _everything(self, before: Cursor | None) -> Iterator[Page]:
        """Read a repository without a cursor, or continue a first pull that was interrupted (``before``)."""
        owner, short = self._session.split_name(before.name if before else self._name, self._name)
        reply = self._session.query(queries.opening, {"owner": owner, "name": short}, api_types.Opening, self._name)
        repository = reply.data.repository if reply.data else None
        if reply.data is None or repository is None:
            self._session.raise_errors(reply.errors, self._name)
            raise GoneError(self._session.name, self._name)
        newest = self._probe.newest
        # after a rename all addresses have changed, so the pull begins again
        continues = before is not None and before.name == repository.name_with_owner
        cursor = Cursor(
            configured_name=self._name,
            name=repository.name_with_owner,
            since=before.since if before else newest and newest - OVERLAP,
            pull_requests_since=before.pull_requests_since if before else newest - OVERLAP if newest else _EARLIEST,
            next_number=before.next_number if before and continues else 1,
            read_count=before.read_count if before and continues else 0,
            swept_at=before.swept_at if before else self._sweeps.now(),
            unread=before.unread if before and continues else (),
            scope=self._scope(repository.name_with_owner),
        )
        project = normalize.project(repository)
        yield Page(projects=(project,))
        lists = (repository.newest, repository.newest_pull_request)
        highest = max((item.number for newest_items in lists for item in newest_items.nodes), default=0)
        in_milestones = sum((row.open_issues or 0) + (row.closed_issues or 0) for row in self._probe.milestones or ())
        if highest > MAX_NUMBERS_PER_ITEM * (repository.newest.total_count + in_milestones) + CHUNK:
            fresh = msgspec.structs.replace(cursor, since=None, pull_requests_since=None, next_number=0)
            yield from self._changed(fresh, project.id)
            return
        yield from self._milestones(project.id, cursor)
        if cursor.unread:
            page, cursor = self._page(
                project, self._items(cursor, cursor.unread), msgspec.structs.replace(cursor, unread=())
            )
            yield page
        cursor = yield from self._by_number(cursor, project, highest, sum(items.total_count for items in lists))
        if cursor.pull_requests_since is None:
            cursor, _ = yield from self._pull_requests(cursor, project)
        # issues read before the interruption may have changed since: without an ETag the next pull asks for changes
        yield self._last_page(project.id, cursor, issues_etag="" if before else None)

    def _by_number(self, cursor: Cursor, project: Project, highest: int, total: int) -> Generator[Page, None, Cursor]:
        """Read all issues and pull requests by number, in order, several requests at once. Return the cursor after.

        The newest issue need not have the highest number, because imported and transferred issues keep their time of
        creation. If some of ``total`` are missing at the end, their numbers are listed.
        """
        chunks = [range(n, n + CHUNK) for n in range(cursor.next_number, highest + 1, CHUNK)]
        latest = yield from self._chunks(cursor, project, chunks)
        if latest.read_count < total:
            latest = yield from self._chunks(latest, project, self._higher_numbers(latest))
        return latest

    def _chunks(
        self, cursor: Cursor, project: Project, chunks: Sequence[Sequence[int]]
    ) -> Generator[Page, None, Cursor]:
        """Yield the issues and pull requests of each chunk of numbers. Return the cursor after them."""
        answers = self._session.caller.map_ahead(partial(self._items, cursor), chunks)
        for chunk, items in zip(chunks, answers, strict=True):
            count = cursor.read_count + len(items.read) + len(items.unread)
            cursor = msgspec.structs.replace(cursor, next_number=chunk[-1] + 1, read_count=count)
            page, cursor = self._page(project, items, cursor)
            yield page
        return cursor

    def _higher_numbers(self, cursor: Cursor) -> list[list[int]]:
        """The numbers of issues, and of pull requests in milestones, that were not read yet, in chunks."""
        lists = (existing_issues, pull_requests_in_milestones)
        existing = (number for fetch in lists for number in fetch(self._session, cursor.name, self._name).values())
        return _chunks(number for number in existing if number >= cursor.next_number)

    def _items(self, cursor: Cursor, numbers: Sequence[int]) -> Rows[Item]:
        """Fetch the issues and pull requests with these numbers, as many at once as GitHub can answer."""
        items = Rows[Item]()
        while numbers:
            batch = numbers[: self._batch.size]
            try:
                items += self._item_batch(cursor, batch)
            except TooHeavyError:
                self._batch.shrink(len(batch))
            else:
                self._batch.grow(len(batch))
                numbers = numbers[len(batch) :]
        return items

    def _item_batch(self, cursor: Cursor, numbers: Sequence[int]) -> Rows[Item]:
        """Fetch the issues and pull requests with these numbers in one request; a number may be of a deleted issue."""
        owner, short = self._session.split_name(cursor.name, self._name)
        variables = {"owner": owner, "name": short} | {f"n{i}": number for i, number in enumerate(numbers)}
        reply = self._session.query(
            partial(queries.numbered, len(numbers)),
            variables,
            dict[str, dict[str, msgspec.Raw] | None],
            self._name,
            divisible=len(numbers) > 1,
        )
        missing = {error.path[1] for error in reply.errors if error.path and _is_missing_number(error)}
        errors = [error for error in _relevant(reply.errors) if not _is_missing_number(error)]
        self._session.raise_errors(errors, self._name)
        repository = (reply.data or {}).get("repository")
        if repository is None:
            raise GoneError(self._session.name, self._name)
        rows = {number: repository.get(f"n{i}", _NULL) for i, number in enumerate(numbers) if f"n{i}" not in missing}
        if rows and all(row == _NULL for row in rows.values()):
            raise BusyError(self._session.name, self._name, "GraphQL left issues out")
        with suppress(RowError):
            return Rows(decode_together(rows.values(), Item, self._session.name, self._name))  # type: ignore[arg-type]
        return Rows[Item]().join(
            read_rows([row], self._read_item, partial(normalize.unread_issue, number=number))
            for number, row in rows.items()
        )

    def _read_item(self, row: msgspec.Raw) -> Item:
        return decode_row(row, Item, self._session.name, self._name)  # type: ignore[arg-type]

    # --- changes ---------------------------------------------------------------------------------------------------

    def _changed(self, cursor: Cursor, project_id: str) -> Iterator[Page]:
        """Read the issues updated since the cursor, page by page, then the pull requests.

        If the name belongs to another repository now, that repository is read completely. So is a renamed repository,
        because all addresses in it have changed.
        """
        since, after, has_nameless = cursor.since, "", False
        guard = self._session.caller.guard(self._name, max_pages=MAX_PAGES_STORED)
        latest = msgspec.structs.replace(cursor, unread=(), milestone_etags=(), batch_state="")
        while True:
            repository = self._changed_page(queries.changed, api_types.Changed, cursor, after)
            if repository.id != project_id or (repository.name_with_owner != cursor.name and cursor.since is not None):
                yield Page(cursors={project_id: ""})
                yield from self._everything(None)
                return
            if not after:
                yield from self._milestones(project_id, cursor)
            project = normalize.project(repository)
            found = read_rows(repository.issues.nodes, self._read_item, normalize.unread_issue)
            # a row without a readable number can only be asked for again with all that changed since the last pull
            has_nameless = has_nameless or any(not row.key for row in found.unread)
            if not has_nameless:
                since = max((since, *(issue.updated_at - OVERLAP for issue in found.read)), key=_or_earliest)
            latest = msgspec.structs.replace(
                latest, name=repository.name_with_owner, since=cursor.since if has_nameless else since
            )
            found += self._neighbours(cursor, project, found.read, cursor.unread if not after else ())
            page, latest = self._page(project, found, latest)
            yield page
            if not repository.issues.page_info.has_next_page:
                break
            after = self._session.next_cursor(repository.issues, guard, self._name)
        latest, has_nameless_pull_request = yield from self._pull_requests(latest, project)
        if has_nameless or has_nameless_pull_request:
            yield self._last_page(project_id, latest, issues_etag="")
            return
        newest = self._probe.newest - OVERLAP if self._probe.newest else None
        yield self._last_page(project_id, msgspec.structs.replace(latest, since=max(since, newest, key=_or_earliest)))

    def _pull_requests(self, cursor: Cursor, project: Project) -> Generator[Page, None, tuple[Cursor, bool]]:
        """Read the changed pull requests; the first time, all that are in milestones.

        Return the cursor after them, and whether a row has no readable number: then the cursor keeps its time, so that
        the next pull asks for that row again.
        """
        since = cursor.pull_requests_since
        newest = self._probe.newest - OVERLAP if self._probe.newest else cursor.since or _EARLIEST
        has_nameless = False
        if since is None:
            listed = pull_requests_in_milestones(self._session, cursor.name, self._name)
            for chunk in _chunks(listed.values()):
                page, cursor = self._page(project, self._items(cursor, chunk), cursor)
                yield page
            if not cursor.unread:
                yield Page(all_pull_requests={project.id: frozenset(listed)})
        elif self._probe.may_have_pull_requests(since):
            for found in self._changed_pull_requests(cursor, since):
                has_nameless = has_nameless or any(not row.key for row in found.unread)
                page, cursor = self._page(project, found, cursor)
                yield page
        if not has_nameless:
            cursor = msgspec.structs.replace(cursor, pull_requests_since=max(since or newest, newest))
        return cursor, has_nameless

    def _changed_pull_requests(self, cursor: Cursor, since: datetime) -> Iterator[Rows[Item]]:
        """Yield pages of the pull requests that changed since a time (UTC), latest change first."""
        after, guard = "", self._session.caller.guard(self._name, max_pages=MAX_PAGES_STORED)
        while True:
            answer = self._changed_page(queries.changed_pull_requests, api_types.ChangedPullRequests, cursor, after)
            found = read_rows(answer.pull_requests.nodes, self._read_item, normalize.unread_issue)
            recent = [row for row in found.read if row.updated_at >= since]
            yield Rows(recent, found.unread)
            if len(recent) < len(found.read) or not answer.pull_requests.page_info.has_next_page:
                return
            after = self._session.next_cursor(answer.pull_requests, guard, self._name)

    def _changed_page(self, document: Document, type_: type[T], cursor: Cursor, after: str) -> T:
        """Fetch a page of changed issues or pull requests, as many as GitHub can answer."""
        owner, short = self._session.split_name(cursor.name, self._name)
        while True:
            size = self._batch.size
            variables = {
                "owner": owner,
                "name": short,
                "since": f"{cursor.since:%Y-%m-%dT%H:%M:%SZ}" if cursor.since else None,
                "after": after or None,
                "first": size,
            }
            try:
                reply = self._session.query(
                    document,
                    variables,
                    dict[str, type_ | None],  # type: ignore[valid-type]
                    self._name,
                    divisible=size > 1,
                )
            except TooHeavyError:
                self._batch.shrink(size)
                continue
            self._batch.grow(size)
            self._session.raise_errors(_relevant(reply.errors), self._name)
            repository = (reply.data or {}).get("repository")
            if repository is None:
                raise GoneError(self._session.name, self._name)
            return repository

    def _neighbours(self, cursor: Cursor, project: Project, items: Sequence[Item], unread: Sequence[int]) -> Rows[Item]:
        """Fetch the issues of this repository that ``items`` block: GitHub does not update them when that changes.

        Also fetch the issues and pull requests with the numbers in ``unread``, which an earlier pull could not read.
        """
        issues = [item for item in items if isinstance(item, api_types.Issue)]
        references = [reference for issue in issues if issue.blocking for reference in issue.blocking.visible]
        numbers = {ref.number for ref in references if ref.repository.name_with_owner == project.key}
        if cursor.since is None:  # then all issues are read anyway
            numbers.clear()
        chunks = _chunks((numbers | set(unread)) - {issue.number for issue in issues})
        return Rows[Item]().join(self._items(cursor, chunk) for chunk in chunks)

    # --- pages -----------------------------------------------------------------------------------------------------

    def _page(self, project: Project, found: Rows[Item], cursor: Cursor) -> tuple[Page, Cursor]:
        """A page of issues and pull requests with their whole histories, and the cursor after it.

        Long timelines are read to their end. The cursor keeps the numbers of the rows that could not be read.
        """
        events, broken = self._timelines(cursor, found.read)
        items = [item for item in found.read if item.number not in broken]
        unread = [msgspec.structs.replace(row, project=project.id) for row in (*found.unread, *broken.values())]
        numbers = {int(row.key.removeprefix("#")) for row in unread if row.key}
        still = (set(cursor.unread) - {item.number for item in items}) | numbers
        cursor = msgspec.structs.replace(cursor, unread=tuple(sorted(still)))
        page = Page(
            projects=(project,),
            issues=tuple(self._session.issue_fields.fill(normalize.item(item, project), item) for item in items),
            histories={item.id: self._history(item, events[item.number]) for item in items},
            cursors={project.id: cursor.with_schema(self._session.schema.memory).encode()},
            unread=tuple(unread),
        )
        return page, cursor

    def _history(self, item: Item, changes: Sequence[api_types.Change]) -> tuple[Event, ...]:
        """The events of an item: its milestones and states, and the labels that decide when it was finished."""
        labels = normalize.label_history(item, self._session.recorded)
        return (*normalize.history(item.id, changes), *labels)

    def _timelines(
        self, cursor: Cursor, items: Sequence[Item]
    ) -> tuple[dict[int, list[api_types.Change]], dict[int, UnreadRow]]:
        """Fetch all events by number. Return also the issues and pull requests whose events cannot be read."""
        events = {item.number: list(item.timeline_items.nodes) for item in items}
        pages = {item.number: item.timeline_items for item in items if item.timeline_items.page_info.has_next_page}
        guards = {number: self._session.caller.guard(self._name) for number in pages}
        by_number = {item.number: item for item in items}
        broken: dict[int, UnreadRow] = {}
        while pages:
            for number, row in self._later_events(cursor, pages).items():
                try:
                    self._session.next_cursor(pages.pop(number), guards[number], self._name)
                    later = decode_row(row, api_types.Later, self._session.name, self._name).timeline_items
                except MalformedError as error:
                    broken[number] = _without_history(by_number[number], error.detail)
                    continue
                events[number] += later.nodes
                if later.page_info.has_next_page:
                    pages[number] = later
        return events, broken

    def _later_events(
        self, cursor: Cursor, pages: Mapping[int, api_types.Pages[api_types.Change]]
    ) -> Mapping[int, msgspec.Raw]:
        """Fetch the next page of events of some of these items, undecoded; ``pages`` has the last page by number."""
        owner, short = self._session.split_name(cursor.name, self._name)
        while True:
            batch = list(pages.items())[: self._batch.size]
            variables: dict[str, object] = {"owner": owner, "name": short}
            for i, (number, page) in enumerate(batch):
                variables |= {f"n{i}": number, f"c{i}": page.page_info.end_cursor}
            try:
                reply = self._session.query(
                    queries.later(len(batch)),
                    variables,
                    dict[str, dict[str, msgspec.Raw] | None],
                    self._name,
                    divisible=len(batch) > 1,
                )
            except TooHeavyError:
                self._batch.shrink(len(batch))
                continue
            self._session.raise_errors(reply.errors, self._name)
            repository = (reply.data or {}).get("repository")
            if repository is None:
                raise GoneError(self._session.name, self._name)
            return {number: repository.get(f"n{i}", _NULL) for i, (number, _) in enumerate(batch)}

    def _milestones(self, project_id: str, cursor: Cursor) -> Iterator[Page]:
        """Yield all milestones of the repository, if any of them changed.

        The cursor loses their ETags until the pull is complete: the list may change back to what it was before.
        """
        if self._probe.milestones is not None:
            forgotten = msgspec.structs.replace(cursor, milestone_etags=(), batch_state="").encode()
            yield Page(
                milestones=tuple(normalize.milestone(milestone, project_id) for milestone in self._probe.milestones),
                all_milestones=frozenset([project_id]),
                unread=tuple(msgspec.structs.replace(row, project=project_id) for row in self._probe.unread),
                cursors={project_id: forgotten} if cursor.milestone_etags else {},
            )

    def _last_page(self, project_id: str, cursor: Cursor, issues_etag: str | None = None) -> Page:
        """The page that completes the repository: only its cursor holds the ETags and the state of the batch probe.

        ``issues_etag`` replaces the probe's ETag, and then the next pull asks for changes; None keeps that.
        """
        complete = msgspec.structs.replace(
            cursor,
            next_number=0,
            read_count=0,
            issues_etag=self._probe.issues_etag if issues_etag is None else issues_etag,
            milestone_etags=self._probe.milestone_etags,
            batch_state=self._state if issues_etag is None else "",
        ).with_schema(self._session.schema.memory)
        return Page(complete=frozenset([project_id]), cursors={project_id: complete.encode()})


def _is_missing_number(error: api_types.Failure) -> bool:
    """Return whether the error says that a number belongs to no issue."""
    return error.type == "NOT_FOUND" and len(error.path or ()) == 2


def _relevant(errors: Sequence[api_types.Failure]) -> list[api_types.Failure]:
    """The errors without those about a neighbour of an issue: the token need not have the right to see neighbours."""
    return [error for error in errors if not NEIGHBOUR_FIELDS.intersection(error.path or ())]


def _chunks(numbers: Iterable[int]) -> list[list[int]]:
    """Sort numbers into chunks for one request each."""
    ordered = sorted(set(numbers))
    return [ordered[i : i + CHUNK] for i in range(0, len(ordered), CHUNK)]


def _without_history(issue: Item, reason: str) -> UnreadRow:
    return UnreadRow(
        project="",
        kind=UnreadKind.PULL_REQUEST if isinstance(issue, api_types.PullRequest) else UnreadKind.ISSUE,
        reason=f"its events: {reason}",
        id=issue.id,
        key=normalize.key_of(issue.number),
        milestones=(issue.milestone.id,) if issue.milestone else (),
    )


def _or_earliest(at: datetime | None) -> datetime:
    return at or datetime.min.replace(tzinfo=UTC)
