"""progress."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Progress(Protocol):
    """Shown to people while the engine works."""

    def __call__(self, step: str, detail: str = "") -> None:
        """``step`` is a verb of the engine, ``detail`` what it is at."""


@dataclass(frozen=True)
class Failure:
    """Something that went wrong for one connection or one of its projects."""

    connection: str
    project: str
    error: str
    cause: Exception | None = None


def silent(step: str, detail: str = "") -> None:
    """Show nothing."""
