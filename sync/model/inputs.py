"""Inputs of a verdict: the projects whose data it is made from, each with its state."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

__all__ = ["Input", "InputState"]


class InputState(StrEnum):
    """State of an input. STALE: its last pull failed, or it was removed from the configuration."""

    READ = "read"
    STALE = "stale"
    NEVER_READ = "never_read"


class Input(Struct, frozen=True, kw_only=True):
    """A project whose data a verdict is made from, as its readers may know it.

    ``connection`` and ``project`` (key) are empty where the readers may not read the project. ``since`` is the time
    (UTC) of its last complete pull; None: never read. ``failure``: the cause of the missing data in short, ``HTTP 502``
    or ``not configured``; empty if it is read, not known, or not to be shown.
    """

    connection: str
    project: str
    state: InputState
    since: datetime | None = None
    failure: str = ""
