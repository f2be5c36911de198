"""Write HTML for our own pages: every text escaped, foreign text isolated in its writing direction."""

from __future__ import annotations

from html import escape

from sync.markup.document import (
    MAX_FOREIGN_LENGTH,
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

__all__ = ["html", "html_line"]


def html(document: Document) -> str:
    """Return the document as a fragment of HTML, without links to items: pages add their own."""
    return "\n".join(map(_section, document.sections))


def html_line(line: Line) -> str:
    """Return one line as HTML without a block around it, for a place in a page's own markup."""
    return _line(line)


def _section(section: Section) -> str:
    body = "\n".join(map(_block, section.blocks))
    body = f"<small>{body}</small>" if section.is_small else body
    title = escape(clean(section.title)) if section.title else ""
    if section.folded:
        return f"<details>\n<summary>{title}</summary>\n{body}\n</details>"
    sign = f"{SIGNS[section.sign]} " if section.sign else ""
    level = "h3" if section.sign else "h4"
    heading = f"<{level}>{sign}{title}</{level}>\n" if title else ""
    return f"<section>\n{heading}{body}\n</section>"


def _block(block: Block) -> str:
    match block:
        case Lines(lines):
            return f"<p>{'<br>'.join(map(_line, lines))}</p>"
        case Quote(lines):
            return f"<blockquote>{_block(Lines(lines))}</blockquote>"
        case Bullets(lines, numbered):
            tag = "ol" if numbered else "ul"
            return f"<{tag}>{''.join(f'<li>{_line(line)}</li>' for line in lines)}</{tag}>"
        case Table(head, rows):
            cells = "".join(f"<th>{escape(clean(text))}</th>" for text in head)
            header = f"<thead><tr>{cells}</tr></thead>" if head else ""
            body = "".join(f"<tr>{''.join(f'<td>{_line(cell_parts(cell))}</td>' for cell in row)}</tr>" for row in rows)
            return f"<table>{header}<tbody>{body}</tbody></table>"
        case Chart():
            return _block(chart_table(block))


def _line(line: Line) -> str:
    return "".join(map(_inline, join_words(line)))


def _inline(part: Inline) -> str:
    match part:
        case str():
            return escape(part) if is_ours(part) else _literal(part)
        case Strong(text):
            return f"<strong>{escape(text)}</strong>" if is_ours(text) else _literal(text)
        case Foreign(text, limit):
            return _literal(text, limit)
        case Mention(_, _, name):
            return _literal(name)
        case Link(text, url):
            words = escape(clean(text))
            return f'<a href="{escape(url)}">{words}</a>'
        case Sign(status):
            return SIGNS[status]
        case Item(key, title, _):
            return f"{_literal(key)} {_literal(title)}" if title else _literal(key)


def _literal(text: str, limit: int = MAX_FOREIGN_LENGTH) -> str:
    return f"<bdi><code>{escape(clean(text, limit))}</code></bdi>"
