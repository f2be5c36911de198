"""The numbers behind a health as HTML: every kind of value, and text of strangers as text."""

from __future__ import annotations

import pytest

site = pytest.importorskip("sync.site.number_tree", reason="no MarkupSafe here: the extra `site`")


@pytest.mark.parametrize(
    ("value", "html"),
    [
        (None, "–"),
        (True, "yes"),
        (0.25, "<bdi>0.25</bdi>"),
        ("<b>", "<bdi>&lt;b&gt;</bdi>"),
        ([], "none"),
        (["a", "<"], "<bdi>a</bdi>, <bdi>&lt;</bdi>"),
        ({"days_left": 3}, "<dl><dt>days left</dt><dd><bdi>3</bdi></dd></dl>"),
        ({"<x>": {"y": None}}, "<dl><dt>&lt;x&gt;</dt><dd><dl><dt>y</dt><dd>–</dd></dl></dd></dl>"),
    ],
)
def test_values_lists_and_maps(value: object, html: str) -> None:
    assert site.number_tree(value) == html


def test_rows_are_a_table_of_sixty_at_most() -> None:
    html = site.number_tree([{"item": f"<{n}>", "parts": {"a": n}} for n in range(62)])
    assert html.count("<tr>") == 61
    assert html.count("&lt;") == 60
    assert "<dt>a</dt><dd><bdi>59</bdi></dd>" in html
    assert html.endswith("<p>2 more are in the data.</p>")
