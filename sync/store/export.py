"""Export the whole database, and erase one person from it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Connection, Engine, RowMapping, and_, bindparam, delete, func, or_, select, update

from sync.model.tracker_data import Person
from sync.store import tables as schema
from sync.store.closing_records import erase_from_records
from sync.store.database import reading, snapshot, writing
from sync.store.private_file import open_private
from sync.store.upsert import chunks

__all__ = ["ErasureCounts", "KnownPerson", "erase_person", "export", "find_people"]

ERASED = Person("forgotten", "")
"""Replacement of an erased person."""

_JSON = {
    "closing.body",
    "journal.action",
    "journal.receipt",
    "observed.body",
    "verdict.body",
    "run.summary",
    "telling.told",
}
"""Columns that hold a JSON text."""
_BATCH = 1000


# --- export ----------------------------------------------------------------------------------------------------


def export(engine: Engine, path: Path, at: datetime) -> dict[str, int]:
    """Write every row to a new file, one JSON object a line, gzipped when its name ends in ``.gz``.

    Return the number of rows by table. All rows are from one snapshot, taken at `at` (UTC). Only the owner may read the
    file. Raises FileExistsError.
    """
    counts: dict[str, int] = {}
    with snapshot(engine) as connection, _new(path) as out:
        out.write(msgspec.json.encode({"milesync": "export", "revision": schema.HEAD, "at": at}) + b"\n")
        for table in schema.METADATA.sorted_tables:
            name = str(table.name)
            if name in schema.DERIVED:
                continue
            counts[name] = 0
            query = select(table).order_by(*table.primary_key.columns)
            with connection.execution_options(yield_per=_BATCH).execute(query) as rows:
                for row in rows.mappings():
                    out.write(msgspec.json.encode({"table": name, "row": _plain(name, row)}) + b"\n")
                    counts[name] += 1
    return counts


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file, which is removed when the body fails: a part of an export looks like a whole one."""
    file = open_private(path, is_new=True)
    try:
        with file:
            if path.suffix != ".gz":
                yield file
                return
            with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
                yield packed  # type: ignore[misc]
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _plain(table: str, row: RowMapping) -> dict[str, Any]:
    """Return a row for the file; JSON in a column becomes part of the JSON object."""
    return {
        str(name): msgspec.Raw(value.encode()) if value and f"{table}.{name}" in _JSON else value
        for name, value in row.items()
    }


# --- erase a person -------------------------------------------------------------------------------------------------


class KnownPerson(Struct, frozen=True, order=True):
    """A person in one tracker: base URL of the tracker, id there, display name."""

    source: str
    id: str
    name: str


class ErasureCounts(Struct, frozen=True):
    """Number of rows that named a person.

    These are events, assigned issues, observed status issues, finished writes and closing records.
    """

    events: int
    issues: int
    observations: int
    writes: int
    records: int


def find_people(engine: Engine, user: str) -> list[KnownPerson]:
    """Return the people with this id or display name in all trackers, one for each name."""
    event, issue, source = schema.event, schema.issue, schema.source
    matches: set[tuple[int, Person]] = set()
    with reading(engine) as connection:
        urls = {row.n: row.url for row in connection.execute(select(source))}
        actors = select(event.c.source, event.c.actor_id, event.c.actor_name).distinct()
        actors = actors.where(or_(event.c.actor_id == user, event.c.actor_name == user))
        matches |= {(row.source, Person(row.actor_id, row.actor_name or "")) for row in connection.execute(actors)}
        moved = schema.due_date
        movers = select(moved.c.source, moved.c.actor_id, moved.c.actor_name).distinct()
        movers = movers.where(or_(moved.c.actor_id == user, moved.c.actor_name == user))
        matches |= {(row.source, Person(row.actor_id, row.actor_name or "")) for row in connection.execute(movers)}
        assigned = select(issue.c.source, issue.c.assignees).where(_holds(issue.c.assignees, user))
        matches |= {
            (n, person)
            for n, people in connection.execute(assigned)
            for person in people
            if user in (person.id, person.name)
        }
    return sorted(KnownPerson(urls[n], person.id, person.name) for n, person in matches)


def erase_person(engine: Engine, person: KnownPerson) -> ErasureCounts:
    """Replace a person (by id) by `ERASED`. What the tracker still has returns with the next pull.

    Stored observations that name the person are deleted, and the next run observes again; finished writes whose text
    names the person are deleted. Titles are not searched.
    """
    event, issue, source = schema.event, schema.issue, schema.source
    journal = schema.journal
    with writing(engine) as connection:
        n = connection.scalar(select(source.c.n).where(source.c.url == person.source))
        acted = and_(event.c.source == n, event.c.actor_id == person.id)
        replacement = {"actor_id": ERASED.id, "actor_name": ERASED.name}
        events = connection.execute(update(event).where(acted).values(replacement)).rowcount
        moved = schema.due_date
        dates = update(moved).where(and_(moved.c.source == n, moved.c.actor_id == person.id)).values(replacement)
        events += connection.execute(dates).rowcount
        mine = select(issue.c.id, issue.c.assignees).where(issue.c.source == n, _holds(issue.c.assignees, person.id))
        rows = [
            {
                "which": row.id,
                "people": tuple(
                    sorted({ERASED if assignee.id == person.id else assignee for assignee in row.assignees})
                ),
            }
            for row in connection.execute(mine)
            if any(assignee.id == person.id for assignee in row.assignees)
        ]
        if rows:
            own_row = and_(issue.c.source == n, issue.c.id == bindparam("which"))
            connection.execute(update(issue).where(own_row).values(assignees=bindparam("people")), rows)
        connection.execute(delete(schema.obstacle).where(schema.obstacle.c.source == n))  # they return with a plan
        observations = _delete_observations(connection, n, person.id)
        named = or_(
            _holds(journal.c.action, person.id), *(_names(journal.c.action, person.name) if person.name else ())
        )
        done = connection.execute(
            delete(journal).where(journal.c.source == n, journal.c.finished_at.is_not(None), named)
        )
        records = erase_from_records(connection, f"{person.source}/", Person(person.id, person.name), ERASED)
    return ErasureCounts(events, len(rows), observations, done.rowcount, records)


def _delete_observations(connection: Connection, source: int | None, person: str) -> int:
    """Delete the stored observations of a source that name a person (by id); return their number."""
    observed, word = schema.observed, msgspec.json.encode(person).decode()
    rows = connection.execute(select(observed.c.milestone, observed.c.body).where(observed.c.source == source))
    named = [row.milestone for row in rows if row.body and word in row.body]
    for uids in chunks(named):
        connection.execute(delete(observed).where(observed.c.milestone.in_(uids)))
    return len(named)


def _holds(column: Column[Any], word: str) -> Any:
    """Return the condition that a JSON column holds the word as a whole text."""
    written = msgspec.json.encode(word).decode()
    return func.replace(column, written, "") != column


def _names(column: Column[Any], name: str) -> tuple[Any]:
    """Return the condition that a JSON column has the name somewhere in its texts."""
    written = msgspec.json.encode(name).decode()[1:-1]
    return (func.replace(column, written, "") != column,)
