"""Text with an indent, or with one from its second line on."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from sync.cli.terminal import encodable_text

__all__ = ["Indented"]


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
        for place, line in enumerate(text.divide(breaks)):
            line.rstrip()
            indented = Text.assemble(" " * (self.by if place else first), line)
            indented.expand_tabs()
            yield from indented.render(console, end="\n")  # the line fits: rich would measure and wrap it again


def _breaks(text: str, first: int, others: int) -> Iterator[int]:
    """Yield the places in a text where a line of the width of the ``first`` one or of the ``others`` has to end."""
    if cell_len(text) <= first:
        return
    used, room = 0, first
    for word in re.finditer(r"\s*\S+\s*", text):
        if used and used + cell_len(word.group().rstrip()) > room:
            yield word.start()
            used, room = 0, others
        used += cell_len(word.group())
