"""Text with an indent, or with one from its second line on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

from sync.cli.terminal import encodable_text

__all__ = ["Indented"]

_WORD = re.compile(r"(\s*\S+)\s*")
"""A word with the blanks around it; its group is without those after it."""


class Indented(Struct, frozen=True):
    """Text whose lines are indented ``by`` so many columns, also those that it wraps to.

    A word is never broken: an address that is longer than a line stays whole. ``hanging``: the first line has no
    indent.
    """

    text: Text
    by: int
    hanging: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = encodable_text(self.text, console.encoding)
        text.plain = text.plain.replace("\n", " ")  # a line break in a foreign text must not begin a line of ours
        first = 0 if self.hanging else self.by
        breaks = list(_breaks(text.plain, options.max_width - first, options.max_width - self.by))
        # the lines fit: rich would measure and wrap them again
        if text.spans or "\t" in text.plain:
            for place, line in enumerate(text.divide(breaks)):
                line.rstrip()
                indented = Text.assemble(" " * (self.by if place else first), line)
                indented.expand_tabs()
                yield from indented.render(console, end="\n")
            return
        style = console.get_style(text.style)
        for start, end in pairwise([0, *breaks, len(text.plain)]):
            yield Segment(" " * (self.by if start else first))
            yield Segment(text.plain[start:end].rstrip(), style)
            yield Segment.line()


def _breaks(text: str, first: int, others: int) -> Iterator[int]:
    """Yield the places in a text where a line of the width of the ``first`` one or of the ``others`` has to end."""
    width = len if text.isascii() and text.isprintable() else cell_len
    if width(text) <= first:
        return
    used, room = 0, first
    for word in _WORD.finditer(text):
        if used and used + width(word[1]) > room:
            yield word.start()
            used, room = 0, others
        used += width(word[0])
