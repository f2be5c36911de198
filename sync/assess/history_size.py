"""Size of the history that forecasts learn from: finished milestones by stream, kind and project.

`milesync check` reads only the projects that it is given, a configured run all projects of the installation. Both print
their history, so that a difference of their figures has a visible cause.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

import numpy as np
from msgspec import Struct

from sync.assess.rows import ConnectionRows
from sync.history.ledger import Ledger, days

__all__ = ["FinishedMilestones", "HistorySize"]


class HistorySize(Struct, frozen=True):
    """Number of finished milestones that a forecast may learn from: of the own stream, and others of the same kind."""

    own: int = 0
    others: int = 0


class FinishedMilestones:
    """Milestones of a history that had items and were due by ``at`` (UTC)."""

    def __init__(self, ledger: Ledger, at: datetime) -> None:
        self._ledger = ledger
        self._finished = (ledger.due <= days(at)) & (np.diff(ledger.offsets) > 0)
        self._by_stream = np.bincount(ledger.stream[self._finished], minlength=len(ledger.streams))
        self._by_kind = np.bincount(ledger.kind[self._finished], minlength=len(ledger.kinds))

    def size_for(self, container: str) -> HistorySize:
        """Return the size of the history of a container (id), without itself."""
        i = self._ledger.index[container]
        own = int(self._by_stream[self._ledger.stream[i]])
        kind = int(self._by_kind[self._ledger.kind[i]])
        return HistorySize(own=own - int(self._finished[i]), others=kind - own)

    def by_project(self, rows: Iterable[ConnectionRows]) -> dict[str, int]:
        """Return project (``gh:acme/app``) -> number of its finished milestones, for projects that have any."""
        numbers: Counter[str] = Counter()
        for own in rows:
            for uid, milestone in own.milestones.items():
                i = self._ledger.index.get(uid)
                if i is not None and self._finished[i]:
                    numbers[f"{own.connection.name}:{own.project_keys[milestone.project]}"] += 1
        return dict(sorted(numbers.items()))
