"""When to look whether all that was ever read is still there.

What was deleted, moved away or hidden never shows in what changed since a cursor. So from time to time a connector
lists the ids of all issues of a project: see `sync.tracker.protocol.Page`. Its cursor remembers when.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.tracker.protocol import Setup

__all__ = ["SweepSchedule"]

DAYS = 7.0


class SweepSchedule:
    """One connection's sweeps: every ``sweep_days`` (an option; 0: at each pull)."""

    def __init__(self, setup: Setup) -> None:
        self._clock = setup.clock
        self._every = timedelta(days=float(setup.options.get("sweep_days", DAYS)))

    def now(self) -> datetime:
        """What a cursor remembers of a sweep that is made now, in UTC and whole seconds."""
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def due(self, swept: datetime | None) -> bool:
        """Whether a project that was swept (or first read) then is due again."""
        return swept is None or self.now() - swept >= self._every
