"""The queries we ask, in JQL. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["any_of", "literal", "since"]


def literal(text: str) -> str:
    """A text as a quoted JQL literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def any_of(name: str, values: Iterable[str]) -> str:
    """``name in ("a", "b")``."""
    return f"{name} in ({', '.join(literal(value) for value in values)})"


def since(name: str, at: datetime, zone: ZoneInfo) -> str:
    """``name >= "2026-01-02 03:04"``: everything at and after ``at``, and up to some hours more.

    Jira reads such times to the minute and in the asking account's ``zone``, so it is rounded down there. When clocks
    go back an hour occurs twice and nobody says which one Jira means, so the question begins before that hour.
    """
    local = at.astimezone(zone)
    while local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        at -= timedelta(hours=1)
        local = at.astimezone(zone)
    return f'{name} >= "{local:%Y-%m-%d %H:%M}"'
