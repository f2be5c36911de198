"""Commands in Jira comments: what is code or a quote is no command, in wiki markup and in ADF documents."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from connectors.jira.comment_text import lines_of, text_of
from sync.model.definition import Criteria
from sync.model.team_words import Decision
from sync.tracker.team_words import team_words

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


def _text(words: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": words, "marks": [{"type": mark} for mark in marks]}


def _block(kind: str, *content: dict[str, Any], **attrs: object) -> dict[str, Any]:
    return {"type": kind, "attrs": attrs, "content": list(content)}


def _item(*content: dict[str, Any]) -> dict[str, Any]:
    return _block("listItem", _block("paragraph", *content))


def test_the_words_of_a_team_are_found_in_a_document_of_cloud() -> None:
    ada = {"type": "mention", "attrs": {"id": "1", "text": "@Ada Fox"}}
    day = {"type": "date", "attrs": {"timestamp": "1796083200000"}}
    by = (_text(" by "), day, _text(" from "), ada, _text(" "))
    document = _block(
        "doc",
        _block("paragraph", _text("Owner:", "strong"), _text(" "), ada, _text(" ")),
        _block("codeBlock", _text("Owner: @code\nRisk: code")),
        _block("paragraph", _text("Decision needed: which vendor?"), *by),
        _block("paragraph", _text("Decision needed: settled", "strike"), *by),
        _block("heading", _text("Risks"), level=2),
        _block(
            "bulletList",
            _block(
                "listItem",
                _block("paragraph", _text("the audit")),
                _block("bulletList", _item(_text("a detail"))),
            ),
            _item(_text("the vendor")),
        ),
        _block(
            "taskList",
            _block("taskItem", _text("load test"), state="TODO"),
            _block("taskItem", _text("review"), state="DONE"),
            _block("taskItem", _text("Risk: over"), state="DONE"),
        ),
    )
    words = team_words(text_of(document))
    assert words.owners == ("@Ada Fox",)
    assert words.decisions == (Decision(text="which vendor?", by=date(2026, 12, 1), owner="@Ada Fox"),)
    assert words.risks == ("the audit", "the vendor")
    assert words.criteria == Criteria(1, 2)


def test_the_words_of_a_team_are_found_in_wiki_markup() -> None:
    text = (
        "h2. Plan\n*Owner:* [~ada]\n{code}\nOwner: @code\n{code}\n-Decision needed: settled-\n"
        "*Decision needed:* which? by 2026-12-01 from [~ben]\nh3. Risks\n* the audit\n** a detail\n* the vendor"
    )
    words = team_words(text_of(text))
    assert (words.owners, words.risks) == (("@ada",), ("the audit", "the vendor"))
    assert [(decision.text, decision.owner) for decision in words.decisions] == [("which?", "@ben")]
