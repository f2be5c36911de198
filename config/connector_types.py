"""The installed types of connectors."""

from __future__ import annotations

import sys
from functools import lru_cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points

__all__ = ["connector_types", "installed_type"]

_GROUP = "milesync.connectors"
_OWN = {kind: EntryPoint(kind, f"connectors.{kind}:connect", _GROUP) for kind in ("github", "gitlab", "jira")}
"""Our entry points, as the metadata of this package has them: finding that lists every folder of the import path."""


def installed_type(kind: str) -> EntryPoint | None:
    """Return the entry point of a type; None: it is not installed. Our own types win, and no package is searched."""
    return _OWN.get(kind) or next(iter(connector_types().select(name=kind)), None)


def connector_types() -> EntryPoints:
    """Return the entry points of the installed types. Reads the metadata of all packages once for each import path."""
    return _installed_on(tuple(sys.path))


@lru_cache(maxsize=1)
def _installed_on(_path: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=_GROUP)
