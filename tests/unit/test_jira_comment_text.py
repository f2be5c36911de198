"""Commands in Jira comments: what is code or a quote is no command, in wiki markup and in ADF documents."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.jira.comment_text import lines_of

MUTE = "/milesync mute"


def paragraph(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def text(words: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "marks": [{"type": mark} for mark in marks]}


BREAK = {"type": "hardBreak"}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (MUTE, MUTE),
        (f"{{code}}\n{MUTE}\n{{code}}", ""),
        (f"{{code:java|title=x}}\n{MUTE}\n{{code}}\n/milesync refresh", "/milesync refresh"),
        (f"{{CODE}}\n{MUTE}\n{{CODE}}", ""),
        (f"{{noformat}}\n{MUTE}\n{{noformat}}", ""),
        (f"{{quote}}\n{MUTE}\n{{quote}}", ""),
        (f"{{panel:title=x}}\n{MUTE}\n{{panel}}", ""),
        (f"{{quote}} never closed\n{MUTE}", ""),
        (f"bq. {MUTE}", ""),
        (f"{{{{{MUTE}}}}}", ""),
        (f"* a point\n{MUTE}", MUTE),
    ],
)
def test_wiki_markup(body: str, lines: str) -> None:
    assert lines_of(body) == lines


@pytest.mark.parametrize(
    ("nodes", "lines"),
    [
        ([paragraph(text(MUTE))], MUTE),
        ([paragraph(text("hello"), BREAK, text(MUTE))], MUTE),
        ([paragraph(text("> words")), paragraph(text(MUTE))], MUTE),
        ([paragraph(text(MUTE, "code"))], ""),
        ([paragraph(text(f"a\n{MUTE}", "code"))], ""),
        ([paragraph(text(f"a\n{MUTE}"))], ""),
        ([paragraph(text("a "), BREAK, text(MUTE, "code"))], ""),
        ([{"type": "codeBlock", "content": [text(MUTE)]}], ""),
        ([{"type": "blockquote", "content": [paragraph(text(MUTE))]}], ""),
        ([{"type": "panel", "content": [paragraph(text(MUTE))]}], ""),
        ([{"type": "expand", "content": [paragraph(text(MUTE))]}], ""),
        ([{"type": "bulletList", "content": [{"type": "listItem", "content": [paragraph(text(MUTE))]}]}], ""),
        ([paragraph({"type": "mention", "attrs": {"text": MUTE}})], MUTE),
    ],
)
def test_documents(nodes: list[dict[str, Any]], lines: str) -> None:
    assert lines_of({"type": "doc", "version": 1, "content": nodes}) == lines
