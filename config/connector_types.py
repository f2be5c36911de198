"""The installed types of connectors."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, PackageNotFoundError, distribution, entry_points

__all__ = ["connector_types", "installed_type"]

_GROUP = "milesync.connectors"


def installed_type(kind: str) -> EntryPoint | None:
    """Return the entry point of a type; None: it is not installed. Our own types win, and no package is searched."""
    return next(iter(_own().select(name=kind) or connector_types().select(name=kind)), None)


def connector_types() -> EntryPoints:
    """Return the entry points of the installed types. Reads the metadata of all packages once for each import path."""
    return _installed_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _own() -> EntryPoints:
    try:
        return distribution("milesync").entry_points.select(group=_GROUP)
    except PackageNotFoundError:  # run from a folder of sources
        return EntryPoints()


@lru_cache(maxsize=1)
def _installed_on(_path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=_GROUP)
