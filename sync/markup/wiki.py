"""Write Jira's wiki markup for Jira Data Center.

Its renderer is a chain of regular expressions that also act inside ``{{...}}``. So foreign text is written in
``{{...}}`` with every sign except letters, digits and spaces as a numeric entity, which the renderer does not touch:
no macro, mention, link, image or emoticon can form. Wiki markup cannot fold; folded sections get a heading.
"""

from __future__ import annotations

import re

from sync.markup.document import (
    MAX_FOREIGN_LENGTH,
    Block,
    Bullets,
    Chart,
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
    Table,
    cell_parts,
    chart_table,
    clean,
    is_ours,
    join_words,
)
from sync.model.health import Status

__all__ = ["wiki"]

# Jira's own icons: also shown where the database cannot store four-byte characters
_SIGNS = {
    Status.ON_TRACK: "(/)",
    Status.AT_RISK: "(!)",
    Status.OFF_TRACK: "(x)",
    Status.OVERDUE: "(-)",
    Status.DONE: "(*)",
    Status.ENDED: "(off)",
    Status.NO_DUE_DATE: "(i)",
    Status.UNKNOWN: "(?)",
}
_MARKUP = re.compile(r"[^A-Za-z0-9 .,:;'’%–—→·█░]")
_SIGN = re.compile(r"[^A-Za-z0-9, \u0080-\U0010ffff]")


def wiki(document: Document) -> str:
    """Return the document in wiki markup."""
    return "\n\n".join(map(_section, document.sections))


def _section(section: Section) -> str:
    sign = f"{_SIGNS[section.sign]} " if section.sign else ""
    level = "h3." if section.sign else "h4."
    heading = (f"{level} {sign}{_words(section.title)}",) if section.title else ()
    return "\n".join((*heading, *map(_block, section.blocks)))


def _block(block: Block) -> str:
    match block:
        case Lines(lines):
            return "\n".join(map(_line, lines)) + "\n"
        case Quote(lines):
            return "\n".join(("{quote}", *map(_line, lines), "{quote}")) + "\n"
        case Bullets(lines, numbered):
            return "\n".join(f"{'#' if numbered else '*'} {_line(line)}" for line in lines) + "\n"
        case Table(head, rows):
            header = ("||" + "||".join(map(_words, head)) + "||",) if head else ()
            return (
                "\n".join((*header, *("|" + "|".join(_line(cell_parts(cell)) for cell in row) + "|" for row in rows)))
                + "\n"
            )
        case Chart():
            return _block(chart_table(block))


def _line(line: Line) -> str:
    return "".join(map(_inline, join_words(line)))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return _words(part)
        case Strong(text):
            return f"*{_words(text.strip())}*" if is_ours(text) else _literal(text)
        case Foreign(text, limit):
            return _literal(text, limit)
        case Mention(_, _, name):  # Data Center needs a login for a mention, and its API gives none
            return _literal(name)
        case Link(text, url):
            return f"[{_words(text)}|{url}]" if is_ours(text) else _words(text)
        case Sign(status):
            return _SIGNS[status]
        case Item(key, title, _):
            return f"{_literal(key)} {_literal(title)}" if title else _literal(key)


def _words(text: str) -> str:
    return _entities(_MARKUP, text) if is_ours(text) else _literal(text)


def _literal(text: str, limit: int = MAX_FOREIGN_LENGTH) -> str:
    return "{{" + _entities(_SIGN, clean(text, limit)) + "}}"


def _entities(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: f"&#{ord(found[0])};", text)
