"""Splices: streams of the history whose pace changes for good, to see how long the forecast needs to follow.

In each stream with enough milestones, every closure after the start of its middle milestone takes twice or half as
long. The excess is the mean of probability less outcome: above 0, the forecast expects too much. It is shown for the
first to the twelfth milestone after the change, next to that of the same milestones without a change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sync.backtest.questions import BacktestSetup, ask
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.history.ledger import Ledger

__all__ = ["MILESTONES", "change_moments", "score_splices", "spliced"]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]

FACTORS: Mapping[str, float] = {"unchanged": 1.0, "twice_as_long": 2.0, "half_as_long": 0.5}
MILESTONES = 12
"""Milestones after the change that are followed. A stream needs so many, half of them before the change."""


def change_moments(ledger: Ledger) -> Floats:
    """Return the start of the middle milestone of each stream (days since 1970 UTC), NaN where it has too few."""
    moments = np.full(len(ledger.streams), np.nan)
    for code in range(len(ledger.streams)):
        starts = np.sort(ledger.start[(ledger.stream == code) & (ledger.start < ledger.due)])
        if len(starts) >= MILESTONES:
            moments[code] = starts[len(starts) // 2]
    return moments


def spliced(ledger: Ledger, factor: float) -> Ledger:
    """Return the history in which closures take ``factor`` times as long from `change_moments` on.

    The time until a closure is counted from the later of the item's joining and the change.
    """
    container_of = np.repeat(np.arange(len(ledger.containers)), np.diff(ledger.offsets))
    change = change_moments(ledger)[ledger.stream[container_of]]
    begin = np.fmax(ledger.joined, change)
    is_later = (ledger.closed > begin) & np.isfinite(change) & np.isfinite(ledger.closed)
    closed = ledger.closed.copy()
    closed[is_later] = begin[is_later] + factor * (ledger.closed[is_later] - begin[is_later])
    return Ledger(
        ledger.containers, container_of, ledger.item, ledger.joined, ledger.left, closed, ledger.items
    ).with_carried(ledger.carried_at)


def score_splices(ledger: Ledger, rules: Rules, setup: BacktestSetup) -> dict[str, Any]:
    """Return the excess of the published P after a change of pace, for each of `FACTORS`.

    Each has ``excess``, a list over the first to the twelfth milestone after the change, and ``n``, its questions.
    ``streams`` is the number of streams. NaN where there are no questions.
    """
    place = _places(ledger)
    return {"streams": int(np.isfinite(change_moments(ledger)).sum())} | {
        name: _excess(spliced(ledger, factor), place, rules, setup) for name, factor in FACTORS.items()
    }


def _places(ledger: Ledger) -> Codes:
    """Return the place of each container after its stream's change: 1 is the first; 0 before it, or without one."""
    place = np.zeros(len(ledger.containers), dtype=np.int64)
    for code, moment in enumerate(change_moments(ledger).tolist()):
        after = np.flatnonzero((ledger.stream == code) & (ledger.start >= moment) & (ledger.start < ledger.due))
        place[after[np.argsort(ledger.start[after], kind="stable")]] = np.arange(1, len(after) + 1)
    return place


def _excess(ledger: Ledger, place: Codes, rules: Rules, setup: BacktestSetup) -> dict[str, list[Any]]:
    resolved = ask(HistoryTables(ledger, rules), setup).resolved
    p = np.array([np.nan if own.p is None else own.p for own in resolved.forecasts], dtype=np.float64)
    difference, at = p - resolved.hit, place[resolved.asked.index]
    by_place = [difference[at == k] for k in range(1, MILESTONES + 1)]
    return {
        "excess": [float(values.mean()) if len(values) else np.nan for values in by_place],
        "n": [len(values) for values in by_place],
    }
