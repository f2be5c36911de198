"""Pull projects: milestones, issues and histories; everything, or what changed.

A project's first request for issues asks for the newest updates. Projects of a group that are pulled together share one
such request. If a few pages hold all changes, the pull ends there. Otherwise the rows are walked in the order of
creation (`connectors.gitlab.issue_pages`). The next pull begins at the newest update of the first request, less
an overlap: an issue that is edited during the walk is newer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Raw, Struct, structs

from connectors.gitlab import api_types
from connectors.gitlab.containers import GROUP_KINDS, WORDS
from connectors.gitlab.containers.kind import GitLabContainers
from connectors.gitlab.containers.milestones import Milestones
from connectors.gitlab.cursor import OVERLAP, Cursor, ListCursor, MergeRequestCursor
from connectors.gitlab.group_containers import GroupContainers
from connectors.gitlab.history_rest import (
    Histories,
    HistoryRequest,
    IssueHistory,
    needs_history,
    without_history,
)
from connectors.gitlab.issue_pages import ALL, FEW_PAGES, ISSUES, MAX_COUNTED, Newest, newest_rows, walk
from connectors.gitlab.merge_requests import MergeRequestReader, newest_merge_requests
from connectors.gitlab.normalize import (
    group_of,
    issue_of,
    number_of,
    project_of,
    unread_issue,
)
from connectors.gitlab.options import HISTORY
from connectors.gitlab.project_list import list_siblings
from connectors.gitlab.project_probe import ProbedProject, probe_keys, probe_projects
from connectors.gitlab.session import PROJECT_ERRORS, Session
from connectors.shared.containers import Containers
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.http import attempt
from connectors.shared.paths import path_of
from connectors.shared.responses import RowError, decode
from connectors.shared.rows import RETRY, Rows, fields_of, word_at
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import Issue, Project, State, UnreadKind, UnreadRow
from sync.tracker.errors import GoneError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["Reader"]

BATCH, BATCH_WITH_HISTORIES = 250, 100
"""Issues in one page of a pull: few enough to store often, and fewer where their histories take requests."""


CANCELED = "canceled"
"""Resolution of an issue that was closed with a status of the category Canceled."""


class _ProjectGroup(Struct, frozen=True):
    """Projects that are pulled together: the projects of a group, or (with an empty ``group``) single projects.

    ``error`` is that of a project of the group that cannot be read.
    """

    projects: list[Project]
    group: str = ""
    error: TrackerError | None = None


class _SharedStart(Struct, frozen=True):
    """Newest issues and merge requests of a whole group; None where they are asked project by project."""

    issues: Newest[api_types.Issue] | None = None
    merge_requests: Newest[api_types.MergeRequest] | None = None


_NOTHING_SHARED = _SharedStart()


class _ProjectStart(Struct, frozen=True):
    """First answers of one project: its milestones, newest issues and newest merge requests.

    ``newest_issues`` is empty where a walk continues. ``newest`` is the newest update (UTC) when reading began,
    ``newest_change`` that of the merge requests. ``merge_requests`` is None where they are not read.
    """

    milestones: Milestones
    newest_issues: Newest[api_types.Issue]
    newest: datetime | None
    merge_requests: Newest[api_types.MergeRequest] | None = None
    newest_change: datetime | None = None


class _Batch(Struct, frozen=True):
    """Issues with their histories, and the issues that cannot be read."""

    issues: list[Issue]
    histories: list[IssueHistory]
    unread: list[UnreadRow]


class _Walked(Struct, frozen=True):
    """A batch of a walk without its rows, which would fill the memory: many batches wait until they are stored.

    ``late`` are the rows that changed after the walk began, or shortly before. ``reached`` is the creation of the last
    row, None without rows. ``closing`` are the numbers of the issues that merge requests close.
    """

    batch: _Batch
    late: list[api_types.Issue]
    reached: datetime | None
    closing: set[int]


class _Options(Struct, frozen=True):
    sweeps: SweepSchedule
    rules: RuleMilestones
    history: str
    status_labels: frozenset[str]
    containers: tuple[str, ...]
    merge_requests: bool

    def scope(self, path: str) -> str:
        """The scope of a cursor: the project's path, the fingerprint of its rules, and the options that differ from
        their defaults: the kinds of containers, and which histories are read.
        """
        kinds = "" if self.containers == WORDS[:1] else "+".join(self.containers)
        history = "" if self.history == HISTORY[0] else self.history
        return " ".join(part for part in (path, self.rules.fingerprint(path), kinds, history) if part)

    def reads_merge_requests(self, cursor: Cursor) -> bool:
        """Return whether a project's merge requests are read.

        Those of a project that were read before stay up to date, as stored ones are shown, counted or not.
        """
        return self.merge_requests or cursor.merge_requests is not None


# --- projects ------------------------------------------------------------------------------------------------------


class Reader:
    """Reader of all projects of a connection.

    ``history`` is a value of `HISTORY`; ``status_labels`` are the labels of our own status issues; ``containers`` are
    some of `connectors.gitlab.containers.WORDS`. ``merge_requests``: those that are or were in a milestone are read,
    too. False: only in projects where they were read before.
    """

    def __init__(
        self,
        session: Session,
        sweeps: SweepSchedule,
        rules: RuleMilestones,
        history: str = HISTORY[0],
        status_labels: Sequence[str] = (),
        containers: tuple[str, ...] = WORDS[:1],
        *,
        merge_requests: bool = True,
    ) -> None:
        self._session = session
        self._options = _Options(sweeps, rules, history, frozenset(status_labels), containers, merge_requests)

    def pull(self, projects: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
        """Yield what changed. A project is a path or number, or a group's path with or without ``/*``.

        See `Connector.pull`.
        """
        before = {project: Cursor.decode(text) for project, text in cursors.items()}
        probed = probe_keys(self._session, projects) if len(projects) > 1 else {}
        rest = [key for key in projects if key not in probed]
        has_probes = len(projects) > 1 and self._session.has_probes
        expected = {} if has_probes else _expected_projects(rest[: 2 * self._session.concurrency], before)

        def early_start(project: str) -> Future[_ProjectStart | TrackerError]:
            return attempt(lambda: self._start(project, expected[project], before[project]))

        shown = {key: found.project for key, found in probed.items()} | list_siblings(self._session, rest)
        rest = [key for key in rest if key not in shown]
        calls: list[Callable[[], Any]] = [partial(_resolve, self._session, key) for key in rest]
        calls += [partial(early_start, project) for project in expected]
        answers = self._session.caller.map_all(lambda call: call(), calls)
        resolved = {key: _ProjectGroup([project]) for key, project in shown.items()}
        resolved |= dict(zip(rest, answers[: len(rest)], strict=True))
        groups, order, failed = _groups_of((key, resolved[key]) for key in projects)
        yield from (Page(failed={key: error}) for key, error in failed)
        known = {project.id: project for group in groups for project in group.projects}
        latest = {
            id_: cursor.for_scope(self._options.scope(known[id_].key if id_ in known else ""))
            for id_, cursor in before.items()
        }
        containers = self._read_containers(list(known.values()), latest)
        latest = {
            id_: Cursor() if id_ in known and containers.are_new(known[id_]) else cursor
            for id_, cursor in latest.items()
        }
        starts = dict(zip(expected, answers[len(rest) :], strict=True))
        early = {project: start for project, start in starts.items() if latest[project] is before[project]}
        states = self._states(known.values(), {found.id: found for found in probed.values()}, order, containers)
        quiet = {
            id_
            for id_, state in states.items()
            if id_ in latest and self._is_quiet(known[id_], latest[id_], state, order, containers)
        }
        if quiet:
            yield Page(complete=frozenset(quiet))
        latest |= {id_: structs.replace(latest.get(id_, Cursor()), state=states.get(id_, "")) for id_ in known}
        for group in groups:
            changed = [project for project in group.projects if project.id not in quiet]
            yield from self._pull_group(structs.replace(group, projects=changed), latest, early, order, containers)

    def _states(
        self,
        projects: Collection[Project],
        probed: dict[str, ProbedProject],
        order: Sequence[str],
        containers: GroupContainers,
    ) -> dict[str, str]:
        """Return the states of the projects that can be probed, by id; of a single project none: that saves nothing.

        ``probed`` are those that were probed already, by id.
        """
        if len(projects) > 1:
            probed = probed | probe_projects(self._session, [each for each in projects if each.id not in probed])
        states: dict[str, str] = {}
        for project in projects:
            if project.id in probed:
                is_own = partial(_owns, project, order, containers)
                listed = [row for row in containers.milestones(project) if is_own(group_of(row.url), row.id)]
                settings = [self._options.containers, self._options.merge_requests, listed]
                states[project.id] = probed[project.id].state(project, is_own, settings)
        return states

    def _is_quiet(
        self, project: Project, cursor: Cursor, state: str, order: Sequence[str], containers: GroupContainers
    ) -> bool:
        """Return whether a project is as it was at its last complete pull, and nothing else is due."""
        if not state or state != cursor.state or self._options.sweeps.is_due(cursor.swept_at):
            return False
        listed = containers.milestones(project)
        home = [row for row in listed if _owns(project, order, containers, group_of(row.url), row.id)]
        return containers.are_unchanged(project, home)

    def _read_containers(self, projects: Sequence[Project], cursors: Mapping[str, Cursor]) -> GroupContainers:
        """Read the iterations and epics of all projects, if they are named in the options."""
        kinds = [kind for kind in GROUP_KINDS if kind.word in self._options.containers]
        containers = GroupContainers(self._session, kinds, self._options.sweeps.now())
        containers.read(projects, {id_: cursor.containers for id_, cursor in cursors.items()})
        return containers

    def _pull_group(
        self,
        group: _ProjectGroup,
        cursors: Mapping[str, Cursor],
        early: Mapping[str, Future[_ProjectStart | TrackerError]],
        order: Sequence[str],
        containers: GroupContainers,
    ) -> Iterator[Page]:
        """Pull the projects of a group. ``early`` holds the starts that were requested already."""
        shared = self._shared_start(group, cursors)

        def start_of(project: Project) -> _ProjectStart | TrackerError:
            future, cursor = early.get(project.id), cursors.get(project.id, Cursor())
            return future.result() if future else self._start(project.id, project.key, cursor, shared)

        width = 2 * self._session.concurrency
        for n in range(0, len(group.projects), width):
            batch = group.projects[n : n + width]
            for project, start in zip(batch, self._session.caller.map_all(start_of, batch), strict=True):
                try:
                    if isinstance(start, TrackerError):
                        raise start
                    if project.id in containers.failed:
                        raise containers.failed[project.id]
                    cursor = cursors.get(project.id, Cursor())
                    reader = _ProjectReader(self._session, self._options, project, start, cursor, containers)
                    yield from reader.pages(order)
                except PROJECT_ERRORS as error:
                    yield Page(failed={project.key: error})

    def _shared_start(self, group: _ProjectGroup, cursors: Mapping[str, Cursor]) -> _SharedStart:
        """Fetch the changes of a whole group, on its first pull its newest update only; nothing without a group."""
        if not group.group or len(group.projects) < 2:
            return _SharedStart()
        known = [cursors.get(project.id, Cursor()) for project in group.projects]
        since = [cursor.since for cursor in known if cursor.since is not None and cursor.created_until is None]
        path, pages = path_of("/groups/{}", group.group), FEW_PAGES if since else 1
        lists = [cursor.merge_requests for cursor in known if cursor.merge_requests]
        changed = [each.since for each in lists if each.since is not None and each.created_until is None]
        calls: list[Callable[[], Any]] = [
            lambda: newest_rows(self._session, ISSUES, path, group.group, min(since, default=None), pages)
        ]
        if changed:
            cursor = MergeRequestCursor(since=min(changed))
            calls.append(lambda: newest_merge_requests(self._session, path, group.group, cursor))
        try:
            answers = self._session.caller.map_all(lambda call: call(), calls)
        except PROJECT_ERRORS:
            return _SharedStart()
        are_named = (rows is None or all(row.project for row in rows.rows.unread) for rows in answers)
        return _SharedStart(*(rows if named else None for rows, named in zip(answers, are_named, strict=True)))

    def _start(
        self, project: str, key: str, cursor: Cursor, shared: _SharedStart = _NOTHING_SHARED
    ) -> _ProjectStart | TrackerError:
        """Fetch the milestones, newest issues and newest merge requests of a project (id).

        Return an error that concerns it alone. A project that never had a milestone is asked for merge requests when
        its milestones were answered.
        """
        path, since = path_of("/projects/{}", project), cursor.since
        newest: Newest[api_types.Issue] | None = None
        if cursor.created_until is not None:
            newest = Newest()
        elif shared.issues is not None and shared.issues.is_complete and since is not None:
            newest = shared.issues.of_project(project, since)
        milestones = Milestones(self._session)
        own = [Project(id=project, key=key, name="", url="")] if Milestones.word in self._options.containers else []
        merge_requests = partial(self._newest_merge_requests, path, project, key, cursor.merge_requests, shared)
        calls: list[Callable[[], Any]] = [
            lambda: milestones.read(own),
            lambda: newest or newest_rows(self._session, ISSUES, path, key, since),
        ]
        if cursor.merge_requests is not None:
            calls.append(merge_requests)
        try:
            found, issues, *changes = self._session.caller.map_all(lambda call: call(), calls)
            if not changes and self._options.reads_merge_requests(cursor) and any(found.milestones.values()):
                changes = [merge_requests()]
        except PROJECT_ERRORS as error:
            return error
        change = changes[0] if changes else None
        before = cursor.merge_requests or MergeRequestCursor()
        return _ProjectStart(
            milestones,
            issues,
            _newest_update(cursor, issues, shared.issues),
            change,
            _newest_update(before, change, shared.merge_requests),
        )

    def _newest_merge_requests(
        self, path: str, project: str, key: str, cursor: MergeRequestCursor | None, shared: _SharedStart
    ) -> Newest[api_types.MergeRequest] | None:
        """Fetch the newest merge requests of a project; None where they may not be read."""
        cursor, group = cursor or MergeRequestCursor(), shared.merge_requests
        if group is not None and group.is_complete and cursor.since is not None and cursor.created_until is None:
            return group.of_project(project, cursor.since)
        return newest_merge_requests(self._session, path, key, cursor)


def _groups_of(
    answers: Iterable[tuple[str, _ProjectGroup | TrackerError]],
) -> tuple[list[_ProjectGroup], list[str], list[tuple[str, TrackerError]]]:
    """Sort what each key names: single projects together, then the groups; each project once.

    Return also the order of the paths, in which keys that failed for now have their place, and the errors by key.
    """
    single, groups = _ProjectGroup([]), list[_ProjectGroup]()
    order, failed, ids = list[str](), list[tuple[str, TrackerError]](), set[str]()
    for key, answer in answers:
        if isinstance(answer, TrackerError):
            failed.append((key, answer))
            order += [] if isinstance(answer, GoneError) else [key]
            continue
        if answer.error is not None:
            failed.append((key, answer.error))
        new = [project for project in answer.projects if project.id not in ids]
        ids |= {project.id for project in new}
        order += [project.key for project in new]
        if answer.group:
            groups.append(_ProjectGroup(new, answer.group))
        else:
            single.projects.extend(new)
    return [single, *groups], order, failed


def _owns(project: Project, order: Sequence[str], containers: GroupContainers, group: str, milestone: str) -> bool:
    """Return whether a project is the home of a milestone (id) of a group, or of its own, without a group.

    A milestone of a group belongs to the first project in ``order`` below that group, so that it has one project even
    if some projects fail.
    """
    if not group:
        return True
    homes = (key for key in order if key.startswith(f"{group}/") and containers.may_hold(key, milestone))
    return next(homes, project.key) == project.key


def _newest_update(cursor: ListCursor, own: Newest[Any] | None, shared: Newest[Any] | None) -> datetime | None:
    """The newest update (UTC) of a list when its reading began."""
    if cursor.created_until is not None:
        return cursor.newest
    times = [newest.updated_at for newest in (own, shared) if newest is not None]
    return max((at for at in times if at is not None), default=None)


def _expected_projects(keys: Sequence[str], cursors: Mapping[str, Cursor]) -> dict[str, str]:
    """The projects that these keys named at the last pull: id -> path.

    Their starts are requested by id while the keys are resolved. The start of a project that was renamed, or that the
    key does not name, is dropped. Any other start is the same request that would follow, so its errors count, too.
    """
    paths = {project: cursor.scope.partition(" ")[0] for project, cursor in cursors.items() if cursor.scope}
    matches = [[project for project, path in paths.items() if key in (project, path)] for key in keys]
    return {project: paths[project] for project, *others in filter(None, matches) if not others}


def _resolve(session: Session, key: str) -> _ProjectGroup | TrackerError:
    """Resolve a key to its project, or to all projects of a group and its subgroups."""
    try:
        if key.endswith("/*"):
            return _resolve_group(session, key, key.removesuffix("/*"))
        try:
            answer = session.get(path_of("/projects/{}", key), key)
        except GoneError as error:
            try:
                return _resolve_group(session, key, key)
            except GoneError:
                return error
        return _ProjectGroup([project_of(decode(answer, api_types.Project, session.name, key))])
    except PROJECT_ERRORS as error:
        return error


def _resolve_group(session: Session, key: str, path: str) -> _ProjectGroup:
    parameters = {
        "include_subgroups": "true",
        "with_shared": "false",
        "archived": "false",
        "order_by": "id",
        "sort": "asc",
    }
    errors: list[TrackerError] = []

    def describe(row: Raw, reason: str) -> UnreadRow:
        number = word_at(fields_of(row), "id")
        errors.append(RowError(session.name, key, f"project {number}: {reason}" if number else reason))
        return UnreadRow(project=number, kind=UnreadKind.LIST, reason=reason)

    address = path_of("/groups/{}/projects", path)
    rows = session.readable_rows(api_types.Project, address, key, describe, **parameters)
    return _ProjectGroup([project_of(row) for row in rows.read], path, next(iter(errors), None))


# --- one project ---------------------------------------------------------------------------------------------------


class _ProjectReader:
    """Reader of one project."""

    def __init__(
        self,
        session: Session,
        options: _Options,
        project: Project,
        start: _ProjectStart,
        cursor: Cursor,
        containers: GroupContainers,
    ) -> None:
        self._session, self._options, self._project, self._start = session, options, project, start
        self._containers = containers
        self._memories = cursor.containers
        own_kinds = [start.milestones] if Milestones.word in options.containers else []
        self._kinds: list[GitLabContainers] = [*own_kinds, *containers.kinds(project)]
        own = start.milestones.rows.milestones.get(project.id, ())
        self._milestones = [*own, *containers.milestones(project)]
        """All containers that an issue of the project can be in."""
        self._histories = Histories(session, project.key, self._kinds)
        self._merge_requests = MergeRequestReader(
            session,
            project,
            start.milestones,
            cursor.merge_requests,
            start.merge_requests,
            start.newest_change,
            options.history,
        )
        self._is_first_pull = cursor.since is None
        needs_sweep_time = self._is_first_pull and cursor.swept_at is None
        self._state = cursor.state
        cursor = structs.replace(cursor, state="")  # until the pull is complete
        self._cursor = cursor.after_sweep(options.sweeps.now()) if needs_sweep_time else cursor
        self._unread = set(cursor.unread)
        """Numbers of the issues that could not be read so far."""
        self._has_nameless = False
        """One of them has no readable number: only a pull from the same cursor asks for it again."""
        self._reached: datetime | None = None
        self._closing: set[int] | None = set() if cursor.since is None and cursor.created_until is None else None
        """Numbers of the issues that merge requests close; None if this pull does not read all issues."""

    def pages(self, order: Sequence[str]) -> Iterator[Page]:
        """Yield the project's pages: milestones on the first page, a cursor on each, completeness on the last."""
        project, newest, issues = self._project.id, self._start.newest, self._start.newest_issues
        is_own = partial(_owns, self._project, order, self._containers)
        milestones = [each for each in self._milestones if is_own(group_of(each.url), each.id)]
        base = Page(
            projects=(self._project,),
            milestones=tuple(milestones),
            all_milestones=frozenset({project}),
            unread=(*self._start.milestones.rows.unread, *self._containers.unread(self._project)),
        )
        moved = self._containers.moved_epics(self._project)
        if moved:
            yield self._page(self._with_histories(self._in_epics(moved), again=True), self._cursor, base)
            base = Page()
        self._memories = self._containers.memories(self._project, milestones)
        if self._cursor.unread:
            numbers = self._cursor.unread
            parts = [numbers[n : n + RETRY] for n in range(0, len(numbers), RETRY)]
            found = Rows[api_types.Issue]().join(self._histories.fetch_issues(project, part) for part in parts)
            before = self._with_histories(found)
            self._unread.clear()  # what is still unread comes back with the page; the others were deleted
            yield self._page(before, self._cursor, base)
            base = Page()
        late = list(issues.rows.read) if issues.is_complete else []
        if newest is not None and not issues.is_complete:
            has_histories = self._options.history != "none"
            size = BATCH_WITH_HISTORIES if has_histories else BATCH
            since, created = self._cursor.since, self._cursor.created_until
            batches = walk(self._session, self._project, ISSUES, since, created, size, issues.pages)
            # without histories no requests follow, so the rows need not wait in memory
            apply = self._session.caller.map_ahead if has_histories else map
            for walked in apply(partial(self._walked, newest), batches):
                late += walked.late
                self._reached = walked.reached or self._reached
                self._note_closing(walked.closing)
                yield self._page(walked.batch, self._during_walk(newest), base)
                base = Page()
        if issues.is_complete:
            self._note_closing(_closing(issues.rows))
        here = self._cursor if newest is None else self._during_walk(newest)
        for page in self._merge_requests.pages(self._closing):
            yield self._with_cursor(page, here, base)
            base = Page()
        last = self._with_histories(issues.rows if issues.is_complete else Rows())
        page = self._page(last, here, base)
        read = [row for row in late if row.iid not in self._unread]
        end = self._cursor if self._has_nameless else self._cursor.after_pull(newest, read)
        end = structs.replace(end, state=self._state if self._is_all_read else "")
        yield structs.replace(page, complete=frozenset({project}), cursors={project: self._encode(end)})
        if self._options.sweeps.is_due(end.swept_at) and not self._containers.is_incomplete(self._project):
            yield from self._sweep(end)

    @property
    def _is_all_read(self) -> bool:
        """Return whether every row could be read: the next pull asks for the others again."""
        lists = (self._start.milestones.rows.unread, [*self._containers.unread(self._project)], self._unread)
        return not (any(lists) or self._has_nameless) and self._merge_requests.is_all_read

    def _during_walk(self, newest: datetime) -> Cursor:
        """The cursor in the middle of a walk; behind a row without a readable number it stays where it was."""
        if self._has_nameless or self._reached is None:
            return self._cursor
        return self._cursor.during_walk(newest, self._reached)

    def _sweep(self, cursor: Cursor) -> Iterator[Page]:
        """Read all issues again without histories, to find deleted issues and changes without a new ``updated_at``.

        Rows that the next pull reads with their histories are left out. Beyond `MAX_COUNTED` rows GitLab does not
        count, and a deletion meanwhile may hide a row between two pages. There an issue counts as deleted only if two
        walks miss it.
        """
        ids: set[str] = set()
        for _ in range(2):
            for rows in walk(self._session, self._project, ISSUES, None, None, BATCH):
                ids.update(str(row.id) for row in rows.read)
                ids.update(row.id for row in rows.unread)
                old = [row for row in rows.read if cursor.since is not None and row.updated_at < cursor.since]
                yield Page(issues=tuple(self._with_blockers(old)))
            if len(ids) < MAX_COUNTED:
                break
        changes = yield from self._merge_requests.sweep()
        if "" in ids | changes:
            reason = "an issue or merge request without a readable id"
            yield Page(unread=(UnreadRow(project=self._project.id, kind=UnreadKind.LIST, reason=reason),))
            return
        swept = cursor.after_sweep(self._options.sweeps.now())
        yield Page(
            all_issues={self._project.id: frozenset(ids)},
            all_pull_requests={self._project.id: frozenset(changes)}
            if self._options.reads_merge_requests(self._cursor)
            else {},
            cursors={self._project.id: self._encode(swept)},
        )

    def _walked(self, newest: datetime, rows: Rows[api_types.Issue]) -> _Walked:
        """Convert the rows of a walk, with their histories."""
        return _Walked(
            self._with_histories(rows),
            [row for row in rows.read if row.updated_at >= newest - OVERLAP],
            rows.read[-1].created_at if rows.read else None,
            _closing(rows),
        )

    def _note_closing(self, numbers: set[int]) -> None:
        if self._closing is not None:
            self._closing |= numbers

    def _with_cursor(self, page: Page, cursor: Cursor, base: Page) -> Page:
        """A page of merge requests with what ``base`` has, and with the cursor."""
        return structs.replace(
            page,
            projects=base.projects,
            milestones=base.milestones,
            all_milestones=base.all_milestones,
            unread=(*base.unread, *page.unread),
            cursors={self._project.id: self._encode(cursor)},
        )

    def _with_blockers(self, rows: Sequence[api_types.Issue]) -> Iterator[Issue]:
        issues = {row.id: self._issue(row) for row in rows}
        requests = self._history_requests(rows, issues, first_milestone=None, first=False)
        blockers = self._histories.fetch_blockers(requests)
        self._histories.fetch_canceled(requests)
        known = [row for row in rows if row.iid not in self._histories.faults]
        return (self._complete(row, issues, blockers) for row in known)

    def _issue(self, row: api_types.Issue) -> Issue:
        """Convert an issue, with all containers that it is in."""
        return issue_of(row, self._project, self._session.base_url, Containers(self._kinds).now(row))

    def _in_epics(self, epics: Collection[str]) -> Rows[api_types.Issue]:
        """Fetch the issues that are in one of these epics, or in an epic below one: no update of theirs shows it."""
        path, parameters = path_of("/projects/{}/issues", self._project.id), {**ALL, "epic_id": "Any"}
        rows = self._session.readable_rows(api_types.Issue, path, self._project.key, unread_issue, **parameters)
        return Rows(
            [row for row in rows.read if not set(epics).isdisjoint(Containers(self._kinds).now(row))], rows.unread
        )

    def _with_histories(self, rows: Rows[api_types.Issue], *, again: bool = False) -> _Batch:
        """Convert the rows that are new, and the issues that they block. Fetch the histories that are needed.

        ``again``: convert rows that were read before, too.
        """
        new = [row for row in rows.read if again or not self._cursor.has_read(row)]
        unread = list(rows.unread)
        if not self._is_first_pull and self._options.history != "none":
            blockers = [row for row in new if row.blocking_issues_count]
            ids = {row.id for row in new}
            blocked = self._histories.fetch_blocked(self._project.id, blockers)
            new += [row for row in blocked.read if row.id not in ids]
            unread += blocked.unread
        issues = {row.id: self._issue(row) for row in new}
        created = (milestone.created_at for milestone in self._milestones)
        first_milestone = min((at for at in created if at is not None), default=None)
        requests = self._history_requests(new, issues, first_milestone, first=self._is_first_pull)
        histories = self._histories.fetch(requests)
        blocked_by = {history.issue: history.blocked_by for history in histories}
        faults = {history.issue: history.fault for history in histories if history.fault}
        unread += (without_history(issue, faults[issue.id]) for issue in issues.values() if issue.id in faults)
        return _Batch(
            [self._complete(row, issues, blocked_by) for row in new if issues[row.id].id not in faults],
            [history for history in histories if not history.fault],
            unread,
        )

    def _complete(
        self, row: api_types.Issue, issues: Mapping[int, Issue], blocked_by: Mapping[str, tuple[str, ...]]
    ) -> Issue:
        """Add to an issue (by its id) what its row lacks: its blockers, and that it was closed as canceled."""
        issue = issues[row.id]
        issue = structs.replace(issue, blocked_by=blocked_by[issue.id]) if blocked_by.get(issue.id) else issue
        if row.iid in self._histories.canceled and issue.state is State.CLOSED and not issue.resolution:
            issue = structs.replace(issue, resolution=CANCELED)
        return issue

    def _history_requests(
        self,
        rows: Sequence[api_types.Issue],
        issues: Mapping[int, Issue],
        first_milestone: datetime | None,
        *,
        first: bool,
    ) -> list[HistoryRequest]:
        labels, history = self._options.status_labels, self._options.history
        return [
            HistoryRequest.of(row, issues[row.id])
            for row in rows
            if needs_history(
                row, first_milestone, labels, history, first=first, is_member=bool(issues[row.id].milestones)
            )
        ]

    def _page(self, batch: _Batch, cursor: Cursor, base: Page) -> Page:
        """``base`` with these issues, histories and unread rows, and with the cursor."""
        unread = [structs.replace(row, project=self._project.id) for row in batch.unread]
        self._unread -= {int(issue.key.rpartition("#")[2]) for issue in batch.issues}
        self._unread |= {number for row in unread if (number := number_of(row)) is not None}
        self._has_nameless = self._has_nameless or any(number_of(row) is None for row in unread)
        deleted = frozenset(history.issue for history in batch.histories if history.is_deleted)
        return structs.replace(
            base,
            issues=tuple(issue for issue in batch.issues if issue.id not in deleted),
            histories={history.issue: history.events for history in batch.histories if not history.is_deleted},
            gone=deleted,
            cursors={self._project.id: self._encode(cursor)},
            unread=(*base.unread, *unread),
        )

    def _encode(self, cursor: Cursor) -> str:
        here = structs.replace(
            cursor,
            unread=tuple(sorted(self._unread)),
            containers=self._memories,
            merge_requests=self._merge_requests.cursor,
        )
        return here.encode(self._options.scope(self._project.key))


def _closing(rows: Rows[api_types.Issue]) -> set[int]:
    """Return the numbers of the issues that merge requests close."""
    return {row.iid for row in rows.read if row.merge_requests_count}
