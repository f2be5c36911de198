"""One document tree and its writers: each tracker's markup, HTML, terminal, messages; `render` keeps their limits.

May import `sync.model` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec.structs import replace

from sync.markup.document import Bullets, Document, Lines, Quote, Section, visible_blocks
from sync.model.tracker_data import Markup

__all__ = ["MIN_LIMIT", "render"]

MIN_LIMIT = 500
"""The smallest limit that `render` can always keep, in UTF-16 units."""

UNFOLDED = 30
"""Maximum number of blocks in a markup that cannot fold: see `visible_blocks`."""


def render(document: Document, markup: Markup, limit: int) -> str:
    """Render the document in a tracker's markup, at most ``limit`` UTF-16 units long; no tracker counts more.

    Where a markup cannot fold, folded sections are left out until at most `UNFOLDED` blocks remain.

    For ADF the result is the JSON text of the ``doc`` node. What does not fit is removed as a whole: the lightest
    section first, and a last line states it; then the last lines of the heaviest section. Markup is never cut.
    Raises ValueError for a limit under `MIN_LIMIT`.
    """
    if limit < MIN_LIMIT:
        raise ValueError(f"limit {limit} is under {MIN_LIMIT}")
    write = _writer(markup)
    sections, dropped = list(_unfolded(document.sections) if markup is Markup.WIKI else document.sections), False
    while True:
        body = write(Document((*sections, _NOTE) if dropped else tuple(sections)))
        if len(body.encode("utf-16-le", "surrogatepass")) // 2 <= limit:
            return body
        if len(sections) > 1:
            lightest = min(section.weight for section in sections)
            sections.remove([section for section in sections if section.weight == lightest][-1])
        else:
            sections[0] = _without_last_line(sections[0])
        dropped = True


def _writer(markup: Markup) -> Callable[[Document], str]:
    """Return the writer of a markup; each is imported when it is first needed."""
    if markup is Markup.ADF:
        from sync.markup.adf import adf

        return adf
    if markup is Markup.WIKI:
        from sync.markup.wiki import wiki

        return wiki
    from sync.markup.markdown import markdown

    return partial(markdown, links=markup is Markup.GITHUB)


_NOTE = Section(
    title="",
    blocks=(Lines((("Some parts were left out to stay within the tracker's limit.",),)),),
    weight=0,
)


_MORE = Section(
    title="",
    blocks=(Lines((("Details are left out, as text cannot be folded here; milesync explain shows them.",),)),),
    weight=0,
)


def _unfolded(sections: Sequence[Section]) -> list[Section]:
    """Leave out folded sections so that at most `UNFOLDED` blocks remain: the heaviest that fit stay, with a note."""
    if sum(map(visible_blocks, sections)) <= UNFOLDED:
        return list(sections)
    kept = [section for section in sections if not section.folded]
    room = UNFOLDED - sum(map(visible_blocks, [*kept, _MORE]))
    for section in sorted((section for section in sections if section.folded), key=lambda section: -section.weight):
        if (blocks := visible_blocks(section)) <= room:
            kept.append(section)
            room -= blocks
    return [*(section for section in sections if section in kept), _MORE]


def _without_last_line(section: Section) -> Section:
    """Remove the last line; without blocks, the title."""
    if not section.blocks:
        return replace(section, title="")
    *blocks, last = section.blocks
    if isinstance(last, Lines | Quote | Bullets) and len(last.lines) > 1:
        blocks.append(replace(last, lines=last.lines[:-1]))
    return replace(section, blocks=tuple(blocks))
