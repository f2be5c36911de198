"""Pull projects: their containers, and all their issues through one query."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from msgspec import Struct, structs

from connectors.jira import api_types, jql
from connectors.jira.containers import containers_of, kinds_of, search_for
from connectors.jira.containers.kind import JiraContainers, JiraKinds
from connectors.jira.containers.rules import Rules
from connectors.jira.containers.versions import Versions
from connectors.jira.cursor import OVERLAP, Cursor
from connectors.jira.normalize import blocked_keys, issue_of, named_changes, project_of, to_utc
from connectors.jira.people import with_lead
from connectors.jira.projects import resolve
from connectors.jira.search import Batch, Search, SearchStart
from connectors.jira.session import PROJECT_ERRORS, Session, for_project
from connectors.shared.containers import ContainerRows
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.http import attempt
from connectors.shared.responses import RowError, reading
from connectors.shared.rows import MANY, RETRY
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import DueDate, Event, Issue, UnreadKind, UnreadRow
from sync.tracker.errors import BusyError, MalformedError, RefusedError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["Reader"]

_PROJECTS = 200
"""Projects in one query."""

_KEYS = 100
"""Issues that one query asks for by key or id."""

EarlyStarts = Mapping[str, Future[SearchStart]]
"""Searches that were begun while the projects were resolved or their containers read, by query."""


class _Progress(Struct):
    """Progress of one project's pull.

    ``configured`` is the word in the configuration that named it. ``newest`` is where the next pull begins;
    ``updates`` are the times of update of recent issues by id. ``swept_at``, ``scope`` and ``query_matches`` are for
    its next `Cursor`. ``unread`` are the issues that could not be read, by id or else by key; ``has_nameless``: one of
    them has neither, so that only a pull from the same cursor asks for it again.
    """

    project: api_types.Project
    configured: str
    cursor: Cursor | None
    swept_at: datetime | None
    scope: str = ""
    query_matches: dict[str, tuple[str, ...]] = {}
    newest: datetime | None = None
    updates: dict[str, datetime] = {}
    unread: dict[str, UnreadRow] = {}
    has_nameless: bool = False
    has_failed: bool = False


class Reader:
    """Reader of all projects of a connection."""

    def __init__(self, session: Session, sweeps: SweepSchedule, rules: RuleMilestones) -> None:
        self._session, self._sweeps, self._rules = session, sweeps, rules

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield everything that changed, then the deletion sweeps that are due. See `Connector.pull`."""
        session = self._session
        known = {project: cursor for project, text in cursors.items() if (cursor := Cursor.decode(text))}
        session.recall(next((cursor.discovery for cursor in known.values() if cursor.discovery), None))
        session.version_lists = {project: cursor.versions for project, cursor in known.items() if cursor.versions}
        listed = self._listable(projects, known)
        history = session.history
        session.is_cloud  # noqa: B018  # the addresses of all other requests depend on it
        is_discovered = not session.undiscovered(history=history)
        expected = self._expected_cursors(projects[:_PROJECTS], known) if is_discovered else {}
        calls: list[Callable[[], Any]] = [
            lambda: session.discover(history=history),
            lambda: resolve(session, projects, listed),
            lambda: self._start_early(search_for(session, history=history), expected) if expected else {},
        ]
        _, (resolved, failed), early = session.caller.map_all(lambda call: call(), calls)
        search = search_for(session, history=history)
        complete: set[str] = set()
        latest: dict[str, str] = {}
        containers = containers_of(session, search, Rules(session, search, self._rules))
        usable = {project.key: self._usable_cursor(project, known) for project, _ in resolved[:_PROJECTS]}
        calls = [
            lambda: containers.read([project for project, _ in resolved]),
            lambda: early or (self._start_early(search, usable) if usable else {}),
        ]
        answers = session.caller.map_ahead(lambda call: call(), calls)
        rows = next(answers)
        failed |= {word: rows.failed[project.id] for project, word in resolved if project.id in rows.failed}
        readable = [(project, word) for project, word in resolved if project.id not in rows.failed]
        progress = self._progress(readable, containers, known)
        keys = {entry.project.id: entry.project.key for entry in progress}
        yield self._first_page(progress, rows, failed)
        early = next(answers)
        answers.close()
        for page in self._changes(search, containers, progress, early):
            latest |= page.cursors
            complete |= page.complete
            yield page
        ends = {project: cursor for project in sorted(complete) if (cursor := Cursor.decode(latest.get(project, "")))}
        due = [
            (project, keys[project], cursor) for project, cursor in ends.items() if self._sweeps.is_due(cursor.swept_at)
        ]
        yield from session.caller.map_ahead(lambda entry: self._sweep(search, *entry), due)

    def _scope(self, key: str) -> str:
        """The scope of a cursor: the project's key, and the fingerprint of its rules."""
        return f"{key} {self._rules.fingerprint(key)}".strip()

    def _listable(self, projects: Sequence[str], known: Mapping[str, Cursor]) -> Collection[str]:
        """The keys of projects whose versions are not read, or can be listed together."""
        if Versions not in kinds_of(self._session):
            return projects
        return {cursor.scope.partition(" ")[0] for cursor in known.values() if cursor.versions}

    def _expected_cursors(self, keys: Sequence[str], known: Mapping[str, Cursor]) -> dict[str, Cursor]:
        """The cursors of the projects that these keys named at the last pull; empty if one of them is uncertain."""
        by_scope: dict[str, list[Cursor]] = {}
        for cursor in known.values():
            if not cursor.lacks(self._session.custom_fields.ids, self._session.issue_options):
                by_scope.setdefault(cursor.scope, []).append(cursor)
        matches = [by_scope.get(self._scope(key), []) for key in keys]
        if any(len(cursors) != 1 for cursors in matches):
            return {}
        return {key: cursors[0] for key, cursors in zip(keys, matches, strict=True)}

    def _start_early(self, search: Search, cursors: Mapping[str, Cursor | None]) -> EarlyStarts:
        """Begin the search while the projects are resolved, or their containers are read; return it by its query.

        If other projects are resolved, or the containers of one cannot be read, the query differs, and this answer is
        dropped. Otherwise it is the same request that would follow, so its errors count, too.
        """
        where = _where(self._session, cursors)
        return {where: attempt(lambda: _begin(search, where, cursors))}

    def _sweep(self, search: Search, project: str, key: str, cursor: Cursor) -> Page:
        """List the ids of all issues of a project."""
        try:
            ids = search.ids(jql.any_of("project", [key]))
        except RowError as error:
            return Page(unread=(UnreadRow(project=project, kind=UnreadKind.LIST, reason=error.detail),))
        except PROJECT_ERRORS as error:
            return Page(failed={key: for_project(error, key)})
        swept = structs.replace(cursor, swept_at=self._sweeps.now())
        return Page(all_issues={project: ids}, cursors={project: swept.encode()})

    def _usable_cursor(self, project: api_types.Project, cursors: Mapping[str, Cursor]) -> Cursor | None:
        """The cursor of a project; None if its scope, the fields or the options are others now."""
        cursor, scope = cursors.get(project.id), self._scope(project.key)
        if cursor is None or (cursor.scope != scope and (cursor.scope or " " in scope)):
            return None
        return None if cursor.lacks(self._session.custom_fields.ids, self._session.issue_options) else cursor

    def _progress(
        self,
        resolved: Sequence[tuple[api_types.Project, str]],
        containers: JiraKinds,
        cursors: Mapping[str, Cursor],
    ) -> list[_Progress]:
        entries: list[_Progress] = []
        for project, configured in resolved:
            cursor, scope = self._usable_cursor(project, cursors), self._scope(project.key)
            swept_at = cursor.swept_at if cursor else self._sweeps.now()
            matches = containers.matches(project.id)
            entries.append(_Progress(project, configured, cursor, swept_at, scope, matches))
        return entries

    def _first_page(self, progress: Sequence[_Progress], rows: ContainerRows, failed: dict[str, TrackerError]) -> Page:
        """The page with all projects and milestones."""
        return Page(
            projects=tuple(project_of(entry.project, self._session.site) for entry in progress),
            milestones=tuple(
                with_lead(row, entry.project.lead) for entry in progress for row in rows.milestones[entry.project.id]
            ),
            all_milestones=frozenset(entry.project.id for entry in progress),
            failed=failed,
            unread=tuple(rows.unread),
            work_time=self._session.work_time,
        )

    def _changes(
        self, search: Search, containers: JiraKinds, progress: Sequence[_Progress], early: EarlyStarts
    ) -> Iterator[Page]:
        """Yield the pages of issues."""
        stale = {
            kind: {
                issue
                for entry in progress
                if entry.cursor is not None
                for issue in kind.stale(entry.project.id, entry.cursor.query_matches)
            }
            for kind in containers.kinds
        }
        for n in range(0, len(progress), _PROJECTS):
            batch = progress[n : n + _PROJECTS]
            yield from _IssueReader(self._session, search, containers, batch, early, stale).pages()


def _where(session: Session, cursors: Mapping[str, Cursor | None]) -> str:
    """The query for the issues to read, by the cursors of project keys."""
    keys: dict[str, list[str]] = {}
    for key, cursor in cursors.items():
        keys.setdefault(_since(session, cursor) if cursor else "", []).append(key)
    parts = [" AND ".join(filter(None, [jql.any_of("project", own), since])) for since, own in keys.items()]
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)


def _since(session: Session, cursor: Cursor) -> str:
    """The condition for the issues of a project with a cursor: projects whose cursors are of one minute share it."""
    created = cursor.created_until
    field, at = ("created", created) if created else ("updated", cursor.newest - OVERLAP)
    return jql.since(field, at, session.time_zone)


def _begin(search: Search, where: str, cursors: Mapping[str, Cursor | None]) -> SearchStart:
    are_known = [cursor is not None and cursor.created_until is None for cursor in cursors.values()]
    if all(are_known):
        return search.begin_newest(where, projects=len(cursors))
    return search.begin(where) if any(are_known) else search.begin_all(where)


# --- issues -----------------------------------------------------------------------------------------------------


class _IssueReader:
    """Reader of the issues of several projects: changes of projects with a cursor, everything of the others."""

    def __init__(
        self,
        session: Session,
        search: Search,
        containers: JiraKinds,
        projects: Sequence[_Progress],
        early: EarlyStarts,
        stale: Mapping[JiraContainers, set[str]],
    ) -> None:
        self._stale = stale
        self._session, self._search, self._containers, self._early = session, search, containers, early
        self._by_id = {progress.project.id: progress for progress in projects}
        self._by_key = {progress.project.key: progress for progress in projects}
        self._categories = session.categories if search.history else {}
        self._points = len(session.custom_fields.points)
        self._blocked_link = session.blocked_link

    def pages(self) -> Iterator[Page]:
        """Yield the pages; the last page completes the projects that did not fail."""
        cursors = {key: progress.cursor for key, progress in self._by_key.items()}
        where = _where(self._session, cursors)
        try:
            start = self._early[where].result() if where in self._early else _begin(self._search, where, cursors)
            self._correct_projects(start.first)
            for progress in self._by_id.values():
                progress.newest = _newest(progress, start.newest, start.first.issues)
            yield from self._walk(start)
        except PROJECT_ERRORS as error:
            if len(self._by_id) == 1 or isinstance(error, BusyError):
                failed = {}
                for progress in self._running():
                    progress.has_failed = True
                    failed[progress.configured] = for_project(error, progress.project.key)
                yield Page(failed=failed)
            else:
                yield from self._halves()

    def _halves(self) -> Iterator[Page]:
        """Read each half of the projects: an answer for several does not say whose fault it has."""
        running = self._running()
        for part in jql.halves(running) or filter(None, [running]):
            yield from _IssueReader(self._session, self._search, self._containers, part, {}, self._stale).pages()

    def _walk(self, start: SearchStart) -> Iterator[Page]:
        yield from self._unread_before()
        first, rest = start.first, start.rest
        if rest is None:
            new = [issue for issue in first.issues if self._is_new(issue)]
            histories = self._search.histories(new, is_plain=start.is_plain)
            page = self._page(Batch(new, histories, first.unread), received=first.issues)
            yield from self._blocked_issues(new)
            yield from self._changed_matches()
            yield self._last_page(page)
            return
        yield from self._changed_matches()
        for batch in rest:
            self._correct_projects(batch)
            new = [issue for issue in batch.issues if self._is_new(issue)]
            page = self._page(Batch(new, batch.histories, batch.unread), received=batch.issues)
            yield from self._blocked_issues(new)
            yield self._with_cursors(page, batch)
        yield self._last_page(Page())

    def _blocked_issues(self, changed: Sequence[api_types.Issue]) -> Iterator[Page]:
        """Read the issues that ``changed`` block: Jira does not update them with a blocker."""
        pulled = {key for key, p in self._by_key.items() if p.cursor is not None and not p.has_failed}
        keys = {key for issue in changed for key in blocked_keys(issue, self._blocked_link)}
        rest = keys - {issue.key for issue in changed}
        yield from self._read_again("key", sorted(key for key in rest if key.rpartition("-")[0] in pulled))

    def _changed_matches(self) -> Iterator[Page]:
        """Read the issues whose memberships changed without an update of theirs: see `JiraContainers.stale`."""
        keys = [progress.project.key for progress in self._running() if progress.cursor is not None]
        for kind, ids in self._stale.items() if keys else ():
            yield from self._read_where(partial(_affected, kind, keys), sorted(ids))

    def _unread_before(self) -> Iterator[Page]:
        """Read the issues that earlier pulls could not read."""
        words = {word for progress in self._running() if progress.cursor for word in progress.cursor.unread}
        for field, values in (
            ("id", sorted(word for word in words if word.isdecimal())),
            ("key", sorted(word for word in words if not word.isdecimal())),
        ):
            for n in range(0, len(values), RETRY):
                yield from self._read_again(field, values[n : n + RETRY])

    def _read_again(self, field: str, values: Sequence[str]) -> Iterator[Page]:
        """Read issues by key or id."""
        yield from self._read_where(lambda part: jql.any_of(field, part), values)

    def _read_where(self, where: Callable[[Sequence[str]], str], values: Sequence[str]) -> Iterator[Page]:
        """Read the issues of a query about these keys or ids.

        If one of them was deleted meanwhile, Jira refuses the query: then read each half.
        """
        if len(values) > _KEYS:
            for n in range(0, len(values), _KEYS):
                yield from self._read_where(where, values[n : n + _KEYS])
        elif values:
            try:
                start = self._search.begin(where(values))
            except RefusedError:
                for part in jql.halves(values):
                    yield from self._read_where(where, part)
                return
            first = start.first
            for batch in start.rest or [Batch(first.issues, self._search.histories(first.issues), first.unread)]:
                self._correct_projects(batch)
                yield self._page(batch, received=())

    def _correct_projects(self, batch: Batch) -> None:
        """Set the project of each issue by its key: a merged or imported Jira may name another project id."""
        for issue in batch.issues:
            progress = self._by_key.get(issue.key.rpartition("-")[0])
            if progress is not None and issue.fields.project.id not in self._by_id:
                issue.fields.project = api_types.IdRef(progress.project.id)

    def _is_new(self, issue: api_types.Issue) -> bool:
        progress = self._by_id.get(issue.fields.project.id)
        cursor = progress.cursor if progress else None
        return cursor is None or cursor.seen_updates.get(issue.id) != to_utc(issue.fields.updated)

    def _page(self, batch: Batch, received: Sequence[api_types.Issue]) -> Page:
        """The page of a batch. ``received`` are all issues that Jira sent, the batch holds only the new ones."""
        running = {progress.project.id: progress for progress in self._running()}
        starts = {
            project: owner.newest and owner.newest - OVERLAP - timedelta(minutes=1)
            for project, owner in running.items()
        }
        for row in received:
            project, updated = row.fields.project.id, to_utc(row.fields.updated)
            if project in running and ((start := starts[project]) is None or updated >= start):
                running[project].updates[row.id] = updated
        self._refresh_categories(batch)
        self._containers.prepare(batch)
        issues: list[Issue] = []
        histories: dict[str, tuple[Event, ...]] = {}
        dates: dict[str, tuple[DueDate, ...]] = {}
        unread = [*batch.unread]
        for row in batch.issues:
            if row.fields.project.id not in running:
                continue
            try:
                issue, events = self._issue(row, batch)
            except MalformedError as error:
                unread.append(self._without_history(row, error.detail))
                continue
            issues.append(issue)
            if batch.histories is not None:
                histories[issue.id] = events
                dates |= self._containers.due_dates(row, batch.histories.get(row.id, []))
        named = [self._with_owner(row) for row in unread]
        failed = self._unreadable_projects(named, received)
        return Page(
            issues=tuple(issues),
            histories=histories,
            due_dates=dates,
            failed={self._by_id[project].configured: error for project, error in failed.items()},
            unread=tuple(row for row in named if row.project not in failed),
        )

    def _unreadable_projects(
        self, unread: Sequence[UnreadRow], received: Sequence[api_types.Issue]
    ) -> dict[str, TrackerError]:
        """Fail the projects of which Jira sent `MANY` issues or more and none can be read. Return the errors by id."""
        readable = {row.fields.project.id for row in received}
        failed: dict[str, TrackerError] = {}
        for progress in self._running():
            own = [row for row in unread if row.project == progress.project.id]
            if received and len(own) >= MANY and progress.project.id not in readable:
                progress.has_failed = True
                failed[progress.project.id] = RowError(self._session.name, progress.project.key, own[0].reason)
        return failed

    def _with_owner(self, row: UnreadRow) -> UnreadRow:
        """Note a row that cannot be read in its project, and return it with that project.

        Raises `MalformedError` if the row does not say its project.
        """
        owner = self._by_id.get(row.project) or self._by_key.get(row.key.rpartition("-")[0])
        if owner is None:
            if len(self._by_id) > 1:
                raise MalformedError(self._session.name, "", row.reason)
            (owner,) = self._by_id.values()
        row = structs.replace(row, project=owner.project.id)
        owner.unread[row.id or row.key] = row
        owner.has_nameless = owner.has_nameless or not (row.id or row.key)
        return row

    def _without_history(self, row: api_types.Issue, reason: str) -> UnreadRow:
        return UnreadRow(
            project=row.fields.project.id,
            kind=UnreadKind.ISSUE,
            reason=reason,
            id=row.id,
            key=row.key,
            milestones=self._containers.now(row),
        )

    def _refresh_categories(self, batch: Batch) -> None:
        """Read the status categories again if a history names an unknown status."""
        entries = (entry for history in (batch.histories or {}).values() for entry in history)
        changes = (change for entry in entries for change in entry.items if change.to)
        statuses = {change.to for change in changes if (change.fieldId or change.field) == "status"}
        if not statuses <= self._categories.keys():
            self._categories = dict(self._session.refresh_categories())

    def _issue(self, row: api_types.Issue, batch: Batch) -> tuple[Issue, tuple[Event, ...]]:
        """Convert an issue. Raises `MalformedError` if its changelog or its values cannot be used."""
        status = row.fields.status
        if self._categories:
            self._categories.setdefault(status.id, status.statusCategory.key)
        broken = batch.histories.broken.get(row.id) if batch.histories is not None else None
        if broken is not None:
            raise MalformedError(self._session.name, "", f"its changelog: {broken}")
        histories = None if batch.histories is None else batch.histories.get(row.id, [])
        with reading(self._session.name):
            issue, events = issue_of(
                row,
                histories,
                self._categories,
                self._session.site,
                points=self._points,
                blocked_link=self._blocked_link,
                containers=self._containers,
            )
            return issue, (*events, *self._named_changes(row, histories or ()))

    def _named_changes(self, row: api_types.Issue, histories: Sequence[api_types.History]) -> Iterator[Event]:
        """Yield the events of labels and states that decide when an issue was finished."""
        recorded = self._session.recorded
        if not recorded:
            return iter(())
        names = {**self._session.status_names, row.fields.status.id: row.fields.status.name} if recorded.states else {}
        return named_changes(row, histories, recorded, names)

    def _running(self) -> list[_Progress]:
        return [progress for progress in self._by_id.values() if not progress.has_failed]

    def _stamped(self, cursor: Cursor, progress: _Progress) -> Cursor:
        """The cursor with what was not read, with the fields and options for which the rest was, and its versions."""
        session = self._session
        return structs.replace(
            cursor,
            unread=_handles(progress),
            fields=session.custom_fields.ids,
            containers=session.issue_options,
            versions=session.version_lists.get(progress.project.id, ""),
        )

    def _with_cursors(self, page: Page, batch: Batch) -> Page:
        """The page with the cursors of first pulls. Any other pull begins again if it is interrupted."""
        if not batch.issues:
            return page
        created = max(to_utc(issue.fields.created) for issue in batch.issues)
        cursors = {
            p.project.id: self._stamped(Cursor(p.newest, created, swept_at=p.swept_at), p).encode(p.scope)
            for p in self._running()
            if p.newest is not None and (p.cursor is None or p.cursor.created_until is not None) and not p.has_nameless
        }
        return structs.replace(page, cursors=cursors, complete=frozenset())

    def _last_page(self, page: Page) -> Page:
        """The page with the final cursors, completing the projects that did not fail."""
        running = self._running()
        ends = {
            p.project.id: self._stamped(Cursor.after_pull(p.newest, p.updates, p.swept_at), p)
            for p in running
            if p.newest is not None and not p.has_nameless
        }
        if ends:
            first = min(ends)
            ends[first] = structs.replace(ends[first], discovery=self._session.discovery())
        cursors = {
            project: cursor.encode(self._by_id[project].scope, self._by_id[project].query_matches)
            for project, cursor in ends.items()
        }
        return structs.replace(page, cursors=cursors, complete=frozenset(p.project.id for p in running))


def _affected(kind: JiraContainers, projects: Sequence[str], ids: Sequence[str]) -> str:
    """The query for the issues of these projects (keys) whose memberships in this kind depend on ``ids``."""
    return f"({kind.affected(ids)}) AND {jql.any_of('project', projects)}"


def _handles(progress: _Progress) -> tuple[str, ...]:
    """The ids or keys by which the next pull asks for unread issues again."""
    return tuple(sorted(progress.unread))


def _newest(progress: _Progress, newest: datetime | None, issues: Sequence[api_types.Issue]) -> datetime | None:
    """The time where the next pull begins: the newest update when this pull began.

    A single batch is read within moments, so its own newest update counts. A walk of many pages takes time, so
    ``newest`` is what Jira said at its beginning. An interrupted first pull keeps the time of its own beginning.
    """
    cursor = progress.cursor
    if cursor is not None and cursor.created_until is not None:
        return cursor.newest
    own = [to_utc(issue.fields.updated) for issue in issues if issue.fields.project.id == progress.project.id]
    latest = newest or max(own, default=None)
    if cursor is None:
        return latest
    return cursor.newest if latest is None else max(latest, cursor.newest)
