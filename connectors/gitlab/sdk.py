"""Clients of python-gitlab without its objects for GitLab's resources: 90 modules, of which milesync uses none."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import Any

import gitlab

__all__ = ["Client"]

_OBJECTS = "gitlab.v4.objects"


class _NoObjects(ModuleType):
    """Replacement for the module with the objects: each manager of a client is None."""

    def __getattr__(self, name: str) -> Any:
        return lambda _: None


_NO_OBJECTS, _lock = _NoObjects(_OBJECTS), threading.Lock()


class Client(gitlab.Gitlab):
    """Client that sends requests only. Making one imports the objects, so a replacement takes their place meanwhile."""

    def __init__(self, url: str, **settings: Any) -> None:
        with _lock:
            sys.modules.setdefault(_OBJECTS, _NO_OBJECTS)
            try:
                super().__init__(url, **settings)
            finally:
                if sys.modules[_OBJECTS] is _NO_OBJECTS:
                    del sys.modules[_OBJECTS]
