"""Differences between our clock and a tracker's. Pure."""

from __future__ import annotations

from datetime import timedelta

__all__ = ["MAX_CLOCK_DIFFERENCE", "length_of"]

MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
"""Difference between our clock and a tracker's up to which milesync writes there."""


def length_of(span: timedelta) -> str:
    """Return the length of a time in words: minutes, hours or days."""
    minutes = round(abs(span).total_seconds() / 60)
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 48 * 60 else f"{minutes // 1440} days"
