"""GitHub's kinds of containers other than milestones, in the order of the option ``containers``."""

from __future__ import annotations

from connectors.github.boards.kind import BoardContainers
from connectors.github.containers.iterations import Iterations
from connectors.github.containers.target_dates import TargetDates

__all__ = ["BOARD_KINDS"]

BOARD_KINDS: tuple[type[BoardContainers], ...] = (Iterations, TargetDates)
"""The kinds that boards have."""
