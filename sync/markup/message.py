"""Messages for chats and mail: text that means nothing in any of them, and the same as HTML.

What a service makes of a text is its own affair: Slack, Teams, Matrix, Mattermost and the rest each have signs for
mentions, links, emphasis and pictures. So foreign text has every such sign replaced by one that looks alike and has no
meaning anywhere. Its line never begins with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape

from msgspec.structs import replace

from sync.markup.document import (
    SIGNS,
    Document,
    Foreign,
    Inline,
    Item,
    Line,
    Lines,
    Link,
    Mention,
    Section,
    Sign,
    Strong,
    clean,
)

__all__ = ["fitted", "html_message", "quiet", "text_message"]

_LOOKALIKE = str.maketrans(
    {
        "<": "‹", ">": "›", "[": "［", "]": "］", "{": "｛", "}": "｝", "*": "∗", "_": "＿", "~": "∼", "`": "ˋ",
        "@": "＠", "#": "＃", "|": "¦", "\\": "＼", "&": "＆", "$": "＄", "^": "ˆ",
    }
)  # fmt: skip
_COLON = re.compile(r":(?=\S)")  # http://, :emoji:
_DOT = re.compile(r"\.(?=[^\W\d])")  # example.org: a name that programs make a link of
_PLAIN_URL = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~%#-]*)*", re.ASCII)


def quiet(text: str) -> str:
    """Foreign text that no service gives a meaning, in one line."""
    return _DOT.sub("․", _COLON.sub("∶", clean(text).translate(_LOOKALIKE)))


def text_message(document: Document) -> str:
    """The document as plain text, inert as Markdown too."""
    return "\n\n".join(block for section in document.sections for block in _text_section(section))


def _text_section(section: Section) -> list[str]:
    blocks = ["\n".join(map(_text_line, block.lines)) for block in section.blocks if isinstance(block, Lines)]
    if section.title and blocks:
        blocks[0] = f"{section.title.upper()}\n\n{blocks[0]}"
    return blocks


def _text_line(line: Line) -> str:
    return "".join(map(_text, line))


def _text(part: Inline) -> str:
    match part:
        case Sign(status):
            return SIGNS[status]
        case Item(key, title, _):
            return quiet(title or key)
        case Foreign(text) | Mention(_, _, text):
            return quiet(text)
        case Strong(text) | Link(text, _):
            return text
        case str():
            return part


def html_message(document: Document) -> str:
    """The document as a fragment of HTML; titles are links where they have an address of the web."""
    return "\n".join(map(_html_section, document.sections))


def _html_section(section: Section) -> str:
    title = f"<h3>{escape(section.title)}</h3>\n" if section.title else ""
    return title + "\n".join(
        f"<p>{'<br>'.join(map(_html_line, block.lines))}</p>" for block in section.blocks if isinstance(block, Lines)
    )


def _html_line(line: Line) -> str:
    return "".join(map(_html, line))


def _html(part: Inline) -> str:
    match part:
        case Item(_, _, url) if _PLAIN_URL.fullmatch(url):
            return f'<a href="{escape(url)}"><b><bdi>{escape(_text(part))}</bdi></b></a>'
        case Item():
            return f"<b><bdi>{escape(_text(part))}</bdi></b>"
        case Foreign():
            return f"<bdi>{escape(_text(part))}</bdi>"
        case Strong():
            return f"<b>{escape(_text(part))}</b>"
        case _:
            return escape(_text(part))


def fitted(document: Document, limit: int, write: Callable[[Document], str], more: Callable[[int], str]) -> str:
    """The document written in at most ``limit`` characters: the last entries of the lightest sections go first, and
    ``more`` says how many went. A single entry is never cut, so a limit under that of one entry is not kept.
    """
    sections, gone = list(document.sections), 0
    while True:
        note = [Section(title="", blocks=(Lines(((more(gone),),)),), weight=0)] if gone else []
        body = write(Document((*sections, *note)))
        long = [section for section in sections if section.title and section.blocks]
        if len(body) <= limit or sum(len(section.blocks) for section in long) <= 1:
            return body
        lightest = min(long, key=lambda section: section.weight)
        place = sections.index(lightest)
        kept = replace(lightest, blocks=lightest.blocks[:-1])
        sections[place : place + 1] = [kept] if kept.blocks else []
        gone += 1
