"""Sandbox GitLab: formats that all its entities use."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

__all__ = ["Json", "group_id", "stamp"]

Json = dict[str, Any]


def stamp(at: datetime | None) -> str | None:
    """Format a time as GitLab does: UTC, milliseconds, ``Z``."""
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def group_id(path: str) -> int:
    """Return a group's number, derived from its path, as the world has none."""
    return zlib.crc32(path.encode()) % 1_000_000 + 1
