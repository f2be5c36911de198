"""Decide when to search a project for deleted issues.

Issues that were deleted, moved away or hidden never appear among the changes since a cursor. Therefore a connector
lists the ids of all issues of a project from time to time (`sync.tracker.protocol.Page.all_issues`). The project's
cursor stores the time of the last sweep.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sync.tracker.protocol import Setup

__all__ = ["SweepSchedule"]

DAYS = 7.0
"""Days between two sweeps, unless the option ``sweep_days`` says otherwise."""


class SweepSchedule:
    """Sweep schedule of one connection: every ``sweep_days`` days (an option); 0 means at each pull."""

    def __init__(self, setup: Setup) -> None:
        self._clock = setup.clock
        self._interval = timedelta(days=float(setup.options.get("sweep_days", DAYS)))

    def now(self) -> datetime:
        """The time that a cursor stores for a sweep made now, in UTC and whole seconds."""
        return self._clock().astimezone(UTC).replace(microsecond=0)

    def is_due(self, swept_at: datetime | None) -> bool:
        """Return whether a project is due for a sweep. ``swept_at``: its last sweep or first pull, None if neither."""
        return swept_at is None or self.now() - swept_at >= self._interval
