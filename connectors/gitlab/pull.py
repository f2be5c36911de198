"""Reading a GitLab: projects, milestones, issues, histories; everything, or what changed.

A project's first request for issues asks for the newest updates. If a few pages hold all that changed, that is the
end. Else the rows are walked in the order of creation, several pages at once, in windows of 10,000 rows that each
begin at the creation of the last row read. So page numbers never go deep, totals may be missing, edits during the
walk move no row, and a pull that was killed goes on where it was. The newest update seen by the first request is
where the next pull begins (less an overlap), since whatever is edited during the walk is newer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import quote

from msgspec import Struct

from connectors.gitlab import wire
from connectors.gitlab.cursor import Cursor
from connectors.gitlab.history import could_tell, tell
from connectors.gitlab.rows import issue_of, milestone_of, project_of
from connectors.gitlab.session import PER_PAGE, Session
from connectors.http import Response, decode
from sync.connector import BusyError, GoneError, MalformedError, Page, RefusedError, TrackerError
from sync.model import Project

__all__ = ["Options", "pull"]

WINDOW = 100
"""Pages after which a walk begins anew at the last row: below the 10,000 rows up to which GitLab counts."""
BATCH = 3
"""Pages read at once per thread: enough to keep all busy, few enough to store often."""
FEW = 5
"""Pages that are simply read one after the other, newest update first: an edit then only makes rows come twice."""
MOST_ANEW = 3
EVERY = {"state": "all", "scope": "all"}
OWN_FAILURES = (GoneError, MalformedError, RefusedError, BusyError)


class Options(Struct, frozen=True):
    """The settings that a pull knows: see `HISTORY`; labels by which our own status issues are told."""

    history: str = "full"
    status_labels: frozenset[str] = frozenset()


class _Found(Struct, frozen=True):
    """A project to pull: as it was named, and as it is."""

    key: str
    read: wire.Project

    @property
    def row(self) -> Project:
        return project_of(self.read)


class _Head(Struct, frozen=True):
    """What is read of every project at once: milestones, and the newest updates unless a walk is going on."""

    milestones: list[wire.Milestone]
    newest: list[wire.Issue] = []
    whole: bool = False
    """Whether ``newest`` is all that changed."""
    pages: int | None = None
    """Of the whole list, if GitLab counted them."""


def pull(session: Session, options: Options, keys: Sequence[str], cursors: Mapping[str, str]) -> Iterator[Page]:
    """See `Connector.pull`. A key is a project's path or number, or a group's path, with ``/*`` or without."""
    found: list[_Found] = []
    order: list[str] = []
    for key, answer in zip(keys, session.each(lambda key: _resolve(session, key), keys), strict=True):
        if isinstance(answer, TrackerError):
            yield Page(failed={key: answer})
            order += [] if isinstance(answer, GoneError) else [key]
            continue
        known = {f.read.id for f in found}
        found += [f for f in answer if f.read.id not in known]
        order += [f.read.path_with_namespace for f in answer]
    rest = iter(found)
    while some := list(islice(rest, 2 * session.concurrency)):
        heads = session.each(lambda f: _head(session, f, Cursor.decode(cursors.get(str(f.read.id), ""))), some)
        for one, head in zip(some, heads, strict=True):
            if isinstance(head, TrackerError):
                yield Page(failed={one.key: head})
                continue
            reader = _Reader(session, options, one, head, Cursor.decode(cursors.get(str(one.read.id), "")))
            try:
                yield from reader.pages(order)
            except OWN_FAILURES as problem:
                yield Page(failed={one.key: problem})


def _resolve(session: Session, key: str) -> list[_Found] | TrackerError:
    """The projects that a key names: itself, or all below a group, subgroups included."""
    try:
        if not key.endswith("/*"):
            try:
                answer = session.get(f"/projects/{quote(key, safe='')}", key)
                return [_Found(key, decode(answer, wire.Project, session.name, key))]
            except GoneError as gone:
                try:
                    return _group(session, key, key)
                except GoneError:
                    return gone
        return _group(session, key, key.removesuffix("/*"))
    except OWN_FAILURES as problem:
        return problem


def _group(session: Session, key: str, path: str) -> list[_Found]:
    listed = session.rows(
        wire.Project,
        f"/groups/{quote(path, safe='')}/projects",
        key,
        include_subgroups="true",
        with_shared="false",
        archived="false",
        order_by="id",
        sort="asc",
    )
    return [_Found(project.path_with_namespace, project) for project in listed]


def _head(session: Session, found: _Found, cursor: Cursor) -> _Head | TrackerError:
    path = f"/projects/{found.read.id}"
    try:
        milestones = session.rows(wire.Milestone, f"{path}/milestones", found.key, include_ancestors="true")
        if cursor.created is not None:
            return _Head(milestones)
        params: dict[str, Any] = {"order_by": "updated_at", "sort": "desc", "per_page": PER_PAGE, **EVERY}
        if cursor.since is not None:
            params["updated_after"] = _text(cursor.since)
        newest: list[wire.Issue] = []
        for number in range(1, FEW + 1):
            answer = session.get(f"{path}/issues", found.key, page=number, **params)
            rows = decode(answer, list[wire.Issue], session.name, found.key)
            newest += rows
            pages = _pages(answer)
            if len(rows) < PER_PAGE or number == pages:
                return _Head(milestones, newest, whole=True)
            if pages is None or pages > FEW:
                break
        return _Head(milestones, newest, pages=pages)
    except OWN_FAILURES as problem:
        return problem


def _pages(answer: Response) -> int | None:
    counted = answer.headers.get("x-total-pages", "")
    return int(counted) if counted.isdigit() else None


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Reader:
    """One project's pull."""

    def __init__(self, session: Session, options: Options, found: _Found, head: _Head, cursor: Cursor) -> None:
        self.session, self.options, self.found, self.head, self.cursor = session, options, found, head, cursor
        self.project = found.row
        self.read: dict[int, datetime] = {}

    def pages(self, order: Sequence[str]) -> Iterator[Page]:
        """The project's pages: milestones with the first rows, the cursor with each, completeness with the last.

        A milestone of a group is given to the first project in ``order`` below that group, so that it has one
        project, whatever fails.
        """
        first = Page(
            projects=(self.project,),
            milestones=tuple(milestone_of(m, self.project.id) for m in self.head.milestones if self._owns(m, order)),
            all_milestones=frozenset({self.project.id}),
        )
        upto = self.cursor.upto or max((i.updated_at for i in self.head.newest), default=None)
        if self.head.whole:
            yield self._page(self.head.newest, self._end(upto, self.head.newest), first, last=True)
            return
        if upto is None:
            raise MalformedError(self.session.name, self.found.key, "its cursor is damaged")
        walk = _Walk(self.session, self.found, self.cursor, self.head.pages)
        for rows in walk.batches():
            at = self.cursor.walking(upto, rows[-1].created_at)
            self.read |= {i.id: i.updated_at for i in rows}
            yield self._page(rows, at, first)
            first = Page()
        yield self._page([], self._end(upto, []), first, last=True)

    def _owns(self, milestone: wire.Milestone, order: Sequence[str]) -> bool:
        if milestone.group_id is None:
            return True
        path, _, _ = milestone.web_url.partition("/-/")
        group = path.removeprefix(f"{self.session.source}/groups/")
        first = next((key for key in order if key.startswith(f"{group}/")), self.found.read.path_with_namespace)
        return first == self.found.read.path_with_namespace

    def _end(self, upto: datetime | None, rows: Sequence[wire.Issue]) -> Cursor:
        return self.cursor.after(upto, [*self.read.items(), *((i.id, i.updated_at) for i in rows)])

    def _page(self, rows: Sequence[wire.Issue], cursor: Cursor, with_: Page, *, last: bool = False) -> Page:
        fresh = [i for i in rows if not self.cursor.knows(i.id, i.updated_at)]
        issues = {i.id: issue_of(i, self.project, self.session.source) for i in fresh}
        began = min((m.created_at for m in self.head.milestones), default=None)
        labels, history, new = self.options.status_labels, self.options.history, self.cursor.since is None
        asked = [i for i in fresh if could_tell(i, began, labels, history, first=new)]
        told = tell(self.session, self.found.key, [(i.iid, issues[i.id]) for i in asked])
        gone = frozenset(t.issue for t in told if t.gone)
        return Page(
            projects=with_.projects,
            milestones=with_.milestones,
            all_milestones=with_.all_milestones,
            issues=tuple(issue for issue in issues.values() if issue.id not in gone),
            histories={t.issue: t.events for t in told if not t.gone},
            gone=gone,
            cursors={self.project.id: cursor.encode()},
            complete=frozenset({self.project.id}) if last else frozenset(),
        )


class _Walk:
    """All rows in the order of creation, in batches of several pages, each row once."""

    def __init__(self, session: Session, found: _Found, cursor: Cursor, pages: int | None) -> None:
        self.session, self.found = session, found
        self.path = f"/projects/{found.read.id}/issues"
        self.params: dict[str, Any] = {"order_by": "created_at", "sort": "asc", "per_page": PER_PAGE, **EVERY}
        if cursor.since is not None:
            self.params["updated_after"] = _text(cursor.since)
        self.created, self.pages = cursor.created, pages

    def batches(self) -> Iterator[list[wire.Issue]]:
        """The rows; raises `MalformedError` when the list goes round in circles.

        A total that fell means that a row was deleted and others moved up: that batch begins anew at its border.
        """
        seen: set[int] = set()
        border, page, total, anew = self.created, 1, 0, 0
        while self.pages is None or page <= self.pages:
            if page > WINDOW:
                self.created, self.pages, page, total = border, None, 1, 0
            numbers = range(page, min(page + BATCH * self.session.concurrency, WINDOW + 1, 1 + (self.pages or WINDOW)))
            answers = self.session.each(self._page, numbers)
            read = [decode(a, list[wire.Issue], self.session.name, self.found.key) for a in answers]
            totals = [int(a.headers["x-total"]) for a in answers if a.headers.get("x-total", "").isdigit()]
            if totals and min(totals) < max(total, *totals) and anew < MOST_ANEW:
                self.created, self.pages, page, total, anew = border, None, 1, 0, anew + 1
                continue
            fresh = list({i.id: i for rows in read for i in rows if i.id not in seen}.values())
            seen |= {issue.id for issue in fresh}
            if fresh:
                yield fresh
            if len(read[-1]) < PER_PAGE:
                return
            if not fresh:
                raise MalformedError(self.session.name, self.found.key, "its pages repeat")
            border, page, total = read[-1][-1].created_at, numbers[-1] + 1, max(totals, default=0)
            self.pages = _pages(answers[-1])

    def _page(self, number: int) -> Response:
        after = {} if self.created is None else {"created_after": _text(self.created)}
        return self.session.get(self.path, self.found.key, page=number, **self.params, **after)
