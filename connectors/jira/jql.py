"""Build JQL queries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

__all__ = ["any_of", "halves", "literal", "since"]

T = TypeVar("T")


def literal(text: str) -> str:
    """Quote a text as a JQL literal."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def any_of(name: str, values: Iterable[str]) -> str:
    """Build ``name in ("a", "b")``."""
    return f"{name} in ({', '.join(literal(value) for value in values)})"


def halves(values: Sequence[T]) -> list[Sequence[T]]:
    """Split the values of a query that Jira refused: it does not say because of which. Nothing for a single value."""
    half = (len(values) + 1) // 2
    return [values[:half], values[half:]] if len(values) > 1 else []


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
