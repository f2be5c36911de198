"""Progress for people: a moving line on a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TextIO

from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from sync.cli.streams import OutputStream, before_output
from sync.cli.terminal import Terminal
from sync.signals import on_stop

__all__ = ["ProgressDisplay"]

_WORDS = {
    "pull": "Pulling",
    "assess": "Assessing",
    "plan": "Planning",
    "observe": "Observing",
    "apply": "Writing",
}


class ProgressDisplay:
    """Display of the engine's steps on a stream. Erased before any other output, and shown again at the next step.

    Without a terminal each step is printed once, not for every item.
    """

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        raw = stream.raw if isinstance(stream, OutputStream) else stream
        self._console = Terminal(file=raw)
        self._quiet = quiet
        self._is_moving = raw.isatty() and not quiet
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._stack = ExitStack()
        self._printed_steps: set[str] = set()

    def __enter__(self) -> Self:
        if self._is_moving:
            self._stack.enter_context(before_output(self.erase))
            self._stack.callback(self.erase)
            self._stack.enter_context(on_stop(self._end))
            self._show("Starting")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stack.close()

    def __call__(self, step: str, detail: str = "") -> None:
        """Show a step."""
        if self._quiet:
            return
        words = _WORDS.get(step, step)
        if self._is_moving:
            self._show(f"{words} {detail}".rstrip())
        elif step not in self._printed_steps:
            self._printed_steps.add(step)
            self._console.print(Text(f"{words} …"))

    def erase(self) -> None:
        """Erase the moving line, and leave the cursor at its beginning."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def _end(self, _number: int) -> None:
        """Erase the moving line and show none any more: the process ends."""
        self._lock.acquire()
        self.erase()

    def _show(self, words: str) -> None:
        text = Text(words)
        text.truncate(self._console.width - 3, overflow="ellipsis")
        frames = "dots" if self._console.encoding.startswith("utf") else "line"
        with self._lock:
            if self._live is None:
                self._live = Live(console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False)
                self._live.start()
            self._live.update(Spinner(frames, text, style="green"))
