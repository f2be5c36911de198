"""Every closing comment in every markup against the text that people reviewed. ``MILESYNC_GOLDEN=1`` writes them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sync.markup import render
from sync.markup.document import Document, visible_blocks
from sync.model.tracker_data import Markup
from sync.report.closing_comment import closing_comment
from tests.golden.closing_situations import SITUATIONS
from tests.golden.test_comments import ENDINGS, LIMITS

CLOSINGS = Path(__file__).parent / "closing"
VISIBLE, UNFOLDED = 15, 30
"""Most paragraphs, list items and table rows: outside of folds, and in all where a markup cannot fold."""


@pytest.mark.parametrize("markup", list(Markup))
@pytest.mark.parametrize("situation", SITUATIONS)
def test_closing_comment_is_the_reviewed_one(situation: str, markup: Markup) -> None:
    body = render(closing_comment(SITUATIONS[situation](markup)), markup, LIMITS[markup])
    if markup is Markup.ADF:
        body = json.dumps(json.loads(body), ensure_ascii=False, indent=1)
    golden = CLOSINGS / f"{situation}.{markup.value}.{ENDINGS[markup]}"
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        golden.write_text(body + "\n", encoding="utf-8", newline="\n")
    assert golden.read_bytes().decode() == body + "\n"


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{s}.{markup.value}.{ENDINGS[markup]}" for s in SITUATIONS for markup in Markup}
    assert {path.name for path in CLOSINGS.iterdir()} == wanted


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_closing_comment_is_short(situation: str) -> None:
    document = closing_comment(SITUATIONS[situation](Markup.WIKI))
    assert block_count(document, is_folded=False) <= VISIBLE
    assert block_count(document) <= UNFOLDED


def block_count(document: Document, *, is_folded: bool = True) -> int:
    """Count paragraphs, list items and table rows, with or without those in folds."""
    return sum(visible_blocks(section) for section in document.sections if is_folded or not section.folded)
