"""The installed types of connectors."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoints, entry_points

__all__ = ["connector_types"]


def connector_types() -> EntryPoints:
    """Return the entry points of the installed types. Reads the metadata of all packages once for each import path."""
    return _installed_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _installed_on(_path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group="milesync.connectors")
