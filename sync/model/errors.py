"""The errors that every command reports by their text alone, and those that only the data of the trackers shows."""

from __future__ import annotations

from collections.abc import Sequence

from sync.model.characters import one_line

__all__ = ["AmbiguousIdError", "DependencyCycleError", "PlainError"]


class PlainError(Exception):
    """An error whose text is all that a person needs: a command prints it without a traceback, and ends with code 1."""


class DependencyCycleError(PlainError, ValueError):
    """Milestones wait for each other in a cycle; ``ids`` are theirs, with the first one again at the end."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"a circle of dependencies: {' → '.join(map(one_line, ids))}")
        self.ids = tuple(ids)


class AmbiguousIdError(PlainError, ValueError):
    """A text that means several milestones. ``matches`` are their ids with their addresses."""

    def __init__(self, text: str, matches: Sequence[tuple[str, str]]) -> None:
        ids = ", ".join(one_line(f"{written} ({url})" if url else written) for written, url in sorted(matches))
        super().__init__(f"{text!r} means several milestones: {ids}. Write one of these ids.")
