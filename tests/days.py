"""Times of tests, counted in days from one origin in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

ORIGIN = datetime(2024, 1, 1, tzinfo=UTC)


def day(value: float) -> datetime:
    """A moment ``value`` days after the origin."""
    return ORIGIN + timedelta(days=value)
