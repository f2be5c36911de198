"""Dependencies that form a circle: the one error of the assessment, which every command tells."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["DependencyCycleError"]


class DependencyCycleError(ValueError):
    """Milestones that wait for each other in a circle; ``ids`` names it, the first again at the end."""

    def __init__(self, ids: Sequence[str]) -> None:
        super().__init__(f"a circle of dependencies: {' → '.join(ids)}")
        self.ids = tuple(ids)
