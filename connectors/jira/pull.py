"""Reading what changed: projects, their versions, and all their issues through one query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, structs

from connectors.jira import jql
from connectors.jira.api_types import IdOf, Item, ProjectOf
from connectors.jira.cursor import OVERLAP, Cursor
from connectors.jira.issue_milestones import MilestoneFields, epic_id
from connectors.jira.milestones import MilestoneReader, due_dates
from connectors.jira.normalize import blocked_by, issue_of, moment_of, project_of
from connectors.jira.projects import named
from connectors.jira.search import Batch, Begun, Search
from connectors.jira.session import OWN, Session, of_project
from connectors.shared.deletion_sweep import SweepSchedule
from connectors.shared.http import attempt
from connectors.shared.rule_milestones import RuleMilestones
from sync.model.tracker_data import DueDate, Event, Issue
from sync.tracker.errors import RefusedError, TrackerError
from sync.tracker.protocol import Page

__all__ = ["pull"]

_TOGETHER = 50
"""Projects in one query."""
_AGAIN = 100
"""Issues that are asked for by key in one query."""


class _Progress(Struct):
    """One project on its way through a walk. ``at``: where the next pull begins; ``updated``: recent times by id;
    ``swept``: when all its ids were last compared; ``place`` and ``picked`` are for its next `Cursor`.
    """

    project: ProjectOf
    configured: str
    cursor: Cursor | None
    swept: datetime | None
    place: str = ""
    picked: dict[str, tuple[str, ...]] = {}
    at: datetime | None = None
    updated: dict[str, datetime] = {}
    failed: bool = False


def pull(
    session: Session,
    sweeping: SweepSchedule,
    rules: RuleMilestones,
    projects: Sequence[str],
    cursors: Mapping[str, str],
) -> Iterator[Page]:
    """Everything that changed, then the sweeps that are due. See `sync.tracker.protocol.Connector.pull`."""
    known = {project: cursor for project, text in cursors.items() if (cursor := Cursor.read(text))}
    session.recall(next((cursor.known for cursor in known.values() if cursor.known), None))
    history = bool(session.options.get("history", True))
    session.cloud  # noqa: B018  # the addresses of all others depend on it
    likely = {} if session.missing(history=history) else _likely(rules, projects[:_TOGETHER], known)
    asked: list[Callable[[], Any]] = [
        lambda: session.discover(history=history),
        lambda: named(session, projects),
        lambda: _ahead(session, Search(session, history=history), likely) if likely else {},
    ]
    _, (found, failed), ahead = session.caller.map_all(lambda ask: ask(), asked)
    search = Search(session, history=history)
    keys: dict[str, str] = {}
    done: set[str] = set()
    at: dict[str, str] = {}
    for page in _changes(session, search, sweeping, rules, found, failed, known, ahead):
        keys |= {project.id: project.key for project in page.projects}
        at |= page.cursors
        done |= page.complete
        yield page
    ended = {project: cursor for project in sorted(done) if (cursor := Cursor.read(at.get(project, "")))}
    due = [(project, keys[project], cursor) for project, cursor in ended.items() if sweeping.is_due(cursor.swept)]
    yield from session.caller.map_ahead(lambda one: _sweep(search, sweeping, *one), due)


def _place(rules: RuleMilestones, key: str) -> str:
    """What a cursor is good for: a project's key, and the rules by which its issues were read."""
    return f"{key} {rules.fingerprint(key)}".strip()


def _likely(rules: RuleMilestones, keys: Sequence[str], known: Mapping[str, Cursor]) -> dict[str, Cursor]:
    """The cursors of the projects that these keys named when they were last read; none where one is not certain."""
    by_place: dict[str, list[Cursor]] = {}
    for cursor in known.values():
        by_place.setdefault(cursor.place, []).append(cursor)
    mine = [by_place.get(_place(rules, key), []) for key in keys]
    return {key: some[0] for key, some in zip(keys, mine, strict=True)} if all(len(some) == 1 for some in mine) else {}


def _ahead(session: Session, search: Search, cursors: Mapping[str, Cursor]) -> Mapping[str, Future[Begun]]:
    """The beginning of a walk, by its query, which is asked for while the projects are looked up.

    If they are other ones by now the query is another, too, and this answer is passed over; else the very same was to
    be asked, so that even a failure is what it would have been.
    """
    where = _where(session, cursors)
    return {where: attempt(lambda: _begin(search, where, cursors))}


def _where(session: Session, cursors: Mapping[str, Cursor | None]) -> str:
    """The query for what is to be read of projects, by key."""
    everything = [key for key, cursor in cursors.items() if cursor is None]
    parts = [jql.any_of("project", everything)] if everything else []
    for key, cursor in cursors.items():
        if cursor is not None:
            name, at = ("created", cursor.created) if cursor.created else ("updated", cursor.at - OVERLAP)
            parts.append(f"project = {jql.literal(key)} AND {jql.since(name, at, session.zone)}")
    return parts[0] if len(parts) == 1 else " OR ".join(f"({part})" for part in parts)


def _begin(search: Search, where: str, cursors: Mapping[str, Cursor | None]) -> Begun:
    changes = all(cursor is not None and cursor.created is None for cursor in cursors.values())
    return search.latest(where) if changes else search.begin(where)


def _sweep(search: Search, sweeping: SweepSchedule, project: str, key: str, cursor: Cursor) -> Page:
    try:
        ids = search.ids(jql.any_of("project", [key]))
    except OWN as problem:
        return Page(failed={key: of_project(problem, key)})
    swept = structs.replace(cursor, swept=sweeping.now())
    return Page(all_issues={project: ids}, cursors={project: swept.write()})


def _changes(
    session: Session,
    search: Search,
    sweeping: SweepSchedule,
    rules: RuleMilestones,
    found: Sequence[tuple[ProjectOf, str]],
    failed: dict[str, TrackerError],
    cursors: Mapping[str, Cursor],
    ahead: Mapping[str, Future[Begun]],
) -> Iterator[Page]:
    """First one page with all projects and versions, then the issues."""
    goals = MilestoneReader.read(session, search, [project for project, _ in found], rules)
    good: list[_Progress] = []
    rows = []
    for project, configured in found:
        if project.id in goals.failed:
            failed[configured] = goals.failed[project.id]
            continue
        rows += goals.milestones[project.id]
        cursor = cursors.get(project.id)
        place = _place(rules, project.key)
        if cursor is not None and cursor.place != place and (cursor.place or " " in place):
            cursor = None
        swept, picked = cursor.swept if cursor else sweeping.now(), goals.picked.get(project.id, {})
        good.append(_Progress(project, configured, cursor, swept, place, picked))
    yield Page(
        projects=tuple(project_of(progress.project, session.site) for progress in good),
        milestones=tuple(rows),
        all_milestones=frozenset(progress.project.id for progress in good),
        failed=failed,
    )
    for n in range(0, len(good), _TOGETHER):
        yield from _Walk(session, search, goals.places, good[n : n + _TOGETHER], ahead).pages()


# --- issues -----------------------------------------------------------------------------------------------------


class _Walk:
    """The issues of some projects, together: what changed for those with a cursor, everything for the others."""

    def __init__(
        self,
        session: Session,
        search: Search,
        places: MilestoneFields,
        projects: Sequence[_Progress],
        ahead: Mapping[str, Future[Begun]],
    ) -> None:
        self._session, self._search, self._places, self._ahead = session, search, places, ahead
        self._by_id = {progress.project.id: progress for progress in projects}
        self._by_key = {progress.project.key: progress for progress in projects}
        self._categories = session.categories if search.history else {}
        self._points = len(session.custom[0])
        self._blocked = str(session.options.get("blocked_link") or "is blocked by")

    def pages(self) -> Iterator[Page]:
        """The pages; the last one completes the projects that did not fail."""
        cursors = {key: progress.cursor for key, progress in self._by_key.items()}
        where = _where(self._session, cursors)
        try:
            begun = self._ahead[where].result() if where in self._ahead else _begin(self._search, where, cursors)
            self._place(begun.first)
            for progress in self._by_id.values():
                progress.at = _end(progress, begun.high, begun.first.items)
            yield from self._walked(begun.first, begun.rest)
        except OWN as problem:
            lost = {}
            for progress in self._running():
                progress.failed = True
                lost[progress.configured] = of_project(problem, progress.project.key)
            yield Page(failed=lost)

    def _walked(self, first: Batch, rest: Iterator[Batch] | None) -> Iterator[Page]:
        if rest is None:
            news = [item for item in first.items if self._is_new(item)]
            page = self._page(Batch(news, self._search.histories(news), first.bad), all_items=first.items)
            yield from self._waiting(news)
            yield from self._come_and_gone()
            yield self._finished(page)
            return
        yield from self._come_and_gone()
        for batch in rest:
            self._place(batch)
            news = [item for item in batch.items if self._is_new(item)]
            page = self._page(Batch(news, batch.logs, batch.bad), all_items=batch.items)
            yield from self._waiting(news)
            yield self._under_way(page, batch)
        yield self._finished(Page())

    def _waiting(self, changed: Sequence[Item]) -> Iterator[Page]:
        """The issues here that these block: whether they are blocked changes without their being updated."""
        read_before = {key for key, p in self._by_key.items() if p.cursor is not None and not p.failed}
        keys = {key for item in changed for key in blocked_by(item, self._blocked)} - {item.key for item in changed}
        yield from self._again("key", sorted(key for key in keys if key.rpartition("-")[0] in read_before))

    def _come_and_gone(self) -> Iterator[Page]:
        """The issues that a query finds and did not find, or the other way round: without their being updated."""
        ids: set[str] = set()
        for progress in self._running():
            before = progress.cursor.picked if progress.cursor else progress.picked
            for milestone, found in progress.picked.items():
                ids |= set(found) ^ set(before.get(milestone, ()))
        yield from self._again("id", sorted(ids))

    def _again(self, name: str, wanted: Sequence[str]) -> Iterator[Page]:
        """These issues, by key or id. Where one is gone meanwhile Jira answers for none: then for each half."""
        if len(wanted) > _AGAIN:
            for n in range(0, len(wanted), _AGAIN):
                yield from self._again(name, wanted[n : n + _AGAIN])
        elif wanted:
            try:
                batch = self._search.begin(jql.any_of(name, wanted)).first
            except RefusedError:
                half = len(wanted) // 2
                for part in (wanted[:half], wanted[half:]) if half else ():
                    yield from self._again(name, part)
                return
            self._place(batch)
            yield self._page(Batch(batch.items, self._search.histories(batch.items), batch.bad), all_items=())

    def _place(self, batch: Batch) -> None:
        """Jiras that were merged or imported may name another project id in an issue; its key says where it is."""
        for item in batch.items:
            progress = self._by_key.get(item.key.rpartition("-")[0])
            if progress is not None and item.fields.project.id not in self._by_id:
                item.fields.project = IdOf(progress.project.id)

    def _is_new(self, item: Item) -> bool:
        progress = self._by_id.get(item.fields.project.id)
        cursor = progress.cursor if progress else None
        return cursor is None or cursor.seen.get(item.id) != moment_of(item.fields.updated)

    def _page(self, batch: Batch, all_items: Sequence[Item]) -> Page:
        """The rows of a batch; a project with an issue that cannot be read fails from here on."""
        failed: dict[str, TrackerError] = {}
        for progress in self._running():
            if progress.project.key in batch.bad:
                progress.failed = True
                failed[progress.configured] = batch.bad[progress.project.key]
        running = {progress.project.id: progress for progress in self._running()}
        for item in all_items:
            of = running.get(item.fields.project.id)
            updated = moment_of(item.fields.updated)
            if of is not None and (of.at is None or updated >= of.at - OVERLAP - timedelta(minutes=1)):
                of.updated[item.id] = updated
        self._meet(batch)
        issues: list[Issue] = []
        histories: dict[str, tuple[Event, ...]] = {}
        told: dict[str, tuple[DueDate, ...]] = {}
        for item in batch.items:
            if item.fields.project.id in running:
                issue, events = self._issue(item, batch)
                issues.append(issue)
                if batch.logs is not None:
                    histories[issue.id] = events
                    if item.id in self._places.epic_ids:
                        told[epic_id(item.id)] = due_dates(issue.created_at, issue.due, batch.logs.get(item.id, []))
        return Page(issues=tuple(issues), histories=histories, failed=failed, due_dates=told)

    def _meet(self, batch: Batch) -> None:
        """Ask for the statuses again where a history tells of one that is not known."""
        changes = (c for log in (batch.logs or {}).values() for entry in log for c in entry.items if c.to)
        met = {change.to for change in changes if (change.fieldId or change.field) == "status"}
        if not met <= self._categories.keys():
            self._categories = dict(self._session.renew())

    def _issue(self, item: Item, batch: Batch) -> tuple[Issue, tuple[Event, ...]]:
        status = item.fields.status
        if self._categories:
            self._categories.setdefault(status.id, status.statusCategory.key)
        return issue_of(
            item,
            None if batch.logs is None else batch.logs.get(item.id, []),
            self._categories,
            self._session.site,
            points=self._points,
            blocked_link=self._blocked,
            places=self._places,
        )

    def _running(self) -> list[_Progress]:
        return [progress for progress in self._by_id.values() if not progress.failed]

    def _under_way(self, page: Page, batch: Batch) -> Page:
        """The page with how far each first pull has come; other pulls begin again if they are cut off."""
        if not batch.items:
            return page
        created = max(moment_of(item.fields.created) for item in batch.items)
        cursors = {
            p.project.id: Cursor(p.at, created, swept=p.swept).write(p.place)
            for p in self._running()
            if p.at is not None and (p.cursor is None or p.cursor.created is not None)
        }
        return _with(page, cursors, frozenset())

    def _finished(self, page: Page) -> Page:
        running = self._running()
        ended = {p.project.id: Cursor.after(p.at, p.updated, p.swept) for p in running if p.at is not None}
        if ended:
            first = min(ended)
            ended[first] = structs.replace(ended[first], known=self._session.found())
        by_id = self._by_id
        cursors = {id_: cursor.write(by_id[id_].place, by_id[id_].picked) for id_, cursor in ended.items()}
        return _with(page, cursors, frozenset(p.project.id for p in running))


def _with(page: Page, cursors: Mapping[str, str], complete: frozenset[str]) -> Page:
    return structs.replace(page, cursors=cursors, complete=complete)


def _end(progress: _Progress, high: datetime | None, items: Sequence[Item]) -> datetime | None:
    """Where the next pull begins: the last update there was when this one began.

    One answer holds all of one moment, so its own last update will do. A walk of many pages takes time, so ``high``
    is what the tracker said at its beginning; a first pull that was cut off keeps the one of its own beginning.
    """
    if progress.cursor is not None and progress.cursor.created is not None:
        return progress.cursor.at
    mine = [moment_of(item.fields.updated) for item in items if item.fields.project.id == progress.project.id]
    newest = high or max(mine, default=None)
    if progress.cursor is None:
        return newest
    return progress.cursor.at if newest is None else max(newest, progress.cursor.at)
