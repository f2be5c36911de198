"""Series that rarely finish in full: there a low probability is the rule, and what is usual says more."""

from __future__ import annotations

from sync.model.health import Usual

__all__ = ["LEAST_MILESTONES", "is_never_done", "is_rarely_done"]

LEAST_MILESTONES = 4
"""Earlier milestones of its own that a series needs before it is said to finish rarely."""

RARELY = 0.2
"""Largest share of milestones done in time, within the tolerance, of a series that finishes rarely."""


def is_rarely_done(usual: Usual | None) -> bool:
    """Return True if at most a fifth of the series' own milestones, of four or more, were done within the tolerance.

    Then the probability of being done is always low, and `Usual.probability` shows whether this one is worse.
    """
    if usual is None or not usual.own or usual.of < LEAST_MILESTONES:
        return False
    return usual.in_tolerance <= RARELY * usual.of


def is_never_done(usual: Usual | None) -> bool:
    """Return True if the series finishes rarely and none of its milestones was done within the tolerance."""
    return is_rarely_done(usual) and usual is not None and usual.in_tolerance == 0
