"""Characters of foreign text that must not reach a terminal, a file or a tracker: controls, invisible signs. Pure.

An escape sequence (OSC 52, CSI, C1) begins with a control character. Signs that change the direction of text show
another text than the one that is read.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["JOINERS", "escaped_json", "harmless", "one_line", "visible"]

JOINERS = "\u200c\u200d"
"""Invisible signs that stay: Persian words and composed emoji need them."""


def harmless(character: str) -> str:
    """Return what replaces a character: a blank, nothing for an invisible sign, U+FFFD for a control, else itself."""
    category = unicodedata.category(character)
    if character.isspace() or category in {"Zl", "Zp", "Zs"}:
        return " "
    if category == "Cf" or "\U000e0000" <= character <= "\U000e00ff":
        return character if character in JOINERS else ""
    if category in {"Cc", "Cs"} or ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef":
        return "\ufffd"
    return character


def visible(text: str) -> str:
    """Return a text of several lines without any control character; line ends, tabs and hard blanks stay."""
    return (
        text if text.replace("\n", "").isprintable() else re.sub(_SUSPECT, lambda found: harmless(found.group()), text)
    )


_SUSPECT = r"[^\n\t\x20-\x7e\u00a0-\u00ac\u00ae-\u02ff\u2007\u2010-\u2027\u202f]"


def one_line(text: str) -> str:
    """Return a text as one line without any control character."""
    if text.isprintable():
        return " ".join(text.split())
    return " ".join("".join(map(harmless, text)).split())


def escaped_json(text: str) -> str:
    r"""Return a JSON text with each character that is not printable as ``\uXXXX``, which means the same to a parser."""
    return text if text.isascii() and "\x7f" not in text else re.sub(_NOT_PRINTABLE, _escaped, text)


_NOT_PRINTABLE = r"[^\n\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff]"


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2))
