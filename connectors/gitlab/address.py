"""The address of a GitLab."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

__all__ = ["base_url_of"]


def base_url_of(url: str) -> str:
    """The base URL that identifies a GitLab: no ``/api/v4``, no slash at the end, host in lower case."""
    parts = urlsplit(url.rstrip("/").removesuffix("/api/v4").rstrip("/"))
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), parts.path, "", ""))
