from __future__ import annotations

import json

import pytest

from sync.tracker.marker import body_hash, canonical, find_marker, with_marker


def adf(*texts: str, **attributes: object) -> str:
    paragraphs = [{"type": "paragraph", "attrs": attributes, "content": [{"type": "text", "text": t}]} for t in texts]
    return json.dumps({"type": "doc", "version": 1, "content": paragraphs})


def test_the_marker_itself_is_no_part_of_the_text() -> None:
    assert body_hash(with_marker("Fine.\n\nYes", '{"v": 1, "x": "-->"}')) == body_hash("Fine.\n\nYes")


@pytest.mark.parametrize("stands", ["a\r\n\r\nb", "a  \n\nb\n", "\n a\n\nb \t".replace("\n a", "a")])
def test_line_ends_and_blanks_at_them_do_not_count(stands: str) -> None:
    assert canonical(stands) == "a\n\nb"


@pytest.mark.parametrize("stands", ["a\n\nc", "a\nb", "a\n\nb\n\nPS: no", "  a\n\n  b", ""])
def test_other_words_do(stands: str) -> None:
    assert body_hash(stands) != body_hash("a\n\nb")


def test_of_a_jira_document_the_words_count_and_not_its_ids() -> None:
    assert body_hash(adf("one", "two", localId="f00")) == body_hash(adf("one", "two"))
    assert body_hash(adf("one", "three")) != body_hash(adf("one", "two"))
    expand = {"type": "expand", "attrs": {"title": "More"}, "content": []}
    titled = json.dumps({"type": "doc", "version": 1, "content": [expand]})
    assert body_hash(titled) != body_hash(titled.replace("More", "Less"))


@pytest.mark.parametrize("text", ["{", '{"type": "table"}', '{"a": 1}', "[1]"])
def test_what_only_looks_like_a_document_is_text(text: str) -> None:
    assert canonical(text) == text


def test_the_last_marker_is_found() -> None:
    body = with_marker(with_marker("x", '{"n": 1}'), '{"n": "a--b>c"}')
    assert find_marker(body) == '{"n": "a--b>c"}'
    assert find_marker("x <!-- milesync nothing -->") == ""
