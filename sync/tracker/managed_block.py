"""Managed block: our lines in a text that people write, between two marker lines. The rest is never changed. Pure.

In Markdown the marker lines are HTML comments, which are invisible; in plain text they are readable::

    <!-- milesync acme 0123456789abcdef -->          --- milesync acme 0123456789abcdef ---
    At risk: ...                                     At risk: ...
    <!-- end of milesync acme -->                    --- end of milesync acme ---

The hexadecimal digits hash the lines and the milestone. So lines that a person has edited, or copied to another
milestone, are recognised.
"""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from sync.tracker.marker import canonical

__all__ = ["BlockChangedError", "ManagedBlock", "find_block", "lines_of_people", "replace_block", "wrap_block"]

_MARKER_LINE = re.compile(r"(<!--|---) (end of )?milesync (\S+)(?: [0-9a-f]{16})? (?:-->|---)[ \t]*")
_LINE_END = re.compile(r"\r\n|\r|\n")


class ManagedBlock(Struct, frozen=True):
    """Our lines in a text, from ``start`` to ``end`` (characters); ``mark`` is the hash in their first line."""

    start: int
    end: int
    mark: str
    text: str

    def is_edited(self, of: str) -> bool:
        """Return whether a person has changed the lines, or copied them from another milestone; ``of`` is a uid."""
        return self.mark != _digest(self.text, of)


class BlockChangedError(Exception):
    """The lines to be replaced have changed or are missing."""


def find_block(text: str, instance: str) -> ManagedBlock | None:
    """Return the first block of this instance in a text. None without one, or if its end is missing."""
    name = re.escape(instance)
    for left, right in (("<!--", "-->"), ("---", "---")):
        first_line = re.compile(rf"^{left} milesync {name} ([0-9a-f]{{16}}) {right}[ \t]*\r?\n", re.MULTILINE)
        last_line = re.compile(rf"^{left} end of milesync {name} {right}[ \t]*(?=\r?$)", re.MULTILINE)
        begin = first_line.search(text)
        end = last_line.search(text, begin.end()) if begin else None
        if begin and end:
            return ManagedBlock(begin.start(), end.end(), begin[1], text[begin.end() : end.start()])
    return None


def lines_of_people(text: str) -> list[tuple[int, str]]:
    """Return the lines of a text outside of the blocks of every instance, each with its number from 1.

    A first line of ours without its end is no block.
    """
    kept: list[tuple[int, str]] = []
    begins: dict[tuple[str, str], int] = {}
    for number, line in enumerate(_LINE_END.split(text), 1):
        marker = _MARKER_LINE.fullmatch(line)
        if marker is not None and marker[2] is None:
            begins.setdefault((marker[1], marker[3]), len(kept))
        elif marker is not None and (begin := begins.get((marker[1], marker[3]))) is not None:
            del kept[begin:]
            begins.clear()
            continue
        kept.append((number, line))
    return kept


def wrap_block(words: str, of: str, instance: str, *, plain: bool) -> str:
    """Return text with its marker lines; ``of`` is the uid of the milestone."""
    left, right = ("---", "---") if plain else ("<!--", "-->")
    first = f"{left} milesync {instance} {_digest(words, of)} {right}"
    return f"{first}\n{words}\n{left} end of milesync {instance} {right}"


def replace_block(text: str, lines: str, instance: str, was: str) -> str:
    """Return the text with our lines replaced, added at its end, or (``lines`` empty) removed.

    ``was`` is the expected mark of the present lines, empty for none. Raises `BlockChangedError` if the mark differs.
    """
    block = find_block(text, instance)
    if (block.mark if block else "") != was:
        raise BlockChangedError
    if block is None:
        gap = "" if not text else "\n" if text.endswith("\n\n") else "\n\n" if not text.endswith("\n") else "\n"
        return f"{text}{gap}{lines}"
    before, after = text[: block.start], text[block.end :]
    return f"{before}{lines}{after}" if lines else before.rstrip("\r\n") + after


def _digest(words: str, of: str) -> str:
    return hashlib.blake2b(f"{of}\n{canonical(words)}".encode(), digest_size=8).hexdigest()
