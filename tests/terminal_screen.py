"""A terminal of one screen without an end: the lines that a byte stream leaves on it, and a child process on one."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["run_on_terminal", "screen"]

_CONTROL = re.compile(r"\x1b\[(\??[\d;]*)([A-Za-z])|\x1b\](.*?)(?:\x1b\\|\x07)|(.)", re.DOTALL)


def screen(text: str) -> tuple[list[str], bool]:
    """Return the lines on the screen after this output, and whether the cursor is visible.

    Raises AssertionError for a control sequence that it does not know.
    """
    lines, row, column, visible = [""], 0, 0, True
    for values, command, _, char in _CONTROL.findall(text):
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif char:
            lines[row] = lines[row].ljust(column)[:column] + char + lines[row][column + 1 :]
            column += 1
        elif command == "A":
            row = max(0, row - int(values or 1))
        elif command == "K":
            assert values == "2"
            lines[row] = ""
        elif command in "hl" and command:
            assert values == "?25"
            visible = command == "h"
        else:
            assert command in ("m", ""), (values, command)
    return [line.rstrip() for line in lines], visible


def run_on_terminal(
    command: Sequence[str], env: Mapping[str, str], *, piped: str = "", cwd: Path | None = None
) -> tuple[int, str, str]:
    """Run a command whose standard streams are a terminal, but for ``piped`` (``stdout`` or ``stderr``), a pipe.

    Return exit code, the output on the terminal and that in the pipe.
    """
    master, terminal = pty.openpty()
    streams = {name: subprocess.PIPE if name == piped else terminal for name in ("stdout", "stderr")}
    process = subprocess.Popen(command, stdin=terminal, env=dict(env), cwd=cwd, **streams)  # type: ignore[call-overload]
    os.close(terminal)
    pipe = process.stdout or process.stderr
    found = {master: b"", **({pipe.fileno(): b""} if pipe else {})}
    unfinished, until = set(found), time.monotonic() + 120
    while unfinished and time.monotonic() < until:
        for stream in select.select(list(unfinished), [], [], 1)[0]:
            try:
                data = os.read(stream, 65536)
            except OSError:  # Linux: the other end of the terminal is closed
                data = b""
            found[stream] += data
            if not data:
                unfinished.discard(stream)
    code = process.wait(timeout=10)
    os.close(master)
    on_pipe = found[pipe.fileno()] if pipe else b""
    if pipe:
        pipe.close()
    return code, found[master].decode(), on_pipe.decode()
