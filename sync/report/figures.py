"""Rounding of all figures that people read, without words. No other module rounds a figure for display."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

__all__ = [
    "done_percent",
    "hours",
    "overrun_percent",
    "probability_percent",
    "probability_percents",
    "share_percent",
    "short_number",
]

_EXACT = 1e-9
"""Tolerance of binary fractions, so that a share of 0.29 is 29%."""


def done_percent(done: float, total: float = 1) -> int:
    """Return the percentage of work done, rounded down: 100 only for all, 0 only for nothing. 0 of 0 is 0."""
    return _between(floor(done / total * 100 + _EXACT), done, total) if total else 0


def share_percent(share: float) -> int:
    """Return any other share (0 to 1) as a percentage: 100 only for all, 0 only for nothing."""
    return _between(round(share * 100), share, 1)


def probability_percent(probability: float) -> int:
    """Return a probability (0 to 1) as a percentage from 1 to 99: a forecast is never certain."""
    return min(99, max(1, round(probability * 100)))


def probability_percents(table: Sequence[Sequence[float]]) -> list[list[int]]:
    """Return the `probability_percent` of each cell of a table: one of a report has half a million."""
    import numpy as np

    percents: list[list[int]] = np.clip(np.rint(np.asarray(table) * 100), 1, 99).astype(np.int64).tolist()
    return percents


def overrun_percent(spent: float, estimate: float) -> int:
    """Return the percentage by which ``spent`` exceeds ``estimate`` (above 0); negative when it is less."""
    return round((spent / estimate - 1) * 100)


def hours(seconds: int) -> int:
    """Return whole hours."""
    return round(seconds / 3600)


def _between(percent: int, part: float, whole: float) -> int:
    if part <= 0:
        return 0
    return 100 if part >= whole else min(99, max(1, percent))


def short_number(value: float) -> str:
    """Return a number without a needless decimal: 9, 2.5."""
    return str(round(value)) if value >= 9.95 or abs(value - round(value)) < 0.05 else f"{value:.1f}"
