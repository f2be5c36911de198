"""Find the identity of a connection's tracker from its addresses and its own id. See `sync.tracker.identity`."""

from __future__ import annotations

from datetime import datetime

from sync.store.sources import Address, KnownSource
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import MovedError
from sync.tracker.protocol import IdentifiedTracker

__all__ = ["former_address", "identify", "is_known", "moved_error", "recall_identity"]


def recall_identity(connection: Connection, store: Store) -> None:
    """Set the identity of a connection from the store alone, without a request.

    If no address is known, the connection keeps the tracker that it read last, and may not write.
    """
    known = store.find_source(connection.addresses)
    last = store.last_address(connection.name) if known is None else None
    if known is not None:
        _set(connection, known)
    elif last is not None:
        connection.identity.source = last.source
        connection.identity.problem = moved_error(connection, last.url)


def identify(connection: Connection, store: Store, now: datetime) -> None:
    """Set and save the identity of a connection; ask a tracker that returns an id, once for each new address.

    After a change of address the next pull reads everything. Raises `MovedError` if the address has changed and
    neither the tracker's id nor the setting ``formerly`` connects both, and `TrackerError` if the tracker fails.
    """
    known, last = store.find_source(connection.addresses), store.last_address(connection.name)
    if known is None or known.tracker_id is None:
        tracker_id = _ask(connection)
        known = known or _find_by_id(store, tracker_id)
        if known is None and last is not None:
            raise moved_error(connection, last.url)
        source = known.source if known else tracker_id or connection.addresses[0]
        store.save_tracker_id(source, tracker_id)
        known = store.find_source([source])
        assert known is not None
    _set(connection, known)
    address = Address(connection.connector.base_url, known.source)
    if last is None or last != address:
        store.save_address(connection.name, address, now)


def former_address(connection: Connection, store: Store) -> str:
    """Return the address at which the connection read last, if it is not the present one; else an empty text."""
    last = store.last_address(connection.name)
    return last.url if last is not None and last.url != connection.connector.base_url else ""


def is_known(connection: Connection, store: Store) -> bool:
    """Return whether the store knows the tracker at the connection's address. May send one request."""
    return bool(store.find_source(connection.addresses) or _find_by_id(store, _ask(connection)))


def _ask(connection: Connection) -> str:
    """Return the id that the tracker returns; empty if it has none."""
    connector = connection.connector
    return connector.tracker_id() if isinstance(connector, IdentifiedTracker) else ""


def _find_by_id(store: Store, tracker_id: str) -> KnownSource | None:
    return store.find_source([tracker_id]) if tracker_id else None


def _set(connection: Connection, known: KnownSource) -> None:
    identity = connection.identity
    identity.source, identity.aliases, identity.problem = known.source, known.names, None


def moved_error(connection: Connection, former: str, project: str = "") -> MovedError:
    """Return the error that says how to connect a former address with the present one."""
    words = (
        f'from {former} to {connection.connector.base_url}; for the same tracker, add formerly = ["{former}"] to '
        "the connection; for another tracker, use another name of the connection"
    )
    return MovedError(connection.name, project, words)
