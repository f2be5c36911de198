"""Build JQL queries. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

__all__ = ["any_of", "literal", "since"]


def literal(text: str) -> str:
    """Quote a text as a JQL literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def any_of(name: str, values: Iterable[str]) -> str:
    """Build ``name in ("a", "b")``."""
    return f"{name} in ({', '.join(literal(value) for value in values)})"


def since(name: str, at: datetime, zone: ZoneInfo) -> str:
    """Build ``name >= "2026-01-02 03:04"``: it matches everything at and after ``at``, and up to some hours before.

    Jira reads such times to the minute and in the account's time ``zone``, so the time is rounded down there. When
    clocks go back, an hour occurs twice and Jira does not say which of the two it means. The query then begins before
    that hour.
    """
    local = at.astimezone(zone)
    while local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset():
        at -= timedelta(hours=1)
        local = at.astimezone(zone)
    return f'{name} >= "{local:%Y-%m-%d %H:%M}"'
