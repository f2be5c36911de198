"""Find the identity of a connection's tracker from its addresses and its own id. See `sync.tracker.identity`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sync.store.sources import Address, KnownSource, KnownSources
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import MovedError, SharedTrackerError
from sync.tracker.identity import place_of
from sync.tracker.protocol import IdentifiedTracker

__all__ = ["former_address", "identify", "is_known", "moved_error", "recall_identities"]


def recall_identities(connections: Sequence[Connection], store: Store) -> None:
    """Set the identity of each connection from the store alone, without a request.

    If no address is known, a connection keeps the tracker that it read last, and may not write. A connection whose
    tracker is that of another one at another address gets none, unless the tracker has returned the same id to both.
    """
    sources = store.known_sources()
    readers = sources.readers()
    last = {own.name: sources.last_address(own.name) or store.last_address(own.name) for own in connections}
    sharers: dict[str, list[Connection]] = {}
    for connection in connections:
        found = sources.find(connection.addresses) or last[connection.name]
        sharers.setdefault(found.source if found else connection.addresses[0], []).append(connection)
    for source, own in sharers.items():
        for connection in own:
            holder = _holder(connection, own, readers.get(source, ()))
            _recall(connection, holder, sources.find(connection.addresses), last[connection.name])


def _recall(connection: Connection, holder: Connection | None, known: KnownSource | None, last: Address | None) -> None:
    has_same_id = known is not None and known.tracker_id and last == _address(connection, known)
    if holder is not None and not has_same_id:
        _withhold(connection, holder)
    elif known is not None:
        _set(connection, known)
    elif last is not None:
        connection.identity.source = last.source
        connection.identity.problem = moved_error(connection, last.url)


def identify(connection: Connection, store: Store, now: datetime, sources: KnownSources) -> None:
    """Set and save the identity of a connection; ask a tracker that returns an id, once for each new address.

    After a change of address the next pull reads everything. Raises `MovedError` if the address has changed and
    neither the tracker's id nor the setting ``formerly`` connects both, `SharedTrackerError` if the tracker is that of
    another connection (`recall_identities`) without the same id, and `TrackerError` if the tracker fails.
    ``sources`` are those that the store knew before the round.
    """
    known = sources.find(connection.addresses)
    if known is None or known.tracker_id is None:  # another connection may have asked it since
        known = store.find_source(connection.addresses)
    last = sources.last_address(connection.name) or store.last_address(connection.name)
    problem = connection.identity.problem
    if isinstance(problem, SharedTrackerError) and not (
        known and known.tracker_id and known.tracker_id == _ask(connection)
    ):
        raise problem
    if known is None or known.tracker_id is None:
        tracker_id = _ask(connection)
        known = known or _find_by_id(store, tracker_id)
        if known is None and last is not None:
            raise moved_error(connection, last.url)
        source = known.source if known else tracker_id or connection.addresses[0]
        store.save_tracker_id(source, tracker_id)
        names = (tracker_id or source, *(known.names if known else (source,)))
        known = KnownSource(source, tracker_id, tuple(dict.fromkeys(names)))
    _set(connection, known)
    address = _address(connection, known)
    if last is None or last != address:
        store.save_address(connection.name, address, now)


def former_address(connection: Connection, store: Store) -> str:
    """Return the address at which the connection read last, if it is not the present one; else an empty text."""
    last = store.last_address(connection.name)
    return last.url if last is not None and last.url != connection.connector.base_url else ""


def is_known(connection: Connection, store: Store) -> bool:
    """Return whether the store knows the tracker at the connection's address. May send one request."""
    return bool(store.find_source(connection.addresses) or _find_by_id(store, _ask(connection)))


def _ask(connection: Connection) -> str | None:
    """Return the id that the tracker returns; empty if it has none, None if it is not known yet."""
    connector = connection.connector
    return connector.tracker_id() if isinstance(connector, IdentifiedTracker) else ""


def _find_by_id(store: Store, tracker_id: str | None) -> KnownSource | None:
    return store.find_source([tracker_id]) if tracker_id else None


def _set(connection: Connection, known: KnownSource) -> None:
    identity = connection.identity
    identity.source, identity.aliases, identity.problem = known.source, known.names, None


def _address(connection: Connection, known: KnownSource) -> Address:
    return Address(connection.connector.base_url, known.source)


def _holder(
    connection: Connection, sharers: Sequence[Connection], readers: Sequence[tuple[str, str]]
) -> Connection | None:
    """Return the connection at another address that holds this one's tracker; None if it is its own.

    Of the connections to one tracker (``sharers``) the first of its ``readers`` holds it. If none of them has read it,
    it is one whose address is no former address of the others, then the one at the tracker's last address.
    """

    def rank(sharer: Connection) -> tuple[int, bool, int]:
        place = _place(sharer)
        first = next((n for n, (name, _) in enumerate(readers) if name == sharer.name), len(readers))
        is_former = any(place in map(place_of, other.formerly) for other in sharers if other is not sharer)
        last = max((n for n, (_, url) in enumerate(readers) if place_of(url) == place), default=-1)
        return -first, not is_former, last

    holder = max(sharers, key=rank)
    return None if _place(holder) == _place(connection) else holder


def _place(connection: Connection) -> str:
    return place_of(connection.connector.base_url)


def _withhold(connection: Connection, holder: Connection) -> None:
    """Take the tracker from a connection, so that no row of it is read or written.

    The identity that is left is no address, so that no other connection can have it.
    """
    url = connection.connector.base_url
    words = (
        f"{url} is an address of the tracker of {holder.name}, now at {holder.connector.base_url}; "
        "for the same tracker, remove one of both connections; for another tracker, use another name of the "
        "connection, and an address that no connection has had, such as another host name of the server"
    )
    identity = connection.identity
    identity.source, identity.problem = f"{connection.name} at {url}", SharedTrackerError(connection.name, "", words)


def moved_error(connection: Connection, former: str, project: str = "") -> MovedError:
    """Return the error that says how to connect a former address with the present one."""
    words = (
        f'from {former} to {connection.connector.base_url}; for the same tracker, add formerly = ["{former}"] to '
        "the connection; for another tracker, use another name of the connection"
    )
    return MovedError(connection.name, project, words)
