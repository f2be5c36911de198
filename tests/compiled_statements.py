"""Compile each SQL statement once in a test process, not once for each of its thousands of databases.

SQLAlchemy compiles a statement at its first use with an engine. Tests make an engine for nearly every store, so that a
quarter of their time was spent on the same hundred statements.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.util import LRUCache

__all__ = ["share"]


class _SharedCache(LRUCache[Any, Any]):
    """Compiled statements. The first part of SQLAlchemy's key is the dialect of one engine.

    Here it is the kind of dialect and the server's version: all our engines set up a dialect alike.
    """

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_shared(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_shared(key), value)


def _shared(key: Any) -> Any:
    dialect, *others = key
    return (type(dialect), dialect.server_version_info, *others)


def share() -> None:
    """From now on, share compiled statements between all engines of a dialect."""
    compiled = _SharedCache(2_000)

    @event.listens_for(Engine, "engine_connect")
    def _connect(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
