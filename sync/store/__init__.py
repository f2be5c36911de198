"""The database, and the only SQL in `sync`: `Store`, its errors, and the values that it returns.

It may import `sync.forecast` and the packages below it, and never loads numpy. The public names are imported on first
use, so that a module such as `sync.store.tables` loads alone.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sync.store.database import MissingDatabase, NewerDatabase, StoreError, UnusableDatabase
    from sync.store.lease import Lease
    from sync.store.store import Store

__all__ = ["Lease", "MissingDatabase", "NewerDatabase", "Store", "StoreError", "UnusableDatabase"]

_MODULES = {
    "Lease": "sync.store.lease",
    "MissingDatabase": "sync.store.database",
    "NewerDatabase": "sync.store.database",
    "Store": "sync.store.store",
    "StoreError": "sync.store.database",
    "UnusableDatabase": "sync.store.database",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
