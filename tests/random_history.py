"""Random histories for tests, and the view of a history as of an earlier time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sync.history.ledger import Ledger, moment
from sync.model.membership import Container

FIRST = 18_000.0
"""Days since 1970 UTC at which random histories begin."""


def blanked(ledger: Ledger, after: float) -> Ledger:
    """Return the ledger as of a time: without later joinings, and without later ends of earlier stays."""
    there = ledger.joined <= after
    container_of = np.repeat(np.arange(len(ledger.containers)), np.diff(ledger.offsets))

    def known(times: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(times <= after, times, np.inf)

    containers = [
        Container(
            id=c.id,
            kind=c.kind,
            stream=c.stream,
            start=c.start,
            due=c.due,
            first_due=c.first_due,
            ended=c.ended if c.ended is not None and c.ended <= moment(after) else None,
        )
        for c in ledger.containers
    ]
    joined, left, closed = ledger.joined[there], known(ledger.left)[there], known(ledger.closed)[there]
    return Ledger(containers, container_of[there], ledger.item[there], joined, left, closed)


def history(seed: int, milestones: int, messy: bool) -> Ledger:
    """Milestones of two kinds and three streams over half a year; messy ones move, reopen, end early, close first."""
    random = np.random.default_rng(seed)
    begin = FIRST + np.sort(random.uniform(0, 150, milestones))
    length = random.uniform(4, 30, milestones)
    containers = [
        Container(
            id=f"m{k}",
            kind=("sprint", "release")[k % 3 // 2],
            stream=f"s{k % 3}",
            start=moment(begin[k]),
            due=moment(begin[k] + length[k]),
            ended=moment(begin[k] + length[k] * 0.9) if messy and random.random() < 0.2 else None,
        )
        for k in range(milestones)
    ]
    count = random.integers(2, 14, milestones)
    of = np.repeat(np.arange(milestones), count)
    m = len(of)
    joined = begin[of] + length[of] * np.maximum(random.uniform(-0.5, 0.9, m), -0.1 if messy else 0)
    closed = joined + random.exponential(length[of] * 0.5) - (random.uniform(0, 5, m) if messy else 0)
    closed[random.random(m) < 0.15] = np.inf
    left = np.full(m, np.inf)
    if messy:
        moved = random.random(m) < 0.2
        left[moved] = joined[moved] + random.exponential(10, int(moved.sum()))
    item = random.integers(0, m, m) if messy else np.arange(m)
    return Ledger(containers, of, item.astype(np.int64), joined, left, closed)
