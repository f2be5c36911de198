"""Pictures of comments: Markdown to HTML to PNG in headless Chromium, in the look of an issue thread.

``python -m tests.golden.screenshots DIRECTORY [SITUATION ...]`` draws them for people to look at. Mermaid charts are
drawn when ``MERMAID_JS`` names a copy of mermaid.min.js (npm package ``mermaid``); without it their source is shown.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image, ImageChops

from sync.markup import render
from sync.model.tracker_data import Markup
from sync.report.summary import summary
from tests.golden.situations import SITUATIONS

STYLE = """
body { margin: 0; padding: 24px; background: #fff; width: 820px; color: #1f2328; line-height: 1.5;
       font: 14px/1.5 "Noto Sans", "DejaVu Sans", "Noto Color Emoji", sans-serif; }
.comment { border: 1px solid #d1d9e0; border-radius: 6px; }
.top { background: #f6f8fa; border-bottom: 1px solid #d1d9e0; padding: 8px 16px; border-radius: 6px 6px 0 0;
       color: #59636e; } .top b { color: #1f2328; } .bot { border: 1px solid #d1d9e0; border-radius: 10px;
       font-size: 11px; padding: 0 6px; margin: 0 4px; }
.body { padding: 16px; } h3 { font-size: 1.25em; margin: 0 0 12px; } h4 { font-size: 1em; margin: 22px 0 10px; }
p { margin: 0 0 12px; } ul, ol { margin: 0 0 12px; padding-left: 2em; } li + li { margin-top: .2em; }
code { background: #818b981f; border-radius: 6px; padding: .2em .4em; font: 85% "DejaVu Sans Mono", monospace;
       white-space: break-spaces; } a { color: #0969da; } a code { color: #0969da; }
table { border-collapse: collapse; margin: 0 0 12px; } td, th { border: 1px solid #d1d9e0; padding: 5px 12px; }
details { margin: 0 0 8px; } summary { cursor: pointer; } details[open] > summary { margin-bottom: 8px; }
pre.mermaid { background: none; max-width: 560px; margin: 0; }
"""


def chromium() -> str | None:
    """The browser, when there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def comment(body: str) -> str:
    """A comment in HTML. Trackers find the direction of each paragraph and list by its first strong letter."""
    html = MarkdownIt("gfm-like", {"linkify": False}).render(body)
    for tag in ("p", "ul", "ol", "h3", "h4"):
        html = html.replace(f"<{tag}>", f'<{tag} dir="auto">')
    html = html.replace('<pre><code class="language-mermaid">', '<pre class="mermaid">')
    top = '<div class="top"><b>milesync</b><span class="bot">bot</span>commented on 16 Nov · edited</div>'
    return f'<div class="comment">{top}<div class="body">{html}</div></div>'


def page(body: str, *, unfold: bool) -> str:
    """A comment as a page, its details open if asked for."""
    html = comment(body)
    if unfold:
        html = html.replace("<details>", "<details open>")
    script = os.environ.get("MERMAID_JS", "")
    start = "<script>mermaid.initialize({startOnLoad:true})</script>"
    draw = f"<script>{Path(script).read_text(encoding='utf-8')}</script>{start}" if script else ""
    return f'<!doctype html><meta charset="utf-8"><style>{STYLE}</style>{html}{draw}'


def browse(html: str, *options: str) -> str:
    """Return the output of the browser for a page. Raises CalledProcessError if the browser fails."""
    browser = chromium()
    assert browser is not None, "no Chromium here"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "comment.html"
        source.write_text(html, encoding="utf-8")
        done = subprocess.run(
            [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *options),
                *("--disable-background-networking", "--virtual-time-budget=5000", f"--user-data-dir={folder}/profile"),
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
    return done.stdout.decode()


def draw(body: str, target: Path, *, unfold: bool = False, height: int = 2400) -> None:
    """One comment as a PNG, cut to what is drawn."""
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "comment.png"
        size = ("--force-device-scale-factor=1.5", f"--window-size=870,{height}")
        browse(page(body, unfold=unfold), *size, f"--screenshot={shot}")
        with Image.open(shot) as picture:
            flat = picture.convert("RGB")
    drawn = ImageChops.difference(flat, Image.new("RGB", flat.size, "#fff")).getbbox()
    assert drawn is not None
    flat.crop((0, 0, flat.width, drawn[3] + 24)).quantize(255).save(target, optimize=True)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name in sys.argv[2:] or SITUATIONS:
        body = render(summary(SITUATIONS[name]()), Markup.GITHUB, 65_000)
        draw(body, folder / f"{name}.png")
        draw(body, folder / f"{name}.open.png", unfold=True, height=4000)
