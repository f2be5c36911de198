"""The address of a Jira."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["normalise_url"]


def normalise_url(url: str) -> str:
    """The base URL that identifies a Jira: scheme and host in lower case, no trailing slash, query or fragment."""
    parts = urlsplit(url.strip())
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path.rstrip("/"), "", ""))
