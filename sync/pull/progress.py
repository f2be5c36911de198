"""Progress and failures of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["Failure", "Progress", "silent"]


class Progress(Protocol):
    """Show people what the engine does."""

    def __call__(self, step: str, detail: str = "") -> None:
        """Show a step of the engine (``pull``, ``assess`` ...) and its detail. May raise to end the run."""


@dataclass(frozen=True)
class Failure:
    """A failure of a connection, or of one of its projects; ``project`` is empty when it concerns the connection."""

    connection: str
    project: str
    error: str
    cause: Exception | None = field(default=None, compare=False)


def silent(step: str, detail: str = "") -> None:
    """Show nothing."""
