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
    """The text of a description: wiki markup as it is, a document with Markdown's signs of lists, tasks and code.

    `sync.tracker.team_words` reads it.
    """
    return body.strip() if isinstance(body, str) else "\n".join(_lines(body))


_SIGNS = {"listItem": "- ", "heading": "## "}


def _lines(node: Any, depth: int = 0) -> list[str]:
    """The lines of a block node; none for a node without text, such as a rule or a picture."""
    content = _list(node.get("content")) if isinstance(node, dict) and depth < _DEPTH else []
    if not content:
        return []
    if any(isinstance(part, dict) and part.get("type") in ("text", "mention") for part in content):
        lines = "".join(map(_inline, content)).split("\n")
    else:
        lines = [line for part in content for line in _lines(part, depth + 1)]
    match node.get("type"):
        case "codeBlock":
            return ["```", *lines, "```"]
        case "taskItem":
            attrs = node.get("attrs")
            is_done = isinstance(attrs, dict) and attrs.get("state") == "DONE"
            return _with_sign("- [x] " if is_done else "- [ ] ", lines)
        case kind:
            return _with_sign(_SIGNS.get(str(kind), ""), lines)


def _with_sign(sign: str, lines: list[str]) -> list[str]:
    """Return lines with a sign before the first one, and the further ones below it."""
    return [f"{sign if place == 0 else '  ' if sign else ''}{line}" for place, line in enumerate(lines)]


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
            marks = [mark.get("type") for mark in _list(node.get("marks")) if isinstance(mark, dict)]
            text = f"~~{text}~~" if "strike" in marks else text
            return f"`{text}`" if "code" in marks else text
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
