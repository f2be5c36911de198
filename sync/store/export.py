"""Taking everything out of the database, and one person out of it."""

from __future__ import annotations

import gzip
import os
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
from sync.store.database import reading, writing

__all__ = ["ErasureCounts", "KnownPerson", "erase_person", "export", "find_people"]

NOBODY = Person("forgotten", "")
"""Who stands where somebody was forgotten."""

_JSON = {
    "closing.body",
    "health.body",
    "journal.action",
    "journal.receipt",
    "observed.body",
    "run.summary",
    "telling.told",
}
"""Columns that hold a JSON text."""
_SOME = 1000


# --- everything ----------------------------------------------------------------------------------------------------


def export(engine: Engine, path: Path, at: datetime) -> dict[str, int]:
    """Write every row to a new file, one JSON object a line, packed when its name ends in ``.gz``. Rows by table.

    All of it is from one moment, `at` (UTC). Raises FileExistsError; nobody else may read the file.
    """
    counts: dict[str, int] = {}
    with _snapshot(engine) as connection, _new(path) as out:
        out.write(msgspec.json.encode({"milesync": "export", "revision": schema.HEAD, "at": at}) + b"\n")
        for table in schema.METADATA.sorted_tables:
            name = str(table.name)
            if name in schema.DERIVED:
                continue
            counts[name] = 0
            query = select(table).order_by(*table.primary_key.columns)
            with connection.execution_options(yield_per=_SOME).execute(query) as rows:
                for row in rows.mappings():
                    out.write(msgspec.json.encode({"table": name, "row": _plain(name, row)}) + b"\n")
                    counts[name] += 1
    return counts


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees one moment. On SQLite each transaction does."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with reading(engine.execution_options(**level)) as connection:
        yield connection


@contextmanager
def _new(path: Path) -> Iterator[IO[bytes]]:
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        if path.suffix != ".gz":
            yield file
            return
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
            yield packed  # type: ignore[misc]


def _plain(table: str, row: RowMapping) -> dict[str, Any]:
    """A row as it is written; JSON in a column becomes a part of it."""
    return {
        str(name): msgspec.Raw(value.encode()) if value and f"{table}.{name}" in _JSON else value
        for name, value in row.items()
    }


# --- one person ----------------------------------------------------------------------------------------------------


class KnownPerson(Struct, frozen=True, order=True):
    """A person as one tracker knows them: its base URL, their id there, and the name it shows."""

    source: str
    id: str
    name: str


class ErasureCounts(Struct, frozen=True):
    """Rows in which a person stood: events, issues that were theirs, observed status issues, finished writes, closing
    records.
    """

    events: int
    issues: int
    observations: int
    writes: int
    records: int


def find_people(engine: Engine, user: str) -> list[KnownPerson]:
    """Who has this tracker id or display name, in any tracker. A person with several names comes once for each."""
    event, issue, source = schema.event, schema.issue, schema.source
    found: set[tuple[int, Person]] = set()
    with reading(engine) as connection:
        urls = {row.n: row.url for row in connection.execute(select(source))}
        actors = select(event.c.source, event.c.actor_id, event.c.actor_name).distinct()
        actors = actors.where(or_(event.c.actor_id == user, event.c.actor_name == user))
        found |= {(row.source, Person(row.actor_id, row.actor_name or "")) for row in connection.execute(actors)}
        moved = schema.due_date
        movers = select(moved.c.source, moved.c.actor_id, moved.c.actor_name).distinct()
        movers = movers.where(or_(moved.c.actor_id == user, moved.c.actor_name == user))
        found |= {(row.source, Person(row.actor_id, row.actor_name or "")) for row in connection.execute(movers)}
        assigned = select(issue.c.source, issue.c.assignees).where(_holds(issue.c.assignees, user))
        found |= {
            (n, person)
            for n, people in connection.execute(assigned)
            for person in people
            if user in (person.id, person.name)
        }
    return sorted(KnownPerson(urls[n], person.id, person.name) for n, person in found)


def erase_person(engine: Engine, person: KnownPerson) -> ErasureCounts:
    """Put nobody in the place of a person, by id. What a tracker still says of them comes back with the next pull.

    Observed status issues in which they stand are dropped, and observed afresh by the next run; so are the records of
    finished writes whose text names them. Titles that people wrote are not searched.
    """
    event, issue, source = schema.event, schema.issue, schema.source
    observed, journal = schema.observed, schema.journal
    with writing(engine) as connection:
        n = connection.scalar(select(source.c.n).where(source.c.url == person.source))
        acted = and_(event.c.source == n, event.c.actor_id == person.id)
        nobody = {"actor_id": NOBODY.id, "actor_name": NOBODY.name}
        events = connection.execute(update(event).where(acted).values(nobody)).rowcount
        moved = schema.due_date
        dates = update(moved).where(and_(moved.c.source == n, moved.c.actor_id == person.id)).values(nobody)
        events += connection.execute(dates).rowcount
        mine = select(issue.c.id, issue.c.assignees).where(issue.c.source == n, _holds(issue.c.assignees, person.id))
        rows = [
            {
                "which": row.id,
                "people": tuple(
                    sorted({NOBODY if assignee.id == person.id else assignee for assignee in row.assignees})
                ),
            }
            for row in connection.execute(mine)
            if any(assignee.id == person.id for assignee in row.assignees)
        ]
        if rows:
            here = and_(issue.c.source == n, issue.c.id == bindparam("which"))
            connection.execute(update(issue).where(here).values(assignees=bindparam("people")), rows)
        seen = connection.execute(delete(observed).where(observed.c.source == n, _holds(observed.c.body, person.id)))
        named = or_(
            _holds(journal.c.action, person.id), *(_names(journal.c.action, person.name) if person.name else ())
        )
        done = connection.execute(
            delete(journal).where(journal.c.source == n, journal.c.finished_at.is_not(None), named)
        )
        records = erase_from_records(connection, f"{person.source}/", person.id, NOBODY)
    return ErasureCounts(events, len(rows), seen.rowcount, done.rowcount, records)


def _holds(column: Column[Any], word: str) -> Any:
    """Whether a JSON column holds a word as a text of its own: what may be meant, to be looked at more closely."""
    written = msgspec.json.encode(word).decode()
    return func.replace(column, written, "") != column


def _names(column: Column[Any], name: str) -> tuple[Any]:
    """Whether a JSON column has a name somewhere in its texts."""
    written = msgspec.json.encode(name).decode()[1:-1]
    return (func.replace(column, written, "") != column,)
