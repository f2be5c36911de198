"""The open items of each container by name, and which of them want attention: old, idle, unowned, blocked.

Names come from the ledger, details from the issues; where either is missing, counts and lists are the smaller for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.history_tables import HistoryTables
from sync.forecast.stats import quantiles
from sync.model.tracker_data import Issue, StatusCategory

__all__ = ["Attention", "attention", "candidates", "usual_age", "usual_shares"]

Floats = NDArray[np.float64]

_PRIORITY = {
    "blocker": 5, "highest": 5, "critical": 5, "urgent": 5, "p0": 5, "p1": 4, "high": 4, "major": 4, "p2": 3,
    "medium": 3, "normal": 3, "p3": 2, "low": 2, "minor": 2, "p4": 1, "lowest": 1, "trivial": 1,
}  # fmt: skip


class Attention(Struct, frozen=True, kw_only=True):
    """Of one container's open items (uids, sorted): those that joined after the start, and those that want attention.

    ``known`` counts the open items whose details are known: shares of ``unassigned`` and ``blocked`` are of them.
    ``old_count`` counts all stragglers; ``stragglers`` names those that have names.
    """

    added: tuple[str, ...] = ()
    stragglers: tuple[str, ...] = ()
    old_count: int = 0
    unassigned: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    known: int = 0


def attention(
    past: HistoryTables,
    i: int,
    at: float,
    now: datetime,
    issues: Mapping[str, Issue],
    members: Sequence[str],
    oldest: float,
) -> Attention:
    """What container ``i`` has open as of ``at`` (days; ``now`` is the same moment).

    ``members`` are the uids of its open items; ``oldest`` is the age in days beyond which an item is a straggler.
    """
    ledger = past.ledger
    rows = ledger.rows(i)
    is_open = ledger.is_open(at, rows)
    aged = is_open & (at - ledger.joined[rows] > oldest)
    idle = {uid for uid in members if uid in issues and now - issues[uid].updated_at > _idle(past)}
    old, added = _names(past, rows, aged), _names(past, rows, past.newcomers(rows, is_open, float(past.start[i])))
    detailed = [issues[uid] for uid in members if uid in issues]
    named = {uid: issues[uid] for uid in members if uid in issues}
    stragglers = old | idle
    return Attention(
        added=tuple(sorted(added)),
        stragglers=tuple(sorted(stragglers)),
        old_count=min(max(int(np.count_nonzero(aged)), len(stragglers)), int(np.count_nonzero(is_open))),
        unassigned=tuple(sorted(uid for uid, issue in named.items() if not issue.assignees)),
        blocked=tuple(sorted(uid for uid, issue in named.items() if issue.blocked_by)),
        known=len(detailed),
    )


def _idle(past: HistoryTables) -> timedelta:
    return timedelta(days=past.rules.idle_days)


def _names(past: HistoryTables, rows: slice, mask: NDArray[np.bool_]) -> set[str]:
    names = past.ledger.items
    return {names[code] for code in past.ledger.item[rows][mask]} if names else set()


def usual_age(past: HistoryTables, stream: int, at: float) -> float:
    """The age in days (from joining) that 85 % of the stream's finished items did not exceed; infinite without any."""
    ledger = past.ledger
    ages: list[Floats] = []
    for i in np.flatnonzero(ledger.stream == stream):
        rows = ledger.rows(int(i))
        joined, closed = ledger.joined[rows], ledger.closed[rows]
        done = (closed <= at) & (closed > joined)
        ages.append((closed - joined)[done])
    together = np.concatenate(ages) if ages else np.zeros(0)
    return float(quantiles(together, past.rules.straggler_quantile)) if len(together) else float("inf")


def usual_shares(issues: Mapping[str, Issue], members: Mapping[str, Sequence[str]]) -> tuple[float, float]:
    """The usual shares of unassigned and of blocked items among everything open; 0 where nothing is known."""
    everything = {uid for uids in members.values() for uid in uids if uid in issues}
    if not everything:
        return 0.0, 0.0
    unassigned = sum(not issues[uid].assignees for uid in everything)
    blocked = sum(bool(issues[uid].blocked_by) for uid in everything)
    return unassigned / len(everything), blocked / len(everything)


def candidates(issues: Mapping[str, Issue], members: Sequence[str]) -> tuple[str, ...]:
    """Open items to cut, best first: not started, lowest priority, unassigned, longest untouched.

    Never one that another open item of the container waits for.
    """
    named = {uid: issues[uid] for uid in members if uid in issues}
    awaited = {blocker for issue in named.values() for blocker in issue.blocked_by}
    free = [uid for uid, issue in named.items() if not {uid, issue.key, issue.url, issue.id} & awaited]

    def worth(uid: str) -> tuple[bool, int, bool, datetime, str]:
        issue = named[uid]
        started = issue.category is not StatusCategory.TODO
        return started, _PRIORITY.get(issue.priority.casefold(), 3), bool(issue.assignees), issue.updated_at, uid

    return tuple(sorted(free, key=worth))
