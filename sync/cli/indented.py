"""Text with an indent, or with one from its second line on."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

__all__ = ["Indented"]


@dataclass(frozen=True)
class Indented:
    """Text whose lines are indented ``by`` so many columns, also those that it wraps to.

    ``hanging``: the first line is not.
    """

    text: Text
    by: int
    hanging: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rest = self.text
        if self.hanging:
            first, *more = rest.wrap(console, options.max_width)
            first.rstrip()
            yield first
            rest = Text(" ").join(more)
        for line in rest.wrap(console, max(options.max_width - self.by, 1)) if rest else ():
            line.rstrip()
            yield Text.assemble(" " * self.by, line)
