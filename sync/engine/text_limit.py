"""Limit of the texts that are created in a tracker within an hour."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

__all__ = ["HOUR", "TextLimit"]

HOUR = timedelta(hours=1)


class TextLimit:
    """Limit of texts an hour of one tracker; 0 = no limit. ``sent`` are the times (UTC) of those of earlier runs."""

    def __init__(self, limit: int, sent: Iterable[datetime]) -> None:
        self.limit, self._sent = limit, deque(sent, maxlen=limit)

    def count(self, at: datetime) -> None:
        """Count a text that was sent `at` (UTC)."""
        self._sent.append(at)

    def wait_until(self, at: datetime) -> datetime | None:
        """Return the time (UTC) from which the next text may be sent; None: `at` (UTC) it may be."""
        if not self.limit or len(self._sent) < self.limit or self._sent[0] + HOUR <= at:
            return None
        return self._sent[0] + HOUR
