"""Error of dependencies that form a cycle. Every command reports it."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DependencyCycleError"]


class DependencyCycleError(ValueError):
    """Milestones wait for each other in a cycle; ``ids`` are theirs, with the first one again at the end."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"a circle of dependencies: {' → '.join(ids)}")
        self.ids = tuple(ids)
