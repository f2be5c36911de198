"""Console of the command line: texts are made encodable before they are measured and wrapped."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Span, Text

from sync.cli.streams import encodable

__all__ = ["Terminal", "encodable_text"]


class Terminal(Console):
    """A console for standard output, or standard error with ``stderr``. It reads no markup or emoji names in texts."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})

    def print(self, *objects: Any, **options: Any) -> None:
        """Print renderables. A word that is longer than a line is never cut: an address has to stay whole."""
        super().print(*objects, **{"crop": False, **options})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render a renderable; replace what the encoding lacks in each text of it."""
        shown = encodable_text(renderable, self.encoding) if isinstance(renderable, Text) else renderable
        return super().render(shown, options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return the text that a string is measured and rendered as."""
        return super().render_str(encodable(text, self.encoding), **options)


def encodable_text(text: Text, encoding: str) -> Text:
    """Return the text with its styles, and with all that the encoding lacks replaced."""
    if encodable(text.plain, encoding) == text.plain:
        return text
    parts = [encodable(char, encoding) for char in text.plain]
    at = [0, *accumulate(map(len, parts))]
    shown = text.blank_copy("".join(parts))
    shown.spans = [Span(at[span.start], at[span.end], span.style) for span in text.spans]
    return shown
