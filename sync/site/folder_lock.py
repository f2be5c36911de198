"""Lock of a report's folder: of two reports into one folder, the second waits for the first."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["lock_folder"]


@contextmanager
def lock_folder(folder: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Lock a folder, which is created for its owner alone if it is missing, against other processes and threads.

    While another one holds the lock, call ``on_wait`` once and wait. The system releases the lock of a process that
    ends. A file system without locks, as some shared ones are, gives none. Raises OSError for a folder that cannot be
    created or read.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        _wait(handle, on_wait)
        yield
    finally:
        os.close(handle)


def _wait(handle: int, on_wait: Callable[[], None]) -> None:
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        flock(handle, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        on_wait()
        flock(handle, LOCK_EX)
    except OSError:
        return
