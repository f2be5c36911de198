"""Open items of a container that need attention: added after the start, old or idle, unassigned, blocked.

Changes (pull and merge requests) that wait for a review need it as well, whether they are items or not.

Names come from the history, details from the issues. An item without name or details is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from sync.forecast.batch import ForecastBatch
from sync.forecast.history_tables import HistoryTables
from sync.forecast.stats import quantiles
from sync.history.ledger import days
from sync.model.tracker_data import Issue, StatusCategory

__all__ = ["Attention", "attention", "candidates", "straggler_age", "usual_shares"]

Floats = NDArray[np.float64]

_PRIORITY = {
    "blocker": 5, "highest": 5, "critical": 5, "urgent": 5, "p0": 5, "p1": 4, "high": 4, "major": 4, "p2": 3,
    "medium": 3, "normal": 3, "p3": 2, "low": 2, "minor": 2, "p4": 1, "lowest": 1, "trivial": 1,
}  # fmt: skip
"""Rank of a priority (lower case), the highest first; 3 for any other word."""


class Attention(Struct, frozen=True, kw_only=True):
    """Open items (uids, sorted) of one container that joined after its start, or that need attention.

    ``known``: number of open items whose details are known; shares of ``unassigned`` and ``blocked`` refer to these.
    ``unreviewed``: changes that wait for a review for more than `Rules.review_days`.
    ``old_count``: number of all stragglers; ``stragglers`` has those with names.
    """

    added: tuple[str, ...] = ()
    stragglers: tuple[str, ...] = ()
    old_count: int = 0
    unassigned: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()
    unreviewed: tuple[str, ...] = ()
    known: int = 0


def attention(
    batch: ForecastBatch,
    k: int,
    issues: Mapping[str, Issue],
    members: Sequence[str],
    oldest: float,
    changes: Sequence[str] = (),
) -> Attention:
    """Return the open items of the batch's k-th container that need attention. Ages are those at the batch's clock.

    ``members`` are the uids of its open items, ``changes`` those of all open changes in it; ``oldest`` is the age in
    days beyond which an item is a straggler.
    """
    history, ledger, i = batch.tables, batch.tables.ledger, int(batch.index[k])
    now, clock, rows = float(batch.counted_at[k]), float(batch.at[k]), ledger.rows(i)
    is_open = ledger.is_open(now, rows) & ~ledger.is_carried(now, rows)
    is_old = is_open & (clock - ledger.joined[rows] > oldest)
    known = {uid: issues[uid] for uid in members if uid in issues}
    idle = {uid for uid, issue in known.items() if clock - days(issue.updated_at) > history.rules.idle_days}
    stragglers = _names(history, rows, is_old) | idle
    asked = {uid: issues[uid].review_since for uid in changes if uid in issues}
    unreviewed = (uid for uid, since in asked.items() if since and clock - days(since) > history.rules.review_days)
    agreed_at = float(np.fmax(ledger.agreed_at[i], history.start[i]))
    added = _names(history, rows, history.newcomers(rows, is_open, agreed_at))
    return Attention(
        added=tuple(sorted(added)),
        stragglers=tuple(sorted(stragglers)),
        old_count=min(max(int(np.count_nonzero(is_old)), len(stragglers)), int(np.count_nonzero(is_open))),
        unassigned=tuple(sorted(uid for uid, issue in known.items() if issue.needs_owner)),
        blocked=tuple(sorted(uid for uid, issue in known.items() if issue.blocked_by)),
        unreviewed=tuple(sorted(unreviewed)),
        known=sum(uid in issues for uid in members),
    )


def _names(history: HistoryTables, rows: slice, mask: NDArray[np.bool_]) -> set[str]:
    names = history.ledger.items
    return {names[code] for code in history.ledger.item[rows][mask]} if names else set()


def straggler_age(history: HistoryTables, stream: int, at: float) -> float:
    """Return the age in days beyond which an item of the stream is a straggler; infinite without finished items.

    It is the age at closing that 85% of the stream's finished items did not exceed, counted from joining. ``at`` is in
    days since 1970.
    """
    ledger = history.ledger
    ages: list[Floats] = []
    for i in ledger.of_stream(stream).tolist():
        rows = ledger.rows(i)
        joined, closed = ledger.joined[rows], ledger.closed[rows]
        is_finished = (closed <= at) & (closed > joined)
        ages.append((closed - joined)[is_finished])
    all_ages = np.concatenate(ages) if ages else np.zeros(0)
    return float(quantiles(all_ages, history.rules.straggler_quantile)) if len(all_ages) else float("inf")


def usual_shares(issues: Mapping[str, Issue], members: Mapping[str, Sequence[str]]) -> tuple[float, float]:
    """Return the shares of unassigned and of blocked items among all open items; 0 where no details are known."""
    open_items = {uid for uids in members.values() for uid in uids if uid in issues}
    if not open_items:
        return 0.0, 0.0
    unassigned = sum(issues[uid].needs_owner for uid in open_items)
    blocked = sum(bool(issues[uid].blocked_by) for uid in open_items)
    return unassigned / len(open_items), blocked / len(open_items)


def candidates(issues: Mapping[str, Issue], members: Sequence[str]) -> tuple[str, ...]:
    """Return the open items to cut, best first: not started, lowest priority, unassigned, longest untouched.

    An item that blocks another open item of the container is left out.
    """
    known = {uid: issues[uid] for uid in members if uid in issues}
    blockers = {blocker for issue in known.values() for blocker in issue.blocked_by}
    free = [uid for uid, issue in known.items() if not {uid, issue.key, issue.url, issue.id} & blockers]

    def value(uid: str) -> tuple[bool, int, bool, datetime, str]:
        issue = known[uid]
        is_started = issue.category is not StatusCategory.TODO
        return is_started, _PRIORITY.get(issue.priority.casefold(), 3), bool(issue.assignees), issue.updated_at, uid

    return tuple(sorted(free, key=value))
