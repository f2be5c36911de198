"""Keep the memory of a process small while many threads read pages."""

from __future__ import annotations

import ctypes
from contextlib import suppress

__all__ = ["use_one_arena"]

_M_ARENA_MAX = -8
"""glibc's number of the option, from ``malloc.h``."""


def use_one_arena() -> None:
    """Let the threads that start from now on share one arena of glibc's malloc; other C libraries are left alone.

    By default each thread gets an arena, and keeps what it has once used: 3 to 8 MB in a pull with eight threads.
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
