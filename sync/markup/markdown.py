"""Write Markdown for GitHub and GitLab.

Foreign text is written in code spans only, where neither tracker looks for mentions, references, links, images, HTML or
quick actions; never in a table and never on a line of HTML. No line of the result begins with a slash.
"""

from __future__ import annotations

import re

from sync.markup.document import (
    MAX_FOREIGN_LENGTH,
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
    clean,
    is_ours,
    join_words,
)

__all__ = ["code_span", "markdown"]

_GITHUB_ITEM = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+/(?:issues|pull)/\d+)", re.ASCII)
_LOGIN = re.compile(r"[A-Za-z0-9](?:[\w.-]*\w)?", re.ASCII)
_LISTLIKE = re.compile(r"([-+])(\s|$)|(\d+)([.)])(\s|$)")


def markdown(document: Document, links: bool) -> str:
    """Return the document in Markdown.

    With ``links``, items on github.com become links over the redirecting host, which creates no backlinks. On GitLab
    every link to an item creates a note there, so links are off.
    """
    return "\n\n".join(_section(section, links) for section in document.sections)


def _section(section: Section, links: bool) -> str:
    body = "\n\n".join(_block(block, links) for block in section.blocks)
    body = f"<sub>{body}</sub>" if section.is_small else body
    title = section.title if is_ours(section.title) else "Details"
    if section.folded:
        return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"
    sign = f"{SIGNS[section.sign]} " if section.sign else ""
    heading = f"{'###' if section.sign else '####'} {sign}{title}\n\n" if title else ""
    return f"{heading}{body}".rstrip()


def _block(block: Block, links: bool) -> str:
    match block:
        case Lines(lines):
            return "  \n".join(_line(line, links) for line in lines)
        case Quote(lines):
            return "  \n".join(f"> {_line(line, links)}" for line in lines)
        case Bullets(lines, numbered):
            marks = [f"{i}." if numbered else "-" for i in range(1, len(lines) + 1)]
            return "\n".join(f"{mark} {_line(line, links)}" for mark, line in zip(marks, lines, strict=True))
        case Table(head, rows):
            columns = len(head or rows[0])
            rule = ("---",) * columns
            return "\n".join(
                "| " + " | ".join(map(_cell, row)) + " |" for row in (head or ("",) * columns, rule, *rows)
            )
        case Chart():
            return _chart(block)


def _chart(chart: Chart) -> str:
    top = max(*chart.scope, *chart.done, 1)
    # the blank label keeps the last bar inside the frame
    labels = ", ".join(f'"{_cell(label)}"' for label in (*chart.labels, " "))
    return "\n".join(
        (
            "```mermaid",
            "%%{init: {'themeVariables': {'xyChart': {'plotColorPalette': 'seagreen, royalblue'}}}}%%",
            "xychart-beta",
            f'    title "{_cell(chart.title)}"',
            f"    x-axis [{labels}]",
            f'    y-axis "{_cell(chart.unit)}" 0 --> {top}',
            f"    bar {list(chart.done)}",
            f"    line {list(chart.scope)}",
            "```",
        )
    )


def _cell(cell: Cell) -> str:
    return cell if cell == "---" else "".join(map(_cell_part, cell_parts(cell)))


def _cell_part(part: str | Strong) -> str:
    text = part.text if isinstance(part, Strong) else part
    if not is_ours(text):
        return "…"
    return f"**{text}**" if isinstance(part, Strong) else text


def _line(line: Line, links: bool) -> str:
    text = ""
    for part in join_words(line):
        shown = _inline(part, links)
        # a space keeps two adjacent code spans apart: their fences would join
        text += f" {shown}" if text.endswith("`") and shown.startswith("`") else shown
    # escape our own words that begin like a list ("3. ...")
    return _LISTLIKE.sub(r"\3\\\1\4\2\5", text, count=1) if _LISTLIKE.match(text) else text


def _inline(part: Inline, links: bool) -> str:
    match part:
        case str():
            return part if is_ours(part) else code_span(part)
        case Strong(text):
            return f"**{text.strip()}**" if is_ours(text) else code_span(text)
        case Foreign(text, limit):
            return code_span(text, limit)
        case Link(text, url):
            words = text if is_ours(text) else code_span(text)
            return f"[{words}]({url})"
        case Sign(status):
            return SIGNS[status]
        case Mention(_, login, name):
            return f"@{login}" if _LOGIN.fullmatch(login) else code_span(name)
        case Item(key, title, url):
            found = _GITHUB_ITEM.fullmatch(url) if links else None
            shown = f"[{code_span(key)}](https://redirect.github.com/{found[1]})" if found else code_span(key)
            return f"{shown} {code_span(title)}" if title else shown


def code_span(text: str, limit: int = MAX_FOREIGN_LENGTH) -> str:
    """Return a code span that its text cannot end: the fence is longer than any run of backticks in the text."""
    shown = clean(text, limit)
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{shown}{pad}{fence}"
