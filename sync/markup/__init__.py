"""One document tree, written in each tracker's own markup and kept under its limit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from sync.markup.adf import adf
from sync.markup.document import Bullets, Document, Lines, Section
from sync.markup.markdown import markdown
from sync.markup.wiki import wiki
from sync.model.tracker_data import Markup

__all__ = ["SHORTEST", "render"]

SHORTEST = 500
"""The smallest limit that `render` can always keep."""

_WRITERS: dict[Markup, Callable[[Document], str]] = {
    Markup.GITHUB: partial(markdown, links=True),
    Markup.GITLAB: partial(markdown, links=False),
    Markup.ADF: adf,
    Markup.WIKI: wiki,
}


def render(document: Document, markup: Markup, limit: int) -> str:
    """The document in one tracker's markup (for ADF the JSON text of its ``doc`` node), at most ``limit`` long.

    What does not fit is left out whole, the lightest section first, and a last line says so; then the heaviest
    section loses its last lines. Markup is never cut. Length counts UTF-16 units, of which no tracker counts more.
    Raises ValueError for a limit under `SHORTEST`.
    """
    if limit < SHORTEST:
        raise ValueError(f"limit {limit} is under {SHORTEST}")
    write = _WRITERS[markup]
    sections, dropped = list(document.sections), False
    while True:
        body = write(Document((*sections, _NOTE) if dropped else tuple(sections)))
        if len(body.encode("utf-16-le", "surrogatepass")) // 2 <= limit:
            return body
        if len(sections) > 1:
            lightest = min(section.weight for section in sections)
            sections.remove([section for section in sections if section.weight == lightest][-1])
        else:
            sections[0] = _shorter(sections[0])
        dropped = True


_NOTE = Section(
    title="",
    blocks=(Lines((("Some parts were left out to stay within the tracker's limit.",),)),),
    weight=0,
)


def _shorter(section: Section) -> Section:
    """The section without its last line."""
    if not section.blocks:
        return replace(section, title="")
    *blocks, last = section.blocks
    if isinstance(last, Lines | Bullets) and len(last.lines) > 1:
        blocks.append(replace(last, lines=last.lines[:-1]))
    return replace(section, blocks=tuple(blocks))
