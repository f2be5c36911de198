"""Leftover at the due date that agrees with the published probability."""

from __future__ import annotations

from sync.model.health import Leftover

__all__ = ["LOW", "consistent_leftover"]

LOW = 0.15
"""Probability on each side of the range of a leftover: its ends are the 15 and 85% quantiles."""


def consistent_leftover(leftover: Leftover | None, probability: float | None, allowed: int) -> Leftover | None:
    """Return the leftover with quantiles on the side of ``allowed`` on which the probability puts them.

    ``probability`` is that of leaving at most ``allowed`` items open. The two are different forecasts: without this
    step, a probability of 28% of leaving none could be published with a range of 1 to 5.
    """
    if leftover is None or probability is None:
        return leftover
    low, usually, high = leftover.low, leftover.usually, leftover.high
    if probability >= LOW:
        low = min(low, allowed)
    usually = min(usually, allowed) if probability >= 0.5 else max(usually, allowed + 1)
    if probability < 1 - LOW:
        high = max(high, allowed + 1)
    return Leftover(usually=usually, low=low, high=max(high, usually))
