"""Find the identity of a connection's tracker, whatever its address is today. See `sync.tracker.identity`."""

from __future__ import annotations

from datetime import datetime

from sync.store.sources import Address, KnownSource
from sync.store.store import Store
from sync.tracker.connection import Connection
from sync.tracker.errors import MovedError
from sync.tracker.identity import other_scheme
from sync.tracker.protocol import IdentifiedTracker

__all__ = ["identify", "recall_identity"]


def recall_identity(connection: Connection, store: Store) -> None:
    """Set the identity of a connection from the store alone, without a request.

    If no address is known, the connection keeps the tracker that it read last, and may not write.
    """
    known = store.find_source(_names(connection))
    last = store.last_address(connection.name) if known is None else None
    if known is not None:
        _set(connection, known)
    elif last is not None:
        connection.identity.source = last.source
        connection.identity.problem = _moved(connection, last).detail


def identify(connection: Connection, store: Store, now: datetime) -> None:
    """Set and save the identity of a connection; ask a tracker that returns an id, once for each new address.

    After a change of address the next pull reads everything. Raises `MovedError` if the address has changed and
    neither the tracker's id nor the setting ``formerly`` connects both, and `TrackerError` if the tracker fails.
    """
    known, last = store.find_source(_names(connection)), store.last_address(connection.name)
    if known is None or known.tracker_id is None:
        connector = connection.connector
        tracker_id = connector.tracker_id() if isinstance(connector, IdentifiedTracker) else ""
        if known is None and tracker_id:
            known = store.find_source([tracker_id])
        if known is None and last is not None:
            raise _moved(connection, last)
        source = known.source if known else tracker_id or connection.addresses[0]
        store.save_tracker_id(source, tracker_id)
        known = store.find_source([source])
        assert known is not None
    _set(connection, known)
    address = Address(connection.connector.base_url, known.source)
    if last is None or last != address:
        store.save_address(connection.name, address, now)


def _names(connection: Connection) -> tuple[str, ...]:
    return (*connection.addresses, other_scheme(connection.connector.base_url))


def _set(connection: Connection, known: KnownSource) -> None:
    identity = connection.identity
    identity.source, identity.aliases, identity.problem = known.source, known.names, ""


def _moved(connection: Connection, last: Address) -> MovedError:
    words = (
        f'from {last.url} to {connection.connector.base_url}: for the same tracker, add formerly = ["{last.url}"] to '
        "the connection; for another tracker, use another name of the connection"
    )
    return MovedError(connection.name, "", words)
