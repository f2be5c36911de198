"""Names by which trackers mention an issue, as keys to look it up."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["issue_names"]


def issue_names(connection: str, project: str, key: str, url: str) -> Iterator[tuple[str, str, str]]:
    """Yield the names of an issue: a number is valid in its project, a whole key in its tracker, a URL everywhere."""
    yield connection, project if key.startswith("#") else "", key
    yield "", "", url
