"""Store the identities of trackers (sources), their addresses, and the settings that written texts depend on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Row, delete, select, update

from sync.model.work_time import WorkTime
from sync.store import tables as schema
from sync.store.database import writing
from sync.store.repository import Repository
from sync.store.upsert import upsert
from sync.tracker.identity import place_of

__all__ = ["Address", "KnownSource", "KnownSources", "Sources"]


_PREFIXES, _INSTANCE = "label_prefixes", "instance"


class KnownSource(Struct, frozen=True):
    """A tracker that the store knows.

    ``tracker_id`` is the id that the tracker returned: empty if it has none, None if it is not known yet. ``names`` are
    all its names: its identity ``source``, its id, and the addresses at which it was read.
    """

    source: str
    tracker_id: str | None
    names: tuple[str, ...]


class Address(Struct, frozen=True):
    """The address at which a connection read a tracker (``source``) last."""

    url: str
    source: str


class KnownSources:
    """All trackers that the store knows, with the addresses at which connections read them, the earliest first."""

    def __init__(self, sources: Iterable[Row[Any]], addresses: Iterable[Row[Any]]) -> None:
        self._by_number = {row.n: row for row in sources}
        self._addresses = [row for row in addresses if row.source in self._by_number]
        numbers = {row.tracker_id: n for n, row in self._by_number.items() if row.tracker_id}
        numbers |= {row.url: row.source for row in self._addresses}
        numbers |= {row.url: n for n, row in self._by_number.items()}
        self._places = {place_of(name): number for name, number in numbers.items()}
        self._names: dict[int, list[str]] = {}
        for name, number in numbers.items():
            self._names.setdefault(number, []).append(name)
        self._last = {row.connection: Address(row.url, self._by_number[row.source].url) for row in self._addresses}

    def find(self, names: Iterable[str]) -> KnownSource | None:
        """Return the tracker that has one of these names; the first name counts most. None if no name is known.

        Names are compared by `place_of`.
        """
        n = next((self._places[place] for place in map(place_of, names) if place in self._places), None)
        if n is None:
            return None
        return KnownSource(self._by_number[n].url, self._by_number[n].tracker_id, tuple(self._names[n]))

    def last_address(self, connection: str) -> Address | None:
        """Return the stored address at which a connection (by name) read last."""
        return self._last.get(connection)

    def readers(self) -> dict[str, list[tuple[str, str]]]:
        """Return name and address of the connections that have read each tracker, the earliest first."""
        readers: dict[str, list[tuple[str, str]]] = {}
        for row in self._addresses:
            readers.setdefault(self._by_number[row.source].url, []).append((row.connection, row.url))
        return readers


class Sources(Repository):
    """Identities and addresses of trackers."""

    def known_sources(self) -> KnownSources:
        """Return all trackers that the store knows now."""
        return KnownSources(self._select(schema.source), self._select(schema.address, order=("at",)))

    def find_source(self, names: Sequence[str]) -> KnownSource | None:
        """Return the tracker that has one of these names: see `KnownSources.find`."""
        return self.known_sources().find(names)

    def save_tracker_id(self, source: str, tracker_id: str | None) -> None:
        """Save the id that a tracker returned; empty: it has none; None: not known yet."""
        n = self._number(source)
        with writing(self._engine) as connection:
            connection.execute(update(schema.source).where(schema.source.c.n == n).values(tracker_id=tracker_id))

    def work_time(self, source: str) -> WorkTime | None:
        """Return the working time that a tracker was read with; None if it has none."""
        rows = self._select(schema.source, "hours_a_day", "days_a_week", url=source)
        if not rows or rows[0].hours_a_day is None:
            return None
        return WorkTime(hours_a_day=rows[0].hours_a_day, days_a_week=rows[0].days_a_week)

    def last_address(self, connection: str) -> Address | None:
        """Return where a connection (by name) read last; None for a new one.

        Versions before revision 0011 stored no addresses: then it is the source of the projects that it reads.
        """
        source, address, watch = schema.source, schema.address, schema.watch
        query = select(address.c.url, source.c.url.label("source")).join(source, source.c.n == address.c.source)
        rows = self._rows(query.where(address.c.connection == connection).order_by(address.c.at.desc()).limit(1))
        if not rows:
            query = select(source.c.url, source.c.url.label("source")).join(watch, source.c.n == watch.c.source)
            rows = self._rows(query.where(watch.c.connection == connection).limit(1))
        return Address(rows[0].url, rows[0].source) if rows else None

    def save_address(self, connection: str, address: Address, at: datetime) -> None:
        """Save where a connection reads from now on, and delete the cursors of the tracker.

        The next pull reads everything again, because rows hold links with the address.
        """
        n = self._number(address.source)
        row = {"connection": connection, "url": address.url, "source": n, "at": at}
        with writing(self._engine) as transaction:
            upsert(transaction, schema.address, [row])
            transaction.execute(delete(schema.cursor).where(schema.cursor.c.source == n))

    # --- settings that written texts depend on ----------------------------------------------------------------------

    def written_instance(self) -> str:
        """Return the instance whose texts are in the trackers; empty if it was never saved."""
        return self._written_setting(_INSTANCE) or ""

    def save_instance(self, instance: str) -> None:
        """Save the instance whose texts are in the trackers from now on."""
        if instance != self.written_instance():
            self._save_written_setting(_INSTANCE, instance)

    def label_prefixes(self) -> tuple[str, ...]:
        """Return the prefixes of all status labels that were ever written."""
        return tuple(json.loads(self._written_setting(_PREFIXES) or "[]"))

    def save_label_prefixes(self, prefixes: Iterable[str]) -> None:
        """Save the prefixes of the status labels that are written from now on, in addition to the former ones."""
        known = self.label_prefixes()
        together = tuple(dict.fromkeys((*known, *prefixes)))
        if together != known:
            self._save_written_setting(_PREFIXES, json.dumps(together, ensure_ascii=False))

    def _written_setting(self, name: str) -> str | None:
        rows = self._select(schema.installation, "value", name=name)
        return str(rows[0].value) if rows else None

    def _save_written_setting(self, name: str, value: str) -> None:
        with writing(self._engine) as connection:
            upsert(connection, schema.installation, [{"name": name, "value": value}])
