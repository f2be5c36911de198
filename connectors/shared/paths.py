"""Paths of requests: the one place where names become parts of a URL."""

from __future__ import annotations

from urllib.parse import quote

__all__ = ["path_of"]


def path_of(template: str, *values: object) -> str:
    """Return a path in which each ``{}`` of the template is one quoted value.

    ``path_of("/projects/{}/issues/{}", "acme/q?mark", 12)`` is ``/projects/acme%2Fq%3Fmark/issues/12``.
    """
    return template.format(*map(_quoted, values))


def _quoted(value: object) -> str:
    """Return a value as one segment of a path. ``.`` and ``..`` would lead elsewhere, so no tracker finds them."""
    text = quote(str(value), safe="")
    return text.replace(".", "%252E") if text in (".", "..") else text
