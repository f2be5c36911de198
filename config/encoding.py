"""Text of files as the editors of all systems save them."""

from __future__ import annotations

import codecs
from pathlib import Path

__all__ = ["read_text"]

_MARKS = (
    (codecs.BOM_UTF8, "UTF-8-SIG"),
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark is the start of this one
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def read_text(path: Path) -> str:
    """Read a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark. The mark is removed.

    Raises OSError, and ValueError with the line that cannot be decoded. No error repeats a part of the file.
    """
    raw = path.read_bytes()
    encoding = next((name for mark, name in _MARKS if raw.startswith(mark)), "UTF-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not {encoding.removesuffix('-SIG')}; save the file as UTF-8") from None
    if "\0" in text:
        raise ValueError("the file holds zero bytes, as UTF-16 without a byte order mark does; save it as UTF-8")
    return text
