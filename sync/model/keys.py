"""Keys of issues as people write them in a tracker."""

from __future__ import annotations

import re

__all__ = ["short_key", "whole_key"]

_REFERENCE = re.compile(r"[#!][0-9]+")


def short_key(key: str, project: str) -> str:
    """Return the key of an issue as it resolves in ``project`` (its key): ``#12`` for ``acme/app#12`` of ``acme/app``.

    ============================  ============  ===========================
    key                           project       returned
    ============================  ============  ===========================
    ``acme/app#12``               acme/app      ``#12``
    ``acme/api!7``                acme/api      ``!7``, a merge request
    ``acme/api#12``               acme (group)  ``acme/api#12``
    ``PAY-266``                   PAY           ``PAY-266``
    ============================  ============  ===========================
    """
    number = key.removeprefix(project)
    return number if project and _REFERENCE.fullmatch(number) else key


def whole_key(key: str, project: str) -> str:
    """Return the key as it resolves in the whole tracker: ``acme/app#12`` for ``#12`` in ``acme/app`` (its key)."""
    return f"{project}{key}" if _REFERENCE.fullmatch(key) else key
