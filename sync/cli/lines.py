"""Lines of the document tree as text of the terminal: foreign text literally, addresses as hyperlinks or whole."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text

from sync.markup.document import Foreign, Item, Line, Link, Mention, Sign, Strong, clean, is_plain_url, join_words
from sync.report.verdict_facts import SHAPES

__all__ = ["line_text"]


def line_text(line: Line, *, has_hyperlinks: bool) -> Text:
    """Return the line with hyperlinks, or with the addresses at its end for an output without them."""
    text, addresses = Text(), []
    for part in join_words(line):
        url = part.url if isinstance(part, Item | Link) and is_plain_url(part.url) else ""
        words = _words(part)
        style = Style(bold=isinstance(part, Strong) or None, link=url if url and has_hyperlinks else None)
        text.append(words, style)
        addresses += [url] if url and not has_hyperlinks else []
    return Text.assemble(text, *(f" {url}" for url in addresses))


def _words(part: object) -> str:
    match part:
        case Foreign(text, limit):
            return clean(text, limit)
        case Strong(text) | Mention(_, _, text) | Link(text, _):
            return clean(text)
        case Item(key, title, _):
            return f"{clean(key)} {clean(title)}" if title else clean(key)
        case Sign(status):
            return SHAPES[status]
        case _:
            return str(part)
