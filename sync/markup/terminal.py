"""Write plain text for a terminal, wrapped to a width; foreign text cannot move the cursor."""

from __future__ import annotations

from textwrap import fill

from rich.cells import cell_len, set_cell_size

from sync.markup.document import (
    SIGNS,
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

__all__ = ["terminal"]


def terminal(document: Document, width: int = 100) -> str:
    """Return the document as plain text, at most ``width`` columns wide where words can be broken."""
    return "\n\n".join(_section(section, width) for section in document.sections)


def _section(section: Section, width: int) -> str:
    words = clean(section.title) if section.title else ""
    title = f"{SIGNS[section.sign]} {words}" if section.sign else words
    rule = ("=" if section.sign else "-") * min(len(title), width)
    heading = (title, rule) if title else ()
    return "\n".join((*heading, *(_block(block, width) for block in section.blocks)))


def _block(block: Block, width: int) -> str:
    match block:
        case Lines(lines):
            return "\n".join(fill(_line(line), width, break_on_hyphens=False, break_long_words=False) for line in lines)
        case Quote(lines):
            return "\n".join(
                fill(
                    _line(line),
                    width,
                    initial_indent="> ",
                    subsequent_indent="> ",
                    break_on_hyphens=False,
                    break_long_words=False,
                )
                for line in lines
            )
        case Bullets(lines, numbered):
            marks = [f"{i}. " if numbered else "- " for i in range(1, len(lines) + 1)]
            return "\n".join(
                fill(
                    _line(line),
                    width,
                    initial_indent=mark,
                    subsequent_indent=" " * len(mark),
                    break_on_hyphens=False,
                    break_long_words=False,
                )
                for mark, line in zip(marks, lines, strict=True)
            )
        case Table(head, rows):
            cells = [[_line(cell_parts(cell)) for cell in row] for row in ((head,) if head else ()) + rows]
            widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
            return "\n".join(
                "  ".join(set_cell_size(text, wide) for text, wide in zip(row, widths, strict=True)).rstrip()
                for row in cells
            )
        case Chart():
            return _block(chart_table(block), width)


def _line(line: Line) -> str:
    return "".join(map(_inline, join_words(line)))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return part if is_ours(part) else clean(part)
        case Foreign(text, limit):
            return clean(text, limit)
        case Strong(text) | Mention(_, _, text):
            return clean(text)
        case Link(text, url):
            return f"{clean(text)} ({clean(url)})"
        case Sign(status):
            return SIGNS[status]
        case Item(key, title, _):
            return f"{clean(key)} {clean(title)}" if title else clean(key)
