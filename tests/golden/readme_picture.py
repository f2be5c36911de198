"""The picture of the README: a comment as its readers see it, and the portfolio, from the golden files of both.

``python -m tests.golden.readme_picture`` draws it again. It notes what it was made of, so that a test sees when a
golden file has changed and the picture has not.
"""

from __future__ import annotations

import base64
import hashlib
import io
import tempfile
from pathlib import Path

from PIL import Image, ImageChops
from PIL.PngImagePlugin import PngInfo

from tests.golden.screenshots import STYLE, browse, comment

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "milesync.png"
COMMENT = Path(__file__).parent / "comments" / "at_risk.github.md"
PORTFOLIO = Path(__file__).parent / "site" / "portfolio-light-1280.png"
SOURCES = "sources"
"""Key of the PNG's text that holds `sources`."""
_CAPTION = "font: 600 15px sans-serif; color: #59636e; margin: 26px 0 10px"
_TABLE = (20, 678, 1260, 1278)
"""The part of the portfolio that is shown, in pixels: left, top, right, bottom."""


def sources() -> str:
    """A hash of the two golden files."""
    return hashlib.sha256(COMMENT.read_bytes() + PORTFOLIO.read_bytes()).hexdigest()


def draw(target: Path) -> None:
    """Draw the picture: the comment, below it the worst milestones of the portfolio."""
    with Image.open(PORTFOLIO) as golden, io.BytesIO() as kept:
        golden.convert("RGB").crop(_TABLE).save(kept, "PNG")
        table = base64.b64encode(kept.getvalue()).decode()
    html = (
        f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>'
        f'<div style="{_CAPTION}; margin-top: 0">In the issue, where the team works</div>{comment(COMMENT.read_text())}'
        f'<div style="{_CAPTION}">All milestones of all trackers, worst first</div>'
        f'<img style="width: 100%; border: 1px solid #d1d9e0; border-radius: 6px" src="data:image/png;base64,{table}">'
    )
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "picture.png"
        browse(html, "--force-device-scale-factor=1.5", "--window-size=870,2400", f"--screenshot={shot}")
        with Image.open(shot) as picture:
            flat = picture.convert("RGB")
    drawn = ImageChops.difference(flat, Image.new("RGB", flat.size, "#fff")).getbbox()
    assert drawn is not None
    notes = PngInfo()
    notes.add_text(SOURCES, sources())
    flat.crop((0, 0, flat.width, drawn[3] + 36)).quantize(255).save(target, optimize=True, pnginfo=notes)


if __name__ == "__main__":
    draw(PICTURE)
