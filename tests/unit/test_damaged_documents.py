"""ADF documents in which a value has a wrong type: they have fewer words, and stop nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from connectors.jira.comment_text import lines_of
from sync.tracker.marker import body_hash

DOCUMENT = {
    "type": "doc",
    "content": [
        {
            "type": "paragraph",
            "content": [
                {"type": "text", "text": "/milesync note", "marks": [{"type": "code"}]},
                {"type": "status", "attrs": {"text": "late"}},
                {"type": "date", "attrs": {"timestamp": "1772409600000"}},
                {"type": "hardBreak"},
            ],
        },
        {"type": "expand", "attrs": {"title": "More"}, "content": [{"type": "paragraph", "content": []}]},
    ],
}
WRONG: tuple[Any, ...] = (None, 5, 0.5, True, "unexpected", [], {}, [[]], {"a": []})


def damaged(value: Any) -> Iterator[Any]:
    """Yield the document with the value in place of each of its values, one by one."""

    def places(node: Any) -> Iterator[tuple[Any, ...]]:
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            yield (key,)
            yield from ((key, *rest) for rest in places(node[key]))

    for *path, last in places(DOCUMENT):
        document: Any = deepcopy(DOCUMENT)
        node = document
        for key in path:
            node = node[key]
        node[last] = value
        yield document


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_wrong_value_in_a_document_stops_nothing(value: Any) -> None:
    for document in damaged(value):
        assert isinstance(lines_of(document), str)
        assert len(body_hash(json.dumps(document))) == len(body_hash("a text"))
