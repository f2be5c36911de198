"""Tracker data: projects, milestones, issues, events, cursors, and the outcome of each project's last pull."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Table, delete, exists, func, literal, select, update

from sync.model.tracker_data import DueDate, Event, Issue, Milestone, Person, Project, UnreadRow
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.save_page import SavedCounts, save_page
from sync.store.tables import EventOrigin
from sync.store.unlisted_milestones import UnlistedMilestone, unlisted_milestones
from sync.store.upsert import chunks, reader, upsert
from sync.tracker.protocol import Page

__all__ = ["FailedPull", "TrackerData", "UnreadState"]

BATCH = 1000
"""Number of issues in one read."""

_PROJECT = reader(Project, schema.project)
_MILESTONE = reader(Milestone, schema.milestone)
_ISSUE = reader(Issue, schema.issue)
_FIRST = datetime.min.replace(tzinfo=UTC)
_EVENT = ("issue", "at", "kind", "milestone", "milestone_title", "actor_id", "actor_name", "value")


class FailedPull(Struct, frozen=True):
    """The first failed pull of a project since its last good one. Times are in UTC; None: there was no good one.

    ``error`` is the message of the last failure.
    """

    failed_at: datetime
    good_at: datetime | None
    error: str


class UnreadState(Struct, frozen=True, kw_only=True):
    """A stored row that cannot be read.

    ``project``: key. ``milestones``: native ids of the milestones that it concerns. ``failed_at``: the first pull (UTC)
    that could not read it; ``good_at``: the last complete pull of the project before, None without one.
    """

    source: str
    project: str
    row: UnreadRow
    milestones: tuple[str, ...]
    failed_at: datetime
    good_at: datetime | None

    @property
    def words(self) -> str:
        """The row, the time and the fault: ``acme/app: issue #12 cannot be read since 2026-03-02 09:00 UTC (...)``."""
        since = f"{self.failed_at:%Y-%m-%d %H:%M} UTC"
        return f"{self.project}: {self.row.name} cannot be read since {since} ({self.row.reason})"


class TrackerData(Repository):
    """Rows as the trackers returned them, by source (base URL)."""

    def save(self, source: str, page: Page, at: datetime) -> SavedCounts:
        """Save the rows and cursors of one page, pulled at `at` (UTC), in one transaction.

        A row never overwrites a newer one (by ``updated_at``). Saving a page twice changes nothing.
        """
        n = self._number(source)
        with writing(self._engine) as connection:
            return save_page(connection, n, page, at)

    def cursors(self, source: str) -> dict[str, str]:
        """Return where the next pull continues, in the connector's own format, by project id."""
        rows = self._select(schema.cursor, "project", "cursor", source=self._known(source))
        return {row.project: row.cursor for row in rows}

    def watch(self, connection: str, source: str, projects: Collection[str], *, only: bool) -> None:
        """Record that a connection reads these projects (native ids); `only`: and no others."""
        table, n = schema.watch, self._number(source)
        rows = [{"connection": connection, "source": n, "project": project} for project in projects]
        with writing(self._engine) as transaction:
            if only:
                transaction.execute(delete(table).where(table.c.connection == connection))
            if rows:
                upsert(transaction, table, rows, keep=True)

    def unwatch(self, connection: str, source: str, before: datetime) -> None:
        """Stop watching the projects that a connection has not read since `before`, except those whose pull failed."""
        table, project, pull = schema.watch, schema.project, schema.pull
        unread = (
            select(project.c.id)
            .join(pull, (pull.c.source == project.c.source) & (pull.c.project_key == project.c.key))
            .where(project.c.source == self._known(source), pull.c.failed_at.is_(None), pull.c.good_at < before)
        )
        mine = (table.c.connection == connection) & (table.c.source == self._known(source))
        with writing(self._engine) as transaction:
            transaction.execute(delete(table).where(mine, table.c.project.in_(unread)))

    def watched_projects(self, connection: str, source: str) -> frozenset[str]:
        """Return the projects (native ids) that a connection reads, by its last pull."""
        rows = self._select(schema.watch, "project", connection=connection, source=self._known(source))
        return frozenset(row.project for row in rows)

    def removed_projects(self, source: str) -> list[Project]:
        """Return the projects of a source that were read in full once, and that no connection reads any more."""
        n, projects = self._known(source), self.projects(source)
        pulls = self._select(schema.pull, "project_key", "good_at", source=n)
        read = {row.project_key for row in pulls if row.good_at is not None}
        watched = {row.project for row in self._select(schema.watch, "project", source=n)}  # last: one may be new
        return [project for project in projects if project.id not in watched and project.key in read]

    def note_pull(self, source: str, project_key: str, at: datetime, error: str | None) -> None:
        """Record the outcome of a project's pull: see `note_pulls`."""
        self.note_pulls(source, [project_key], at, error)

    def note_pulls(self, source: str, project_keys: Collection[str], at: datetime, error: str | None) -> None:
        """Record the outcome of the pulls of projects at `at` (UTC); `error` None: they were complete."""
        if not project_keys:
            return
        table, n = schema.pull, self._number(source)
        values: dict[str, Any] = {"good_at": at, "failed_at": None, "error": None}
        if error is not None:
            first_failure = func.coalesce(table.c.failed_at, literal(at, table.c.failed_at.type))
            values = {"failed_at": first_failure, "error": error}
        new = {"source": n, "good_at": None, "failed_at": None, "error": None}
        with writing(self._engine) as connection:
            upsert(connection, table, [new | {"project_key": key} for key in sorted(project_keys)], keep=True)
            for keys in chunks(sorted(project_keys)):
                mine = (table.c.source == n) & table.c.project_key.in_(keys)
                connection.execute(update(table).where(mine).values(values))

    def mark_changed(self, connection: str, projects: Collection[str], at: datetime) -> None:
        """Record that configured projects may have changed."""
        rows = [{"connection": connection, "project": project, "at": at} for project in projects]
        with writing(self._engine) as transaction:
            upsert(transaction, schema.dirty, rows)

    def changed_projects(self) -> dict[str, dict[str, datetime]]:
        """Return the projects that may have changed, by connection, each with the time (UTC) of its last mark."""
        marks: dict[str, dict[str, datetime]] = {}
        for row in self._rows(select(schema.dirty)):
            marks.setdefault(row.connection, {})[row.project] = row.at
        return marks

    def clear_changed(self, connection: str, projects: Mapping[str, datetime]) -> None:
        """Delete the marks of these projects, except marks newer than the given times."""
        table = schema.dirty
        with writing(self._engine) as transaction:
            for project, at in projects.items():
                mine = (table.c.connection == connection) & (table.c.project == project) & (table.c.at <= at)
                transaction.execute(delete(table).where(mine))

    def stale_projects(self) -> dict[tuple[str, str], datetime | None]:
        """Return the projects whose last pull failed, by (source, project key), with the time of their last good pull.

        None: there was never a good pull.
        """
        return {key: row.good_at for key, row in self._pulls().items() if row.failed_at is not None}

    def stale_keys(self, source: str) -> frozenset[str]:
        """Return the keys of the projects of one source whose last pull failed."""
        rows = self._select(schema.pull, "project_key", "failed_at", source=self._known(source))
        return frozenset(row.project_key for row in rows if row.failed_at is not None)

    def failed_pulls(self) -> dict[tuple[str, str], FailedPull]:
        """Return the failed pull of each project whose last pull failed, by (source, project key)."""
        return {
            key: FailedPull(row.failed_at, row.good_at, row.error or "")
            for key, row in self._pulls().items()
            if row.failed_at is not None
        }

    def last_pulls(self) -> dict[tuple[str, str], datetime]:
        """Return the time (UTC) of the last good pull of each project, by (source, project key)."""
        return {key: row.good_at for key, row in self._pulls().items() if row.good_at is not None}

    def unread_rows(self) -> list[UnreadState]:
        """Return the rows that the last pulls could not read, by source and project key.

        Only projects that a connection reads count.
        """
        unread, source, project, watch = schema.unread, schema.source, schema.project, schema.watch
        if not self._select(unread, "item"):
            return []
        query = (
            select(unread, source.c.url.label("source_url"), project.c.key.label("project_key"))
            .join(source, source.c.n == unread.c.source)
            .outerjoin(project, (project.c.source == unread.c.source) & (project.c.id == unread.c.project))
            .where(exists().where(watch.c.source == unread.c.source, watch.c.project == unread.c.project))
            .order_by(source.c.url, project.c.key, unread.c.kind, unread.c.item)
        )
        return [
            UnreadState(
                source=row.source_url,
                project=row.project_key or row.project,
                row=UnreadRow(project=row.project, kind=row.kind, reason=row.reason, id=row.id, key=row.key),
                milestones=row.milestones,
                failed_at=row.failed_at,
                good_at=row.good_at,
            )
            for row in self._rows(query)
        ]

    def _pulls(self) -> dict[tuple[str, str], Any]:
        """Return the outcome of the last pull of each project, by (source, project key)."""
        pulls = self._select(schema.pull)  # first: their sources are saved before them
        urls = {row.n: row.url for row in self._select(schema.source, "n", "url")}
        return {(urls[row.source], row.project_key): row for row in pulls}

    # --- reading what was pulled --------------------------------------------------------------------------------

    def projects(self, source: str) -> list[Project]:
        """Return the projects of a source, sorted by key."""
        return [_PROJECT(row) for row in self._select(schema.project, source=self._known(source), order=("key",))]

    def milestones(self, source: str | None = None, *, deleted: bool = False) -> list[tuple[str, Milestone]]:
        """Return the milestones of one source or of all, with their source; `deleted`: deleted ones too."""
        urls = {row.url: row.n for row in self._select(schema.source, "url", "n")}
        sources = sorted(urls) if source is None else [source]
        condition = {} if deleted else {"deleted_at": None}
        return [
            (url, _MILESTONE(row))
            for url in sources
            if url in urls
            for row in self._select(schema.milestone, source=urls[url], order=("project", "id"), **condition)
        ]

    def unlisted_milestones(self) -> list[UnlistedMilestone]:
        """Return the milestones that issues refer to and that no list of their tracker named."""
        return unlisted_milestones(self._engine)

    def issues(
        self,
        source: str,
        *,
        projects: Collection[str] | None = None,
        milestones: Collection[str] | None = None,
        ids: Collection[str] | None = None,
    ) -> Iterator[Issue]:
        """Yield the issues of a source: of projects, of milestones (issues that were ever in them), or by id.

        Deleted issues are included, without milestones and with unknown visibility, because history needs them.
        """
        if ids is not None:
            n = self._known(source)
            for batch in chunks(sorted(ids)):
                yield from map(_ISSUE, self._select(schema.issue, source=n, id=batch, order=("id",)))
            return
        for rows in self._batches(self._known(source), projects, milestones, schema.issue):
            yield from map(_ISSUE, rows)

    def events(
        self, source: str, *, projects: Collection[str] | None = None, milestones: Collection[str] | None = None
    ) -> Iterator[Event]:
        """Yield the events of the same issues, issue by issue: the tracker's, and differences between pulls."""
        n = self._known(source)
        for rows in self._batches(n, projects, milestones, schema.issue.c.id):
            for events in self._events(n, [row.id for row in rows]).values():
                yield from events

    def histories(
        self, source: str, *, projects: Collection[str] | None = None, milestones: Collection[str] | None = None
    ) -> Iterator[tuple[Issue, Sequence[Event]]]:
        """Yield the same issues, each with its events, batch by batch."""
        n = self._known(source)
        for rows in self._batches(n, projects, milestones, schema.issue):
            events = self._events(n, [row.id for row in rows])
            for row in rows:
                yield _ISSUE(row), events.get(row.id, ())

    def due_dates(self, source: str) -> dict[str, list[DueDate]]:
        """Return the due dates of each milestone (id) in the order of their notes; the first is the baseline."""
        seen: dict[str, list[DueDate]] = {}
        for row in self._select(schema.due_date, source=self._known(source), order=("seen", "origin")):
            notes = seen.setdefault(row.milestone, [])
            if not notes or notes[-1].due != row.due:
                by = None if row.actor_id is None else Person(row.actor_id, row.actor_name)
                notes.append(DueDate(row.seen, row.due, by, row.after))
        return seen

    def note_due_dates(self, source: str, milestone: str, notes: Iterable[DueDate]) -> None:
        """Save earlier due dates of a milestone (id); an existing note of the same time is not changed."""
        n = self._number(source)
        rows = [
            {"source": n, "milestone": milestone, "origin": EventOrigin.SNAPSHOT, "seen": note.seen, "due": note.due}
            for note in notes
        ]
        with writing(self._engine) as connection:
            upsert(connection, schema.due_date, rows, keep=True)

    def titles(self, source: str) -> dict[tuple[str, str], list[tuple[datetime | None, str]]]:
        """Return the milestones by project id and title, former titles included, the earliest created first."""
        title, milestone = schema.milestone_title, schema.milestone
        query = (
            select(milestone.c.project, title.c.title, milestone.c.created_at, title.c.milestone)
            .join(milestone, (milestone.c.source == title.c.source) & (milestone.c.id == title.c.milestone))
            .where(title.c.source == self._known(source))
        )
        titles: dict[tuple[str, str], list[tuple[datetime | None, str]]] = {}
        for row in self._rows(query):
            titles.setdefault((row.project, row.title), []).append((row.created_at, row.milestone))
        for named in titles.values():
            named.sort(key=lambda entry: (entry[0] or _FIRST, entry[1]))
        return titles

    def _batches(
        self, n: int, projects: Collection[str] | None, milestones: Collection[str] | None, what: Table | Column[Any]
    ) -> Iterator[Sequence[Any]]:
        table = schema.issue
        query = select(what).where(table.c.source == n).order_by(table.c.id)
        if milestones is not None:
            yield from (self._rows(query.where(table.c.id.in_(ids))) for ids in chunks(self._ever_in(n, milestones)))
            return
        for where in [()] if projects is None else [(table.c.project == key,) for key in sorted(projects)]:
            last = ""
            while rows := self._rows(query.where(*where, table.c.id > last).limit(BATCH)):
                yield rows
                last = rows[-1].id

    def _events(self, n: int, issues: Collection[str]) -> dict[str, list[Event]]:
        table = schema.event
        query = select(*(table.c[name] for name in _EVENT)).where(table.c.source == n, table.c.issue.in_(issues))
        events: dict[str, list[Event]] = {}
        rows = self._rows(query.order_by(table.c.issue, table.c.origin, table.c.n))
        for issue, at, kind, milestone, title, actor, name, value in rows:
            event = Event(
                issue=issue,
                at=at,
                kind=kind,
                milestone=milestone,
                milestone_title=title,
                actor=None if actor is None else Person(actor, name),
                value=value,
            )
            events.setdefault(issue, []).append(event)
        return events

    def _ever_in(self, n: int, milestones: Collection[str]) -> list[str]:
        """Return the ids of the issues that were ever in these milestones, by id or by a former title."""
        ids_ever_in: set[str] = set()
        member, event, title = schema.member, schema.event, schema.milestone_title
        issue, milestone = schema.issue, schema.milestone
        for ids in chunks(milestones):
            by_id = select(member.c.issue).where(member.c.source == n, member.c.milestone.in_(ids))
            by_title = (
                select(event.c.issue)
                .join(title, (title.c.source == event.c.source) & (title.c.title == event.c.milestone_title))
                .join(milestone, (milestone.c.source == n) & (milestone.c.id == title.c.milestone))
                .join(issue, (issue.c.source == n) & (issue.c.id == event.c.issue))
                .where(event.c.source == n, event.c.milestone == "", event.c.milestone_title != "")
                .where(title.c.milestone.in_(ids), issue.c.project == milestone.c.project)
            )
            ids_ever_in.update(row.issue for query in (by_id, by_title) for row in self._rows(query))
        return sorted(ids_ever_in)
