"""Text with an indent."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

__all__ = ["Indented"]


@dataclass(frozen=True)
class Indented:
    """Text whose lines are indented ``by`` so many columns, also those that it wraps to."""

    text: Text
    by: int

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self.text.wrap(console, max(options.max_width - self.by, 1)):
            line.rstrip()
            yield Text.assemble(" " * self.by, line)
