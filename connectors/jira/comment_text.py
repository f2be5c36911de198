"""The commands in a Jira comment: from an ADF document or wiki markup to the lines that a person wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from sync.tracker.protocol import command_lines

__all__ = ["lines_of"]

_QUOTED = re.compile(r"\{(code|noformat|quote|panel)\b[^}]*\}.*?(?:\{\1\}|\Z)", re.DOTALL)


def lines_of(body: Any) -> str:
    """The command lines of a comment, see `sync.tracker.protocol.command_lines`. Code, quotes and panels hold none."""
    if isinstance(body, str):
        return command_lines(_QUOTED.sub(" ", body)) if "/milesync" in body else ""
    content = body.get("content") if isinstance(body, dict) else None
    return command_lines("\n".join(_paragraphs(content)))


def _paragraphs(content: Any) -> list[str]:
    """The texts of the paragraphs of a document, not of what they may be inside of."""
    nodes = content if isinstance(content, list) else []
    return [
        "".join(_inline(inner) for inner in node.get("content") or [])
        for node in nodes
        if isinstance(node, dict) and node.get("type") == "paragraph"
    ]


def _inline(node: Any) -> str:
    """One inline node as text; what is marked as code is not at the beginning of a line, as in Markdown."""
    if not isinstance(node, dict):
        return ""
    shown = node.get("attrs") or {}
    match node.get("type"):
        case "text":
            code = any(isinstance(mark, dict) and mark.get("type") == "code" for mark in node.get("marks") or [])
            return f"`{node.get('text', '')}`" if code else str(node.get("text", ""))
        case "hardBreak":
            return "\n"
        case "date":
            return _day(shown.get("timestamp"))
        case _:
            return str(shown.get("text") or shown.get("url") or " ")


def _day(timestamp: Any) -> str:
    """Cloud's editor makes a date of its own of what is typed: milliseconds since 1970, midnight UTC."""
    try:
        return datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat()
    except (TypeError, ValueError, OverflowError, OSError):
        return " "
