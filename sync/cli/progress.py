"""Progress for people: a moving line on a terminal, plain lines elsewhere, nothing with `--json`."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status as Spinner
from rich.text import Text

__all__ = ["ProgressDisplay"]

_WORDS = {
    "pull": "Pulling",
    "assess": "Assessing",
    "plan": "Planning",
    "observe": "Observing",
    "apply": "Writing",
}


class ProgressDisplay:
    """Display of the engine's steps. Without a terminal each step is printed once, not for every item."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self._spinner: Spinner | None = None
        self._printed_steps: set[str] = set()

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._quiet:
            self._spinner = self._console.status("Starting")
            self._spinner.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._spinner is not None:
            self._spinner.stop()

    def __call__(self, step: str, detail: str = "") -> None:
        """Show a step."""
        if self._quiet:
            return
        words = _WORDS.get(step, step)
        if self._spinner is not None:
            self._spinner.update(Text(f"{words} {detail}".rstrip()))
        elif step not in self._printed_steps:
            self._printed_steps.add(step)
            self._console.print(Text(f"{words} …"))
