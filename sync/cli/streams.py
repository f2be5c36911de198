"""Standard streams of the command line: text in any encoding, no escape sequence but ours, no progress display.

`main` wraps both streams once, so that commands, logs, help and the messages of libraries all go through them.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from json import dumps
from typing import Any, TextIO

from sync.model.characters import escaped_json, visible

__all__ = ["OutputStream", "before_output", "encodable", "json_text", "standard_streams"]

_ERRORS = "milesync"
"""Error handler of the streams, registered below."""

_ASCII = {
    **dict.fromkeys("●✅", "*"),
    **dict.fromkeys("✔🏁", "+"),
    **dict.fromkeys("▲⚠", "!"),
    **dict.fromkeys("■🛑█", "#"),
    **dict.fromkeys("◆⏰✘×", "x"),
    **dict.fromkeys("□○⏹📅", "o"),
    **dict.fromkeys("·–—−‑╌─━", "-"),
    **dict.fromkeys("“”„«»", '"'),
    **dict.fromkeys("‘’‚", "'"),
    **dict.fromkeys("\u00a0\u202f\u2009", " "),
    **dict.fromkeys("•›", ">"),
    "░": ".",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "…": "...",
    "≥": ">=",
    "≤": "<=",
    "±": "+/-",
    "½": "1/2",
    "ß": "ss",
    "❔": "?",
}
"""Signs of milesync and the ASCII text that replaces them where the encoding of a stream lacks them."""


def encodable(text: str, encoding: str) -> str:
    """Return the text without control characters, and with each character replaced that the encoding lacks.

    A sign becomes its ASCII text, a letter loses its accent, any other character becomes ``?``.
    """
    return visible(text).encode(encoding, _ERRORS).decode(encoding)


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_ascii, error.object[error.start : error.end])), error.end


def _ascii(char: str) -> str:
    if char in _ASCII:
        return _ASCII[char]
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):  # a mark, or a sign without width
        return ""
    return unicodedata.normalize("NFD", char).encode("ascii", "ignore").decode() or "?"


codecs.register_error(_ERRORS, _replaced)


def json_text(text: str, encoding: str) -> str:
    """Return a JSON text that the encoding can write, with escapes instead of what it lacks and what is not visible."""
    text = escaped_json(text)
    if encoding.lower().replace("-", "").startswith("utf"):
        return text
    return re.sub(r"[^\x00-\x7f]", lambda char: dumps(char.group())[1:-1], text)


# --- the streams -----------------------------------------------------------------------------------------------------

_before_output: list[Callable[[], None]] = []


@contextmanager
def before_output(call: Callable[[], None]) -> Iterator[None]:
    """Call a function before each write to a standard stream, until the context ends."""
    _before_output.append(call)
    try:
        yield
    finally:
        _before_output.remove(call)


_OWN_SEQUENCE = re.compile(r"(\x1b\[[\d;]*m|\x1b\]8;(?:id=\d+;https?://[!-~]+|;)\x1b\\)")
"""Sequences that the console writes: colours and hyperlinks. It renders no text that contains one (`Terminal`)."""


class OutputStream:
    """A text stream that can write every text: see `encodable`. ``raw`` is the stream below it."""

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw
        if isinstance(raw, io.TextIOWrapper):
            raw.reconfigure(errors=_ERRORS)

    def write(self, text: str) -> int:
        """Write a text."""
        for call in tuple(_before_output):
            call()
        parts = _OWN_SEQUENCE.split(text)
        return self.raw.write("".join(part if place % 2 else visible(part) for place, part in enumerate(parts)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Wrap standard output and standard error until the context ends."""
    raw = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(OutputStream, raw)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = raw
