"""Our own lines in a text that people write: between two marker lines, and nothing outside of them is ever changed.

In Markdown the marker lines are HTML comments, which nobody sees; in plain text they can be read::

    <!-- milesync acme 0123456789abcdef -->          --- milesync acme 0123456789abcdef ---
    At risk: ...                                     At risk: ...
    <!-- end of milesync acme -->                    --- end of milesync acme ---

The figures are a digest of what stands between them and of whose it is, so lines that a person has edited, or copied to
another milestone, are known. Pure.
"""

from __future__ import annotations

import hashlib
import re

from msgspec import Struct

from sync.tracker.marker import canonical

__all__ = ["ManagedBlock", "NotThereError", "find_block", "replace_block", "wrap_block"]


class ManagedBlock(Struct, frozen=True):
    """Our lines as they stand in a text, from ``start`` to ``end``; ``mark`` is the digest in their first line."""

    start: int
    end: int
    mark: str
    text: str

    def edited(self, of: str) -> bool:
        """Whether somebody has changed the lines since we wrote them, or brought them here from elsewhere."""
        return self.mark != _digest(self.text, of)


class NotThereError(Exception):
    """The lines that were to be replaced do not stand there any more."""


def find_block(text: str, instance: str) -> ManagedBlock | None:
    """The first lines of this instance in a text; None when there are none, or their end is missing."""
    name = re.escape(instance)
    for left, right in (("<!--", "-->"), ("---", "---")):
        found = re.search(
            rf"^{left} milesync {name} ([0-9a-f]{{16}}) {right}[ \t]*\r?\n"
            rf"(.*?)^{left} end of milesync {name} {right}[ \t]*$",
            text,
            re.MULTILINE | re.DOTALL,
        )
        if found:
            return ManagedBlock(found.start(), found.end(), found[1], found[2])
    return None


def wrap_block(words: str, of: str, instance: str, *, plain: bool) -> str:
    """Words of ours with their marker lines; ``of`` says whose they are (the milestone's uid)."""
    left, right = ("---", "---") if plain else ("<!--", "-->")
    first = f"{left} milesync {instance} {_digest(words, of)} {right}"
    return f"{first}\n{words}\n{left} end of milesync {instance} {right}"


def replace_block(text: str, lines: str, instance: str, was: str) -> str:
    """The text with our lines replaced, added at its end, or (``lines`` empty) taken out.

    ``was`` is the mark of the lines that are expected there, empty for none. Raises `NotThereError` where it is not so.
    """
    there = find_block(text, instance)
    if (there.mark if there else "") != was:
        raise NotThereError
    if there is None:
        gap = "" if not text else "\n" if text.endswith("\n\n") else "\n\n" if not text.endswith("\n") else "\n"
        return f"{text}{gap}{lines}"
    before, after = text[: there.start], text[there.end :]
    return f"{before}{lines}{after}" if lines else before.rstrip("\r\n") + after


def _digest(words: str, of: str) -> str:
    return hashlib.blake2b(f"{of}\n{canonical(words)}".encode(), digest_size=8).hexdigest()
