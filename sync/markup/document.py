"""The small document tree between what is said and how a tracker writes it.

Three kinds of text never mix. A plain ``str`` is our own words; `Foreign` is what somebody else wrote (titles, names,
labels, raw states) or what is to be read letter by letter (a command); `Item` refers to an issue. Only `Foreign` and
`Item` may hold text from a tracker, and each markup shows them literally.
"""

from __future__ import annotations

import re
import unicodedata

from msgspec import Struct

from sync.model.health import Status

__all__ = [
    "SIGNS",
    "Block",
    "Bullets",
    "Chart",
    "Document",
    "Foreign",
    "Inline",
    "Item",
    "Line",
    "Lines",
    "Link",
    "Mention",
    "Section",
    "Sign",
    "Strong",
    "Table",
    "chart_table",
    "clean",
    "is_ours",
    "is_plain_url",
    "merged",
]

LONGEST = 100
"""Characters of foreign text that are shown; what is longer ends in an ellipsis."""


class Foreign(Struct, frozen=True):
    """Text that is not our own words; shown literally, in one line."""

    text: str


class Strong(Struct, frozen=True):
    """Our own words, made to stand out."""

    text: str


class Item(Struct, frozen=True):
    """A reference to an issue that makes no backlink. ``key`` and ``title`` are foreign; ``url`` its page."""

    key: str
    title: str
    url: str = ""


class Link(Struct, frozen=True):
    """Our own words that lead to a page of our own, which leaves no backlink; only words if ``url`` is not plain."""

    text: str
    url: str


class Mention(Struct, frozen=True):
    """A person who is to be notified: only ever made where somebody switched mentions on. ``id`` is the tracker's,
    ``login`` what follows the @; where neither can be a mention, ``name`` is shown as foreign text.
    """

    id: str
    login: str
    name: str


class Sign(Struct, frozen=True):
    """A status as a shape: no two statuses differ in colour alone."""

    status: Status


Inline = str | Foreign | Strong | Item | Link | Mention | Sign
Line = tuple[Inline, ...]


class Lines(Struct, frozen=True):
    """A paragraph of one or more lines."""

    lines: tuple[Line, ...]


class Bullets(Struct, frozen=True):
    """A list, numbered when the order is a ranking."""

    lines: tuple[Line, ...]
    numbered: bool = False


class Table(Struct, frozen=True):
    """Our own words and numbers in columns. Foreign text has no place here: ``|`` splits cells even inside code."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Chart(Struct, frozen=True):
    """A burn-up: ``done`` as bars under the line of ``scope``, in items, at the dates that ``labels`` name."""

    title: str
    labels: tuple[str, ...]
    done: tuple[int, ...]
    scope: tuple[int, ...]


Block = Lines | Bullets | Table | Chart


class Section(Struct, frozen=True, kw_only=True):
    """A heading (our own words; none when empty) and what is under it.

    ``weight`` says how long it stays when the tracker's limit is near: the lightest goes first. ``folded`` parts
    are collapsed where the tracker can.
    """

    title: str
    blocks: tuple[Block, ...]
    weight: int
    folded: bool = False
    sign: Status | None = None


class Document(Struct, frozen=True):
    """Sections in reading order."""

    sections: tuple[Section, ...]


SIGNS = {
    Status.ON_TRACK: "✅",
    Status.AT_RISK: "⚠️",
    Status.OFF_TRACK: "🛑",
    Status.OVERDUE: "⏰",
    Status.DONE: "🏁",
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


def is_ours(text: str) -> bool:
    """Whether a text can be our own words: letters, digits and quiet punctuation that no tracker gives a meaning.

    Whatever else it is, it is shown as foreign text, so a mistake in a caller costs beauty and nothing more.
    """
    return _OURS.fullmatch(text) is not None and _NOT_WORDS.search(text) is None


def is_plain_url(url: str) -> bool:
    """Whether an address is one of the web, without any sign that a markup could take for its own."""
    return _PLAIN_URL.fullmatch(url) is not None


_JOINERS = "\u200c\u200d"  # Persian words and composed emoji need them


def clean(text: str) -> str:
    """Foreign text in one line: line breaks become spaces, invisible and direction-changing characters go, other
    control characters show as U+FFFD, the opening of an HTML comment is split, and what is too long is cut.
    """
    shown = "".join(map(_harmless, text))
    shown = " ".join(shown.split()).replace("<!--", "<! --").strip(_JOINERS)
    if len(shown) > LONGEST:
        shown = shown[: LONGEST - 1].rstrip(" " + _JOINERS) + "…"
    return shown or "(no text)"


def _harmless(character: str) -> str:
    category = unicodedata.category(character)
    if character.isspace() or category in {"Zl", "Zp", "Zs"}:
        return " "
    if category == "Cf" or "\U000e0000" <= character <= "\U000e00ff":
        return character if character in _JOINERS else ""
    if category in {"Cc", "Cs"} or ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef":
        return "\ufffd"
    return character


def merged(line: Line) -> Line:
    """The line with neighbouring words joined and nothing blank at its ends, so that its start can be judged.

    A link to no address of the web is words.
    """
    parts: list[Inline] = []
    for one in line:
        part = one.text if isinstance(one, Link) and not is_plain_url(one.url) else one
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return tuple(part for part in parts if part != "" and not (isinstance(part, Strong) and not part.text.strip()))


def chart_table(chart: Chart) -> Table:
    """A chart in figures, for trackers that cannot draw."""
    rows = zip(chart.labels, chart.done, chart.scope, strict=True)
    return Table(("Date", "Done", "Scope"), tuple((label, str(done), str(scope)) for label, done, scope in rows))
