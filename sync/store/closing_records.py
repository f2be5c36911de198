"""Closing records: one for each milestone that was watched until it was done, never changed afterwards."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
from sqlalchemy import Connection, bindparam, or_, select, update

from sync.model.closing import ClosingRecord, without_person
from sync.model.published import PublishedForecast
from sync.model.tracker_data import Person
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.upsert import chunks, upsert

__all__ = ["ClosingRecordRepository", "erase_from_records"]

JOINT = "joint:"
"""Beginning of the ids of joint milestones."""

_RECORD = msgspec.json.Decoder(ClosingRecord)
_JSON = msgspec.json.Encoder()


class ClosingRecordRepository(Repository):
    """Closing records, and the published history that they are made from."""

    def save_records(self, records: Iterable[ClosingRecord]) -> None:
        """Save closing records; an existing record is not changed."""
        rows = [
            {"container": record.container, "at": record.at, "body": _JSON.encode(record).decode()}
            for record in records
        ]
        if rows:
            with writing(self._engine) as connection:
                upsert(connection, schema.closing, rows, keep=True)

    def records(self, containers: Collection[str]) -> dict[str, ClosingRecord]:
        """Return the closing records of these containers, by container."""
        table = schema.closing
        records: dict[str, ClosingRecord] = {}
        for keys in chunks(sorted(containers)):
            for row in self._rows(select(table.c.container, table.c.body).where(table.c.container.in_(keys))):
                records[row.container] = _RECORD.decode(row.body)
        return records

    def published(self, containers: Collection[str], audience: str = "") -> dict[str, list[PublishedForecast]]:
        """Return the published forecasts, oldest first, of the containers that were ever assessed as running."""
        table, names = schema.health, PublishedForecast.__struct_fields__
        query = select(table.c.container, table.c.status, *(table.c[name] for name in names))
        forecasts: dict[str, list[PublishedForecast]] = {}
        running: set[str] = set()
        for keys in chunks(sorted(containers)):
            mine = (table.c.audience == audience) & table.c.container.in_(keys)
            for row in self._rows(query.where(mine).order_by(table.c.container, table.c.at)):
                forecast = PublishedForecast(**{name: getattr(row, name) for name in names})
                forecasts.setdefault(row.container, []).append(forecast)
                if not row.status.is_over:
                    running.add(row.container)
        return {container: own for container, own in forecasts.items() if container in running}


def erase_from_records(connection: Connection, source: str, person: Person, replacement: Person) -> int:
    """Replace a person by ``replacement`` in the records of a source; return the number of changed records.

    ``source`` is the beginning of the containers' ids. Joint milestones have no source: there the name must match, too,
    because ids of several trackers may be equal.
    """
    table = schema.closing
    container = table.c.container
    related = or_(container.startswith(source, autoescape=True), container.startswith(JOINT, autoescape=True))
    rows = []
    for row in connection.execute(select(table).where(related)):
        record = _RECORD.decode(row.body)
        if row.container.startswith(JOINT) and (person.id, person.name) not in {(t.id, t.name) for t in record.thanks}:
            continue
        changed = without_person(record, person.id, replacement)
        if changed != record:
            rows.append({"which": row.container, "text": _JSON.encode(changed).decode()})
    if rows:
        mine = update(table).where(table.c.container == bindparam("which"))
        connection.execute(mine.values(body=bindparam("text")), rows)
    return len(rows)
