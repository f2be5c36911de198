"""Comments can be drawn, and Mermaid reads our charts. People judge the pictures."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from sync.markup import render
from sync.model.tracker_data import Markup
from sync.report.summary import summary
from tests.golden import readme_picture
from tests.golden.screenshots import browse, chromium, draw, page
from tests.golden.situations import SITUATIONS, at_risk

needs_browser = pytest.mark.skipif(chromium() is None, reason="no Chromium here: apt-get install chromium")
needs_mermaid = pytest.mark.skipif(
    "MERMAID_JS" not in os.environ, reason="MERMAID_JS names no mermaid.min.js (npm package mermaid)"
)


@needs_browser
def test_a_comment_can_be_drawn(tmp_path: Path) -> None:
    draw(render(summary(at_risk()), Markup.GITHUB, 65_000), tmp_path / "comment.png")
    with Image.open(tmp_path / "comment.png") as picture:
        assert picture.width > 1_000
        assert picture.height > 1_000


@needs_browser
@needs_mermaid
def test_mermaid_reads_our_charts() -> None:
    bodies = [render(summary(made()), Markup.GITHUB, 65_000) for made in SITUATIONS.values()]
    charts = "\n\n".join(body for body in bodies if "```mermaid" in body)
    shown = browse(page(charts, unfold=True), "--dump-dom")
    assert shown.count('aria-roledescription="xychart"') == charts.count("```mermaid") > 5


def test_the_picture_of_the_readme_shows_the_comment_and_the_portfolio_of_today() -> None:
    with Image.open(readme_picture.PICTURE) as picture:
        made_of = picture.info[readme_picture.SOURCES]
    assert made_of == readme_picture.sources(), "draw it again, and look: python -m tests.golden.readme_picture"
