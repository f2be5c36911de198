"""Write messages for chats and mail: inert plain text, and the same as HTML.

Slack, Teams, Matrix, Mattermost and other services each have their own signs for mentions, links, emphasis and
pictures. So each such sign in foreign text is replaced by one that looks alike and has no meaning in any service. A
line never begins with foreign text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from msgspec.structs import replace

from sync.markup.document import (
    MAX_FOREIGN_LENGTH,
    SIGNS,
    Document,
    Foreign,
    Inline,
    Item,
    Line,
    Lines,
    Link,
    Mention,
    Quote,
    Section,
    Sign,
    Strong,
    clean,
)

__all__ = ["fit_message", "html_message", "inert_text", "message_parts", "part_text", "text_message"]

_LOOKALIKE = str.maketrans(
    {
        "<": "‹", ">": "›", "[": "［", "]": "］", "{": "｛", "}": "｝", "*": "∗", "_": "＿", "~": "∼", "`": "ˋ",
        "@": "＠", "#": "＃", "|": "¦", "\\": "＼", "&": "＆", "$": "＄", "^": "ˆ",
    }
)  # fmt: skip
_COLON = re.compile(r":(?=\S)")  # http://, :emoji:
_DOT = re.compile(r"\.(?=[^\W\d])")  # example.org: a name that programs make a link of
_PLAIN_URL = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~%#-]*)*", re.ASCII)


def inert_text(text: str, limit: int = MAX_FOREIGN_LENGTH) -> str:
    """Return foreign text in one line, at most ``limit`` characters long, without signs that a service reads."""
    return _DOT.sub("․", _COLON.sub("∶", clean(text, limit).translate(_LOOKALIKE)))


def text_message(document: Document) -> str:
    """Return the document as plain text that is inert as Markdown too."""
    return "".join(map(part_text, message_parts(document)))


def message_parts(document: Document) -> list[Inline]:
    """Return the parts of the plain text in reading order, with headings and line ends as our own words."""
    parts: list[Inline] = []
    for section in document.sections:
        for number, block in enumerate(_paragraphs(section)):
            parts += ["\n\n"] if parts else []
            parts += [f"{section.title.upper()}\n\n"] if section.title and not number else []
            for place, line in enumerate(block.lines):
                parts += ["\n" if place else "", "> " if isinstance(block, Quote) else "", *line]
    return parts


def _paragraphs(section: Section) -> Iterator[Lines | Quote]:
    """Yield the blocks of a section. Raises TypeError for one that no chat can show: none is left out in silence."""
    for block in section.blocks:
        if not isinstance(block, Lines | Quote):
            raise TypeError(f"a message has lines and quotes, and no {type(block).__name__}")
        yield block


def part_text(part: Inline) -> str:
    """Return a part of the plain text; foreign text is inert."""
    match part:
        case Sign(status):
            return SIGNS[status]
        case Item(key, title, _):
            return inert_text(title or key)
        case Foreign(text, limit):
            return inert_text(text, limit)
        case Mention(_, _, name):
            return inert_text(name)
        case Strong(text) | Link(text, _):
            return text
        case str():
            return part


def html_message(document: Document) -> str:
    """Return the document as a fragment of HTML; titles with an address of the web are links."""
    return "\n".join(map(_html_section, document.sections))


def _html_section(section: Section) -> str:
    title = f"<h3>{escape(section.title)}</h3>\n" if section.title else ""
    return title + "\n".join(_html_block(block) for block in _paragraphs(section))


def _html_block(block: Lines | Quote) -> str:
    paragraph = f"<p>{'<br>'.join(map(_html_line, block.lines))}</p>"
    return f"<blockquote>{paragraph}</blockquote>" if isinstance(block, Quote) else paragraph


def _html_line(line: Line) -> str:
    return "".join(map(_html, line))


def _html(part: Inline) -> str:
    match part:
        case Item(_, _, url) if _PLAIN_URL.fullmatch(url):
            return f'<a href="{escape(url)}"><b><bdi>{escape(part_text(part))}</bdi></b></a>'
        case Item():
            return f"<b><bdi>{escape(part_text(part))}</bdi></b>"
        case Foreign():
            return f"<bdi>{escape(part_text(part))}</bdi>"
        case Strong():
            return f"<b>{escape(part_text(part))}</b>"
        case _:
            return escape(part_text(part))


def fit_message(document: Document, limit: int, write: Callable[[Document], str], more: Callable[[int], str]) -> str:
    """Write the document in at most ``limit`` characters.

    The last entries of the lightest sections are removed first; ``more`` returns the line that states their number. An
    entry is never cut, so a limit under the length of a single entry is exceeded.
    """
    sections, removed = list(document.sections), 0
    while True:
        note = [Section(title="", blocks=(Lines(((more(removed),),)),), weight=0)] if removed else []
        body = write(Document((*sections, *note)))
        long = [section for section in sections if section.title and section.blocks]
        if len(body) <= limit or sum(len(section.blocks) for section in long) <= 1:
            return body
        lightest = min(long, key=lambda section: section.weight)
        place = sections.index(lightest)
        kept = replace(lightest, blocks=lightest.blocks[:-1])
        sections[place : place + 1] = [kept] if kept.blocks else []
        removed += 1
