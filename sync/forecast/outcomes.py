"""Outcomes of containers for the score of published forecasts: which work was left at the end of a day.

The back-test asks the same question (`sync.backtest.questions`): after the due moment, only the items that were planned
by then count, and work that is carried over is not done.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct

from sync.forecast.stats import allowed_open
from sync.history.ledger import Ledger, days

__all__ = ["NEVER_READ", "SETTLED", "ContainerRules", "LedgerOutcomes", "OutcomeSource", "planned_and_left"]

NEVER_READ = datetime(1970, 1, 1, tzinfo=UTC)
"""`ContainerRules.known_until` of data that was never read completely. Not the first date of Python, from which no day
can be subtracted.
"""

SETTLED = timedelta(days=1)
"""Time after a moment from which the outcome at that moment counts as known."""


class ContainerRules(Struct, frozen=True):
    """Rules by which the forecasts of a container were shown: its days are those of ``zone``, and it counts as done
    while at most a share ``tolerance`` of its items is open. ``known_until``: the time (UTC) of its data if this is
    older than the time of the score.
    """

    zone: ZoneInfo = ZoneInfo("UTC")
    tolerance: float = 0.0
    known_until: datetime | None = None


class OutcomeSource(Protocol):
    """Outcomes of containers by id, as far as they are known."""

    def zone(self, container: str) -> ZoneInfo:
        """Return the time zone in which a container's days begin and end."""
        ...

    def is_done(self, container: str, at: datetime, planned_by: datetime) -> bool | None:
        """Return True if the items that were planned by ``planned_by`` were done at ``at``; None if that is not known.

        Not known: the moment is less than a day ago, or the container is deleted or had no items.
        """
        ...

    def left(self, container: str, at: datetime) -> int | None:
        """Return the number of items that were not done at ``at``; None if that is not known."""
        ...


class LedgerOutcomes:
    """Outcomes from a ledger, as known at ``now`` (UTC).

    ``rules`` are by container; a container without rules has the default ones. ``joints``: joint container -> its
    members; it is done when all of them are, by their own tolerances, and its days are those of its last member.
    """

    def __init__(
        self,
        ledger: Ledger,
        now: datetime,
        rules: Mapping[str, ContainerRules],
        joints: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        self._ledger, self._now = ledger, now
        self._rules, self._joints = rules, joints or {}

    def zone(self, container: str) -> ZoneInfo:
        """Return the time zone in which a container's days begin and end."""
        index = self._ledger.index
        members = [member for member in self._joints.get(container, ()) if member in index]
        last = max(members, key=lambda member: (_due(self._ledger, index[member]), member), default=container)
        return self._rules_of(last).zone

    def is_done(self, container: str, at: datetime, planned_by: datetime) -> bool | None:
        """Return True if the items that were planned by ``planned_by`` were done at ``at``; None if not known."""
        members = self._joints.get(container, (container,))
        counts = [self._counts(member, at, planned_by) for member in members]
        known = [pair for pair in counts if pair is not None]
        if not known or len(known) < len(counts):
            return None
        return all(
            left <= allowed_open(planned, self._rules_of(member).tolerance)
            for member, (planned, left) in zip(members, known, strict=True)
        )

    def left(self, container: str, at: datetime) -> int | None:
        """Return the number of items that were not done at ``at``; None if not known, and for a joint container."""
        counts = self._counts(container, at, at)
        return None if counts is None else counts[1]

    def _counts(self, container: str, at: datetime, planned_by: datetime) -> tuple[int, int] | None:
        position = self._ledger.index.get(container)
        known_until = self._rules_of(container).known_until or self._now
        if position is None or at >= min(known_until, self._now) - SETTLED:
            return None
        planned, left = planned_and_left(self._ledger, position, days(at), days(planned_by))
        return (planned, left) if planned else None

    def _rules_of(self, container: str) -> ContainerRules:
        return self._rules.get(container, ContainerRules())


def planned_and_left(ledger: Ledger, i: int, at: float, planned_by: float) -> tuple[int, int]:
    """Return the items that were in container i at ``planned_by`` or at ``at``, whichever is earlier, and the number of
    them that were not done at ``at``. Times are in days since 1970 UTC.
    """
    rows = ledger.rows(i)
    is_planned = ledger.in_scope(min(at, planned_by), rows)
    return int(np.count_nonzero(is_planned)), int(np.count_nonzero(is_planned & (ledger.open_until[rows] > at)))


def _due(ledger: Ledger, i: int) -> float:
    due = float(ledger.due[i])
    return -np.inf if np.isnan(due) else due
