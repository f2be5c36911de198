"""Reading a GitLab: projects, milestones, issues, histories; everything, or what changed.

A project's first request for issues asks for the newest updates (one request for all projects of a group that are
pulled together). If a few pages hold all that changed, that is the end. Else the rows are walked in the order of
creation (`connectors.gitlab.issue_pages`). The newest update seen by the first request is where the next pull begins
(less
an overlap), since whatever is edited during the walk is newer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from msgspec import Struct, structs

from connectors.gitlab import api_types
from connectors.gitlab.cursor import OVERLAP, Cursor
from connectors.gitlab.history_rest import Asked, Histories, Told, could_tell
from connectors.gitlab.issue_pages import COUNTED, EVERY, counted_pages, text_of, walk
from connectors.gitlab.normalize import issue_of, milestone_of, project_of
from connectors.gitlab.session import OWN_FAILURES, PER_PAGE, Session
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.http import attempt
from connectors.shared.responses import decode
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import Issue, Project
from sync.tracker.errors import GoneError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["Options", "pull"]

FEW = 5
"""Pages that are simply read one after the other, newest update first: an edit then only makes rows come twice."""
SOME, SOME_TOLD = 250, 100
"""Issues that are handed on together: few enough to store often, fewer where their histories take requests."""


class Options(Struct, frozen=True):
    """The settings that a pull knows: see `HISTORY`; labels by which our own status issues are told."""

    sweeping: SweepSchedule
    rules: RuleMilestones
    history: str = "full"
    status_labels: frozenset[str] = frozenset()


class _Together(Struct, frozen=True):
    """Projects that are pulled together: those of a group, or (without ``group``) those named one by one."""

    projects: list[Project]
    group: str = ""


class _Newest(Struct, frozen=True):
    """The newest updates of a project or group; ``whole`` if these are all, else there are ``pages`` (1: not known)."""

    rows: list[api_types.Issue] = []
    whole: bool = False
    pages: int = 1

    @property
    def upto(self) -> datetime | None:
        return max((issue.updated_at for issue in self.rows), default=None)


class _Head(Struct, frozen=True):
    """What is read of several projects at once; ``newest`` is not read where a walk goes on."""

    milestones: list[api_types.Milestone]
    newest: _Newest
    upto: datetime | None
    """The newest update when reading began."""


# --- which projects ----------------------------------------------------------------------------------------------


def pull(session: Session, options: Options, keys: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
    """See `Connector.pull`. A key is a project's path or number, or a group's path, with ``/*`` or without."""
    single, groups, order = _Together([]), list[_Together](), list[str]()
    before = {number: Cursor.decode(text) for number, text in cursors.items()}
    likely = _likely(keys[: 2 * session.concurrency], before)

    def head_of(number: str) -> Future[_Head | TrackerError]:
        return attempt(lambda: _head(session, number, likely[number], before[number]))

    asked: list[Callable[[], Any]] = [partial(_resolve, session, key) for key in keys]
    asked += [partial(head_of, number) for number in likely]
    answers = session.map_all(lambda ask: ask(), asked)
    for key, answer in zip(keys, answers[: len(keys)], strict=True):
        if isinstance(answer, TrackerError):
            yield Page(failed={key: answer})
            order += [] if isinstance(answer, GoneError) else [key]
            continue
        known = {project.id for some in (single, *groups) for project in some.projects}
        new = [project for project in answer.projects if project.id not in known]
        order += [project.key for project in new]
        if answer.group:
            groups.append(_Together(new, answer.group))
        else:
            single.projects.extend(new)
    paths = {project.id: project.key for some in (single, *groups) for project in some.projects}
    at = {number: cursor.of(_place(options, paths.get(number, ""))) for number, cursor in before.items()}
    heads = dict(zip(likely, answers[len(keys) :], strict=True))
    ahead = {number: head for number, head in heads.items() if at[number] is before[number]}
    for some in (single, *groups):
        yield from _pull_together(session, options, some, at, ahead, order)


def _place(options: Options, path: str) -> str:
    """What a cursor is good for: a project's path, and the rules by which its issues were read."""
    return f"{path} {options.rules.fingerprint(path)}".strip()


def _likely(keys: Sequence[str], before: Mapping[str, Cursor]) -> dict[str, str]:
    """The projects that these keys named when they were last read: id -> path.

    Their heads are asked for, by id, while the keys are looked up. Those of projects that turn out to be renamed, or
    not to be what the key names, are passed over; of the others the very same was to be asked, so that even a failure
    is what it would have been.
    """
    paths = {number: cursor.place.partition(" ")[0] for number, cursor in before.items() if cursor.place}
    named = [[number for number, path in paths.items() if key in (number, path)] for key in keys]
    return {number: paths[number] for number, *others in filter(None, named) if not others}


def _resolve(session: Session, key: str) -> _Together | TrackerError:
    """The projects that a key names: itself, or all below a group, subgroups included."""
    try:
        if key.endswith("/*"):
            return _group(session, key, key.removesuffix("/*"))
        try:
            answer = session.get(f"/projects/{quote(key, safe='')}", key)
        except GoneError as gone:
            try:
                return _group(session, key, key)
            except GoneError:
                return gone
        return _Together([project_of(decode(answer, api_types.Project, session.name, key))])
    except OWN_FAILURES as problem:
        return problem


def _group(session: Session, key: str, path: str) -> _Together:
    asked = {"include_subgroups": "true", "with_shared": "false", "archived": "false", "order_by": "id", "sort": "asc"}
    listed = session.rows(api_types.Project, f"/groups/{quote(path, safe='')}/projects", key, **asked)
    return _Together([project_of(project) for project in listed], path)


# --- what is read of each project first ----------------------------------------------------------------------------


def _pull_together(
    session: Session,
    options: Options,
    together: _Together,
    at: Mapping[str, Cursor],
    ahead: Mapping[str, Future[_Head | TrackerError]],
    order: Sequence[str],
) -> Iterator[Page]:
    """What these projects have; ``ahead`` are the heads that have been asked for already."""
    shared = _shared(session, together, at)

    def head_of(project: Project) -> _Head | TrackerError:
        asked, cursor = ahead.get(project.id), at.get(project.id, Cursor())
        return asked.result() if asked else _head(session, project.id, project.key, cursor, shared)

    width = 2 * session.concurrency
    for start in range(0, len(together.projects), width):
        some = together.projects[start : start + width]
        for project, head in zip(some, session.map_all(head_of, some), strict=True):
            try:
                if isinstance(head, TrackerError):
                    raise head
                yield from _Reader(session, options, project, head, at.get(project.id, Cursor())).pages(order)
            except OWN_FAILURES as problem:
                yield Page(failed={project.key: problem})


def _shared(session: Session, together: _Together, at: Mapping[str, Cursor]) -> _Newest | None:
    """What changed in a whole group, or (on its first pull) its newest update alone; None where there is no group."""
    if not together.group or len(together.projects) < 2:
        return None
    known = [at.get(project.id, Cursor()) for project in together.projects]
    since = [cursor.since for cursor in known if cursor.since is not None and cursor.created is None]
    path = f"/groups/{quote(together.group, safe='')}/issues"
    try:
        return _newest(session, path, together.group, min(since, default=None), few=FEW if since else 1)
    except OWN_FAILURES:
        return None


def _newest(session: Session, path: str, key: str, since: datetime | None, few: int = FEW) -> _Newest:
    asked: dict[str, Any] = {"order_by": "updated_at", "sort": "desc", "per_page": PER_PAGE, **EVERY}
    if since is not None:
        asked["updated_after"] = text_of(since)
    rows: list[api_types.Issue] = []
    for number in range(1, few + 1):
        answer = session.get(path, key, page=number, **asked)
        read, pages = decode(answer, list[api_types.Issue], session.name, key), counted_pages(answer)
        rows += read
        if len(read) < PER_PAGE or number == pages:
            return _Newest(rows, whole=True)
        if pages is None or pages > few:
            break
    return _Newest(rows, pages=pages or 1)


def _head(
    session: Session, number: str, key: str, cursor: Cursor, shared: _Newest | None = None
) -> _Head | TrackerError:
    path, since = f"/projects/{number}", cursor.since
    newest: _Newest | None = None
    if cursor.created is not None:
        newest = _Newest()
    elif shared is not None and shared.whole and since is not None:
        mine = [i for i in shared.rows if str(i.project_id) == number and i.updated_at >= since]
        newest = _Newest(mine, whole=True)
    asked: list[Callable[[], Any]] = [
        lambda: session.rows(api_types.Milestone, f"{path}/milestones", key, include_ancestors="true"),
        lambda: newest or _newest(session, f"{path}/issues", key, since),
    ]
    try:
        milestones, read = session.map_all(lambda ask: ask(), asked)
    except OWN_FAILURES as problem:
        return problem
    if cursor.created is not None:
        return _Head(milestones, read, cursor.upto)
    seen = [upto for upto in (read.upto, shared.upto if shared else None) if upto is not None]
    return _Head(milestones, read, max(seen, default=None))


# --- one project ---------------------------------------------------------------------------------------------------


class _Reader:
    """One project's pull."""

    def __init__(self, session: Session, options: Options, project: Project, head: _Head, cursor: Cursor) -> None:
        self.session, self.options, self.project, self.head, self.cursor = session, options, project, head, cursor
        self.histories = Histories(session, project.key, head.milestones)
        self.first = cursor.since is None
        if self.first and cursor.swept is None:
            self.cursor = cursor.at(options.sweeping.now())

    def pages(self, order: Sequence[str]) -> Iterator[Page]:
        """The project's pages: milestones with the first rows, the cursor with each, completeness with the last.

        A milestone of a group is given to the first project in ``order`` below that group, so that it has one
        project, whatever fails.
        """
        mine, upto, newest = self.project.id, self.head.upto, self.head.newest
        first = Page(
            projects=(self.project,),
            milestones=tuple(milestone_of(m, mine) for m in self.head.milestones if self._owns(m, order)),
            all_milestones=frozenset({mine}),
        )
        late = newest.rows if newest.whole else []
        if upto is not None and not newest.whole:
            since, created = self.cursor.since, self.cursor.created
            asks = self.options.history != "none"
            walked = walk(self.session, self.project, since, created, SOME_TOLD if asks else SOME, newest.pages)
            each = self.session.map_ahead if asks else map  # rows that are asked nothing more need not wait in memory
            for rows, told in each(lambda rows: (rows, self._told(rows)), walked):
                late += (row for row in rows if row.updated_at >= upto - OVERLAP)
                yield self._page(told, self.cursor.walking(upto, rows[-1].created_at), first)
                first = Page()
        end = self.cursor.after(upto, late)
        yield self._page(self._told(newest.rows if newest.whole else []), end, first, last=True)
        if self.options.sweeping.is_due(end.swept):
            yield from self._sweep(end)

    def _sweep(self, cursor: Cursor) -> Iterator[Page]:
        """All issues once more, without histories: changes that left no trace in ``updated_at``, and who is missing.

        Rows that the next pull will read with their histories are left to it. Where GitLab does not count (beyond
        10,000) a deletion meanwhile may have hidden a row between two pages, so there only what two walks miss is gone.
        """
        ids: set[int] = set()
        for _ in range(2):
            for rows in walk(self.session, self.project, None, None, SOME):
                ids.update(row.id for row in rows)
                old = [row for row in rows if cursor.since is not None and row.updated_at < cursor.since]
                yield Page(issues=tuple(self._untold(old)))
            if len(ids) < COUNTED:
                break
        yield Page(
            all_issues={self.project.id: frozenset(map(str, ids))},
            cursors={
                self.project.id: cursor.at(self.options.sweeping.now()).encode(_place(self.options, self.project.key))
            },
        )

    def _untold(self, rows: Sequence[api_types.Issue]) -> Iterator[Issue]:
        issues = {i.id: issue_of(i, self.project, self.session.base_url) for i in rows}
        labels, history = self.options.status_labels, self.options.history
        asked = [i for i in rows if could_tell(i, None, labels, history, first=False)]
        blocked = self.histories.blocked([Asked.of(i, issues[i.id]) for i in asked])
        return (_blocked(issue, blocked) for issue in issues.values())

    def _owns(self, milestone: api_types.Milestone, order: Sequence[str]) -> bool:
        if milestone.group_id is None:
            return True
        group = milestone.web_url.partition("/groups/")[2].partition("/-/")[0]
        return next((key for key in order if key.startswith(f"{group}/")), self.project.key) == self.project.key

    def _told(self, rows: Sequence[api_types.Issue]) -> tuple[list[Issue], list[Told]]:
        """The rows that were not read before with what they block, and the histories of those that can have one."""
        fresh = [i for i in rows if not self.cursor.knows(i)]
        if not self.first and self.options.history != "none":
            blockers = [row for row in fresh if row.blocking_issues_count]
            known = {row.id for row in fresh}
            fresh += [row for row in self.histories.waiting(self.project.id, blockers) if row.id not in known]
        issues = {i.id: issue_of(i, self.project, self.session.base_url) for i in fresh}
        began = min((m.created_at for m in self.head.milestones), default=None)
        labels, history = self.options.status_labels, self.options.history
        asked = [i for i in fresh if could_tell(i, began, labels, history, first=self.first)]
        told = self.histories.tell([Asked.of(i, issues[i.id]) for i in asked])
        blocked = {forecast.issue: forecast.blocked_by for forecast in told}
        return [_blocked(issue, blocked) for issue in issues.values()], told

    def _page(self, read: tuple[list[Issue], list[Told]], cursor: Cursor, with_: Page, *, last: bool = False) -> Page:
        issues, told = read
        gone = frozenset(t.issue for t in told if t.gone)
        return Page(
            projects=with_.projects,
            milestones=with_.milestones,
            all_milestones=with_.all_milestones,
            issues=tuple(issue for issue in issues if issue.id not in gone),
            histories={t.issue: t.events for t in told if not t.gone},
            gone=gone,
            cursors={self.project.id: cursor.encode(_place(self.options, self.project.key))},
            complete=frozenset({self.project.id}) if last else frozenset(),
        )


def _blocked(issue: Issue, by: Mapping[str, tuple[str, ...]]) -> Issue:
    return structs.replace(issue, blocked_by=by[issue.id]) if by.get(issue.id) else issue
