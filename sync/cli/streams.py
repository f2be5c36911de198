"""Standard streams of the command line: text in any encoding, no escape sequence but ours, no progress display.

`main` wraps both streams once, so that commands, logs, help and the messages of libraries all go through them.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from json import dumps
from pathlib import Path
from typing import Any, TextIO

from sync.model.characters import escaped_json, visible

__all__ = ["OutputStream", "before_output", "encodable", "json_text", "output_problem", "standard_streams"]

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


class TolerantStream:
    """A text stream that discards the rest when writing fails: lost output never ends a run that writes to trackers.

    ``error`` is the first failure; None as long as there is none.
    """

    def __init__(self, stream: TextIO) -> None:
        self.error: OSError | ValueError | None = None
        self._stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)

    def write(self, text: str) -> int:
        """Write a text, or discard it."""
        if self.error is None:
            try:
                return self._stream.write(text)
            except (OSError, ValueError) as error:
                self._discard_rest(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or discard it."""
        if self.error is None:
            try:
                self._stream.flush()
            except (OSError, ValueError) as error:
                self._discard_rest(error)

    def _discard_rest(self, error: OSError | ValueError) -> None:
        self.error = error
        with suppress(OSError, ValueError):  # else the interpreter fails to flush it at its end, with code 120
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class OutputStream(TolerantStream):
    """A standard stream, which can write every text: see `encodable`. ``raw`` writes without erasing the progress."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.raw = TolerantStream(stream)

    def write(self, text: str) -> int:
        """Write a text."""
        for call in tuple(_before_output):
            call()
        parts = _OWN_SEQUENCE.split(text)
        return super().write("".join(part if place % 2 else visible(part) for place, part in enumerate(parts)))


@contextmanager
def standard_streams() -> Iterator[None]:
    """Wrap standard output and standard error until the context ends. A closed stream discards all output."""
    streams = sys.stdout, sys.stderr
    with ExitStack() as stack:
        opened = [stream or stack.enter_context(Path(os.devnull).open("w", encoding="utf-8")) for stream in streams]
        sys.stdout, sys.stderr = map(OutputStream, opened)
        try:
            yield
        finally:
            sys.stderr.flush()
            sys.stdout, sys.stderr = streams


def output_problem() -> str:
    """Flush standard output. Return why a part of it is lost; empty if all is written or its reader stopped reading."""
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    if error is None or isinstance(error, BrokenPipeError):
        return ""
    return f"the output is not complete: {getattr(error, 'strerror', '') or type(error).__name__}"
