"""End the process on SIGINT, SIGTERM and SIGHUP within two seconds, with exit code 130, 143 or 129.

A signal ends the process as a kill does. It raises no exception: one that comes between any two instructions leaves
locks taken, those of the import system too, and threads that wait for each other. All that must last is in the database
and in the trackers at any moment, and the next run continues from there.

Python calls a handler in the main thread only, and only between two instructions, while SQLite may wait half a minute
for a lock. So a thread of its own waits for the signals.

It may import no package of `sync`; every package may import it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

__all__ = ["GRACE", "STOPPING", "leave", "on_stop", "watch"]

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last one comes when the terminal is closed; under nohup it is ignored."""

GRACE = 1.5
"""Seconds after a signal in which the calls of `on_stop` and the commands that end by themselves have to end."""

_SHOW_CURSOR = b"\x1b[?25h"

_calls: list[tuple[Callable[[int], object], bool]] = []
_received: list[int] = []


def watch() -> None:
    """End this process on these signals from now on, unless its parent has it ignore them. For the main thread."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    threading.Thread(target=_end_on_signal, args=(reader,), name="signals", daemon=True).start()
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _receive)


@contextmanager
def on_stop(call: Callable[[int], object], *, ends: bool = False) -> Iterator[None]:
    """Call a function with the signal's number, in another thread, when a signal stops the process in this context.

    ``ends``: the call lets the command end by itself, which gets the time for it.
    """
    entry = (call, ends)
    _calls.append(entry)
    try:
        yield
    finally:
        _calls.remove(entry)


def leave(code: int) -> NoReturn:
    """Flush the standard streams and end the process with this code, or with that of a signal that came before.

    The interpreter's own end is left out: it handles no signals, and looks through all objects once more.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):  # a stream that was closed at the start is None
        try:
            stream.flush()
        except (OSError, ValueError):  # full disk, closed pipe
            code = code or 1
    os._exit(128 + _received[0] if _received else code)


def _receive(number: int, _frame: FrameType | None) -> None:
    _received.append(number)


def _end_on_signal(reader: int) -> None:
    number = 0
    while number not in STOPPING:  # a library may handle another signal
        number = os.read(reader, 1)[0]
    _received.append(number)
    deadline, calls = time.monotonic() + GRACE, _calls[::-1]
    with suppress(RuntimeError):  # no memory for another thread
        courtesies = threading.Thread(target=_call, args=(calls, number), daemon=True)
        courtesies.start()
        courtesies.join(GRACE)
    if any(ends for _, ends in calls):
        time.sleep(max(0.0, deadline - time.monotonic()))
    os._exit(128 + number)


def _call(calls: list[tuple[Callable[[int], object], bool]], number: int) -> None:
    for call, _ in calls:
        with suppress(Exception):
            call(number)
    for terminal in filter(os.isatty, (1, 2)):
        os.write(terminal, _SHOW_CURSOR)
