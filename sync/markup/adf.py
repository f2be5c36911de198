"""Write the Atlassian Document Format, in which Jira Cloud stores comments, as a JSON text.

Foreign text is always the ``text`` of a text node with a code mark. Nodes used: doc, heading, paragraph, blockquote,
text, hardBreak, mention, bulletList, orderedList, listItem, table, tableRow, tableHeader, tableCell, expand.
"""

from __future__ import annotations

import json
from typing import Any

from sync.markup.document import (
    SIGNS,
    Block,
    Bullets,
    Cell,
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
    is_plain_url,
    join_words,
)

__all__ = ["adf"]

Node = dict[str, Any]
_CODE: Node = {"type": "code"}


def adf(document: Document) -> str:
    """Return the document as the JSON text of an ADF ``doc`` node."""
    content = [node for section in document.sections for node in _section(section)]
    return json.dumps({"type": "doc", "version": 1, "content": content}, ensure_ascii=False, separators=(",", ":"))


def _section(section: Section) -> list[Node]:
    body = [_block(block) for block in section.blocks]
    if section.folded:
        return [{"type": "expand", "attrs": {"title": clean(section.title)}, "content": body}]
    if not section.title:
        return body
    title: Line = (Sign(section.sign), " ", section.title) if section.sign else (section.title,)
    level = 3 if section.sign else 4
    return [{"type": "heading", "attrs": {"level": level}, "content": _line(title)}, *body]


def _block(block: Block) -> Node:
    match block:
        case Lines(lines):
            content: list[Node] = []
            for line in lines:
                content += [{"type": "hardBreak"}, *_line(line)] if content else _line(line)
            return {"type": "paragraph", "content": content}
        case Quote(lines):
            return {"type": "blockquote", "content": [_block(Lines(lines))]}
        case Bullets(lines, numbered):
            items = [{"type": "listItem", "content": [_paragraph(line)]} for line in lines]
            return {"type": "orderedList" if numbered else "bulletList", "content": items}
        case Table(head, rows):
            header = [{"type": "tableRow", "content": [_cell("tableHeader", text) for text in head]}] if head else []
            body = [{"type": "tableRow", "content": [_cell("tableCell", cell) for cell in row]} for row in rows]
            return {"type": "table", "content": [*header, *body]}
        case Chart():
            return _block(chart_table(block))


def _cell(kind: str, cell: Cell) -> Node:
    return {"type": kind, "content": [_paragraph(cell_parts(cell))]}


def _paragraph(line: Line) -> Node:
    return {"type": "paragraph", "content": _line(line)}


def _line(line: Line) -> list[Node]:
    return [node for part in join_words(line) for node in _inline(part)]


def _inline(part: Inline) -> list[Node]:
    match part:
        case str():
            return [_text(part) if is_ours(part) else _text(clean(part), _CODE)]
        case Strong(text):
            return [_text(text, {"type": "strong"}) if is_ours(text) else _text(clean(text), _CODE)]
        case Foreign(text, limit):
            return [_text(clean(text, limit), _CODE)]
        case Sign(status):
            return [_text(SIGNS[status])]
        case Link(text, url):
            return [_text(text, *_link(url)) if is_ours(text) else _text(clean(text), _CODE)]
        case Mention(id_, _, name):
            person = clean(name)
            return [{"type": "mention", "attrs": {"id": id_, "text": f"@{person}"}}] if id_ else [_text(person, _CODE)]
        case Item(key, title, url):
            shown = [_text(clean(key), _CODE, *_link(url))]
            return [*shown, _text(" "), _text(clean(title), _CODE)] if title else shown


def _link(url: str) -> list[Node]:
    return [{"type": "link", "attrs": {"href": url}}] if is_plain_url(url) else []


def _text(text: str, *marks: Node) -> Node:
    return {"type": "text", "text": text, "marks": list(marks)} if marks else {"type": "text", "text": text}
