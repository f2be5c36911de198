"""Files that hold titles of private issues: only their owner may read them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO

__all__ = ["open_private", "replace_private", "write_private"]


def open_private(path: Path, *, is_new: bool = False) -> IO[bytes]:
    """Open a file for writing that only its owner may read; a file that exists keeps its mode.

    Raises FileExistsError with ``is_new`` if the file exists, and OSError.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags, 0o600)

    return open(path, "xb" if is_new else "wb", opener=opener)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; a file that exists keeps its mode. Raises OSError."""
    with open_private(path) as file:
        file.write(content)


def replace_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all: what was there stays until then. Raises OSError.

    The content is in ``path`` with the suffix ``.partial`` before.
    """
    partial = path.parent / f"{path.name}.partial"
    partial.unlink(missing_ok=True)  # one of an interrupted process may have any mode
    try:
        write_private(partial, content)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
