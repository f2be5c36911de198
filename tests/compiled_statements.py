"""Compile each SQL statement once in a test process, not once for each of its thousands of databases.

SQLAlchemy compiles a statement at its first use with an engine. Tests make an engine for nearly every store, so that a
quarter of their time was spent on the same hundred statements.
"""

from __future__ import annotations

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.util import LRUCache

__all__ = ["share"]


def share() -> None:
    """From now on, share compiled statements between all engines of a dialect. All our engines set it up alike."""
    compiled: LRUCache[object, object] = LRUCache(2_000)
    DefaultDialect.__eq__ = lambda self, other: type(self) is type(other)  # type: ignore[method-assign]
    DefaultDialect.__hash__ = lambda self: hash(type(self))  # type: ignore[method-assign]

    @event.listens_for(Engine, "engine_connect")
    def _connect(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)
