"""Stability and value of the status label, at nine checks of a milestone's planned time.

The checks are at 10, 20 .. 90% of it, under the conditions of the scored forecasts: there is enough history to
publish, and more items are open than the tolerance allows. The label follows the bands with their hysteresis from check
to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sync.backtest.questions import BacktestSetup, Outcomes, Questions, answerable, questions
from sync.forecast.history_tables import HistoryTables
from sync.forecast.parameters import Rules
from sync.forecast.pooled import Forecast
from sync.forecast.stats import allowed_open
from sync.health.status import band, band_with_hysteresis
from sync.model.health import Status

__all__ = ["LABEL_CHECKS", "reversals", "score_labels"]

LABEL_CHECKS = tuple(tenth / 10 for tenth in range(1, 10))


def score_labels(
    tables: HistoryTables, became: Outcomes, setup: BacktestSetup
) -> tuple[dict[str, float], dict[str, float]]:
    """Return changes and reversals per milestone, and the shares done of the checks on track and of those off track.

    The second value has the same figures over all checks with open items: what a reader sees until the last item is
    closed. Figures without checks are NaN.
    """
    asked = questions(tables.ledger, became.known, LABEL_CHECKS, setup.observed)
    asked = asked.where(asked.open > 0)
    asked, forecasts = answerable(tables, asked, setup.calendar)
    unfinished = asked.open > allowed_open(asked.scope, tables.rules.tolerance)
    to_the_end = np.ones(len(asked), dtype=bool)
    scored, all_checks = (_labels(asked, forecasts, became, tables.rules, mask) for mask in (unfinished, to_the_end))
    return scored, all_checks


def _labels(
    asked: Questions, forecasts: Sequence[Forecast], became: Outcomes, rules: Rules, mask: NDArray[np.bool_]
) -> dict[str, float]:
    rows: dict[int, list[Status]] = {}
    hits: dict[Status, list[bool]] = {Status.ON_TRACK: [], Status.OFF_TRACK: [], Status.AT_RISK: []}
    for index, forecast, is_counted in zip(asked.index.tolist(), forecasts, mask, strict=True):
        if not is_counted or forecast.p is None:
            continue
        row = rows.setdefault(index, [])
        row.append(band_with_hysteresis(row[-1], forecast.p, rules) if row else band(forecast.p, rules))
        hits[row[-1]].append(bool(became.hit[index]))
    return {
        "changes": _mean([sum(a is not b for a, b in pairwise(row)) for row in rows.values()]),
        "reversals": _mean([reversals(row) for row in rows.values()]),
        "done_given_on_track": _mean(hits[Status.ON_TRACK]),
        "done_given_off_track": _mean(hits[Status.OFF_TRACK]),
    }


def reversals(row: Sequence[Status]) -> int:
    """Return the number of changes back to the label before the previous change."""
    steps = [(a, b) for a, b in pairwise(row) if a is not b]
    return sum(before is after for (before, _), (_, after) in pairwise(steps))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
