"""Every situation in every markup against the text that people reviewed. ``MILESYNC_GOLDEN=1`` writes them again."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sync.markup import render
from sync.model.tracker_data import Markup
from sync.report.summary import summary
from tests.golden.dialects import in_dialect
from tests.golden.situations import SITUATIONS

COMMENTS = Path(__file__).parent / "comments"
LIMITS = {Markup.GITHUB: 65_000, Markup.GITLAB: 1_000_000, Markup.ADF: 30_000, Markup.WIKI: 30_000}
ENDINGS = {Markup.GITHUB: "md", Markup.GITLAB: "md", Markup.ADF: "json", Markup.WIKI: "txt"}


@pytest.mark.parametrize("markup", list(Markup))
@pytest.mark.parametrize("situation", SITUATIONS)
def test_comment_is_the_reviewed_one(situation: str, markup: Markup) -> None:
    body = render(summary(in_dialect(SITUATIONS[situation](), markup)), markup, LIMITS[markup])
    assert len(body) <= LIMITS[markup]
    if markup is Markup.ADF:
        body = json.dumps(json.loads(body), ensure_ascii=False, indent=1)
    golden = COMMENTS / f"{situation}.{markup.value}.{ENDINGS[markup]}"
    if os.environ.get("MILESYNC_GOLDEN") == "1":
        golden.write_text(body + "\n", encoding="utf-8", newline="\n")
    assert golden.read_bytes().decode() == body + "\n"


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{s}.{markup.value}.{ENDINGS[markup]}" for s in SITUATIONS for markup in Markup}
    assert {path.name for path in COMMENTS.iterdir()} == wanted
