"""The shelf of what was done: runs, the journal around each write, what was observed, and who may write."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, update

from sync.model.item_label import ItemLabel
from sync.store import lease
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.lease import Lease
from sync.store.repository import Repository
from sync.store.tables import OwnContent
from sync.store.upsert import chunks, upsert
from sync.tracker.actions import (
    Action,
    AnyAction,
    Attach,
    CreateComment,
    CreateStatusIssue,
    Detach,
    LabelItem,
    PostBoardUpdate,
    Receipt,
    SetNativeHealth,
    UpdateDescription,
)
from sync.tracker.attachment import AttachmentName
from sync.tracker.marker import Marker, MarkerKind
from sync.tracker.observed import StatusIssue

__all__ = ["Journal", "JournalEntry", "Run"]

_ACTION = msgspec.json.Decoder(AnyAction)
_STATUS_ISSUE = msgspec.json.Decoder(StatusIssue)
_JSON = msgspec.json.Encoder()


class JournalEntry(Struct, frozen=True, kw_only=True):
    """A write that was begun and whose end nobody recorded: it may have happened or not."""

    n: int
    run: str
    action: Action
    begun_at: datetime


class Run(Struct, frozen=True, kw_only=True):
    """One run: its times (UTC) and the summary it ended with, as JSON; both None while it goes or when it died."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    summary: str | None


class Journal(Repository):
    """What milesync did, and what stands in the trackers because of it."""

    # --- runs ---------------------------------------------------------------------------------------------------

    def start_run(self, run_id: str, at: datetime) -> None:
        """Note that a run began at `at` (UTC)."""
        with writing(self._engine) as connection:
            upsert(connection, schema.run, [{"id": run_id, "started_at": at, "finished_at": None, "summary": None}])

    def finish_run(self, run_id: str, summary: str, at: datetime | None = None) -> None:
        """Note how a run ended: `summary` is its JSON; `at` is now by default."""
        values = {"finished_at": at or self._clock(), "summary": summary}
        with writing(self._engine) as connection:
            connection.execute(update(schema.run).where(schema.run.c.id == run_id).values(values))

    def last_runs(self, count: int = 10) -> list[Run]:
        """The last runs, the newest first."""
        query = select(schema.run).order_by(schema.run.c.started_at.desc(), schema.run.c.id).limit(count)
        return [Run(**row._asdict()) for row in self._rows(query)]

    # --- the journal --------------------------------------------------------------------------------------------

    def begin(self, run_id: str, action: Action) -> int:
        """Record that `action` is about to be sent; returns the entry for `finish`.

        That a milestone was seen without a status issue stands no longer once one is about to be made.
        """
        row = {
            "source": self._source_of(action.milestone),
            "run": run_id,
            "milestone": action.milestone,
            "action": _JSON.encode(action).decode(),
            "begun_at": self._clock(),
        }
        with writing(self._engine) as connection:
            if isinstance(action, CreateStatusIssue):
                connection.execute(delete(schema.observed).where(schema.observed.c.milestone == action.milestone))
            return int(
                connection.execute(insert(schema.journal).values(row).returning(schema.journal.c.n)).scalar_one()
            )

    def finish(self, entry: int, outcome: Receipt | str) -> None:
        """Record how it ended: a receipt, or the words of the error. What we made is known from then on."""
        table = schema.journal
        values: dict[str, Any] = {"finished_at": self._clock(), "receipt": None, "error": None}
        if isinstance(outcome, Receipt):
            values["receipt"] = _JSON.encode(outcome).decode()
        else:
            values["error"] = outcome
        with writing(self._engine) as connection:
            row = connection.execute(
                update(table).where(table.c.n == entry).values(values).returning(table.c.source, table.c.action)
            ).one()
            if isinstance(outcome, Receipt):
                action = _ACTION.decode(row.action)
                if isinstance(action, SetNativeHealth):
                    _forget_health(connection, action.milestone)
                if isinstance(action, PostBoardUpdate) and not action.body:
                    _forget_place(connection, action.milestone, OwnContent.BOARD, action.board)
                if isinstance(action, Detach) and not action.superseded and (name := AttachmentName.read(action.name)):
                    _forget_place(connection, action.milestone, OwnContent.PICTURE, name.stem)
                upsert(connection, schema.made, _made(row.source, action, outcome))
                if isinstance(action, LabelItem):
                    _note_marks(connection, row.source, action, values["finished_at"])

    def unfinished(self, source: str) -> list[JournalEntry]:
        """The writes to a source that were begun and never finished, oldest first."""
        table = schema.journal
        query = select(table).where(table.c.source == self._known(source), table.c.finished_at.is_(None))
        return [
            JournalEntry(n=row.n, run=row.run, action=_ACTION.decode(row.action), begun_at=row.begun_at)
            for row in self._rows(query.order_by(table.c.n))
        ]

    # --- observation --------------------------------------------------------------------------------------------

    def save_observed(self, milestone: str, seen: StatusIssue | None, at: datetime, instance: str = "") -> None:
        """Keep how the status issue of a milestone (uid) stood at `at`; None: it has none. Of what stands there only
        the texts of ``instance`` are remembered as made by us (empty: of any).
        """
        n = self._source_of(milestone)
        body = None if seen is None else _JSON.encode(seen).decode()
        with writing(self._engine) as connection:
            upsert(connection, schema.observed, [{"source": n, "milestone": milestone, "at": at, "body": body}])
            if seen is not None:
                upsert(connection, schema.made, _found(n, milestone, seen, instance))

    def adopt(self, milestone: str, project: str, seen: StatusIssue, at: datetime, instance: str = "") -> None:
        """Keep that the status issue of a milestone, which another account opened, is ours from now on."""
        n = self._source_of(milestone)
        own = _own(n, milestone, OwnContent.STATUS_ISSUE, project=project, issue=seen.issue, url=seen.url)
        with writing(self._engine) as connection:
            upsert(connection, schema.made, [own])
        self.save_observed(milestone, seen, at, instance)

    def opened(self) -> frozenset[tuple[str, str]]:
        """Milestone uid and key of each status issue that milesync opened or adopted."""
        made = schema.made
        rows = self._rows(select(made.c.milestone, made.c.issue).where(made.c.what == OwnContent.STATUS_ISSUE))
        return frozenset((row.milestone, row.issue) for row in rows)

    def observed(self) -> dict[str, tuple[StatusIssue | None, datetime]]:
        """The last observation for each milestone uid, and when it was made."""
        table = schema.observed
        return {
            row.milestone: (None if row.body is None else _STATUS_ISSUE.decode(row.body), row.at)
            for row in self._rows(select(table.c.milestone, table.c.body, table.c.at))
        }

    def touched(self, source: str, issue: str, project: str, since: datetime) -> bool:
        """Whether the pulls show that the issue with this key, in the project with this id, changed after `since`."""
        table = schema.issue
        mine = (table.c.source == self._known(source)) & (table.c.project == project) & (table.c.key == issue)
        return bool(self._rows(select(table.c.id).where(mine, table.c.updated_at > since)))

    def status_issues(self, source: str) -> frozenset[str]:
        """Native ids of the pulled issues that are status issues which milesync opened: never scope."""
        made, issue, n = schema.made, schema.issue, self._known(source)
        query = select(made.c.issue, made.c.project, made.c.url)
        ours = self._rows(query.where(made.c.source == n, made.c.what == OwnContent.STATUS_ISSUE))
        places = {(row.issue, place) for row in ours for place in (row.project, row.url) if place}
        found: set[str] = set()
        for keys in chunks({row.issue for row in ours}):
            same = select(issue.c.id, issue.c.key, issue.c.project, issue.c.url).where(issue.c.source == n)
            rows = self._rows(same.where(issue.c.key.in_(keys)))
            found |= {row.id for row in rows if {(row.key, row.project), (row.key, row.url)} & places}
        return frozenset(found)

    def posted(self, what: OwnContent = OwnContent.SUMMARY) -> frozenset[str]:
        """Uids of the milestones that have had a summary (or the like) of ours, whether it still stands or not."""
        made = schema.made
        rows = self._rows(select(made.c.milestone).where(made.c.what == what))
        return frozenset(row.milestone for row in rows)

    def healths(self) -> dict[str, str]:
        """The tracker's own health status that we set last, by milestone uid; empty where we took it away."""
        made = schema.made
        rows = self._rows(select(made.c.milestone, made.c.issue).where(made.c.what == OwnContent.HEALTH))
        return {row.milestone: row.issue for row in rows}

    def boards(self) -> dict[str, frozenset[str]]:
        """The project boards on which we posted a status update, by milestone uid, whether it still stands or not."""
        return self._places(OwnContent.BOARD)

    def pictures(self) -> dict[str, frozenset[str]]:
        """The stems (`sync.plan.attachment`) of the pictures that we attached, by milestone uid, there still or not."""
        return self._places(OwnContent.PICTURE)

    def _places(self, what: OwnContent) -> dict[str, frozenset[str]]:
        made, found = schema.made, dict[str, frozenset[str]]()
        for row in self._rows(select(made.c.milestone, made.c.issue).where(made.c.what == what)):
            found[row.milestone] = found.get(row.milestone, frozenset()) | {row.issue}
        return found

    def marks(self, source: str) -> list[ItemLabel]:
        """The labels that milesync put on items of a source and whose matter is not over yet."""
        table = schema.mark
        columns = [table.c[name] for name in ItemLabel.__struct_fields__]
        rows = self._rows(select(*columns).where(table.c.source == self._known(source)).order_by(*table.primary_key))
        return [ItemLabel(**row._asdict()) for row in rows]

    def forget_marks(self, source: str, marks: Iterable[ItemLabel]) -> None:
        """Forget labels on items: they may be put there again."""
        n = self._number(source)
        with writing(self._engine) as connection:
            for mark in marks:
                _forget(connection, n, mark.issue, (mark.label,))

    # --- the right to write -------------------------------------------------------------------------------------

    def acquire(self, source: str, holder: str, *, dead: Callable[[str], bool] = lease.is_dead) -> Lease | None:
        """The right to write to a source, or None while another holds it. `holder` comes from `this_process`."""
        return lease.acquire(self._engine, self._number(source), source, holder, dead=dead)

    def term(self, source: str, *, dead: Callable[[str], bool] = lease.is_dead) -> int | None:
        """How often the right to write to a source has been given: another number means that another run had it. None
        while one has it, as what it is about to write nobody can see yet.
        """
        return lease.term(self._engine, self._known(source), dead=dead)


def _note_marks(connection: Connection, source: int, action: LabelItem, at: datetime) -> None:
    _forget(connection, source, action.item, action.remove)
    rows = [
        {
            "source": source,
            "project": action.project,
            "issue": action.item,
            "label": label,
            "milestone": action.milestone,
            "at": at,
            "touched": action.touched or at,
        }
        for label in action.add
    ]
    upsert(connection, schema.mark, rows)


def _forget_health(connection: Connection, milestone: str) -> None:
    made = schema.made
    connection.execute(delete(made).where(made.c.milestone == milestone, made.c.what == OwnContent.HEALTH))


def _forget_place(connection: Connection, milestone: str, what: OwnContent, place: str) -> None:
    made = schema.made
    mine = (made.c.milestone == milestone) & (made.c.what == what) & (made.c.issue == place)
    connection.execute(delete(made).where(mine))


def _forget(connection: Connection, source: int, issue: str, labels: Sequence[str]) -> None:
    table = schema.mark
    mine = (table.c.source == source) & (table.c.issue == issue) & table.c.label.in_(labels)
    connection.execute(delete(table).where(mine))


def _made(source: int, action: Action, receipt: Receipt) -> list[dict[str, Any]]:
    """What the journal knows of our own: the status issue or the summary that a write made."""
    if isinstance(action, CreateStatusIssue):
        return [_own(source, action.milestone, OwnContent.STATUS_ISSUE, project=action.project, issue=receipt.issue)]
    if isinstance(action, CreateComment) and action.summary:
        return [_own(source, action.milestone, OwnContent.SUMMARY)]
    if isinstance(action, SetNativeHealth):
        return [_own(source, action.milestone, OwnContent.HEALTH, issue=action.value)]
    if isinstance(action, UpdateDescription):
        return [_own(source, action.milestone, OwnContent.DESCRIPTION)]
    if isinstance(action, PostBoardUpdate) and action.body:
        return [_own(source, action.milestone, OwnContent.BOARD, issue=action.board)]
    if isinstance(action, Attach) and (name := AttachmentName.read(action.name)):
        return [_own(source, action.milestone, OwnContent.PICTURE, issue=name.stem)]
    return []


def _found(source: int, milestone: str, seen: StatusIssue, instance: str) -> list[dict[str, Any]]:
    """What an observation shows of our own, by its markers: so it is known again after the database was lost."""
    marks = [(seen.marker, seen), *((comment.marker, None) for comment in seen.comments)]
    whats = {MarkerKind.STATUS_ISSUE: OwnContent.STATUS_ISSUE, MarkerKind.SUMMARY: OwnContent.SUMMARY}
    boards = [
        _own(source, milestone, OwnContent.BOARD, issue=board.name)
        for board in seen.boards
        if any(_by(Marker.decode(update.marker), instance) for update in board.updates)
    ]
    names = {
        name.stem
        for attached in (seen.files.ours if seen.files else ())
        if (name := AttachmentName.read(attached.name))
    }
    pictures = [_own(source, milestone, OwnContent.PICTURE, issue=stem) for stem in sorted(names)]
    return [*boards, *pictures] + [
        _own(source, milestone, whats[marker.kind], issue=own.issue if own else "", url=own.url if own else "")
        for text, own in marks
        if (marker := Marker.decode(text)) and marker.milestone == milestone and marker.kind in whats
        if _by(marker, instance)
    ]


def _by(marker: Marker | None, instance: str) -> bool:
    return marker is not None and instance in ("", marker.instance)


def _own(
    source: int, milestone: str, what: OwnContent, *, project: str = "", issue: str = "", url: str = ""
) -> dict[str, Any]:
    return {"source": source, "milestone": milestone, "what": what, "project": project, "issue": issue, "url": url}
