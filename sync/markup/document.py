"""The document tree between the texts of milesync and the markups of trackers.

Three kinds of text never mix. A plain ``str`` is our own words. `Foreign` is text of other people (titles, names,
labels, raw states), or text that must be shown literally (a command). `Item` refers to an issue. Only `Foreign` and
`Item` may hold text from a tracker, and each markup shows them literally.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from functools import lru_cache

from msgspec import Struct

from sync.model.characters import JOINERS, one_line
from sync.model.health import Status

__all__ = [
    "SIGNS",
    "Block",
    "Bullets",
    "Cell",
    "Chart",
    "Document",
    "Foreign",
    "Inline",
    "Item",
    "Line",
    "Lines",
    "Link",
    "Mention",
    "Quote",
    "Section",
    "Sign",
    "Strong",
    "Table",
    "cell_parts",
    "chart_table",
    "clean",
    "clean_id",
    "is_ours",
    "is_plain_url",
    "join_parts",
    "join_words",
    "visible_blocks",
]

MAX_FOREIGN_LENGTH = 100
"""Usual maximum length of a foreign text in characters; a longer text is cut and ends in an ellipsis."""


class Foreign(Struct, frozen=True):
    """Text that is not our own words; shown literally in one line of at most ``limit`` characters."""

    text: str
    limit: int = MAX_FOREIGN_LENGTH


class Strong(Struct, frozen=True):
    """Our own words, emphasized."""

    text: str


class Item(Struct, frozen=True):
    """A reference to an issue without a backlink. ``key`` and ``title`` are foreign; ``url`` is the issue's page."""

    key: str
    title: str
    url: str = ""


class Link(Struct, frozen=True):
    """Our own words with a link to a page of our own, without a backlink; only words if ``url`` is not plain."""

    text: str
    url: str


class Mention(Struct, frozen=True):
    """A person to notify; used only where mentions are switched on.

    ``id`` is the tracker's, ``login`` the name after the @. Where neither can be a mention, ``name`` is shown as
    foreign text.
    """

    id: str
    login: str
    name: str


class Sign(Struct, frozen=True):
    """The sign of a status: no two statuses differ in colour alone."""

    status: Status


Inline = str | Foreign | Strong | Item | Link | Mention | Sign
Line = tuple[Inline, ...]


class Lines(Struct, frozen=True):
    """A paragraph of one or more lines."""

    lines: tuple[Line, ...]


class Quote(Struct, frozen=True):
    """Words of a person: a paragraph that is set apart as a quotation."""

    lines: tuple[Line, ...]


class Bullets(Struct, frozen=True):
    """A list, numbered when the order is a ranking."""

    lines: tuple[Line, ...]
    numbered: bool = False


Cell = str | tuple[str | Strong, ...]
"""A cell of a table: our own words, in parts where some of them are emphasized."""


class Table(Struct, frozen=True):
    """Our own words and numbers in columns, never foreign text: ``|`` splits cells even inside code.

    ``head`` is empty for a table without headings.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Chart(Struct, frozen=True):
    """A burn-up: ``done`` as bars under the line of ``scope`` at the dates that ``labels`` name.

    ``unit``: the word for what is counted, in the plural.
    """

    title: str
    labels: tuple[str, ...]
    done: tuple[int, ...]
    scope: tuple[int, ...]
    unit: str = "Issues"


Block = Lines | Quote | Bullets | Table | Chart


class Section(Struct, frozen=True, kw_only=True):
    """A heading (our own words; none when empty) with its blocks.

    ``weight`` orders removal near the tracker's limit: the lightest section is removed first. ``folded`` sections are
    collapsed where the tracker supports it. ``is_small``: a footer, in small letters where the tracker has them.
    """

    title: str
    blocks: tuple[Block, ...]
    weight: int
    folded: bool = False
    is_small: bool = False
    sign: Status | None = None


class Document(Struct, frozen=True):
    """Sections in reading order."""

    sections: tuple[Section, ...]


def cell_parts(cell: Cell) -> tuple[str | Strong, ...]:
    """Return the parts of a cell."""
    return (cell,) if isinstance(cell, str) else cell


def visible_blocks(section: Section) -> int:
    """Count the parts that a reader sees of an open section: heading, lines of paragraphs, list items, table rows."""
    return bool(section.title) + sum(
        1 if isinstance(block, Chart) else len(block.rows if isinstance(block, Table) else block.lines)
        for block in section.blocks
    )


SIGNS = {
    Status.ON_TRACK: "✅",
    Status.AT_RISK: "⚠️",
    Status.OFF_TRACK: "🛑",
    Status.OVERDUE: "⏰",
    Status.DONE: "🏁",
    Status.ENDED: "⏹️",
    Status.NO_DUE_DATE: "📅",
    Status.UNKNOWN: "❔",
}

_PLAIN_URL = re.compile(r"https?://[\w.-]+(:\d+)?(/[\w.~%-]*)*", re.ASCII)
_OURS = re.compile(r"[A-Za-z0-9 .,:;()'’?%+\-–—→·█░]*")
_NOT_WORDS = re.compile(
    r"""
      www\. | :\w+: | --            # links, emoji names, rules
    | [0-9A-Fa-f]{7,}               # what looks like a commit
    | [A-Za-z]-\d                   # GH-1, KEY-1
    | %[\w"]                        # a GitLab milestone
    """,
    re.VERBOSE,
)


@lru_cache(maxsize=4096)
def is_ours(text: str) -> bool:
    """Return whether a text is safe as our own words: letters, digits, and punctuation without meaning in a tracker.

    Any other text is shown as foreign text, so a mistake of a caller changes the look only.
    """
    return _OURS.fullmatch(text) is not None and _NOT_WORDS.search(text) is None


def is_plain_url(url: str) -> bool:
    """Return whether an address is of the web and contains no sign of a markup."""
    return _PLAIN_URL.fullmatch(url) is not None


def clean(text: str, limit: int = MAX_FOREIGN_LENGTH) -> str:
    """Return foreign text as one safe line of at most ``limit`` characters.

    Line breaks become spaces; invisible and direction-changing characters are removed; other control characters
    become U+FFFD; the opening of an HTML comment is split; a long text is cut. Never empty.
    """
    shown = one_line(text).replace("<!--", "<! --").strip(JOINERS)
    if len(shown) > limit:
        shown = shown[: limit - 1].rstrip(" " + JOINERS) + "…"
    return shown or "(no text)"


def clean_id(written: str) -> str:
    """Return a milestone's id, which may hold foreign text, as one safe line in full: it has to work in a command."""
    return clean(written, sys.maxsize)


def join_words(line: Line) -> Line:
    """Join neighbouring words of a line and strip its ends, so that its start can be checked.

    A link without an address of the web becomes words.
    """
    parts: list[Inline] = []
    for inline in line:
        part = inline.text if isinstance(inline, Link) and not is_plain_url(inline.url) else inline
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return tuple(part for part in parts if part != "" and not (isinstance(part, Strong) and not part.text.strip()))


def join_parts(parts: Iterable[Inline]) -> Line:
    """Join the parts of a sentence, at least one: one, two and three."""
    *most, last = tuple(parts)
    line: list[Inline] = []
    for part in most:
        line += [", ", part] if line else [part]
    return (*line, " and ", last) if line else (last,)


def chart_table(chart: Chart) -> Table:
    """Return a chart as a table, for trackers that cannot draw."""
    rows = zip(chart.labels, chart.done, chart.scope, strict=True)
    return Table(("Date", "Done", "Scope"), tuple((label, str(done), str(scope)) for label, done, scope in rows))
