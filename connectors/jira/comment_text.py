"""Read the texts of Jira, from an ADF document or wiki markup: descriptions, and the command lines of comments."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sync.tracker.slash_commands import command_lines

__all__ = ["lines_of", "text_of"]

_QUOTED = re.compile(r"\{(code|noformat|quote|panel)\b[^}]*\}.*?(?:\{\1\}|\Z)", re.DOTALL | re.IGNORECASE)


_DEPTH = 30
"""Levels of a document that are read: an item of a list in a cell of a table is at the seventh."""


def lines_of(body: Any) -> str:
    """The command lines of a comment, without code, quotes and panels. See `sync.tracker.slash_commands`."""
    if isinstance(body, str):
        return command_lines(_QUOTED.sub(" ", body)) if "/milesync" in body else ""
    content = body.get("content") if isinstance(body, dict) else None
    return command_lines("\n\n".join(_paragraphs(content)))


def text_of(body: Any) -> str:
    """The text of a description, a line for each paragraph, heading and item of a list."""
    return body.strip() if isinstance(body, str) else "\n".join(_lines(body))


def _lines(node: Any, depth: int = 0) -> list[str]:
    """The lines of a block node; none for a node without text, such as a rule or a picture."""
    content = _list(node.get("content")) if isinstance(node, dict) and depth < _DEPTH else []
    if any(isinstance(part, dict) and part.get("type") in ("text", "mention") for part in content):
        return "".join(map(_inline, content)).split("\n")
    return [line for part in content for line in _lines(part, depth + 1)]


def _paragraphs(content: Any) -> list[str]:
    """The texts of the top-level paragraphs of a document."""
    nodes = _list(content)
    return [
        "".join(map(_inline, _list(node.get("content"))))
        for node in nodes
        if isinstance(node, dict) and node.get("type") == "paragraph"
    ]


def _list(value: Any) -> list[Any]:
    """Return a list as it is, and an empty one for any other value."""
    return value if isinstance(value, list) else []


def _inline(node: Any) -> str:
    """The text of an inline node. Code gets backticks, so it is no command at the beginning of a line."""
    if not isinstance(node, dict):
        return ""
    attrs = node.get("attrs")
    attributes = attrs if isinstance(attrs, dict) else {}
    match node.get("type"):
        case "text":
            text = " ".join(str(node.get("text", "")).split("\n"))  # no line break: that is a node of its own
            is_code = any(isinstance(mark, dict) and mark.get("type") == "code" for mark in _list(node.get("marks")))
            return f"`{text}`" if is_code else text
        case "hardBreak":
            return "\n"
        case "date":
            return _day(attributes.get("timestamp"))
        case _:
            return str(attributes.get("text") or attributes.get("url") or " ")


def _day(timestamp: Any) -> str:
    """Format the date node that Cloud's editor creates from typed text: milliseconds since 1970, midnight UTC."""
    try:
        return datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return " "
