"""Store the journal: runs, the begin and end of each write, and the lease that allows writing to a tracker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import delete, func, insert, select, update

from sync.store import lease
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.lease import Lease
from sync.store.observations import save_result
from sync.store.repository import Repository
from sync.store.upsert import upsert
from sync.tracker.actions import (
    Action,
    AnyAction,
    CreateComment,
    CreateStatusIssue,
    Receipt,
    UpdateComment,
    is_text,
)

__all__ = ["Journal", "Run"]

_ACTION = msgspec.json.Decoder(AnyAction)  # at import: two threads that build a decoder at once crash
_JSON = msgspec.json.Encoder()


class Run(Struct, frozen=True, kw_only=True):
    """One run: its times (UTC) and its summary as JSON. Both are None while the run lasts, or after it has died."""

    id: str
    started_at: datetime
    finished_at: datetime | None
    summary: str | None


class Journal(Repository):
    """Runs, writes and leases."""

    # --- runs -------------------------------------------------------------------------------------------------------

    def start_run(self, run_id: str, at: datetime) -> None:
        """Record that a run began at `at` (UTC)."""
        with writing(self._engine) as connection:
            upsert(connection, schema.run, [{"id": run_id, "started_at": at, "finished_at": None, "summary": None}])

    def finish_run(self, run_id: str, summary: str, at: datetime | None = None) -> None:
        """Record the end of a run: `summary` is JSON, `at` is in UTC, None: now."""
        values = {"finished_at": at or self._clock(), "summary": summary}
        with writing(self._engine) as connection:
            connection.execute(update(schema.run).where(schema.run.c.id == run_id).values(values))

    def last_runs(self, count: int = 10) -> list[Run]:
        """Return the last runs, newest first."""
        query = select(schema.run).order_by(schema.run.c.started_at.desc(), schema.run.c.id).limit(count)
        return [Run(**row._asdict()) for row in self._rows(query)]

    def runs_since(self, at: datetime) -> list[datetime]:
        """Return the start (UTC) of each run that began after a time, oldest first."""
        started = schema.run.c.started_at
        return [row.started_at for row in self._rows(select(started).where(started > at).order_by(started))]

    # --- writes -----------------------------------------------------------------------------------------------------

    def begin(self, run_id: str, action: Action) -> int:
        """Record that `action` is about to be sent. Return the entry for `finish`.

        Text and marker of a comment are not kept: they would fill the database, are in the tracker if the comment
        arrives, and are made again if it does not. Before a status issue is created, the observation that the milestone
        has none is deleted.
        """
        is_comment = isinstance(action, CreateStatusIssue | CreateComment | UpdateComment)
        kept = msgspec.structs.replace(action, body="", marker="") if is_comment else action
        row = {
            "source": self._sources_of([action.milestone])[action.milestone],
            "run": run_id,
            "milestone": action.milestone,
            "action": _JSON.encode(kept).decode(),
            "begun_at": self._clock(),
        }
        with writing(self._engine) as connection:
            if isinstance(action, CreateStatusIssue):
                connection.execute(delete(schema.observed).where(schema.observed.c.milestone == action.milestone))
            return int(
                connection.execute(insert(schema.journal).values(row).returning(schema.journal.c.n)).scalar_one()
            )

    def finish(self, entry: int, outcome: Receipt | str) -> None:
        """Record the end of a write: a receipt, or the text of the error. Save the own content that it created."""
        table, at = schema.journal, self._clock()
        is_done = isinstance(outcome, Receipt)
        values = {
            "finished_at": at,
            "receipt": _JSON.encode(outcome).decode() if is_done else None,
            "error": None if is_done else outcome,
        }
        with writing(self._engine) as connection:
            row = connection.execute(
                update(table).where(table.c.n == entry).values(values).returning(table.c.source, table.c.action)
            ).one()
            if isinstance(outcome, Receipt):
                save_result(connection, row.source, _ACTION.decode(row.action), outcome, at)

    def texts_between(self, source: str, begin: datetime, end: datetime) -> list[datetime]:
        """Return when each text was created in a tracker between two times (UTC), oldest first.

        Writes that failed do not count, those without an answer do.
        """
        table = schema.journal
        sent_at = func.coalesce(table.c.finished_at, table.c.begun_at).label("sent_at")
        query = select(table.c.action, sent_at).where(
            table.c.source == self._known(source), sent_at > begin, sent_at < end, table.c.error.is_(None)
        )
        return [row.sent_at for row in self._rows(query.order_by(sent_at)) if is_text(_ACTION.decode(row.action))]

    def has_failed_like_this(self, entry: int, milestone: str, error: str) -> bool:
        """Return whether the last write to a milestone before this entry failed with the same error."""
        table = schema.journal
        query = select(table.c.error).where(table.c.milestone == milestone, table.c.n < entry)
        return any(row.error == error for row in self._rows(query.order_by(table.c.n.desc()).limit(1)))

    # --- leases -----------------------------------------------------------------------------------------------------

    def acquire(self, source: str, holder: str, *, dead: Callable[[str], bool] = lease.is_dead) -> Lease | None:
        """Acquire the lease that allows writing to a source. None while another process holds the lease.

        `holder` comes from `this_process`.
        """
        return lease.acquire(self._engine, self._number(source), source, holder, dead=dead)

    def term(self, source: str, *, dead: Callable[[str], bool] = lease.is_dead) -> int | None:
        """Return how often the lease of a source has been acquired: a new number means that another run has written.

        None while a process holds the lease, since its next writes are unknown.
        """
        return lease.term(self._engine, self._known(source), dead=dead)
